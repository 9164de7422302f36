//! A million in-memory connections on one reactor: the cost of sinew's own structures, without the kernel.
//!
//! `cargo run --release --bin crowd -- --connections 1000000` makes them, leaves them idle, and lets one of them echo:
//! before the others exist, beside them, and with an idle timeout armed on all.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use clap::Parser;
use sinew::prelude::*;
use sinew::transports::memory::{self, Wire};

/// Measures many idle connections beside an active one
#[derive(Parser)]
struct Args {
    /// Idle connections
    #[arg(long, default_value_t = 1_000_000)]
    connections: usize,
    /// Messages echoed by the active connection, each time
    #[arg(long, default_value_t = 200_000)]
    messages: u32,
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let reactor = Reactor::new()?;
    let (_, active) = connect(&reactor, StreamConfig::default());
    println!("a reactor's turn and an echo, alone: {:?}", echo(&reactor, &active, args.messages));

    let before = resident()?;
    let config = StreamConfig::default().idle_timeout(Duration::from_secs(24 * 3600));
    for (what, config) in [("", StreamConfig::default()), (", an idle timeout on each", config)] {
        let start = Instant::now();
        let crowd: Vec<_> =
            (0..args.connections).map(|_| connect(&reactor, config.clone()).1).collect();
        turn(&reactor);
        let each = start.elapsed() / args.connections as u32;
        let bytes = (resident()? - before) / args.connections;
        println!("{} connections{what}: {bytes} bytes and {each:?} each", args.connections);
        let beside = echo(&reactor, &active, args.messages);
        println!("a reactor's turn and an echo, beside them: {beside:?}");

        let start = Instant::now();
        crowd.iter().for_each(Wire::reset);
        while reactor.stats().connections > 1 {
            turn(&reactor);
        }
        println!(
            "reset by their peers and dropped: {:?} each",
            start.elapsed() / args.connections as u32
        );
    }
    Ok(())
}

fn connect(reactor: &Reactor, config: StreamConfig) -> (Connection<Echo>, Wire) {
    memory::connect(reactor, config, Echo).expect("the registry is not full")
}

fn turn(reactor: &Reactor) {
    reactor.turn(Some(Duration::ZERO)).expect("nothing else runs this reactor");
}

/// The round-trip time of a message.
fn echo(reactor: &Reactor, wire: &Wire, messages: u32) -> Duration {
    let start = Instant::now();
    for _ in 0..messages {
        wire.receive([7; 64]);
        turn(reactor);
        assert_eq!(wire.sent().len(), 64);
    }
    start.elapsed() / messages
}

/// Resident memory, in bytes (proc_pid_statm(5); pages of 4 KiB).
fn resident() -> io::Result<usize> {
    let statm = fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.map(|pages| pages * 4096).ok_or_else(|| io::Error::other("cannot parse /proc/self/statm"))
}
