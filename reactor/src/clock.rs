//! The clock: the only file that reads the system time. Everything else receives time as an argument.

use std::{
    cell::Cell,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod cycles;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod sys;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use cycles::Cycles;

/// Shortest slow callback, in nanoseconds, for which the coarse clock is precise enough: it moves every 10 ms at worst,
/// and so may report that much for a callback of no length.
#[cfg(any(target_os = "linux", target_os = "android"))]
const COARSE_MIN: u64 = 50_000_000;

/// A reactor's time: monotonic, and counted in ticks of a millisecond since the reactor was made. While the loop turns, it
/// is sampled at most once before and once after the poll; outside of the loop it is read at each call.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Instant,
    sample: Cell<Option<Instant>>,
    /// Whether a sample is kept: the loop turns, and resets it at the right moments.
    keeps_sample: Cell<bool>,
    source: TimeSource,
}

/// What advances a clock.
#[derive(Debug)]
enum TimeSource {
    /// The system; callbacks are timed by its cheapest clock.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Coarse,
    /// The system; callbacks are timed by a counter of the processor.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    Cycles(Cycles),
    /// The system.
    Precise,
    /// The simulation's driver: time stands still in between.
    Virtual(Box<Virtual>),
}

#[derive(Debug)]
struct Virtual {
    /// Since the origin.
    elapsed: Cell<Duration>,
    /// The wall clock's time at the origin.
    wall_origin: Cell<SystemTime>,
}

/// The end of a virtual clock, about 300 years: some platforms cannot represent a later time.
const VIRTUAL_MAX: Duration = Duration::from_secs(1 << 33);

/// The initial wall-clock time of a simulation: 2026-01-01 00:00:00 UTC, in seconds since 1970.
const VIRTUAL_EPOCH: Duration = Duration::from_secs(1_767_225_600);

impl Clock {
    /// A system clock that can time callbacks of `slow_callback` nanoseconds; every callback if `times_all`.
    pub(crate) fn new(slow_callback: u64, times_all: bool) -> Self {
        if times_all {
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            if let Some(cycles) = Cycles::measured(Instant::now) {
                return Self::with_source(TimeSource::Cycles(cycles));
            }
            return Self::with_source(TimeSource::Precise);
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let source =
            if slow_callback >= COARSE_MIN { TimeSource::Coarse } else { TimeSource::Precise };
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let (_, source) = (slow_callback, TimeSource::Precise);
        Self::with_source(source)
    }

    /// A clock that stands still until it is [advanced](Self::advance_to).
    pub(crate) fn new_virtual() -> Self {
        Self::with_source(TimeSource::Virtual(Box::new(Virtual {
            elapsed: Cell::default(),
            wall_origin: Cell::new(UNIX_EPOCH + VIRTUAL_EPOCH),
        })))
    }

    fn with_source(source: TimeSource) -> Self {
        Self {
            origin: Instant::now(),
            sample: Cell::new(None),
            keeps_sample: Cell::new(false),
            source,
        }
    }

    pub(crate) const fn is_virtual(&self) -> bool {
        matches!(self.source, TimeSource::Virtual(_))
    }

    /// Advances a virtual clock, never back. Does nothing on a system clock.
    pub(crate) fn advance_to(&self, elapsed: Duration) {
        if let TimeSource::Virtual(source) = &self.source {
            let elapsed = elapsed.min(VIRTUAL_MAX);
            source.elapsed.set(source.elapsed.get().max(elapsed));
            self.reset_sample();
        }
    }

    /// Whether the clock can represent this time.
    pub(crate) const fn can_represent(&self, elapsed: Duration) -> bool {
        !self.is_virtual() || elapsed.as_secs() <= VIRTUAL_MAX.as_secs()
    }

    /// Sets the wall clock of a virtual clock. Does nothing on a system clock.
    pub(crate) fn set_wall(&self, now: SystemTime) {
        if let TimeSource::Virtual(source) = &self.source {
            let origin = now.checked_sub(source.elapsed.get()).unwrap_or(UNIX_EPOCH);
            source.wall_origin.set(origin);
        }
    }

    /// The time since the clock was made.
    pub(crate) fn age(&self) -> Duration {
        match &self.source {
            TimeSource::Virtual(source) => source.elapsed.get(),
            _ => self.now().duration_since(self.origin),
        }
    }

    /// The system's monotonic clock as other programs see it, in microseconds (`CLOCK_MONOTONIC`, clock_gettime(2)).
    #[cfg(unix)]
    pub(crate) fn monotonic_micros(&self) -> u64 {
        let micros = match &self.source {
            TimeSource::Virtual(source) => source.elapsed.get().as_micros(),
            _ => {
                let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
                Duration::try_from(now).unwrap_or_default().as_micros()
            }
        };
        u64::try_from(micros).unwrap_or(u64::MAX)
    }

    /// The time of this turn. Read lazily: a turn that does not need the time does not pay for it.
    #[inline]
    pub(crate) fn now(&self) -> Instant {
        self.sample.get().unwrap_or_else(|| self.take_sample())
    }

    #[inline(never)]
    fn take_sample(&self) -> Instant {
        let now = self.precise();
        self.sample.set(self.keeps_sample.get().then_some(now));
        now
    }

    /// Called when the loop begins to turn (`true`) and when it has ended.
    pub(crate) fn keep_sample(&self, keeps_sample: bool) {
        self.keeps_sample.set(keeps_sample);
        self.reset_sample();
    }

    /// Time has passed: the next reader samples the clock again.
    pub(crate) fn reset_sample(&self) {
        self.sample.set(None);
    }

    /// Whole ticks since the clock was made.
    pub(crate) fn ticks(&self) -> u64 {
        let age = self.age();
        ticks_of(age.as_secs(), age.subsec_millis())
    }

    /// The first tick that is not before `delay` from now; for a zero delay, the current tick.
    pub(crate) fn tick_after(&self, delay: Duration) -> u64 {
        if delay.is_zero() {
            return self.ticks();
        }
        let due = self.age().saturating_add(delay);
        ticks_of(due.as_secs(), due.subsec_nanos().div_ceil(1_000_000))
    }

    /// The time until `tick`.
    pub(crate) fn until(&self, tick: u64) -> Duration {
        Duration::from_millis(tick).saturating_sub(self.age())
    }

    /// The instant of `tick`; `None` for ticks that the platform's clock cannot represent.
    pub(crate) fn instant(&self, tick: u64) -> Option<Instant> {
        self.origin.checked_add(Duration::from_millis(tick))
    }

    /// The wall clock, which may jump.
    pub(crate) fn wall(&self) -> SystemTime {
        match &self.source {
            TimeSource::Virtual(source) => source.wall_origin.get() + source.elapsed.get(),
            _ => SystemTime::now(),
        }
    }

    /// For measuring callbacks, in nanoseconds: cheap, and coarse by a few milliseconds where the platform has such a
    /// clock and the threshold allows it.
    #[inline]
    pub(crate) fn stopwatch(&self) -> u64 {
        match self.source {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            TimeSource::Coarse => sys::monotonic_coarse(),
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            TimeSource::Cycles(ref cycles) => cycles.nanoseconds(),
            TimeSource::Precise => {
                u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
            }
            // No time passes while a callback runs.
            TimeSource::Virtual(_) => 0,
        }
    }

    /// The current time, not the turn's sample.
    pub(crate) fn precise(&self) -> Instant {
        match &self.source {
            TimeSource::Virtual(source) => self.origin + source.elapsed.get(),
            _ => Instant::now(),
        }
    }
}

/// In 64 bits, since the 128 of [`Duration::as_millis`] are slow to divide. Saturates at the last tick.
fn ticks_of(seconds: u64, millis: u32) -> u64 {
    seconds.saturating_mul(1_000).saturating_add(millis.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_rounded_up_and_never_early() {
        let clock = Clock::new(0, false);
        clock.keep_sample(true);
        for delay in [1, 999, 1_000, 1_001, 999_999, 1_000_000, 1_000_001, 86_400_000_000_001] {
            let delay = Duration::from_nanos(delay);
            let tick = clock.tick_after(delay);
            let due = clock.instant(tick).unwrap();
            assert!(due >= clock.now() + delay);
            assert!(due < clock.now() + delay + Duration::from_millis(1));
        }
    }

    #[test]
    fn the_sample_is_kept_until_it_is_reset() {
        let clock = Clock::new(0, false);
        clock.keep_sample(true);
        let first = clock.now();
        while Instant::now() == first {}
        assert_eq!(clock.now(), first);
        clock.reset_sample();
        assert!(clock.now() > first);
    }

    #[test]
    fn the_farthest_delay_does_not_overflow() {
        let clock = Clock::new(0, false);
        assert_eq!(clock.tick_after(Duration::MAX), u64::MAX);
        assert!(clock.until(u64::MAX) > Duration::from_secs(1 << 40));
    }

    #[test]
    fn outside_of_the_loop_the_clock_is_read_at_each_call() {
        let clock = Clock::new(0, false);
        let first = clock.now();
        while Instant::now() == first {}
        assert!(clock.now() > first);
    }

    #[test]
    fn a_virtual_clock_stands_still_until_it_is_advanced() {
        let clock = Clock::new_virtual();
        let (then, wall) = (clock.now(), clock.wall());
        clock.advance_to(Duration::from_secs(86_400 * 3_653));
        clock.advance_to(Duration::from_secs(1));
        assert_eq!(clock.now() - then, Duration::from_secs(86_400 * 3_653));
        assert_eq!(clock.wall(), wall + Duration::from_secs(86_400 * 3_653));
        clock.set_wall(UNIX_EPOCH + Duration::from_secs(86_400 * 20_000));
        clock.advance_to(clock.age() + Duration::from_secs(1));
        assert_eq!(clock.wall(), UNIX_EPOCH + Duration::from_secs(86_400 * 20_000 + 1));
    }

    #[test]
    fn a_zero_delay_is_due_at_the_current_tick() {
        let clock = Clock::new(0, false);
        clock.keep_sample(true);
        assert_eq!(clock.tick_after(Duration::ZERO), clock.ticks());
    }
}
