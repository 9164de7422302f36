//! Counting instead of timing: a server under a tool is run with n and with 2n messages, and the difference
//! is divided by n, so that startup, accepts and shutdown do not count.
//!
//! A tool slows the server down, so that more connections are ready per turn than without it: figures
//! per turn (`epoll_wait`) are too low, those per message are right.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};

use crate::case::Case;
use crate::contestant::{Contestant, installed};
use crate::cpu::Usage;
use crate::field::Setup;
use crate::figure::SYSTEM_CALLS;
use crate::instrument::Instrument;
use crate::load::Window;
use crate::results::Sample;
use crate::scratch::Scratch;
use crate::server::Server;
use crate::strace;
use crate::tool::Counts;

/// The counts per message.
type Rates = BTreeMap<String, f64>;

/// Checks that the tool is installed.
pub(crate) fn check(instrument: Instrument) -> Result<()> {
    let tool = instrument.tool();
    ensure!(installed(tool), "{tool} is not installed; try: apt install {tool}");
    Ok(())
}

/// Two runs of one server.
pub(crate) fn measure(
    setup: &Setup,
    case: &Case,
    contestant: &Contestant,
    instrument: Instrument,
    messages: u64,
) -> Result<Sample> {
    let messages = messages.max(1);
    let once = count(setup, case, contestant, instrument, messages)?;
    let twice = count(setup, case, contestant, instrument, 2 * messages)?;
    let each = if case.mode.is_broadcast() { case.connections as u64 } else { 1 };
    let mut figures = difference(&once, &twice, messages * each);
    if instrument == Instrument::Strace {
        let calls = figures.iter().filter(|(name, _)| !name.ends_with(strace::FAILED));
        let total = calls.map(|(_, rate)| rate).sum::<f64>();
        figures.insert(SYSTEM_CALLS.to_owned(), total);
    }
    Ok(Sample { figures, latency_us: Vec::new() })
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
    let window = Window::Counted(messages);
    let mut load = setup.load.open(server.address, case, window, setup.places.load)?;
    load.run()?;
    load.close()?;
    // The last closes are part of the server's work, too.
    Usage::at_rest(server.pid)?;
    server.stop()?;
    let tool = instrument.tool();
    let output =
        fs::read_to_string(scratch.path()).with_context(|| format!("{tool} wrote no result"))?;
    instrument.parse(&output)
}

/// The cost of each of the `messages` by which the second run was longer.
fn difference(once: &Counts, twice: &Counts, messages: u64) -> Rates {
    let of = |counts: &Counts, name| counts.get(name).copied().unwrap_or(0) as f64;
    once.keys()
        .chain(twice.keys())
        .map(|name| (name.clone(), (of(twice, name) - of(once, name)) / messages as f64))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_counts_that_grow_with_messages_remain() {
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
}
