//! A custom event source on the reactor: a UDP socket that echoes datagrams.
//!
//! Event sources implement [`Handler`]; TCP is built on the same trait. On Unix any nonblocking descriptor can be
//! registered; on all platforms, the sockets of mio.
//!
//! ```text
//! $ nc -u 127.0.0.1 8000
//! hello
//! hello
//! ```

mod cli;

use std::{io::ErrorKind, process::ExitCode, rc::Rc};

use cli::{AddrArgs, say};
use mio::net::UdpSocket;
use sinew::{
    prelude::*,
    reactor::{Handler, Interest, Ready, Token},
};

/// Limit per event, so that other handlers are not starved.
const DATAGRAMS_PER_TURN: usize = 64;

/// Handlers are shared with the loop, so mutable state goes into cells. This one has none.
struct UdpEcho {
    socket: UdpSocket,
    token: Token,
}

impl Handler for UdpEcho {
    /// The socket is readable. The default engine is edge-triggered: it must be read until `WouldBlock`, or the
    /// handler must ask to be rescheduled.
    fn ready(self: Rc<Self>, reactor: &Reactor, _: Ready) {
        let mut buffer = [0; 65_536];
        for _ in 0..DATAGRAMS_PER_TURN {
            match self.socket.recv_from(&mut buffer) {
                // Datagrams may be lost; one that does not fit into the send buffer is.
                Ok((len, from)) => drop(self.socket.send_to(&buffer[..len], from)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => say!("{error}"),
            }
        }
        reactor.reschedule(self.token);
    }

    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        self.ready(reactor, Ready::READ);
    }

    /// The reactor is shutting down. Afterwards it drops the handler, which closes the socket.
    fn shutdown(self: Rc<Self>, _: &Reactor) {
        say!("no longer listening");
    }
}

fn main() -> ExitCode {
    cli::main_about("Answers each datagram with the same datagram", |args: AddrArgs| {
        let reactor = args.engine.builder().build()?;
        let addr = args.listen;
        let mut socket = UdpSocket::bind(addr)
            .map_err(|error| format!("could not listen on {addr}: {error}"))?;
        let token = reactor.register_source(&mut socket, Interest::READ)?;
        cli::announce(&reactor, socket.local_addr()?);
        reactor.bind(token, Rc::new(UdpEcho { socket, token }));
        reactor.run()?;
        Ok(())
    })
}
