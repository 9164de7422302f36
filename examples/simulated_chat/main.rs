//! A chat service for a thousand clients, an hour long, in seconds: nothing here is real but the programs. The network is
//! simulated; it delays and loses, is parted, and the server is killed and loses its power. Clients come back by themselves.
//! The same seed prints the same to the byte, and last a hash of all that happened.
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

/// One side is silent for so long only if something is wrong: everybody says something every 90 s.
const SILENCE_MAX: Duration = Duration::from_secs(150);

/// What goes wrong, besides what the links lose.
const PLAN: &str = "at 10 min partition server|client1,client2,client3,client4,client5 for 4 min
                    at 25 min kill server for 20 s
                    at 40 min power-off server for 2 min
                    at 50 min pause server for 45 s";

/// Runs a thousand chat clients through a simulated hour
#[derive(Parser)]
struct Args {
    /// What everything left to chance is drawn from
    #[arg(long, value_name = "N", default_value_t = 7)]
    seed: u64,

    /// How many clients there are, each on a host of its own
    #[arg(long, value_name = "N", default_value_t = 1000)]
    clients: usize,

    /// How long it lasts, in simulated minutes
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
