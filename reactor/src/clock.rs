//! The clock: the only file that asks what time it is. Everything else is told.

use std::{
    cell::Cell,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
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
    source: TimeSource,
}

/// What moves a clock.
#[derive(Debug)]
enum TimeSource {
    /// The system; callbacks are timed by its cheapest clock.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Coarse,
    /// The system.
    Precise,
    /// Whoever drives the simulation: time stands still in between.
    Virtual(Box<Virtual>),
}

#[derive(Debug)]
struct Virtual {
    /// Since the origin.
    elapsed: Cell<Duration>,
    /// What the wall clock said, or would have said, at the origin.
    wall_origin: Cell<SystemTime>,
}

/// The farthest that a virtual clock goes, about 300 years: some platforms cannot say a later time.
const VIRTUAL_MAX: Duration = Duration::from_secs(1 << 33);

/// Where the wall clock of a simulation begins: 2026-01-01 00:00:00 UTC, in seconds since 1970.
const VIRTUAL_EPOCH: Duration = Duration::from_secs(1_767_225_600);

impl Clock {
    /// One that can tell whether a callback takes as long as `slow_callback` nanoseconds.
    pub(crate) fn new(slow_callback: u64) -> Self {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let source =
            if slow_callback >= COARSE_MIN { TimeSource::Coarse } else { TimeSource::Precise };
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let (_, source) = (slow_callback, TimeSource::Precise);
        Self::with_source(source)
    }

    /// One that stands still until it is [passed on](Self::pass_to).
    pub(crate) fn new_virtual() -> Self {
        Self::with_source(TimeSource::Virtual(Box::new(Virtual {
            elapsed: Cell::default(),
            wall_origin: Cell::new(UNIX_EPOCH + VIRTUAL_EPOCH),
        })))
    }

    fn with_source(source: TimeSource) -> Self {
        Self { origin: Instant::now(), sample: Cell::new(None), held: Cell::new(false), source }
    }

    pub(crate) const fn is_virtual(&self) -> bool {
        matches!(self.source, TimeSource::Virtual(_))
    }

    /// Moves a virtual clock on, never back; one of the system takes no notice.
    pub(crate) fn pass_to(&self, elapsed: Duration) {
        if let TimeSource::Virtual(source) = &self.source {
            let elapsed = elapsed.min(VIRTUAL_MAX);
            source.elapsed.set(source.elapsed.get().max(elapsed));
            self.forget();
        }
    }

    /// Whether the clock can ever show this time.
    pub(crate) const fn can_be(&self, elapsed: Duration) -> bool {
        !self.is_virtual() || elapsed.as_secs() <= VIRTUAL_MAX.as_secs()
    }

    /// Sets the wall clock of a virtual clock; one of the system takes no notice.
    pub(crate) fn set_wall(&self, now: SystemTime) {
        if let TimeSource::Virtual(source) = &self.source {
            let origin = now.checked_sub(source.elapsed.get()).unwrap_or(UNIX_EPOCH);
            source.wall_origin.set(origin);
        }
    }

    /// How long it has been going.
    pub(crate) fn age(&self) -> Duration {
        match &self.source {
            TimeSource::Virtual(source) => source.elapsed.get(),
            _ => self.now().duration_since(self.origin),
        }
    }

    /// The time of this turn. Asked for lazily: a turn in which nobody wants the time does not pay for it.
    pub(crate) fn now(&self) -> Instant {
        self.sample.get().unwrap_or_else(|| {
            let now = self.precise();
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
        let age = self.age();
        ticks_of(age.as_secs(), age.subsec_millis())
    }

    /// The first tick that is not before `delay` from now; for no delay at all the tick that it is now.
    pub(crate) fn tick_after(&self, delay: Duration) -> u64 {
        if delay.is_zero() {
            return self.ticks();
        }
        let due = self.age().saturating_add(delay);
        ticks_of(due.as_secs(), due.subsec_nanos().div_ceil(1_000_000))
    }

    /// How long until `tick`.
    pub(crate) fn until(&self, tick: u64) -> Duration {
        Duration::from_millis(tick).saturating_sub(self.age())
    }

    /// When `tick` is; `None` for ticks farther off than the platform's clock can say.
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

    /// For measuring how long callbacks take, in nanoseconds: cheap, and a few milliseconds coarse where the platform has
    /// such a clock and that will do.
    #[inline]
    pub(crate) fn stopwatch(&self) -> u64 {
        match self.source {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            TimeSource::Coarse => sys::monotonic_coarse(),
            TimeSource::Precise => {
                u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
            }
            // No time passes while a callback runs.
            TimeSource::Virtual(_) => 0,
        }
    }

    /// The time at this very moment, past the turn's sample.
    pub(crate) fn precise(&self) -> Instant {
        match &self.source {
            TimeSource::Virtual(source) => self.origin + source.elapsed.get(),
            _ => Instant::now(),
        }
    }
}

/// In 64 bits, since the 128 of [`Duration::as_millis`] are slow to divide; the last tick stands for all after it.
fn ticks_of(seconds: u64, millis: u32) -> u64 {
    seconds.saturating_mul(1_000).saturating_add(millis.into())
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
    fn a_virtual_clock_stands_still_until_it_is_passed_on() {
        let clock = Clock::new_virtual();
        let (then, wall) = (clock.now(), clock.wall());
        clock.pass_to(Duration::from_secs(86_400 * 3_653));
        clock.pass_to(Duration::from_secs(1));
        assert_eq!(clock.now() - then, Duration::from_secs(86_400 * 3_653));
        assert_eq!(clock.wall(), wall + Duration::from_secs(86_400 * 3_653));
        clock.set_wall(UNIX_EPOCH + Duration::from_secs(86_400 * 20_000));
        clock.pass_to(clock.age() + Duration::from_secs(1));
        assert_eq!(clock.wall(), UNIX_EPOCH + Duration::from_secs(86_400 * 20_000 + 1));
    }

    #[test]
    fn no_delay_is_the_tick_that_it_is_now() {
        let clock = Clock::new(0);
        clock.hold(true);
        assert_eq!(clock.tick_after(Duration::ZERO), clock.ticks());
    }
}
