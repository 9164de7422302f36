//! Answers `ok` to each datagram, and prints who sent it.
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

/// One object for the socket: datagrams have no connections. Who sent one comes with it.
struct Server;

impl DatagramProtocol for Server {
    /// Each datagram comes whole, or not at all. `send_to` sends at once if the system takes it; what it does not take waits
    /// in a short queue, and past that it is refused. Datagrams get lost anyway, so nobody has to mind.
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
        // A signal ends the loop, and with it the socket. There is nothing to wait for.
        Ok(reactor.run()?)
    })
}
