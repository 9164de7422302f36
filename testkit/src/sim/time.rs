//! Simulated time, and the clocks of hosts, which may drift: [`Time`], [`HostClock`]. Pure.

use std::{fmt, ops::Add, time::Duration};

/// A point in time, in nanoseconds since the start of the simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time(pub(super) u64);

impl Time {
    pub(super) const fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// Time until `later`; zero if that is in the past.
    pub(super) const fn until(self, later: Self) -> Duration {
        Duration::from_nanos(later.0.saturating_sub(self.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:5}.{:06} s", self.0 / 1_000_000_000, self.0 / 1_000 % 1_000_000)
    }
}

/// Parts per million.
const MILLION: i128 = 1_000_000;

/// A host's monotonic clock. It starts with the host's process, and may run fast or slow.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostClock {
    /// A reference time, and what this clock showed at it.
    since: Time,
    shown: Duration,
    /// How fast it runs, in parts per million.
    drift_ppm: i32,
}

impl HostClock {
    pub(super) const fn started(now: Time, drift_ppm: i32) -> Self {
        Self { since: now, shown: Duration::ZERO, drift_ppm }
    }

    /// What the clock shows at `now`.
    pub(super) fn at(&self, now: Time) -> Duration {
        let passed = i128::from(now.0.saturating_sub(self.since.0));
        let shown = passed * (MILLION + i128::from(self.drift_ppm)) / MILLION;
        self.shown + Duration::from_nanos(u64::try_from(shown).unwrap_or(u64::MAX))
    }

    /// The earliest time at which the clock shows `elapsed` or more.
    pub(super) fn when(&self, elapsed: Duration) -> Time {
        let left = i128::try_from(elapsed.saturating_sub(self.shown).as_nanos())
            .unwrap_or(i128::MAX / MILLION);
        let rate = MILLION + i128::from(self.drift_ppm);
        let passed = (left.saturating_mul(MILLION) + rate - 1) / rate;
        Time(self.since.0.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX)))
    }

    /// Changes the rate from now on. The rate is at least a tenth of real time.
    pub(super) fn set_drift(&mut self, now: Time, drift_ppm: i32) {
        *self = Self { since: now, shown: self.at(now), drift_ppm: drift_ppm.max(-900_000) };
    }

    pub(super) const fn drift_ppm(&self) -> i32 {
        self.drift_ppm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_is_the_inverse_of_at() {
        for drift in [-900_000, -31, 0, 1, 50, 333_333] {
            let mut clock = HostClock::started(Time(17), 0);
            clock.set_drift(Time(1_000_003), drift);
            for elapsed in [1_000_000, 1_000_001, 123_456_789, 86_400_000_000_000] {
                let elapsed = Duration::from_nanos(elapsed);
                let when = clock.when(elapsed);
                assert!(clock.at(when) >= elapsed, "{drift} {elapsed:?}");
                assert!(
                    when.0 == 1_000_003 || clock.at(Time(when.0 - 1)) < elapsed.max(clock.shown)
                );
            }
        }
    }
}
