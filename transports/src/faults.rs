//! Fault injection for real connections: [`Faults`] configures which faults and how often. The injection is in
//! `stream/faulty.rs`; the faults of a simulated network are in `sim/`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;

/// Faults to inject between a stream and its socket, and how often: for tests and staging, set with
/// [`StreamConfig::faults`](crate::StreamConfig::faults).
///
/// Rates are probabilities, 0 to 1, drawn for each system call. No fault can stop a stream for good: a call that was interrupted
/// or blocked is not interrupted or blocked again before one has succeeded.
///
/// Every connection has its own random generator, seeded from the seed and from the number of connections that these faults and
/// their clones have had before. The kernel's timing does not depend on the seed, so a run can be repeated only as far as the
/// kernel behaves the same.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_transports::{Faults, ListenConfig, StreamConfig};
///
/// let faults = Faults::new(7).short_reads(1.0).delayed_writes(0.1, Duration::from_millis(20)).resets(0.001);
/// let config = ListenConfig::default().stream(StreamConfig::default().faults(faults));
/// # drop(config);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Faults {
    seed: u64,
    rates: Rates,
    /// Number of connections so far.
    connections: Arc<AtomicU64>,
}

/// Rate of each fault.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rates {
    pub(crate) short_reads: f64,
    pub(crate) short_writes: f64,
    pub(crate) would_block: f64,
    pub(crate) interrupted: f64,
    pub(crate) delayed_writes: f64,
    pub(crate) delay_max: Duration,
    pub(crate) resets: f64,
}

impl Faults {
    /// No faults, until the other methods add some.
    pub fn new(seed: u64) -> Self {
        Self { seed, rates: Rates::default(), connections: Arc::default() }
    }

    /// All faults except resets, at rates that a connection survives: each occurs within a few dozen calls, and most calls make
    /// progress. Writes are delayed by at most 2 ms.
    pub fn survivable(seed: u64) -> Self {
        Self::new(seed)
            .short_reads(0.3)
            .short_writes(0.3)
            .would_block(0.2)
            .interrupted(0.1)
            .delayed_writes(0.05, Duration::from_millis(2))
    }

    /// A read returns one to four bytes.
    pub fn short_reads(mut self, rate: f64) -> Self {
        self.rates.short_reads = rate;
        self
    }

    /// A write accepts a part of its data: a few bytes, or any other number.
    pub fn short_writes(mut self, rate: f64) -> Self {
        self.rates.short_writes = rate;
        self
    }

    /// A read or a write returns `EAGAIN` although it would not block.
    pub fn would_block(mut self, rate: f64) -> Self {
        self.rates.would_block = rate;
        self
    }

    /// A read or a write is interrupted by a signal (`EINTR`).
    pub fn interrupted(mut self, rate: f64) -> Self {
        self.rates.interrupted = rate;
        self
    }

    /// A write, and with it all others of its connection, is delayed by up to `max`.
    pub fn delayed_writes(mut self, rate: f64, max: Duration) -> Self {
        self.rates.delayed_writes = rate;
        self.rates.delay_max = max;
        self
    }

    /// The connection breaks as if the peer had reset it: a read fails with `ECONNRESET`, a write with `EPIPE`, and the peer
    /// receives a reset.
    pub fn resets(mut self, rate: f64) -> Self {
        self.rates.resets = rate;
        self
    }

    pub(crate) fn rates(&self) -> Rates {
        self.rates
    }

    /// The random generator of the next connection.
    pub(crate) fn next_random(&self) -> Rng {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let mut seeds = Rng::with_seed(self.seed);
        Rng::with_seed(seeds.u64(..) ^ number)
    }
}
