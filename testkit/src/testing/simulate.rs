//! [`simulate`]: runs a scenario with many seeds and, if it fails, shrinks the faults to a minimal plan.

use std::{
    any::Any,
    env, fmt,
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::Duration,
};

use super::{chosen, minimise::Minimiser, silence::Silence};
use crate::sim::{Network, Plan};

/// Maximum number of runs while shrinking.
const RUNS_MAX: usize = 256;

/// Minimum duration of a fault.
const SHORTEST: Duration = Duration::from_millis(1);

/// Number of trace lines printed.
const TAIL: usize = 40;

/// Runs a scenario with each seed, or only with that of `SINEW_SEED`. If it fails, the injected faults are shrunk to
/// fewer and shorter ones, and printed.
///
/// The scenario receives a new network. It creates its hosts, configures faults with [`Network::set_random_faults`]
/// and [`Network::plan`], and runs the network. It must create everything else that it uses, so that it can be run
/// repeatedly. It fails by panicking.
///
/// After a failure, all random and planned faults of the run are collected into a [`Plan`], and the scenario is run
/// again with that plan instead: all other randomness has its own generators, so it is the same run. Then faults are
/// removed and shortened as long as the scenario still fails, in at most 256 runs. Any panic counts, so the shrunk
/// failure may differ from the first. Faults that the scenario applies directly ([`Network::cut`], [`Host::kill`])
/// are part of it and always applied.
///
/// The output contains the first plan, the shrunk plan, its failure, the end of its trace, and how to reproduce it:
/// `SINEW_SEED=13 SINEW_PLAN='at 3 s kill server'` runs the scenario with this seed and only these faults. Then the
/// panic is resumed.
///
/// [`Host::kill`]: crate::sim::Host::kill
///
/// # Panics
///
/// If the scenario panics, or `SINEW_PLAN` cannot be parsed.
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
///     client.boot(|reactor| reactor.connect_tcp("server:7", |_: &Peer| Echo).detach());
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

/// Runs a scenario with one seed; if it fails, shrinks its plan of faults.
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

/// A failure of a scenario.
pub(crate) struct Failure {
    seed: u64,
    /// The panic of the first run.
    payload: Box<dyn Any + Send>,
    pub(crate) faults: Plan,
    hash: u64,
    /// Whether shrinking was attempted.
    is_explored: bool,
    pub(crate) shortest: Option<Shortest>,
    tail: Vec<String>,
}

/// The shrunk plan.
pub(crate) struct Shortest {
    pub(crate) plan: Plan,
    /// The failure message.
    message: String,
    runs: usize,
    /// Whether replaying the faults as a plan gave exactly the same run.
    pub(crate) is_exact: bool,
}

/// A failed run.
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

    /// Shrinks the plan.
    fn shorten(&mut self, scenario: &dyn Fn(&Network)) {
        let (seed, mut best) = (self.seed, None);
        let mut fails = |plan: &Plan| {
            let silence = Silence::begin();
            let ran = run(seed, Some(plan.clone()), scenario).err();
            let message = silence.first_message().unwrap_or_default();
            let hash = ran.as_ref().map(|ran| ran.hash);
            best = ran.map(|ran| (plan.clone(), ran.tail, message)).or(best.take());
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
            // After moving or shortening faults, others may have become unnecessary.
            minimiser.fewest(shorter.entries, |entries| {
                fails(&Plan { entries: entries.to_vec() }).is_some()
            });
        }
        let runs = minimiser.tries() + 1;
        if let Some((plan, tail, message)) = best {
            self.tail = tail;
            self.shortest = Some(Shortest { plan, message, runs, is_exact });
        }
    }
}

impl Minimiser {
    /// Shortens faults, and rounds their times.
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
        if let Some(Shortest { plan, message, runs, is_exact }) = &self.shortest {
            let left = counted(plan);
            writeln!(f, "shrunk in {runs} more runs to {left}:")?;
            indented(f, &plan.entries)?;
            if !is_exact {
                f.write_str("replaying the same faults as a plan gave a different run: ")?;
                f.write_str("the program depends on something outside of the simulation\n")?;
            }
            writeln!(f, "failure:")?;
            indented(f, message.lines())?;
            again = Some(plan);
        } else if self.is_explored {
            f.write_str("it does not fail when the same faults are replayed as a plan: ")?;
            f.write_str("the program depends on something outside of the simulation\n")?;
            again = None;
        }
        writeln!(f, "end of the trace:")?;
        indented(f, &self.tail)?;
        write!(f, "to reproduce: SINEW_SEED={seed}")?;
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
