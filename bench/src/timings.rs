//! The timer benchmark, and the line of JSON with its results. No network, one thread.

use std::hint::black_box;
use std::time::Duration;

use clap::Parser;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// CPU time for each timer, in nanoseconds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Timings {
    /// To make a timer that is due within a minute.
    pub make_ns: f64,
    /// To reset it to a later or earlier time.
    pub reset_ns: f64,
    /// To cancel it, including the cleanup.
    pub cancel_ns: f64,
    /// To make a timer that is due in milliseconds, to wait for it, and to call its callback.
    pub fire_ns: f64,
}

/// The timers of an implementation, numbered in the order in which they were made.
pub trait Timers {
    /// Makes another timer, which counts itself when it fires.
    fn make(&mut self, delay: Duration);
    /// Resets it to `delay` from now.
    fn reset(&mut self, timer: usize, delay: Duration);
    /// Cancels it.
    fn cancel(&mut self, timer: usize);
    /// Cleans up after cancelled timers; the next timer made has number 0 again.
    fn clear(&mut self);
    /// Waits until this many timers have fired.
    fn wait(&mut self, count: usize);
}

/// Makes, resets and cancels timers, lets some fire, and prints the cost of each
// The option that every implementation has.
#[derive(Clone, Copy, Debug, Parser)]
pub struct Count {
    /// Number of timers
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    count: usize,
}

/// Runs the benchmark twice, and prints the second round's [`Timings`].
///
/// # Panics
/// If standard output is closed.
pub fn run(Count { count }: Count, timers: &mut impl Timers) {
    let count = count.max(1);
    // The first round warms up the allocator.
    black_box(round(timers, count));
    let timings = round(timers, count);
    println!("{}", serde_json::to_string(&timings).expect("numbers can be written as JSON"));
}

fn round(timers: &mut impl Timers, count: usize) -> Timings {
    // Spread by a step that has no factor in common with the range: an order that favours neither a heap nor a wheel.
    let spread = |timer: usize, range: usize| (timer * 7_919) % range;
    let make_ns = each(count, || {
        (0..count).for_each(|timer| timers.make(millis(1_000 + spread(timer, 59_009))));
    });
    let reset_ns = each(count, || {
        (0..count).for_each(|timer| timers.reset(timer, millis(2_000 + spread(timer, 50_021))));
    });
    let cancel_ns = each(count, || {
        (0..count).for_each(|timer| timers.cancel(timer));
        timers.clear();
    });
    let fire_ns = each(count, || {
        (0..count).for_each(|timer| timers.make(millis(1 + spread(timer, 53))));
        timers.wait(count);
        timers.clear();
    });
    Timings { make_ns, reset_ns, cancel_ns, fire_ns }
}

fn millis(millis: usize) -> Duration {
    Duration::from_millis(millis as u64)
}

/// CPU time of this thread during `work`, divided by `count`.
fn each(count: usize, work: impl FnOnce()) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
    };
    let before = now();
    work();
    (now() - before) / count as f64
}
