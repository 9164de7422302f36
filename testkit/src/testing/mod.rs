//! For tests, ours and yours. [`protocol_tests!`] and [`SystemUnderTest`] test a protocol in every way there is: in memory, by a fuzzer,
//! on a network. By hand there are [`every_split`] and [`Pair`] for protocols, [`simulate`] for scenarios of a simulated network,
//! [`tap`] and [`replay`] for what has happened elsewhere and is to happen here again, [`assert_clean`] for what is left behind,
//! and [`for_seeds`] for whatever else is drawn at random. Nothing here needs a kernel.

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

/// Fails unless nothing is left on the reactor: no timer, call, task, job, connection or other handler, and no callback has
/// panicked. The message names what there is.
///
/// # Panics
///
/// If there is anything.
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

/// The loop contains panics, assertions that fail in a callback among them: a test has to ask.
#[track_caller]
pub(crate) fn assert_no_panics(reactor: &Reactor) {
    let panics = reactor.stats().panics;
    assert!(panics == 0, "{panics} panics in callbacks; they were printed where they happened");
}

/// The seed in the environment variable `SINEW_SEED`, decimal or with `0x`; `None` if there is none, or no number.
#[must_use]
pub fn seed() -> Option<u64> {
    let text = env::var("SINEW_SEED").ok()?;
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Calls `f` with each seed, or only with that of `SINEW_SEED` if there is one. If `f` panics, the seed is printed.
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

/// The seed of `SINEW_SEED`, or else these.
fn chosen(seeds: Range<u64>) -> impl Iterator<Item = u64> {
    let only = seed();
    only.into_iter().chain(seeds.take(if only.is_some() { 0 } else { usize::MAX }))
}

/// While it lives, a panic has the seed printed.
pub(crate) struct PrintedOnPanic(pub(crate) u64);

impl Drop for PrintedOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to see it again: SINEW_SEED={}", self.0);
        }
    }
}
