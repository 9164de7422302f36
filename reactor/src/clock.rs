//! The clock: the only file that asks what time it is. Everything else is told.

use std::{
    cell::Cell,
    time::{Duration, Instant, SystemTime},
};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod sys;

/// A reactor's time: monotonic, sampled at most once between two polls, and counted in ticks of a millisecond since the
/// reactor was made.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Instant,
    sample: Cell<Option<Instant>>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now(), sample: Cell::new(None) }
    }

    /// The time of this turn. Asked for lazily: a turn in which nobody wants the time does not pay for it.
    pub(crate) fn now(&self) -> Instant {
        self.sample.get().unwrap_or_else(|| {
            let now = Instant::now();
            self.sample.set(Some(now));
            now
        })
    }

    /// Time has passed; the next one to ask samples it again.
    pub(crate) fn forget(&self) {
        self.sample.set(None);
    }

    /// Whole ticks that have passed.
    pub(crate) fn ticks(&self) -> u64 {
        whole_millis(self.now().duration_since(self.origin))
    }

    /// The first tick that is not before `delay` from now.
    pub(crate) fn tick_after(&self, delay: Duration) -> u64 {
        let due = self.now().duration_since(self.origin).saturating_add(delay);
        let millis = whole_millis(due);
        if due.subsec_nanos() % 1_000_000 == 0 { millis } else { millis.saturating_add(1) }
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
    /// such a clock.
    #[inline]
    pub(crate) fn coarse(&self) -> u64 {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return sys::monotonic_coarse();
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        return u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
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
        let clock = Clock::new();
        for delay in [0, 1, 999, 1_000, 1_001, 999_999, 1_000_000, 1_000_001, 86_400_000_000_001] {
            let delay = Duration::from_nanos(delay);
            let tick = clock.tick_after(delay);
            let due = clock.instant(tick).unwrap();
            assert!(due >= clock.now() + delay);
            assert!(due < clock.now() + delay + Duration::from_millis(1));
        }
    }

    #[test]
    fn the_sample_stays_until_it_is_forgotten() {
        let clock = Clock::new();
        let first = clock.now();
        while Instant::now() == first {}
        assert_eq!(clock.now(), first);
        clock.forget();
        assert!(clock.now() > first);
    }

    #[test]
    fn the_farthest_delay_does_not_overflow() {
        let clock = Clock::new();
        assert_eq!(clock.tick_after(Duration::MAX), u64::MAX);
        assert!(clock.until(u64::MAX) > Duration::from_secs(1 << 40));
    }
}
