//! Forwards each connection to another address, byte for byte, both ways.
//!
//! ```text
//! $ echo hello | nc -N 127.0.0.1 8000    # with `portforward --to 127.0.0.1:9000`, and an echo server there
//! hello
//! ```

mod cli;

use std::{cell::OnceCell, process::ExitCode, rc::Rc};

use clap::Parser;
use cli::{ServerArgs, say};
use sinew::{prelude::*, transports::endpoint::ClientEndpoint};

/// One end of a tunnel: what comes in here goes out at the other.
#[derive(Default)]
pub(crate) struct End {
    /// The transport of this end, where the other finds it, and that of the other.
    this: Rc<OnceCell<Transport>>,
    other: Rc<OnceCell<Transport>>,
    /// Where the other end is to lead, until it does.
    to: Option<ClientEndpoint>,
}

impl End {
    /// The end of a client that is led to `to`.
    pub(crate) fn leading(to: ClientEndpoint) -> Self {
        Self { to: Some(to), ..Self::default() }
    }
}

impl Protocol for End {
    fn connection_made(&mut self, transport: &Transport) {
        let _ = self.this.set(transport.clone());
        // An end is read while there is room at the other, whatever its own peer leaves unread.
        transport.set_auto_pause(false);
        // The end of a client leads on, and is not read until the other end stands.
        let Some(to) = self.to.take() else { return };
        transport.pause_reading();
        let (this, other) = (self.other.clone(), self.this.clone());
        let outgoing = move |_: &Peer| Self { this: this.clone(), other: other.clone(), to: None };
        let client = transport.clone();
        to.connect(&transport.reactor(), outgoing).then(move |_, connected| match connected {
            Ok(server) if client.is_closing() => server.transport().lose_connection(),
            Ok(_) => client.resume_reading(),
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

    /// The end of the input here is the end of the output there. A connection of which both have ended is over.
    fn read_closed(&mut self, _: &Transport) {
        self.other.get().map(Transport::close_write);
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        let end = if reason.is_clean() { Transport::lose_connection } else { Transport::abort };
        self.other.get().map(end);
    }
}

/// Forwards each connection to another address
#[derive(Parser)]
struct Args {
    /// Where to: host:port, or an endpoint such as tcp:host:port:timeout=10
    #[arg(long, value_name = "ENDPOINT", value_parser = cli::endpoint::<ClientEndpoint>)]
    to: ClientEndpoint,

    #[command(flatten)]
    server: ServerArgs,
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.server.reactor()?;
        let to = args.to;
        let port = args.server.listen.listen(&reactor, move |_: &Peer| End::leading(to.clone()))?;
        cli::run(&reactor, port)
    })
}
