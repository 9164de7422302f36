//! Connects, sends what it reads from standard input, and prints the answers.
//!
//! ```text
//! $ cargo run --release --example echo_client -- --to localhost:8000
//! hello
//! hello
//! ```

mod cli;

use std::{io, io::prelude::*, mem, process::ExitCode, time::Duration};

use clap::Parser;
use cli::{End, EngineArgs};
use sinew::{prelude::*, transports::endpoint::ClientEndpoint};

struct Client {
    end: End,
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        send_next_piece(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let mut out = io::stdout();
        if let Err(error) = out.write_all(data).and_then(|()| out.flush()) {
            transport.fail(format!("standard output: {error}"));
        }
    }

    fn writing_resumed(&mut self, transport: &Transport) {
        send_next_piece(transport);
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.end.lost(reason);
    }
}

/// Reading standard input blocks, so it is done on a thread; the event loop sends each piece. Backpressure: the next
/// piece is read only once the server has accepted the last one (`writing_resumed`).
fn send_next_piece(transport: &Transport) {
    let transport = transport.clone();
    let Some(reactor) = transport.reactor() else { return };
    reactor.defer_to_thread(cli::read_piece).then(move |_, piece| match piece {
        // End of input: half-close. Answers may still arrive.
        Ok(Ok(piece)) if piece.is_empty() => transport.close_write(),
        Ok(Ok(piece)) => {
            if transport.write(&piece) == WriteStatus::Ok {
                send_next_piece(&transport);
            }
        }
        Ok(Err(error)) => transport.fail(format!("standard input: {error}")),
        Err(failure) => transport.fail(failure),
    });
}

/// Connects, sends what it reads from standard input, and prints the answers
#[derive(Parser)]
struct Args {
    /// Where to connect to: host:port, or an endpoint such as tcp:host:port:timeout=10
    #[arg(long, value_name = "ENDPOINT", default_value = "127.0.0.1:8000", value_parser = cli::endpoint::<ClientEndpoint>)]
    to: ClientEndpoint,

    #[command(flatten)]
    engine: EngineArgs,
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        // After the server has closed, do not wait for the thread that is blocked reading standard input.
        let reactor = args.engine.builder().pool_grace(Duration::ZERO).build()?;
        let (mut end, ended) = End::new(&reactor);
        let factory = move |_: &Peer| Client { end: mem::take(&mut end) };
        cli::run_until_lost(&reactor, args.to.connect(&reactor, factory), ended)
    })
}
