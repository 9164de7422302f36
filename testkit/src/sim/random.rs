//! Where chance comes from: one generator a purpose, all drawn from the seed, so that a change in what one of them is asked
//! for leaves the others as they were.

use std::time::Duration;

use fastrand::Rng;

/// See the head of this file.
pub(super) struct Random {
    /// Delays and losses on links.
    pub(super) links: Rng,
    /// Where streams are cut into segments, and writes cut short.
    pub(super) cuts: Rng,
    /// Which host goes first, and other choices of a scheduler.
    pub(super) order: Rng,
    /// Faults that come by themselves.
    pub(super) faults: Rng,
    /// Seeds of reactors.
    pub(super) seeds: Rng,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        let mut root = Rng::with_seed(seed);
        let mut fork = || Rng::with_seed(root.u64(..));
        Self { links: fork(), cuts: fork(), order: fork(), faults: fork(), seeds: fork() }
    }
}

/// Whether a thing of this probability happens.
pub(super) fn happens(random: &mut Rng, probability: f64) -> bool {
    probability > 0.0 && random.f64() < probability
}

/// A time between the two, the first included.
pub(super) fn between(random: &mut Rng, min: Duration, max: Duration) -> Duration {
    let (min, max) = (nanos(min), nanos(max));
    Duration::from_nanos(if min < max { random.u64(min..max) } else { min })
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
