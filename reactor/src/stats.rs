//! What the reactor has done so far, in numbers: [`Stats`], and the counters behind it.

use std::{cell::Cell, time::Duration};

/// Counts since the reactor was made, as [`Reactor::stats`](crate::Reactor::stats) gives them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Turns of the loop.
    pub turns: u64,
    /// Events that the kernel told of.
    pub events: u64,
    /// Calls made: `call_soon`, and from other threads.
    pub calls: u64,
    /// Timers that were due.
    pub timers_fired: u64,
    /// Timers that wait now.
    pub timers: usize,
    /// Tasks that are alive now.
    pub tasks: usize,
    /// Handlers registered now: connections, listeners, and what the reactor has for itself.
    pub handlers: usize,
    /// Connections open now.
    pub connections: u64,
    /// Connections opened so far.
    pub connections_made: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes that the kernel moved by itself, from a file or from one connection to another: part of
    /// [`bytes_sent`](Self::bytes_sent), and in no buffer of this process.
    pub bytes_moved: u64,
    /// Callbacks that took longer than [`Builder::slow_callback`](crate::Builder::slow_callback).
    pub slow_callbacks: u64,
    /// Panics of callbacks that were contained.
    pub panics: u64,
    /// The longest turn, without the wait for events. As coarse as the system's cheapest clock, some milliseconds.
    pub longest_turn: Duration,
}

/// A number that only the loop's thread touches.
#[derive(Debug, Default)]
pub struct Counter(Cell<u64>);

impl Counter {
    /// Adds to it.
    pub fn add(&self, n: u64) {
        self.0.set(self.0.get().wrapping_add(n));
    }

    /// Takes away from it.
    pub fn sub(&self, n: u64) {
        self.0.set(self.0.get().wrapping_sub(n));
    }

    /// Its value.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.get()
    }
}

/// The counters that transports keep for [`Stats`]; [`Reactor::meter`](crate::Reactor::meter) hands them out.
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
    /// Those of them that the kernel moved by itself.
    pub bytes_moved: Counter,
}
