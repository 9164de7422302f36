//! Keeps a connection open, prints what it receives, and reconnects when it is lost.
//!
//! ```text
//! $ cargo run --release --example reconnect -- --to localhost:8000
//! connected to 127.0.0.1:8000
//! lost
//! 1 attempt failed: could not connect to 127.0.0.1:8000: Connection refused (os error 111)
//! connected to 127.0.0.1:8000
//! ```

mod cli;

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use cli::{EngineArgs, Failed, print_line, say};
use sinew::{
    prelude::*,
    protocols::basic::{Line, LineHandler, LineReceiver, LineTransport},
    transports::{ClientService, RetryConfig, ServiceError, endpoint::ClientEndpoint},
};

type Client = LineReceiver<Printer>;

struct Printer;

impl LineHandler for Printer {
    fn line_received(&mut self, _: &mut LineTransport<'_>, line: &[u8]) {
        say!("received {}", line.escape_ascii());
    }
}

/// Prints the state changes of the service until it gives up.
async fn watch(service: ClientService<Client>) -> Result<(), Failed> {
    loop {
        match service.when_connected_within(1).await {
            Ok(connection) => {
                print_line!("connected to {}", connection.transport().peer())?;
                connection.transport().when_lost().await?;
                print_line!("lost")?;
            }
            // Another attempt will follow.
            Err(failed @ ServiceError::Failed { .. }) if service.is_running() => {
                print_line!("{failed}")?;
            }
            Err(ServiceError::Stopped) => return Ok(()),
            Err(failed) => return Err(failed.into()),
        }
    }
}

/// Keeps a connection open, and reconnects when it is lost
#[derive(Parser)]
struct Args {
    /// Where to connect to: host:port, or an endpoint such as tcp:host:port:timeout=10
    #[arg(long, value_name = "ENDPOINT", default_value = "127.0.0.1:8000", value_parser = cli::endpoint::<ClientEndpoint>)]
    to: ClientEndpoint,

    /// Delay before the first retry, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    delay: u64,

    /// Longest delay between retries, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 60_000)]
    delay_max: u64,

    /// Maximum consecutive failed retries; unlimited by default
    #[arg(long, value_name = "N")]
    retries: Option<u32>,

    #[command(flatten)]
    engine: EngineArgs,
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let reactor = args.engine.builder().build()?;
        let (delay, max) =
            (Duration::from_millis(args.delay), Duration::from_millis(args.delay_max));
        let config = RetryConfig::default().delay(delay, max).retries_max(args.retries);
        let service = ClientService::with(&reactor, args.to, config, |_: &Peer| {
            LineReceiver::with_decoder(Line::lf_or_crlf(), Printer)
        });
        service.start();
        // After a signal, the connection is closed gracefully.
        let stopped = service.clone();
        reactor.on(Phase::BeforeShutdown, move |_| stopped.stop());
        cli::run_until(&reactor, watch(service))
    })
}
