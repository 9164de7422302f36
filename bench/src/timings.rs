//! What contestants do with timers, and the line of JSON that comes of it. No network, one thread.

use std::hint::black_box;
use std::time::Duration;

use clap::Parser;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// CPU time for each timer, in nanoseconds.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Timings {
    /// To make one that is due in a minute or less.
    pub make_ns: f64,
    /// To put it off, or to bring it forward.
    pub reset_ns: f64,
    /// To cancel it, with all that is left behind cleared away.
    pub cancel_ns: f64,
    /// To make one that is due in milliseconds, to wait for it, and to call what it was made for.
    pub fire_ns: f64,
}

/// Timers as a contestant has them, each known by the order in which it was made.
pub trait Timers {
    /// Makes another timer. It counts itself when it is due.
    fn make(&mut self, delay: Duration);
    /// Has it be due `delay` from now instead.
    fn reset(&mut self, timer: usize, delay: Duration);
    /// Has it never be due.
    fn cancel(&mut self, timer: usize);
    /// Clears away what cancelled timers have left behind; the next one made is the first again.
    fn clear(&mut self);
    /// Waits until so many timers have been due.
    fn wait(&mut self, count: usize);
}

/// Makes, resets and cancels timers, lets some come due, and prints what each cost
// The option that every contestant has.
#[derive(Clone, Copy, Debug, Parser)]
pub struct Count {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    count: usize,
}

/// Does the work twice, and prints the second round's [`Timings`].
///
/// # Panics
/// When standard output is closed.
pub fn run(Count { count }: Count, timers: &mut impl Timers) {
    let count = count.max(1);
    // The first round finds out how much memory is needed.
    black_box(round(timers, count));
    let timings = round(timers, count);
    println!("{}", serde_json::to_string(&timings).expect("numbers can be written as JSON"));
}

fn round(timers: &mut impl Timers, count: usize) -> Timings {
    // Spread by a step that has no factor in common with the range: no order that a heap or wheel could like.
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

/// CPU time of this thread while `work` is done, for each of `count`.
fn each(count: usize, work: impl FnOnce()) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
    };
    let before = now();
    work();
    (now() - before) / count as f64
}
