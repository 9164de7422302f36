//! The state of a loop at one moment: [`LoopReport`]. What is counted is in `mod.rs` and in `stats.rs`.

use std::time::Duration;

use super::{Histogram, LongCallback, SlowCallback};
use crate::{Engine, Reactor, Stats};

/// The state of a loop, from [`Reactor::loop_report`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoopReport {
    /// The engine.
    pub engine: Engine,
    /// The time since the reactor was made.
    pub age: Duration,
    /// The counters.
    pub stats: Stats,
    /// How late timers were, of which the first of each turn counts: how long the loop lags behind. `None` without
    /// [inspection](crate::Builder::inspection).
    pub lag: Option<Histogram>,
    /// How long the turns took, without their wait for events: how long an event may have to wait. `None` without
    /// inspection.
    pub turns: Option<Histogram>,
    /// The longest callbacks of a millisecond or more by the kind of handler, the longest first, 32 at most. Without
    /// inspection only those from [`Builder::slow_callback`](crate::Builder::slow_callback) on.
    pub longest: Vec<LongCallback>,
    /// The last callbacks that were logged as slow, the last first, 32 at most.
    pub slow: Vec<SlowCallback>,
    /// Calls from other threads that wait for the loop.
    pub calls_queued: usize,
    /// [`Builder::remote_queue_max`](crate::Builder::remote_queue_max).
    pub calls_max: usize,
    /// The threads for blocking calls.
    pub pool: PoolReport,
    /// The threads for name lookups.
    pub lookups: PoolReport,
}

/// The state of a thread pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolReport {
    /// Threads started.
    pub threads: usize,
    /// How many there may be.
    pub threads_max: usize,
    /// Jobs that run or are queued.
    pub jobs: usize,
    /// Jobs that are queued, because all threads are busy.
    pub queued: usize,
    /// How many may be queued.
    pub queue_max: usize,
}

impl Reactor {
    /// The state of the loop. Costs some microseconds, whatever the number of handlers.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use sinew_reactor::Reactor;
    ///
    /// let reactor = Reactor::builder().inspection(true).build()?;
    /// reactor.turn(Some(std::time::Duration::ZERO))?;
    /// let report = reactor.loop_report();
    /// assert_eq!((report.stats.turns, report.pool.threads), (1, 0));
    /// let turns = report.turns.ok_or("inspection is on")?;
    /// println!("99 of 100 turns took at most {:?}", turns.percentile(0.99));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn loop_report(&self) -> LoopReport {
        let inner = &*self.inner;
        let inspection = inner.inspection.as_ref();
        let long = inner.long_callbacks.borrow();
        let (pool, lookups) = inner.pool.report();
        LoopReport {
            engine: self.engine(),
            age: self.age(),
            stats: self.stats(),
            lag: inspection.map(|inspection| inspection.lag.clone()),
            turns: inspection.map(|inspection| inspection.turns.clone()),
            longest: long.longest(),
            slow: long.slow(),
            calls_queued: inner.shared.calls_queued(),
            calls_max: inner.settings.remote_queue_max,
            pool,
            lookups,
        }
    }
}
