//! Sends back what each connection receives, on several reactors: each on a thread of its own, to use several processors.
//!
//! ```text
//! $ cargo run --release --example echo_reactors -- --reactors 2
//! listening on 127.0.0.1:8000
//! ```
//!
//! ```text
//! $ nc 127.0.0.1 8000
//! hello
//! reactor 1: hello
//! ```

mod cli;

use std::process::ExitCode;

use clap::Parser;
use cli::{DRAIN, ServerArgs};
use sinew::{
    prelude::*,
    transports::{
        Address,
        reactors::{Distribution, OnFailure, Reactors, Shard},
    },
};

/// Answers every connection with what it receives, on several processors
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// Number of reactors, each on a thread of its own; by default one for each processor
    #[arg(long, value_name = "N")]
    reactors: Option<usize>,

    /// Give each connection to the reactor with the fewest, instead of letting the system choose
    #[arg(long)]
    least_loaded: bool,

    /// Pin each thread to a processor
    #[arg(long)]
    pin: bool,
}

struct Echo {
    /// The number of the reactor.
    shard: usize,
}

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(format!("reactor {}: ", self.shard));
        transport.write(data);
    }
}

fn main() -> ExitCode {
    cli::main(|args: Args| {
        let (listen, builder) = (args.server.listen.clone(), args.server.builder());
        let distribution = match args.least_loaded {
            true => Distribution::LeastLoaded,
            false => Distribution::System,
        };
        let reactors = match args.reactors {
            Some(number) => Reactors::new(number),
            None => Reactors::per_processor(),
        };
        let reactors = reactors
            .reactor(move |_| builder.clone())
            // Called on the thread of each reactor. The factory that it returns stays there.
            .listen(listen, |shard: &Shard| {
                let shard = shard.index();
                move |_: &Peer| Echo { shard }
            })
            .distribution(distribution)
            .pin(args.pin)
            .on_failure(OnFailure::restart())
            .drain(DRAIN)
            .start()?;
        // On standard output as the connection, that would be taken for an answer.
        for addr in reactors.addresses().iter().filter(|addr| **addr != Address::Stdio) {
            cli::say!("listening on {addr}");
        }
        // Until SIGINT or SIGTERM.
        let stats = reactors.join()?;
        tracing::info!(connections = stats.connections_made, bytes = stats.bytes_received, "done");
        Ok(())
    })
}
