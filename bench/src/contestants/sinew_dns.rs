//! A name server as a user of sinew would write it: a zone in memory, or a forwarder with a cache in front of such a server.

use std::error::Error;

use bench::convention::{Listen, announce};
use bench::dns::{ORIGIN, zone};
use bench::engine::EngineArgs;
use clap::Parser;
use sinew::dns::client::{DnsConfig, DnsResolver};
use sinew::dns::server::{DnsServer, Forward, ServerConfig, Zones};
use sinew::dns::zone::Zone;
use sinew::prelude::*;

/// Answers from a zone
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    listen: Listen,

    #[command(flatten)]
    engine: EngineArgs,

    /// Forward to a server of this process that has the zone, and answer from a cache
    #[arg(long)]
    forward: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let reactor = args.engine.reactor()?;
    // All queries are from one network.
    let config = ServerConfig::default().responses_per_second(None);
    let zones = Zones::new();
    zones.insert(Zone::parse(zone(), &ORIGIN.parse()?)?);
    let authority = DnsServer::with_config(zones, config.clone());
    let ports = if args.forward {
        let upstream = authority.listen(&reactor, "127.0.0.1:0".parse()?)?;
        let resolver = DnsResolver::new(&reactor, DnsConfig::default().servers([upstream.local()]));
        let forwarder = DnsServer::with_config(Forward::new(resolver), config);
        forwarder.listen(&reactor, args.listen.listen)?
    } else {
        authority.listen(&reactor, args.listen.listen)?
    };
    let addr = ports.local();
    reactor.on(Phase::AfterStartup, move |_| announce(addr));
    reactor.run()?;
    Ok(())
}
