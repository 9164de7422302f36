//! Answers each datagram with `ok`, and prints its sender.
//!
//! ```text
//! $ nc -u 127.0.0.1 8000
//! hello
//! ok
//! ```

mod cli;

use std::{net::SocketAddr, process::ExitCode};

use cli::{AddrArgs, say};
use sinew::{
    prelude::*,
    transports::{SendFailed, SendStatus},
};

/// One instance per socket: datagrams have no connections. Each callback names the sender.
struct Server;

impl DatagramProtocol for Server {
    /// Datagrams arrive whole or not at all. `send_to` sends at once if the kernel accepts it; otherwise the datagram
    /// waits in a bounded queue, or is refused if that is full. Datagrams may be lost anyway, so the result can be
    /// ignored.
    fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], from: SocketAddr) {
        let text = data.strip_suffix(b"\n").unwrap_or(data);
        say!("{from} sent {}", text.escape_ascii());
        if transport.send_to(b"ok\n", from) == SendStatus::Refused {
            say!("{from} got no answer");
        }
    }

    fn send_failed(&mut self, _: &DatagramTransport, failed: &SendFailed) {
        say!("{failed}");
    }
}

fn main() -> ExitCode {
    cli::main_about("Answers ok to each datagram, and prints who sent it", |args: AddrArgs| {
        let reactor = args.engine.builder().build()?;
        let transport = reactor.listen_udp(args.listen, Server)?;
        cli::announce(&reactor, transport.local());
        // A signal ends the loop and closes the socket. There is nothing to drain.
        Ok(reactor.run()?)
    })
}
