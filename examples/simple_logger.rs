//! Prints all events of a connection: connects, data, and the reason for its end.
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
    /// Called once, before all other callbacks.
    fn connection_made(&mut self, transport: &Transport) {
        say!("{} connected", transport.peer());
    }

    /// Called any number of times. TCP is a byte stream: data sent at once may arrive in pieces, and vice versa.
    /// `line_logger` splits it into messages.
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        say!("{} sent {}", transport.peer(), data.escape_ascii());
    }

    /// Called once, after all other callbacks. Then the protocol is dropped.
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
