//! A server of IRC as a user of sinew would write it, without limits for clients that are many and talk fast.

use std::error::Error;
use std::time::Duration;

use bench::convention::{Listen, announce};
use bench::engine::EngineArgs;
use clap::Parser;
use sinew::chat::irc::server::{IrcServer, ServerConfig};
use sinew::prelude::*;

/// Serves a network of IRC
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    #[command(flatten)]
    engine: EngineArgs,
}

/// More than any load has.
const MANY: usize = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let reactor = args.engine.reactor()?;
    let config = ServerConfig::new("irc.bench.example")?
        .clients_max(MANY)
        .members_max(MANY)
        .clients_per_network_max(MANY)
        .connects(u32::MAX, Duration::from_secs(1))
        .flood(u32::MAX, Duration::from_nanos(1))
        // The names of thousands are told to each who joins.
        .send_queue_max(1 << 20)
        .ping_after(Duration::from_secs(3_600));
    let listen = ListenConfig::default().backlog(Listen::backlog());
    let server = IrcServer::new(&reactor, config);
    let port = reactor.listen_tcp_with(args.listen.listen, listen, server)?;
    let addr = port.local();
    reactor.on(Phase::AfterStartup, move |_| announce(addr));
    reactor.run()?;
    Ok(())
}
