//! Test kit for protocols and networks, for the project and its users. [`protocol_tests!`] and [`SystemUnderTest`]
//! test a protocol with random inputs in memory, with a fuzzer, and on a simulated network with fault injection.
//! Separate tools: [`every_split`] and [`Pair`] for protocols, [`simulate`] for scenarios on a simulated network,
//! [`task_test`] for tasks in virtual time, [`tap`] and [`replay`] for recording connections and replaying them as
//! regression tests, [`assert_clean`] for leaks, and [`for_seeds`] for other randomized tests. Nothing here needs a
//! kernel.

mod draw;
mod fuzz;
mod memory_runner;
mod minimise;
mod network_runner;
mod observer;
mod pair;
mod record;
mod silence;
mod simulate;
mod split;
mod system_under_test;
mod task_test;

use std::{env, ops::Range};

use sinew_reactor::Reactor;

#[doc(inline)]
pub use crate::protocol_tests;
pub use draw::Draw;
pub use pair::Pair;
pub use record::{
    ParseRecordingError, Recording, RecordingError, ReplayError, Replayed, Tap, Tapped, replay, tap,
};
pub use simulate::simulate;
pub use split::every_split;
pub use system_under_test::SystemUnderTest;
pub use task_test::{task_test, task_test_on};

/// Fails if anything is left on the reactor: timers, calls, tasks, jobs, connections or other handlers; or if a
/// callback has panicked. The message lists what is left.
///
/// # Panics
///
/// If anything is left.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_reactor::Reactor;
/// use sinew_testkit::testing::assert_clean;
///
/// let reactor = Reactor::simulated(0);
/// let reminder = reactor.call_later(Duration::from_secs(60), |_| {});
/// assert_eq!(reactor.leak_report().to_string(), "1 timer");
/// reminder.cancel();
/// assert_clean(&reactor);
/// ```
#[track_caller]
pub fn assert_clean(reactor: &Reactor) {
    let leak_report = reactor.leak_report();
    assert!(leak_report.is_empty(), "left on the reactor: {leak_report}");
    assert_no_panics(reactor);
}

/// The event loop catches panics in callbacks, including failed assertions, so tests have to check for them.
#[track_caller]
pub(crate) fn assert_no_panics(reactor: &Reactor) {
    let panics = reactor.stats().panics;
    assert!(panics == 0, "{panics} panics in callbacks; they were printed when they happened");
}

/// The seed in the environment variable `SINEW_SEED`, decimal or hexadecimal with `0x`; `None` if it is unset or not
/// a number.
#[must_use]
pub fn seed() -> Option<u64> {
    let text = env::var("SINEW_SEED").ok()?;
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The seeds of a long run: `SINEW_SEEDS`, a number of them or a range (`5000..6000`), or else `few`.
///
/// # Panics
///
/// If the variable is neither.
#[must_use]
pub fn seeds(few: Range<u64>) -> Range<u64> {
    let Ok(words) = env::var("SINEW_SEEDS") else { return few };
    let number = |word: &str| word.parse().unwrap_or_else(|_| panic!("SINEW_SEEDS={words}"));
    match words.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => 0..number(&words),
    }
}

/// Calls `f` with each seed, or only with that of `SINEW_SEED` if it is set. If `f` panics, the seed is printed.
///
/// # Examples
///
/// ```
/// use sinew_testkit::testing::for_seeds;
///
/// for_seeds(0..10, |seed| {
///     // build a simulation from the seed, and look at what comes of it
/// #   let _ = seed;
/// });
/// ```
pub fn for_seeds(seeds: Range<u64>, mut f: impl FnMut(u64)) {
    for seed in chosen(seeds) {
        let _printed = PrintedOnPanic(seed);
        f(seed);
    }
}

/// The seed of `SINEW_SEED`, or else all of `seeds`.
fn chosen(seeds: Range<u64>) -> impl Iterator<Item = u64> {
    let only = seed();
    only.into_iter().chain(seeds.take(if only.is_some() { 0 } else { usize::MAX }))
}

/// Prints the seed if dropped during a panic.
pub(crate) struct PrintedOnPanic(pub(crate) u64);

impl Drop for PrintedOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to reproduce: SINEW_SEED={}", self.0);
        }
    }
}
