//! Counters of the reactor: [`Stats`], and the cells behind it.

use std::{cell::Cell, time::Duration};

/// Counters since the reactor was made, as returned by [`Reactor::stats`](crate::Reactor::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Turns of the loop.
    pub turns: u64,
    /// I/O events received from the kernel.
    pub events: u64,
    /// Calls made: by `call_soon`, and from other threads.
    pub calls: u64,
    /// Timers fired.
    pub timers_fired: u64,
    /// Timers pending now.
    pub timers: usize,
    /// Tasks alive now.
    pub tasks: usize,
    /// Handlers registered now: connections, listeners, and the reactor's own.
    pub handlers: usize,
    /// Connections open now.
    pub connections: u64,
    /// Connections opened so far.
    pub connections_made: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes moved inside the kernel, from a file or from one connection to another (zero-copy): part of
    /// [`bytes_sent`](Self::bytes_sent), and in no buffer of this process.
    pub bytes_moved: u64,
    /// Callbacks that took longer than [`Builder::slow_callback`](crate::Builder::slow_callback).
    pub slow_callbacks: u64,
    /// Panics of callbacks that were caught.
    pub panics: u64,
    /// The longest turn, without the wait for events. As coarse as the system's cheapest clock, some milliseconds.
    pub longest_turn: Duration,
}

/// A counter that only the loop's thread uses.
#[derive(Debug, Default)]
pub struct Counter(Cell<u64>);

impl Counter {
    /// Increases the counter.
    pub fn add(&self, n: u64) {
        self.0.set(self.0.get().wrapping_add(n));
    }

    /// Decreases the counter.
    pub fn sub(&self, n: u64) {
        self.0.set(self.0.get().wrapping_sub(n));
    }

    /// The current value.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.get()
    }
}

/// The counters that transports keep for [`Stats`], from [`Reactor::meter`](crate::Reactor::meter).
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Meter {
    pub(crate) turns: Counter,
    pub(crate) events: Counter,
    pub(crate) calls: Counter,
    pub(crate) timers_fired: Counter,
    pub(crate) slow_callbacks: Counter,
    pub(crate) panics: Counter,
    /// In nanoseconds.
    pub(crate) longest_turn: Cell<u64>,
    /// Connections open now.
    pub connections: Counter,
    /// Connections opened so far.
    pub connections_made: Counter,
    /// Bytes received.
    pub bytes_received: Counter,
    /// Bytes sent.
    pub bytes_sent: Counter,
    /// Bytes moved inside the kernel; part of `bytes_sent`.
    pub bytes_moved: Counter,
}
