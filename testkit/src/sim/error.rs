//! Why a simulation did not go on: [`SimError`].

use std::time::Duration;

/// A simulation could not go on, or did not come to where it was to come.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// It was to go on from inside one of its own callbacks.
    #[error("the simulation is running already")]
    AlreadyRunning,
    /// A callback panicked. The panic was contained, as ever, and printed; a test should fail of it all the same.
    #[error("a callback on {host} panicked (seed {seed})")]
    Panicked {
        /// On which host.
        host: String,
        /// The seed of the simulation.
        seed: u64,
    },
    /// A host has always more to do, so time cannot pass.
    #[error("{host} does not come to rest (seed {seed})")]
    NeverRests {
        /// The host.
        host: String,
        /// The seed of the simulation.
        seed: u64,
    },
    /// There is no end to what happens.
    #[error("not idle after {events} events (seed {seed})")]
    NeverIdle {
        /// How many events there were.
        events: u64,
        /// The seed of the simulation.
        seed: u64,
    },
    /// What was waited for did not come to pass.
    #[error("it did not come to pass within {within:?} (seed {seed})")]
    NotReached {
        /// The time that was allowed.
        within: Duration,
        /// The seed of the simulation.
        seed: u64,
    },
}

sinew_reactor::error_debug!(SimError);
