//! Random numbers that nobody can guess: [`random`]. In a simulation they follow from its seed.

use sinew_transports::reactor::{Engine, Reactor};

/// From the system, or from the seed of a simulation.
pub(crate) fn random(reactor: &Reactor) -> u64 {
    if reactor.engine() == Engine::Simulated {
        return reactor.random();
    }
    // The kernel fails only before it has gathered any randomness.
    getrandom::u64().unwrap_or_else(|_| reactor.random())
}
