//! Echo by one reactor and by several. Server and load use the same CPUs, all of them, as on a machine that has no others:
//! a load process on each, and the server wherever the kernel puts its threads.

use std::thread;

use anyhow::{Result, anyhow, ensure};
use bench::outcome::Outcome;

use crate::affinity::Places;
use crate::affinity::allowed;
use crate::args::CoresOptions;
use crate::built;
use crate::case::Case;
use crate::contestant::Contestant;
use crate::cpu::Usage;
use crate::load::{LoadBinary, Window};
use crate::machine::Machine;
use crate::mode::Mode;
use crate::server::Server;
use crate::statistic::Spread;
use crate::tool::Wrapper;

/// How the server is started.
#[derive(Clone, Copy, Debug)]
struct Variant {
    reactors: usize,
    /// A CPU for each reactor.
    pin: bool,
}

/// One window.
#[derive(Clone, Copy, Debug)]
struct Measured {
    per_s: f64,
    /// Microseconds of the server's CPU for a message.
    server_us: f64,
    /// CPUs that the server has used.
    server_cpus: f64,
}

pub(crate) fn run(options: &CoresOptions) -> Result<()> {
    let cpus = allowed()?.len();
    ensure!(cpus > 1, "one CPU only: a second reactor brings nothing");
    ensure!(options.rounds > 0, "--rounds must be at least 1");
    // All powers of two up to the number of CPUs, and that, free and pinned.
    let numbers = (0..).map(|power| 1 << power).take_while(|n| *n < cpus);
    let mut variants: Vec<_> = numbers.map(|reactors| Variant { reactors, pin: false }).collect();
    variants.extend([false, true].map(|pin| Variant { reactors: cpus, pin }));
    let load = LoadBinary::beside_this_one()?;
    println!("{}\n", Machine::here(Places { server: None, load: None }).line());
    for work in &options.work {
        let mut rounds: Vec<Vec<Measured>> = vec![Vec::new(); variants.len()];
        for round in 0..options.rounds {
            for turn in 0..variants.len() {
                // Each round begins with another one.
                let at = (round + turn) % variants.len();
                rounds[at].push(measure(options, &load, variants[at], *work)?);
            }
        }
        println!(
            "{} connections x 64 bytes, work for an answer: {work} rounds of a hash\n",
            options.connections
        );
        println!("{}", table(&variants, &rounds));
    }
    Ok(())
}

fn measure(
    options: &CoresOptions,
    load: &LoadBinary,
    variant: Variant,
    work: u32,
) -> Result<Measured> {
    let server = built::beside_this_one("sinew_echo", &["--bins"])?;
    let (reactors, work) = (variant.reactors.to_string(), work.to_string());
    let mut words = vec!["--reactors", &reactors, "--work", &work];
    words.extend(variant.pin.then_some("--pin"));
    let contestant = Contestant::of(&server, &words);
    let server = Server::start(&contestant, &Wrapper::default(), None)?;
    let cpus = allowed()?;
    let case = Case::new(Mode::Echo, options.connections.div_ceil(cpus.len()), 1);
    let window = Window::Timed { seconds: options.seconds };
    // One after the other, so that each reactor gets as many connections of each.
    let mut loads = cpus
        .iter()
        .map(|cpu| load.open(server.address, &case, window, Some(*cpu)))
        .collect::<Result<Vec<_>>>()?;
    let before = Usage::at_rest(server.pid)?;
    let outcomes = thread::scope(|scope| {
        let running: Vec<_> =
            loads.iter_mut().map(|load| scope.spawn(move || load.run())).collect();
        let outcomes = running.into_iter().map(|load| match load.join() {
            Ok(outcome) => outcome,
            Err(_) => Err(anyhow!("the thread of a load panicked")),
        });
        outcomes.collect::<Result<Vec<Outcome>>>()
    })?;
    let usage = Usage::at_rest(server.pid)? - before;
    loads.into_iter().try_for_each(|load| load.close())?;
    server.stop()?;
    let messages: u64 = outcomes.iter().map(|outcome| outcome.messages).sum();
    ensure!(messages > 0, "nothing was sent: increase --seconds");
    let elapsed = outcomes.iter().map(|outcome| outcome.elapsed_s).fold(0.0, f64::max);
    let server_s = usage.cpu.as_secs_f64();
    Ok(Measured {
        per_s: outcomes.iter().map(Outcome::messages_per_s).sum(),
        server_us: server_s * 1e6 / messages as f64,
        server_cpus: server_s / elapsed,
    })
}

/// A row for each number of reactors. Ratios are those of the rounds.
fn table(variants: &[Variant], rounds: &[Vec<Measured>]) -> String {
    let heading = "reactors | messages/s | to one reactor | server CPU a message, us | CPUs that the server used";
    let mut text = format!("| {heading} |\n|---|---|---|---|---|\n");
    for (variant, measured) in variants.iter().zip(rounds) {
        let of = |figure: fn(&Measured) -> f64| Spread::of(measured.iter().map(figure));
        let to_one =
            Spread::of(measured.iter().zip(&rounds[0]).map(|(this, one)| this.per_s / one.per_s));
        let (rate, cpu, cpus) =
            (of(|one| one.per_s), of(|one| one.server_us), of(|one| one.server_cpus));
        let Variant { reactors, pin } = variant;
        let pinned = if *pin { ", pinned" } else { "" };
        text +=
            &format!("| {reactors}{pinned} | {rate:.0} | {to_one:.2} | {cpu:.2} | {cpus:.2} |\n");
    }
    text
}
