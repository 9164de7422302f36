//! Random number generators, one per purpose, all derived from the seed, so that a change in the use of one does not
//! affect the others.

use std::time::Duration;

use fastrand::Rng;

/// The generators of a simulation.
pub(super) struct Random {
    /// Latency and loss on links.
    pub(super) links: Rng,
    /// Where streams are split into segments, and writes are cut short.
    pub(super) cuts: Rng,
    /// Scheduling: which host runs first, and similar choices.
    pub(super) order: Rng,
    /// Random faults.
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

/// Returns true with this probability.
pub(super) fn happens(random: &mut Rng, probability: f64) -> bool {
    probability > 0.0 && random.f64() < probability
}

/// A random duration from `min` (inclusive) to `max`.
pub(super) fn between(random: &mut Rng, min: Duration, max: Duration) -> Duration {
    let (min, max) = (nanos(min), nanos(max));
    Duration::from_nanos(if min < max { random.u64(min..max) } else { min })
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
