//! A source of one's own on the reactor: a UDP socket that answers each datagram with the same datagram.
//!
//! What can be registered hears from the loop through a [`Handler`]: TCP is made of that, too. On Unix that is whatever has
//! a descriptor and does not block; on every platform, the sockets of mio.
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

/// Others want their turn, too.
const DATAGRAMS_PER_TURN: usize = 64;

/// Handlers are shared with the loop, so what changes in them sits in cells. Here nothing changes.
struct UdpEcho {
    socket: UdpSocket,
    token: Token,
}

impl Handler for UdpEcho {
    /// The kernel says that there is something to read. It says so once (on the default engine), so all of it has to be
    /// read, until `WouldBlock`; or else the loop has to be asked to come again.
    fn ready(self: Rc<Self>, reactor: &Reactor, _: Ready) {
        let mut buffer = [0; 65_536];
        for _ in 0..DATAGRAMS_PER_TURN {
            match self.socket.recv_from(&mut buffer) {
                // A datagram may get lost; one for which there is no room does.
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

    /// The run ends. Afterwards the loop lets go of this, and the socket is closed.
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
