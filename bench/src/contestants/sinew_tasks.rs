//! An echo server of tasks, as a user of sinew would write it: one task for each connection.

use std::error::Error;
use std::io;
use std::time::Duration;

use bench::convention::{Listen, announce};
use bench::engine::EngineArgs;
use clap::Parser;
use sinew::prelude::*;
use sinew::transports::endpoint::ServerEndpoint;

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

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let reactor = args.engine.reactor()?;
    let stream = StreamConfig::default().idle_timeout(args.idle_timeout.map(Duration::from_secs));
    let config = ListenConfig::default().backlog(Listen::backlog()).stream(stream);
    let endpoint = ServerEndpoint::from(args.listen.listen);
    let mut listener = AsyncListener::bind_with(&reactor, endpoint, config)?;
    let addr = listener.local().socket_addr().ok_or("no address")?;
    let port = listener.port().clone();
    reactor.on(Phase::AfterStartup, move |_| announce(addr));
    reactor.on(Phase::BeforeShutdown, move |_| port.drain(DRAIN));
    let spawner = reactor.clone();
    let accepting = async move {
        while let Some(stream) = listener.accept().await {
            spawner.spawn(echo(stream)).detach();
        }
    };
    reactor.spawn(accepting).detach();
    reactor.run()?;
    Ok(())
}

/// Without a buffer of its own: what has been received is lent until it is consumed.
async fn echo(stream: AsyncStream) -> io::Result<()> {
    let (mut read, mut write) = stream.split();
    loop {
        let data = read.fill_buf().await?;
        if data.is_empty() {
            return Ok(());
        }
        write.write_all(data).await?;
        let len = data.len();
        read.consume(len);
    }
}
