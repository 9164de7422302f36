//! A histogram of durations in fixed space: [`Histogram`]. Pure; it does not measure anything.

use std::{cell::Cell, fmt, time::Duration};

/// Durations below this are counted together: 2^10 ns, about a microsecond.
const SMALLEST_BITS: u32 = 10;
/// Each power of two is divided into 2^2 buckets, so a percentile is too high by a quarter at most.
const SUB_BITS: u32 = 2;
/// Up to 2^42 ns, more than an hour. Longer durations are counted in the last bucket.
const BUCKETS: usize = 128;

/// How often durations occurred, in buckets that grow with them: one KiB, whatever is counted. Percentiles are exact to a
/// quarter, from a microsecond to an hour; the maximum and the sum are exact.
#[derive(Clone)]
pub struct Histogram {
    buckets: Box<[Cell<u64>; BUCKETS]>,
    count: Cell<u64>,
    /// In nanoseconds, as is `max`.
    sum: Cell<u64>,
    max: Cell<u64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: Box::new([const { Cell::new(0) }; BUCKETS]),
            count: Cell::new(0),
            sum: Cell::new(0),
            max: Cell::new(0),
        }
    }
}

impl Histogram {
    /// Counts a duration in nanoseconds.
    #[inline]
    pub(crate) fn record(&self, ns: u64) {
        let bucket = &self.buckets[index(ns)];
        bucket.set(bucket.get() + 1);
        self.count.set(self.count.get() + 1);
        self.sum.set(self.sum.get().saturating_add(ns));
        if ns > self.max.get() {
            self.max.set(ns);
        }
    }

    /// How many durations were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.get()
    }

    /// Their sum.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum.get())
    }

    /// The longest.
    #[must_use]
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max.get())
    }

    /// The duration that this share of them (`0.99`) does not exceed; zero if nothing was counted.
    #[must_use]
    pub fn percentile(&self, share: f64) -> Duration {
        let wanted = (share.clamp(0.0, 1.0) * self.count() as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, bucket) in self.buckets.iter().enumerate() {
            seen += bucket.get();
            if seen >= wanted {
                return Duration::from_nanos(upper(index).min(self.max.get()));
            }
        }
        self.max()
    }

    /// How many were shorter than this bound, or about as long: the buckets that end at or below it.
    #[must_use]
    pub fn count_below(&self, bound: Duration) -> u64 {
        let bound = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        let below = self.buckets.iter().enumerate().take_while(|(index, _)| upper(*index) <= bound);
        below.map(|(_, bucket)| bucket.get()).sum()
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count())
            .field("median", &self.percentile(0.5))
            .field("max", &self.max())
            .finish_non_exhaustive()
    }
}

/// The bucket of a duration.
#[inline]
fn index(ns: u64) -> usize {
    let ns = ns.max(1 << SMALLEST_BITS);
    let power = ns.ilog2();
    let within = (ns >> (power - SUB_BITS)) as usize & ((1 << SUB_BITS) - 1);
    let index = ((power - SMALLEST_BITS) << SUB_BITS) as usize + within;
    index.min(BUCKETS - 1)
}

/// The first duration above a bucket.
fn upper(index: usize) -> u64 {
    if index == BUCKETS - 1 {
        return u64::MAX;
    }
    let power = SMALLEST_BITS + (index as u32 >> SUB_BITS);
    let within = index as u64 & ((1 << SUB_BITS) - 1);
    ((1 << SUB_BITS) + within + 1) << (power - SUB_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_below_the_end_of_its_bucket_and_not_below_that_of_the_one_before() {
        let powers =
            (0..64).flat_map(|power| [1_u64 << power, (1 << power) + 1, (1 << power) / 4 * 7]);
        for ns in powers.chain([0, u64::MAX]) {
            let index = index(ns);
            assert!(ns < upper(index) || index == BUCKETS - 1, "{ns} in {index}");
            assert!(index == 0 || ns >= upper(index - 1), "{ns} in {index}");
        }
    }

    #[test]
    fn percentiles_are_exact_to_a_quarter() {
        let histogram = Histogram::default();
        assert_eq!(histogram.percentile(0.99), Duration::ZERO);
        for ms in 1..=1_000 {
            histogram.record(ms * 1_000_000);
        }
        for (share, exact) in [(0.5, 500.0), (0.9, 900.0), (0.99, 990.0), (1.0, 1_000.0)] {
            let found = histogram.percentile(share).as_secs_f64() * 1_000.0;
            assert!(found >= exact && found <= exact * 1.25, "{share}: {found}");
        }
        assert_eq!((histogram.count(), histogram.max()), (1_000, Duration::from_secs(1)));
        assert_eq!(histogram.sum(), Duration::from_millis(500_500));
        assert_eq!(histogram.count_below(Duration::from_secs(3_600)), 1_000);
        assert_eq!(histogram.count_below(Duration::from_micros(1)), 0);
    }
}
