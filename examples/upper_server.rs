//! Answers each line in upper case.
//!
//! Why lines? A letter may consist of several bytes, and a read from the network may end in the middle of one.
//!
//! ```text
//! $ nc 127.0.0.1 8000
//! straße
//! STRASSE
//! ```

mod cli;

use std::process::ExitCode;

use cli::ServerArgs;
use sinew::{
    prelude::*,
    protocols::basic::{FrameError, Line, LineHandler, LineReceiver, LineTransport},
};

struct Upper;

impl LineHandler for Upper {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        let answer = match str::from_utf8(line) {
            Ok(text) => text.to_uppercase().into_bytes(),
            Err(_) => line.to_ascii_uppercase(),
        };
        // Some letters are longer in upper case, so the answer may exceed the line limit.
        if let Err(error) = transport.send_line(answer) {
            transport.fail(error);
        }
    }

    /// The last line may lack its line end: `printf hello | nc …`.
    fn unfinished(
        &mut self,
        transport: &mut LineTransport<'_>,
        rest: &[u8],
    ) -> Result<(), FrameError> {
        self.line_received(transport, rest);
        Ok(())
    }
}

fn main() -> ExitCode {
    cli::main_about("Answers every line in upper case", |args: ServerArgs| {
        let reactor = args.reactor()?;
        let port = args
            .listen
            .listen(&reactor, |_: &Peer| LineReceiver::with_decoder(Line::lf_or_crlf(), Upper))?;
        cli::run(&reactor, port)
    })
}
