//! Connects standard input and output to an endpoint, as nc does.
//!
//! ```text
//! $ printf 'GET / HTTP/1.0\r\n\r\n' | cargo run --release --example connect -- tcp:example.org:http:timeout=5
//! HTTP/1.1 200 OK
//! ```

mod cli;

use std::{io, io::prelude::*, mem, process::ExitCode, time::Duration};

use clap::Parser;
use cli::{End, EngineArgs};
use sinew::{prelude::*, transports::endpoint::ClientEndpoint};

/// Standard input and output may block, so they are accessed on threads, one piece at a time in each direction.
struct Joined {
    end: End,
    /// Resolved when the last received piece has been printed.
    printed: Option<Deferred<()>>,
}

impl Protocol for Joined {
    fn connection_made(&mut self, transport: &Transport) {
        // Backpressure on sending must not stop receiving.
        transport.set_auto_pause(false);
        send_next_piece(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let Some(reactor) = transport.reactor() else { return };
        transport.pause_reading();
        let (transport, piece) = (transport.clone(), data.to_vec());
        let printing = reactor.defer_to_thread(move || {
            let mut out = io::stdout();
            out.write_all(&piece).and_then(|()| out.flush())
        });
        let (promise, printed) = reactor.promise();
        printing.then(move |_, done| {
            match done.map_err(io::Error::other).and_then(|done| done) {
                Ok(()) => transport.resume_reading(),
                Err(error) => transport.fail(format!("standard output: {error}")),
            }
            promise.resolve(());
        });
        self.printed = Some(printed);
    }

    fn writing_resumed(&mut self, transport: &Transport) {
        send_next_piece(transport);
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        let how = if reason.is_clean() { Ok(()) } else { Err(reason.to_string()) };
        let mut end = mem::take(&mut self.end);
        match self.printed.take() {
            // The last piece may still be printing.
            Some(printed) => printed.then(move |_, _| end.tell(how)),
            None => end.tell(how),
        }
    }
}

fn send_next_piece(transport: &Transport) {
    let transport = transport.clone();
    let Some(reactor) = transport.reactor() else { return };
    let piece = reactor.defer_to_thread(cli::read_piece);
    piece.then(move |_, piece| match piece.map_err(io::Error::other).and_then(|piece| piece) {
        // End of input: half-close. The peer may still send.
        Ok(piece) if piece.is_empty() => transport.close_write(),
        Ok(piece) if transport.write(&piece) == WriteStatus::Ok => send_next_piece(&transport),
        // Reading continues in `writing_resumed`.
        Ok(_) => {}
        Err(error) => transport.fail(format!("standard input: {error}")),
    });
}

/// Connects standard input and output to an endpoint
#[derive(Parser)]
struct Args {
    /// Where to connect to: host:port, or an endpoint such as tcp:host:port:timeout=10
    #[arg(value_name = "ENDPOINT", value_parser = cli::endpoint::<ClientEndpoint>)]
    to: ClientEndpoint,

    #[command(flatten)]
    engine: EngineArgs,
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        // After the peer has closed, do not wait for the thread that is blocked reading standard input.
        let reactor = args.engine.builder().pool_grace(Duration::ZERO).build()?;
        let (mut end, ended) = End::new(&reactor);
        let joined = move |_: &Peer| Joined { end: mem::take(&mut end), printed: None };
        cli::run_until_lost(&reactor, args.to.connect(&reactor, joined), ended)
    })
}
