//! [`simulate`]: a scenario under many seeds and, if it fails, the shortest plan of faults under which it does.

use std::{
    any::Any,
    env, fmt,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

use super::{chosen, minimise::Minimiser, silence::Silence};
use crate::sim::{Network, Plan};

/// Runs in search of a shorter plan, at most.
const RUNS_MAX: usize = 256;

/// No fault is made shorter than this.
const SHORTEST: Duration = Duration::from_millis(1);

/// Lines of the trace that are printed.
const TAIL: usize = 40;

/// Runs a scenario with each seed, or only with that of `SINEW_SEED`. If it fails, the faults under which it does are made
/// fewer and shorter, and printed.
///
/// The scenario is handed a new network. It makes its hosts, says what may go wrong by [`Network::set_random_faults`] and
/// [`Network::plan`], and runs it; all that it uses it must make itself, so that it can be run again. It fails by panicking.
///
/// When it fails, the faults that chance and plans have brought make a [`Plan`], and the scenario is run again with that in
/// their place: everything else is drawn from generators of their own, so it is the same run. Then faults are left out and
/// shortened for as long as the scenario still fails, in 256 runs at most. Any panic counts: what is found may fail of
/// something else than the first run did. What a scenario does by hand ([`Network::cut`], [`Host::kill`]) is part of it and
/// always done.
///
/// Printed are the first plan, the shortest, what it fails of, the last that happened under it, and how to have it again:
/// `SINEW_SEED=13 SINEW_PLAN='at 3 s kill server'` runs the scenario with this seed and these faults only. Then the panic goes
/// on.
///
/// [`Host::kill`]: crate::sim::Host::kill
///
/// # Panics
///
/// If the scenario does, or `SINEW_PLAN` is no plan.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_transports::{Peer, Protocol, ReactorTcp, Transport};
/// use sinew_testkit::{sim::RandomFaults, testing::simulate};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// simulate(0..10, |network| {
///     let (server, client) = (network.host("server"), network.host("client"));
///     network.set_random_faults(RandomFaults::every(Duration::from_secs(5)).cuts().kills());
///     server.boot(|reactor| drop(reactor.listen_tcp("0.0.0.0:7", |_: &Peer| Echo).unwrap()));
///     client.boot(|reactor| drop(reactor.connect_tcp("server:7", |_: &Peer| Echo)));
///     network.run_for(Duration::from_secs(60)).unwrap();
///     assert!(server.reactor().stats().connections <= 1);
/// });
/// ```
pub fn simulate(seeds: Range<u64>, scenario: impl Fn(&Network)) {
    let plan: Option<Plan> = env::var("SINEW_PLAN")
        .ok()
        .map(|words| words.parse().unwrap_or_else(|error| panic!("SINEW_PLAN: {error}")));
    for seed in chosen(seeds) {
        let found = match plan.clone() {
            Some(plan) => {
                run(seed, Some(plan), &scenario).err().map(|ran| Box::new(Failure::of(seed, ran)))
            }
            None => explore(seed, &scenario).err(),
        };
        if let Some(failure) = found {
            eprintln!("{failure}");
            resume_unwind(failure.payload);
        }
    }
}

/// Runs a scenario with one seed, and looks for the shortest plan of faults under which it fails if it does.
pub(crate) fn explore(seed: u64, scenario: &dyn Fn(&Network)) -> Result<(), Box<Failure>> {
    let Err(first) = run(seed, None, scenario) else { return Ok(()) };
    let mut failure = Box::new(Failure::of(seed, first));
    if !failure.faults.entries.is_empty() {
        let _silence = Silence::begin();
        failure.is_explored = true;
        failure.shorten(scenario);
    }
    Err(failure)
}

/// How a scenario fails.
pub(crate) struct Failure {
    seed: u64,
    /// As it failed first.
    payload: Box<dyn Any + Send>,
    pub(crate) faults: Plan,
    hash: u64,
    /// A shorter plan was looked for.
    is_explored: bool,
    pub(crate) shortest: Option<Shortest>,
    tail: Vec<String>,
}

/// The shortest plan found.
pub(crate) struct Shortest {
    pub(crate) plan: Plan,
    /// What it fails of.
    said: String,
    runs: usize,
    /// The faults of the first run, as a plan, are that very run.
    pub(crate) is_exact: bool,
}

/// A run that failed.
struct Ran {
    payload: Box<dyn Any + Send>,
    faults: Plan,
    hash: u64,
    tail: Vec<String>,
}

fn run(seed: u64, faults: Option<Plan>, scenario: &dyn Fn(&Network)) -> Result<(), Ran> {
    let network = match faults {
        Some(plan) => Network::with_faults(seed, plan),
        None => Network::new(seed),
    };
    catch_unwind(AssertUnwindSafe(|| scenario(&network))).map_err(|payload| Ran {
        payload,
        faults: network.faults(),
        hash: network.trace_hash(),
        tail: network.trace_tail(TAIL),
    })
}

impl Failure {
    fn of(seed: u64, ran: Ran) -> Self {
        let Ran { payload, faults, hash, tail } = ran;
        Self { seed, payload, faults, hash, is_explored: false, shortest: None, tail }
    }

    /// Looks for the shortest plan.
    fn shorten(&mut self, scenario: &dyn Fn(&Network)) {
        let (seed, mut best) = (self.seed, None);
        let mut fails = |plan: &Plan| {
            let silence = Silence::begin();
            let ran = run(seed, Some(plan.clone()), scenario).err();
            let said = silence.first_said().unwrap_or_default();
            let hash = ran.as_ref().map(|ran| ran.hash);
            best = ran.map(|ran| (plan.clone(), ran.tail, said)).or(best.take());
            hash
        };
        let mut minimiser = Minimiser::new(RUNS_MAX);
        let again = fails(&self.faults);
        let is_exact = again == Some(self.hash);
        if again.is_some() {
            let fewest = minimiser.fewest(self.faults.entries.clone(), |entries| {
                fails(&Plan { entries: entries.to_vec() }).is_some()
            });
            let shorter = minimiser.shorten(Plan { entries: fewest }, |plan| fails(plan).is_some());
            // Where a fault has moved or ends earlier, another may not be needed any more.
            minimiser.fewest(shorter.entries, |entries| {
                fails(&Plan { entries: entries.to_vec() }).is_some()
            });
        }
        let runs = minimiser.tries() + 1;
        if let Some((plan, tail, said)) = best {
            self.tail = tail;
            self.shortest = Some(Shortest { plan, said, runs, is_exact });
        }
    }
}

impl Minimiser {
    /// Makes faults last for a shorter time, and times rounder.
    fn shorten(&mut self, mut plan: Plan, mut fails: impl FnMut(&Plan) -> bool) -> Plan {
        for at in 0..plan.entries.len() {
            let mut keep = |change: &dyn Fn(&mut Duration, Option<&mut Duration>)| {
                let mut other = plan.clone();
                let entry = &mut other.entries[at];
                change(&mut entry.at, entry.lasts.as_mut());
                let is_kept = other != plan && self.fails(|| fails(&other));
                if is_kept {
                    plan = other;
                }
                is_kept
            };
            let round = [1_000, 100, 1].map(Duration::from_millis);
            round.iter().any(|unit| keep(&|at, _| *at = rounded(*at, *unit)));
            round.iter().any(|unit| {
                keep(&|_, lasts| {
                    lasts.into_iter().for_each(|lasts| *lasts = rounded(*lasts, *unit).max(*unit));
                })
            });
            while keep(&|_, lasts| lasts.into_iter().for_each(|lasts| *lasts = halved(*lasts))) {}
        }
        plan
    }
}

fn rounded(time: Duration, unit: Duration) -> Duration {
    unit * u32::try_from(time.as_nanos() / unit.as_nanos()).unwrap_or(u32::MAX)
}

fn halved(time: Duration) -> Duration {
    if time <= SHORTEST { time } else { rounded(time / 2, SHORTEST).max(SHORTEST) }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seed = self.seed;
        writeln!(f, "the scenario fails with seed {seed}, under {}:", counted(&self.faults))?;
        indented(f, &self.faults.entries)?;
        let mut again = Some(&self.faults);
        if let Some(Shortest { plan, said, runs, is_exact }) = &self.shortest {
            let left = counted(plan);
            writeln!(f, "the least under which it still fails, in {runs} more runs, is {left}:")?;
            indented(f, &plan.entries)?;
            if !is_exact {
                f.write_str("under the same faults as a plan, other things happened: ")?;
                f.write_str("the program asks something outside of the simulation\n")?;
            }
            writeln!(f, "it fails of:")?;
            indented(f, said.lines())?;
            again = Some(plan);
        } else if self.is_explored {
            f.write_str("it does not fail under the same faults as a plan: ")?;
            f.write_str("the program asks something outside of the simulation\n")?;
            again = None;
        }
        writeln!(f, "the last that happened:")?;
        indented(f, &self.tail)?;
        write!(f, "to have it again: SINEW_SEED={seed}")?;
        again.map_or(Ok(()), |plan| {
            let words: Vec<_> = plan.entries.iter().map(ToString::to_string).collect();
            write!(f, " SINEW_PLAN='{}'", words.join("; "))
        })
    }
}

fn indented(
    f: &mut fmt::Formatter<'_>,
    lines: impl IntoIterator<Item = impl fmt::Display>,
) -> fmt::Result {
    lines.into_iter().try_for_each(|line| writeln!(f, "    {line}"))
}

fn counted(plan: &Plan) -> String {
    match plan.entries.len() {
        0 => "no fault".to_owned(),
        1 => "1 fault".to_owned(),
        n => format!("{n} faults"),
    }
}

#[cfg(test)]
mod tests;
