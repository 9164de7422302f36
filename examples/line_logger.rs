//! Prints the lines it receives: `simple_logger` with a [`LineReceiver`], which splits the stream into lines.
//!
//! ```text
//! $ printf 'one\ntwo\nthr' | nc -N 127.0.0.1 8000
//! ```
//!
//! ```text
//! $ cargo run --release --example line_logger
//! listening on 127.0.0.1:8000
//! 127.0.0.1:42664 connected
//! 127.0.0.1:42664 sent the line one
//! 127.0.0.1:42664 sent the line two
//! 127.0.0.1:42664 sent half a line: thr
//! 127.0.0.1:42664 disconnected: closed by the peer
//! ```

mod cli;

use std::process::ExitCode;

use cli::{ServerArgs, say};
use sinew::{
    prelude::*,
    protocols::basic::{FrameError, Line, LineHandler, LineReceiver, LineTransport},
};

/// Longest line accepted, in bytes.
const LINE_MAX: usize = 1024;

struct Logger;

/// A `LineHandler` has the callbacks of a `Protocol`, but receives lines instead of bytes.
impl LineHandler for Logger {
    fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
        say!("{} connected", transport.peer());
    }

    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        say!("{} sent the line {}", transport.peer(), line.escape_ascii());
    }

    /// The peer closed in the middle of a line. By default that is an error; a logger prints what it has.
    fn unfinished(
        &mut self,
        transport: &mut LineTransport<'_>,
        rest: &[u8],
    ) -> Result<(), FrameError> {
        say!("{} sent half a line: {}", transport.peer(), rest.escape_ascii());
        Ok(())
    }

    /// A line is too long. The start of the next line is unknown, so the connection is closed after this answer.
    /// Earlier lines have been delivered.
    fn framing_failed(&mut self, transport: &mut LineTransport<'_>, error: &FrameError) {
        transport.write(format!("error: {error}\r\n").as_bytes());
    }

    fn connection_lost(&mut self, transport: &mut LineTransport<'_>, reason: &ConnectionLost) {
        say!("{} disconnected: {reason}", transport.peer());
    }
}

fn main() -> ExitCode {
    cli::main_about("Prints the lines that it is sent", |args: ServerArgs| {
        let reactor = args.reactor()?;
        let port = args.listen.listen(&reactor, |_: &Peer| {
            // RFCs end lines in CRLF; netcat sends LF.
            LineReceiver::with_decoder(Line::lf_or_crlf().len_max(LINE_MAX), Logger)
        })?;
        cli::run(&reactor, port)
    })
}
