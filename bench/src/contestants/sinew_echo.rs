//! An echo server as a user of sinew would write it.

use std::error::Error;
use std::time::Duration;

use bench::convention::{Listen, announce};
use bench::engine::EngineArgs;
use clap::Parser;
use sinew::prelude::*;

/// How long connections may take to end after SIGTERM.
const DRAIN: Duration = Duration::from_secs(10);

/// Sends every byte back
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    #[command(flatten)]
    engine: EngineArgs,

    /// Close connections that are idle for this many seconds
    #[arg(long, value_name = "S")]
    idle_timeout: Option<u64>,
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let reactor = args.engine.reactor()?;
    let stream = StreamConfig::default().idle_timeout(args.idle_timeout.map(Duration::from_secs));
    let config = ListenConfig::default().backlog(Listen::backlog()).stream(stream);
    let port = reactor.listen_tcp_with(args.listen.listen, config, |_: &Peer| Echo)?;
    let addr = port.local();
    reactor.on(Phase::AfterStartup, move |_| announce(addr));
    reactor.on(Phase::BeforeShutdown, move |_| port.drain(DRAIN));
    reactor.run()?;
    Ok(())
}
