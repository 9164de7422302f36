//! Forwards each connection to another address, byte for byte, both ways.
//!
//! ```text
//! $ echo hello | nc -N 127.0.0.1 8000    # with `portforward --to 127.0.0.1:9000`, and an echo server there
//! hello
//! ```

mod cli;

use std::{cell, process::ExitCode, rc::Rc};

use clap::Parser;
use cli::{ServerArgs, say};
use sinew::{prelude::*, transports::Destination};

/// One end of a tunnel: what comes in here goes out at the other.
#[derive(Default)]
struct End {
    other: Rc<cell::OnceCell<Transport>>,
    one_has_ended: Rc<cell::Cell<bool>>,
    /// Where the other end is to lead, until it does.
    to: Option<Destination>,
}

impl Protocol for End {
    fn connection_made(&mut self, transport: &Transport) {
        // An end is read while there is room at the other, whatever its own peer leaves unread.
        transport.set_auto_pause(false);
        // The end of a client leads on, and is not read until the other end stands.
        let Some(to) = self.to.take() else { return };
        transport.pause_reading();
        let (client, one_has_ended) = (transport.clone(), self.one_has_ended.clone());
        let outgoing = move |_: &Peer| {
            let other = Rc::new(cell::OnceCell::from(client.clone()));
            Self { other, one_has_ended: one_has_ended.clone(), to: None }
        };
        let connecting = transport.reactor().connect_tcp(to, outgoing);
        let (client, other) = (transport.clone(), self.other.clone());
        connecting.then(move |_, connected| match connected {
            Ok(server) if client.is_closing() => server.transport().lose_connection(),
            Ok(server) => {
                let _ = other.set(server.transport().clone());
                client.resume_reading();
            }
            Err(error) => {
                say!("{} closed: {error}", client.peer());
                client.lose_connection();
            }
        });
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.other.get().map(|other| other.write(data));
    }

    fn writing_paused(&mut self, _: &Transport) {
        self.other.get().map(Transport::pause_reading);
    }

    fn writing_resumed(&mut self, _: &Transport) {
        self.other.get().map(Transport::resume_reading);
    }

    /// The end of the input here is the end of the output there. After the second such end all has been said.
    fn read_closed(&mut self, transport: &Transport) {
        self.other.get().map(Transport::close_write);
        if self.one_has_ended.replace(true) {
            transport.lose_connection();
            self.other.get().map(Transport::lose_connection);
        }
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        let end = if reason.is_clean() { Transport::lose_connection } else { Transport::abort };
        self.other.get().map(end);
    }
}

/// Forwards each connection to another address
#[derive(Parser)]
struct Args {
    /// Where to: an address, or host:port
    #[arg(long, value_name = "ADDR", value_parser = cli::destination)]
    to: Destination,

    #[command(flatten)]
    server: ServerArgs,
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.server.reactor()?;
        let port = reactor.listen_tcp(args.server.listen, move |_: &Peer| End {
            to: Some(args.to.clone()),
            ..End::default()
        })?;
        cli::run(&reactor, port)
    })
}
