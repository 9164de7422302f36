//! The clock: the only file that asks what time it is. Everything else is told.

use std::{
    cell::Cell,
    time::{Duration, Instant, SystemTime},
};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod sys;

/// Shortest slow callback that the coarse clock can be trusted with, in nanoseconds: it moves every 10 ms at worst, and so
/// may say that of a callback of no length.
#[cfg(any(target_os = "linux", target_os = "android"))]
const COARSE_MIN: u64 = 50_000_000;

/// A reactor's time: monotonic, and counted in ticks of a millisecond since the reactor was made. While the loop turns it
/// is sampled at most once on either side of the poll; outside of the loop it is always the time at that moment.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Instant,
    sample: Cell<Option<Instant>>,
    /// Whether a sample is kept: the loop turns, and forgets it in time.
    held: Cell<bool>,
    /// Whether callbacks are timed by the coarse clock.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    coarse: bool,
}

impl Clock {
    /// One that can tell whether a callback takes as long as `slow_callback` nanoseconds.
    pub(crate) fn new(slow_callback: u64) -> Self {
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let _ = slow_callback;
        Self {
            origin: Instant::now(),
            sample: Cell::new(None),
            held: Cell::new(false),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            coarse: slow_callback >= COARSE_MIN,
        }
    }

    /// The time of this turn. Asked for lazily: a turn in which nobody wants the time does not pay for it.
    pub(crate) fn now(&self) -> Instant {
        self.sample.get().unwrap_or_else(|| {
            let now = Instant::now();
            self.sample.set(self.held.get().then_some(now));
            now
        })
    }

    /// The loop begins to turn, or has ended.
    pub(crate) fn hold(&self, held: bool) {
        self.held.set(held);
        self.forget();
    }

    /// Time has passed; the next one to ask samples it again.
    pub(crate) fn forget(&self) {
        self.sample.set(None);
    }

    /// Whole ticks that have passed.
    pub(crate) fn ticks(&self) -> u64 {
        whole_millis(self.now().duration_since(self.origin))
    }

    /// The first tick that is not before `delay` from now; for no delay at all the tick that it is now.
    pub(crate) fn tick_after(&self, delay: Duration) -> u64 {
        if delay.is_zero() {
            return self.ticks();
        }
        let due = self.now().duration_since(self.origin).saturating_add(delay);
        let millis = whole_millis(due);
        if due.subsec_nanos().is_multiple_of(1_000_000) { millis } else { millis.saturating_add(1) }
    }

    /// How long until `tick`.
    pub(crate) fn until(&self, tick: u64) -> Duration {
        Duration::from_millis(tick).saturating_sub(self.now().duration_since(self.origin))
    }

    /// When `tick` is; `None` for ticks farther off than the platform's clock can say.
    pub(crate) fn instant(&self, tick: u64) -> Option<Instant> {
        self.origin.checked_add(Duration::from_millis(tick))
    }

    /// The wall clock, which may jump.
    pub(crate) fn wall() -> SystemTime {
        SystemTime::now()
    }

    /// For measuring how long callbacks take, in nanoseconds: cheap, and a few milliseconds coarse where the platform has
    /// such a clock and that will do.
    #[inline]
    pub(crate) fn stopwatch(&self) -> u64 {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if self.coarse {
            return sys::monotonic_coarse();
        }
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The time at this very moment, past the turn's sample.
    #[allow(clippy::unused_self, reason = "a reactor's time is that of its own clock")]
    pub(crate) fn precise(&self) -> Instant {
        Instant::now()
    }
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_rounded_up_and_never_early() {
        let clock = Clock::new(0);
        clock.hold(true);
        for delay in [1, 999, 1_000, 1_001, 999_999, 1_000_000, 1_000_001, 86_400_000_000_001] {
            let delay = Duration::from_nanos(delay);
            let tick = clock.tick_after(delay);
            let due = clock.instant(tick).unwrap();
            assert!(due >= clock.now() + delay);
            assert!(due < clock.now() + delay + Duration::from_millis(1));
        }
    }

    #[test]
    fn the_sample_stays_until_it_is_forgotten() {
        let clock = Clock::new(0);
        clock.hold(true);
        let first = clock.now();
        while Instant::now() == first {}
        assert_eq!(clock.now(), first);
        clock.forget();
        assert!(clock.now() > first);
    }

    #[test]
    fn the_farthest_delay_does_not_overflow() {
        let clock = Clock::new(0);
        assert_eq!(clock.tick_after(Duration::MAX), u64::MAX);
        assert!(clock.until(u64::MAX) > Duration::from_secs(1 << 40));
    }

    #[test]
    fn outside_of_the_loop_it_is_the_time_at_that_moment() {
        let clock = Clock::new(0);
        let first = clock.now();
        while Instant::now() == first {}
        assert!(clock.now() > first);
    }

    #[test]
    fn no_delay_is_the_tick_that_it_is_now() {
        let clock = Clock::new(0);
        clock.hold(true);
        assert_eq!(clock.tick_after(Duration::ZERO), clock.ticks());
    }
}
