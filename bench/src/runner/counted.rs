//! Counting instead of timing: a server under a tool is run with n and with 2n messages, and the difference
//! is divided by n. So start, accepts and end count for nothing.
//!
//! A tool slows the server down, so that more connections are ready at each turn than in real life: figures
//! for each turn (`epoll_wait`) are too low, those for each message are right.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::Setup;
use crate::callgrind;
use crate::case::Case;
use crate::contestant::{Contestant, installed};
use crate::cpu::Usage;
use crate::load::Window;
use crate::report::{self, Table};
use crate::scratch::Scratch;
use crate::server::{Server, Wrapper};
use crate::statistic::Spread;
use crate::strace;

/// What a tool has counted in one run, by name.
pub(crate) type Counts = BTreeMap<String, u64>;

/// The same for each message.
pub(crate) type Rates = BTreeMap<String, f64>;

/// A tool that counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Instrument {
    /// System calls, by kind.
    Strace,
    /// User-space instructions.
    Callgrind,
}

impl Instrument {
    fn tool(self) -> &'static str {
        match self {
            Self::Strace => "strace",
            Self::Callgrind => "valgrind",
        }
    }

    fn wrapper(self, output: &Path) -> Wrapper {
        match self {
            Self::Strace => strace::wrapper(output),
            Self::Callgrind => callgrind::wrapper(output),
        }
    }

    fn parse(self, output: &str) -> Result<Counts> {
        match self {
            Self::Strace => strace::parse(output),
            Self::Callgrind => callgrind::parse(output),
        }
    }
}

/// One case, counted.
pub(crate) fn run(
    setup: &Setup,
    case: &Case,
    instrument: Instrument,
    messages: u64,
) -> Result<Table> {
    let tool = instrument.tool();
    ensure!(installed(tool), "{tool} is not installed; try: apt install {tool}");
    ensure!(messages > 0, "--messages must be at least 1");
    let field = setup.field(case);
    let found = setup.interleave(
        &field,
        |contestant| {
            let once = count(setup, case, contestant, instrument, messages)?;
            let twice = count(setup, case, contestant, instrument, 2 * messages)?;
            Ok(difference(&once, &twice, messages))
        },
        |rates| match instrument {
            Instrument::Strace => report::system_calls(rates),
            Instrument::Callgrind => {
                format!("{:.1} instructions a message", rates[callgrind::INSTRUCTIONS])
            }
        },
    )?;
    let rates = found.iter().map(|rounds| medians(rounds)).collect::<Vec<_>>();
    Ok(match instrument {
        Instrument::Strace => report::strace_table(&field, &rates),
        Instrument::Callgrind => {
            report::callgrind_table(&field, &rates, &setup.contestants.yardstick)
        }
    })
}

/// One run of one server under the tool.
fn count(
    setup: &Setup,
    case: &Case,
    contestant: &Contestant,
    instrument: Instrument,
    messages: u64,
) -> Result<Counts> {
    let scratch = Scratch::new();
    let server =
        Server::start(contestant, &instrument.wrapper(scratch.path()), setup.places.server)?;
    let mut load = setup
        .load
        .open(server.address, case, Window::Counted(messages), setup.places.load)
        .with_context(|| contestant.name.clone())?;
    load.run().with_context(|| contestant.name.clone())?;
    load.close()?;
    // The last closes are the server's work too.
    Usage::at_rest(server.pid)?;
    server.stop().with_context(|| contestant.name.clone())?;
    let tool = instrument.tool();
    let output = fs::read_to_string(scratch.path())
        .with_context(|| format!("{tool} left no result for {}", contestant.name))?;
    instrument.parse(&output)
}

/// What each of the `messages` cost by which the second run was longer.
fn difference(once: &Counts, twice: &Counts, messages: u64) -> Rates {
    let of = |counts: &Counts, name| counts.get(name).copied().unwrap_or(0) as f64;
    once.keys()
        .chain(twice.keys())
        .map(|name| (name.clone(), (of(twice, name) - of(once, name)) / messages as f64))
        .collect()
}

/// The median of each count over the rounds; what a round has not counted was none.
fn medians(rounds: &[Rates]) -> Rates {
    let names = rounds.iter().flat_map(Rates::keys);
    names
        .map(|name| {
            let figures = rounds.iter().map(|rates| rates.get(name).copied().unwrap_or(0.0));
            (name.clone(), Spread::of(figures).median)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_grows_with_messages_remains() {
        let once = Counts::from([("read".to_owned(), 1064), ("socket".to_owned(), 2)]);
        let twice = Counts::from([
            ("read".to_owned(), 2064),
            ("socket".to_owned(), 2),
            ("brk".to_owned(), 5),
        ]);
        let rates = difference(&once, &twice, 1000);
        let expected = [("brk", 0.005), ("read", 1.0), ("socket", 0.0)];
        assert_eq!(rates, expected.map(|(name, rate)| (name.to_owned(), rate)).into());
    }

    #[test]
    fn medians_count_what_is_missing_as_none() {
        let rounds = [1.0, 3.0].map(|rate| Rates::from([("read".to_owned(), rate)]));
        let rounds = [rounds[0].clone(), rounds[1].clone(), Rates::new()];
        assert_eq!(medians(&rounds), Rates::from([("read".to_owned(), 1.0)]));
    }
}
