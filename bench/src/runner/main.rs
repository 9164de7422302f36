//! `bench`: runs every contestant under the same load, in turns, and prints one table for each case.
//!
//! The runner measures from outside: a contestant is a process, and knows nothing of it.

mod affinity;
mod args;
mod callgrind;
mod case;
mod contestant;
mod counted;
mod cpu;
mod idle;
mod load;
mod memory;
mod pipe;
mod report;
mod scratch;
mod server;
mod statistic;
mod strace;
mod timed;

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;

use crate::affinity::Places;
use crate::args::{Args, Mode};
use crate::case::Case;
use crate::contestant::{Contestant, Contestants};
use crate::load::LoadBinary;

/// All that a measurement needs to know, whatever the case.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) contestants: Contestants,
    pub(crate) load: LoadBinary,
    pub(crate) places: Places,
    pub(crate) rounds: usize,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let instrument = args.instrument();
    ensure!(
        args.mode != Mode::Idle || instrument.is_none(),
        "idle connections send nothing to count: leave out --syscalls or --instructions"
    );
    let allowed = bench::descriptors::connections_allowed();
    let setup = Setup {
        contestants: Contestants::read(args)?,
        load: LoadBinary::beside_this_one()?,
        places: Places::choose(args.server_cpu, args.load_cpu)?,
        rounds: args.rounds()?,
    };
    println!("{}", report::heading(&setup));
    for case in Case::matrix(args, allowed) {
        eprintln!("{case}");
        let table = match (instrument, args.mode) {
            (Some(instrument), _) => counted::run(&setup, &case, instrument, args.messages)?,
            (None, Mode::Idle) => idle::run(&setup, &case)?,
            (None, Mode::Echo | Mode::Churn) => timed::run(&setup, &case, args.seconds)?,
        };
        println!("\n**{case}**\n\n{table}");
    }
    Ok(())
}

impl Setup {
    /// Who can take part in a case; those who cannot are named.
    pub(crate) fn field(&self, case: &Case) -> Vec<&Contestant> {
        let (field, out) = self
            .contestants
            .all
            .iter()
            .partition::<Vec<_>, _>(|one| one.connections_max >= case.connections);
        for one in out {
            eprintln!("  {} stops at {} connections: left out", one.name, one.connections_max);
        }
        field
    }

    /// Every contestant once a round, each round beginning with another, so that none always follows the
    /// same. Returns what `measure` found, by place in `field` and by round.
    pub(crate) fn interleave<T>(
        &self,
        field: &[&Contestant],
        mut measure: impl FnMut(&Contestant) -> Result<T>,
        say: impl Fn(&T) -> String,
    ) -> Result<Vec<Vec<T>>> {
        let mut found = field.iter().map(|_| Vec::new()).collect::<Vec<_>>();
        for round in 0..self.rounds {
            for turn in 0..field.len() {
                let place = (round + turn) % field.len();
                let contestant = field[place];
                let one = measure(contestant)?;
                eprintln!(
                    "  round {}/{}, {}/{}: {}: {}",
                    round + 1,
                    self.rounds,
                    turn + 1,
                    field.len(),
                    contestant.name,
                    say(&one)
                );
                found[place].push(one);
            }
        }
        Ok(found)
    }
}
