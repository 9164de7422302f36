//! Deterministic simulation of a chat service: a thousand clients, for one simulated hour, in seconds of real time.
//! Only the programs are real. The simulated network has latency, loss and partitions, and the server is killed and
//! loses power; the clients reconnect. The same seed gives the same output byte for byte, ending with a hash of the
//! trace.
//!
//! ```text
//! $ cargo run --release --example simulated_chat -- --seed 7
//! ```

#[path = "../cli/mod.rs"]
mod cli;
mod guest;
mod talker;

use std::{process::ExitCode, rc::Rc, time::Duration};

use clap::Parser;
use sinew::sim::{Host, Latency, Link, Network, Plan};
use talker::Tally;

const GUESTS_PER_ROOM: usize = 10;

/// Idle timeout: everyone sends a message every 90 s, so a longer silence means a fault.
const SILENCE_MAX: Duration = Duration::from_secs(150);

/// Injected faults, in addition to the loss of the links.
const PLAN: &str = "at 10 min partition server|client1,client2,client3,client4,client5 for 4 min
                    at 25 min kill server for 20 s
                    at 40 min power-off server for 2 min
                    at 50 min pause server for 45 s";

/// Simulates a chat service with a thousand clients for an hour
#[derive(Parser)]
struct Args {
    /// The seed of all randomness
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,

    /// Number of clients, each on its own host
    #[arg(long, value_name = "N", default_value_t = 1000)]
    clients: usize,

    /// Duration in simulated minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    minutes: u64,
}

fn main() -> ExitCode {
    cli::main(simulate)
}

fn simulate(args: Args) -> Result<(), cli::Failed> {
    let network = Network::new(args.seed);
    let latency = Latency::Tailed(Duration::from_millis(10), Duration::from_millis(5));
    network.set_link(Link::default().latency(latency).loss(0.001));
    let tally = Rc::new(Tally::default());
    let server = network.host("server");
    server.boot(guest::serve);
    let _clients: Vec<Host> = (0..args.clients.max(6))
        .map(|number| {
            let (host, tally) = (network.host(&format!("client{number}")), tally.clone());
            let room = number / GUESTS_PER_ROOM;
            host.boot(move |reactor| talker::talk(reactor, room, &tally));
            host
        })
        .collect();
    network.plan(&PLAN.parse::<Plan>()?)?;

    cli::print_line!("minute  connected  connects    losses      said       heard")?;
    for minute in 1..=args.minutes {
        network.run_for(Duration::from_secs(60))?;
        if minute % 5 == 0 || minute == args.minutes {
            let Tally { connected, connects, losses, said, heard } = &*tally;
            cli::print_line!(
                "{minute:6}  {:9}  {:8}  {:8}  {:8}  {:10}",
                connected.get(),
                connects.get(),
                losses.get(),
                said.get(),
                heard.get(),
            )?;
        }
    }
    cli::print_line!("trace {:016x}", network.trace_hash())?;
    Ok(())
}
