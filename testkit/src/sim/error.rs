//! Errors of a simulation run: [`SimError`].

use std::time::Duration;

/// A simulation could not continue, or did not reach the expected state.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// It was run from inside one of its own callbacks.
    #[error("the simulation is running already")]
    AlreadyRunning,
    /// A callback panicked. The reactor caught and printed the panic as usual; a test should fail nevertheless.
    #[error("a callback on {host} panicked (seed {seed})")]
    Panicked {
        /// The host.
        host: String,
        /// The seed of the simulation.
        seed: u64,
    },
    /// A host always has more work at the same instant, so time cannot advance.
    #[error("{host} never becomes idle, so simulated time cannot advance (seed {seed})")]
    HostNeverIdle {
        /// The host.
        host: String,
        /// The seed of the simulation.
        seed: u64,
    },
    /// Events never stop.
    #[error("the network is not idle after {events} events (seed {seed})")]
    NeverIdle {
        /// The number of events processed.
        events: u64,
        /// The seed of the simulation.
        seed: u64,
    },
    /// The awaited condition did not become true in time.
    #[error("the condition did not become true within {within:?} of simulated time (seed {seed})")]
    NotReached {
        /// The time allowed.
        within: Duration,
        /// The seed of the simulation.
        seed: u64,
    },
}

sinew_reactor::error_debug!(SimError);
