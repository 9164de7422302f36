//! Counters of the reactor: [`Stats`], and the cells behind it.

use std::{cell::Cell, iter::Sum, ops::AddAssign, time::Duration};

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

impl AddAssign for Stats {
    /// Adds the counters of another reactor. `longest_turn` is the longest of both.
    fn add_assign(&mut self, other: Self) {
        self.turns += other.turns;
        self.events += other.events;
        self.calls += other.calls;
        self.timers_fired += other.timers_fired;
        self.timers += other.timers;
        self.tasks += other.tasks;
        self.handlers += other.handlers;
        self.connections += other.connections;
        self.connections_made += other.connections_made;
        self.bytes_received += other.bytes_received;
        self.bytes_sent += other.bytes_sent;
        self.bytes_moved += other.bytes_moved;
        self.slow_callbacks += other.slow_callbacks;
        self.panics += other.panics;
        self.longest_turn = self.longest_turn.max(other.longest_turn);
    }
}

impl Sum for Stats {
    /// The counters of several reactors together.
    fn sum<I: Iterator<Item = Self>>(each: I) -> Self {
        each.fold(Self::default(), |mut sum, stats| {
            sum += stats;
            sum
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_of_reactors_are_added_and_the_longest_turn_is_the_longest_of_all() {
        let stats = |n: u64| Stats {
            turns: n,
            events: 10 * n,
            calls: 20 * n,
            timers_fired: 30 * n,
            timers: n as usize,
            tasks: 2 * n as usize,
            handlers: 3 * n as usize,
            connections: 40 * n,
            connections_made: 50 * n,
            bytes_received: 60 * n,
            bytes_sent: 70 * n,
            bytes_moved: 80 * n,
            slow_callbacks: 90 * n,
            panics: 100 * n,
            longest_turn: Duration::from_millis(n),
        };
        let mut expected = stats(7);
        expected.longest_turn = Duration::from_millis(4);
        assert_eq!([stats(1), stats(4), stats(2)].into_iter().sum::<Stats>(), expected);
    }
}
