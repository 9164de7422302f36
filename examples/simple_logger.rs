//! Prints when somebody connects, what they send, and why they went: all that happens in the life of a connection.
//!
//! ```text
//! $ echo hello | nc -N 127.0.0.1 8000
//! ```
//!
//! ```text
//! $ cargo run --release --example simple_logger
//! listening on 127.0.0.1:8000
//! 127.0.0.1:42660 connected
//! 127.0.0.1:42660 sent hello\n
//! 127.0.0.1:42660 disconnected: closed by the peer
//! ```

mod cli;

use std::process::ExitCode;

use cli::{ServerArgs, say};
use sinew::prelude::*;

struct Logger;

impl Protocol for Logger {
    /// Once, and first.
    fn connection_made(&mut self, transport: &Transport) {
        say!("{} connected", transport.peer());
    }

    /// Any number of times. TCP carries a stream: what was sent at once may come in pieces, and what was sent in pieces
    /// may come at once. `line_logger` makes messages of it.
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        say!("{} sent {}", transport.peer(), data.escape_ascii());
    }

    /// Once, and last, whatever happened in between. Afterwards the protocol is dropped.
    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        say!("{} disconnected: {reason}", transport.peer());
    }
}

fn main() -> ExitCode {
    cli::main_about("Prints who connects, what they send, and why they went", |args: ServerArgs| {
        let reactor = args.reactor()?;
        let port = args.listen.listen(&reactor, |_: &Peer| Logger)?;
        cli::run(&reactor, port)
    })
}
