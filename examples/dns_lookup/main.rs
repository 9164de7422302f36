//! Looks names up, in the manner of `host`: addresses, records of any type, the names of an address. By the servers of the system, or by one
//! that is named.
//!
//! ```text
//! $ cargo run --release --features dns --example dns_lookup -- example.org
//! example.org has address 2001:db8:3::7
//! example.org has address 192.0.2.7
//! $ cargo run --release --features dns --example dns_lookup -- --server 192.0.2.53 --type MX example.org
//! example.org. 300 IN MX 10 mail.example.org.
//! $ cargo run --release --features dns --example dns_lookup -- 192.0.2.7
//! 192.0.2.7 is called www.example.org
//! ```

#[path = "../cli/mod.rs"]
mod cli;

use std::{
    net::{IpAddr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use cli::{EngineArgs, Failed, print_line};
use sinew::{
    dns::{
        client::{DnsConfig, DnsResolver, LookupError, NameServer},
        codec::RecordType,
    },
    prelude::*,
};

/// Looks up the addresses of names, the names of addresses, or records.
///
/// Exit codes: 0 if all is found, 1 if not, 2 for a bad argument.
#[derive(Parser)]
struct Args {
    /// What to look up: names, completed by the search domains of the system, or addresses
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,

    /// The type of the records, such as MX, TXT or TYPE65280; the names are not completed then
    #[arg(long = "type", short = 't', value_name = "TYPE", value_parser = record_type)]
    record_type: Option<RecordType>,

    /// The server to ask: ADDR or ADDR:PORT; by default those of the system
    #[arg(long, short, value_name = "SERVER", value_parser = server)]
    server: Option<SocketAddr>,

    /// Asks over TCP
    #[arg(long)]
    tcp: bool,

    /// How long to wait for the first answer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    timeout: u64,

    #[command(flatten)]
    engine: EngineArgs,
}

fn record_type(text: &str) -> Result<RecordType, String> {
    let upper = text.to_ascii_uppercase();
    let number = upper.strip_prefix("TYPE").and_then(|number| number.parse::<u16>().ok());
    match number {
        Some(number) => Ok(number.into()),
        None => upper.parse().map_err(|_| format!("{text} is not a type of records")),
    }
}

fn server(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse().ok();
    let addr = with_port.or_else(|| text.parse::<IpAddr>().ok().map(|ip| (ip, 53).into()));
    addr.ok_or_else(|| format!("{text} is not an address"))
}

fn config(args: &Args) -> DnsConfig {
    let config = match args.server {
        Some(addr) => DnsConfig::default().server(NameServer::new(addr)),
        None => DnsConfig::system(),
    };
    let config = if args.tcp { config.tcp(true) } else { config };
    config.timeout(Duration::from_millis(args.timeout))
}

/// The lines to print for a name.
async fn look_up(
    resolver: &DnsResolver,
    name: &str,
    record_type: Option<RecordType>,
) -> Result<Vec<String>, LookupError> {
    if let Some(record_type) = record_type {
        let answer = resolver.lookup(name, record_type).await?;
        let all = answer.aliases().iter().chain(answer.records());
        return Ok(all.map(ToString::to_string).collect());
    }
    if let Ok(ip) = name.parse() {
        let names = resolver.ptr(ip).await?;
        let called = |of: &sinew::dns::codec::Name| {
            let of = of.to_ascii();
            format!("{name} is called {}", of.strip_suffix('.').unwrap_or(&of))
        };
        return Ok(names.iter().map(called).collect());
    }
    let addrs = resolver.addresses(name).await?;
    Ok(addrs.iter().map(|addr| format!("{name} has address {}", addr.ip())).collect())
}

/// Looks all names up side by side, and prints what is found in their order.
async fn run_all(resolver: DnsResolver, args: Args, reactor: Reactor) -> Result<(), Failed> {
    let started = args.names.iter().cloned().map(|name| {
        let (resolver, record_type) = (resolver.clone(), args.record_type);
        reactor.spawn(async move { look_up(&resolver, &name, record_type).await })
    });
    let mut failed = 0;
    for lookup in started.collect::<Vec<_>>() {
        match lookup.await? {
            Ok(lines) => lines.iter().try_for_each(|line| print_line!("{line}"))?,
            Err(error) => {
                eprintln!("{error}");
                failed += 1;
            }
        }
    }
    if failed > 0 {
        return Err(format!("{failed} of {} were not found", args.names.len()).into());
    }
    Ok(())
}

fn run(args: Args) -> Result<(), Failed> {
    let reactor = args.engine.builder().build()?;
    let resolver = DnsResolver::new(&reactor, config(&args));
    cli::run_until(&reactor, run_all(resolver, args, reactor.clone()))
}

fn main() -> ExitCode {
    cli::main(run)
}
