//! An echo server as a user of sinew would write it.

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use bench::convention::{Listen, announce};
use bench::engine::EngineArgs;
use clap::Parser;
use sinew::prelude::*;
use sinew::transports::Address;
use sinew::transports::reactors::{Distribution, Reactors};

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

    /// Run so many reactors, each on a thread of its own
    #[arg(long, value_name = "N")]
    reactors: Option<usize>,

    /// Pin each reactor's thread to a CPU
    #[arg(long)]
    pin: bool,

    /// Compute so many rounds of a hash for each read, before the answer
    #[arg(long, value_name = "ROUNDS", default_value_t = 0)]
    work: u32,
}

struct Echo {
    work: u32,
}

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        if self.work > 0 {
            black_box(hash(data, self.work));
        }
        transport.write(data);
    }
}

/// Stands for what a server does for its answer. No memory but its own.
fn hash(data: &[u8], rounds: u32) -> u64 {
    let start = data.iter().fold(0, |sum: u64, byte| sum.rotate_left(8) ^ u64::from(*byte));
    (0..rounds).fold(start, |hash, round| {
        black_box((hash ^ u64::from(round)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29))
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let work = args.work;
    let stream = StreamConfig::default().idle_timeout(args.idle_timeout.map(Duration::from_secs));
    let config = ListenConfig::default().backlog(Listen::backlog()).stream(stream);
    if let Some(number) = args.reactors {
        let builder = args.engine.builder();
        let reactors = Reactors::new(number)
            .reactor(move |_| builder.clone())
            .listen_with(args.listen.listen.into(), config, move |_| move |_: &Peer| Echo { work })
            // So that a few connections are divided evenly.
            .distribution(Distribution::RoundRobin)
            .pin(args.pin)
            .drain(DRAIN)
            .start()?;
        reactors.addresses().iter().filter_map(Address::socket_addr).for_each(announce);
        reactors.join()?;
        return Ok(());
    }
    let reactor = args.engine.reactor()?;
    let echo = move |_: &Peer| Echo { work };
    let port = reactor.listen_tcp_with(args.listen.listen, config, echo)?;
    let addr = port.local();
    reactor.on(Phase::AfterStartup, move |_| announce(addr));
    reactor.on(Phase::BeforeShutdown, move |_| port.drain(DRAIN));
    reactor.run()?;
    Ok(())
}
