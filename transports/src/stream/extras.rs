//! What not every connection has, apart from what all have: an idle connection is to be small. One with an idle timeout has that
//! more and nothing else; the rest is rare.

use std::{
    cell::{Cell, OnceCell, RefCell},
    time::{Duration, Instant},
};
#[cfg(unix)]
use std::{collections::VecDeque, os::fd::OwnedFd};

use sinew_reactor::{Promise, TimerKey};

use super::{Stream, relay::Tie, socket::Socket};
use crate::{ConnectionLost, producer::Producers};

/// See the head of this file.
#[derive(Default)]
pub(super) struct Extras {
    idle: Cell<Option<Idle>>,
    rare: OnceCell<Box<Rare>>,
}

/// The idle timeout of a connection.
#[derive(Clone, Copy)]
pub(super) struct Idle {
    /// The last time anything was received or sent: all that a message costs.
    pub(super) since: Instant,
    /// The timer that looks whether that is long enough ago.
    pub(super) key: TimerKey,
    /// A `Duration` would take twice as much.
    timeout_ns: u64,
}

impl Idle {
    /// A timeout of more than 584 years is one of 584 years.
    pub(super) fn new(timeout: Duration, since: Instant, key: TimerKey) -> Self {
        let timeout_ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        Self { since, key, timeout_ns }
    }

    pub(super) const fn timeout(&self) -> Duration {
        Duration::from_nanos(self.timeout_ns)
    }
}

/// What few connections have, and those that are ending.
#[derive(Default)]
pub(super) struct Rare {
    /// The socket, where something was put around a plain one in mid-stream.
    pub(super) wrapped: RefCell<Option<Socket>>,
    /// The user's timers, so that they die with the connection.
    pub(super) timers: RefCell<Vec<TimerKey>>,
    pub(super) linger: Cell<Option<TimerKey>>,
    /// When the socket is looked at, though no engine has told of it.
    pub(super) look: Cell<Option<TimerKey>>,
    /// What had not reached the other end's system when that was last asked.
    pub(super) undelivered: Cell<usize>,
    pub(super) producers: Producers,
    pub(super) tie: OnceCell<Tie>,
    /// What `fail` was given, or why output has failed, or why the connection was lost.
    pub(super) reason: Cell<Option<ConnectionLost>>,
    /// Descriptors that have come and nobody has taken yet.
    #[cfg(unix)]
    pub(super) descriptors: RefCell<VecDeque<OwnedFd>>,
    /// Who waits for the end.
    pub(super) when_lost: RefCell<Vec<Promise<()>>>,
}

impl Rare {
    /// Why the connection is lost. What `fail` said before stays the reason: the rest only follows from it. A panic does not.
    pub(super) fn blame(&self, reason: ConnectionLost) {
        let first = match reason {
            ConnectionLost::Panicked(_) => None,
            _ => self.reason.take(),
        };
        self.reason.set(Some(first.unwrap_or(reason)));
    }

    /// Takes a timer of the user off the list. `false` if it is not on it.
    pub(super) fn take_timer(&self, key: TimerKey) -> bool {
        let mut timers = self.timers.borrow_mut();
        let at = timers.iter().position(|timer| *timer == key);
        at.map(|at| timers.swap_remove(at)).is_some()
    }
}

impl Stream {
    #[inline]
    pub(super) fn idle(&self) -> Option<Idle> {
        self.extras.get()?.idle.get()
    }

    pub(super) fn set_idle(&self, idle: Idle) {
        self.extras.get_or_init(Box::default).idle.set(Some(idle));
    }

    pub(super) fn take_idle(&self) -> Option<Idle> {
        self.extras.get()?.idle.take()
    }

    pub(super) fn rare(&self) -> &Rare {
        self.extras.get_or_init(Box::default).rare.get_or_init(Box::default)
    }

    pub(super) fn rare_if_any(&self) -> Option<&Rare> {
        self.extras.get()?.rare.get().map(Box::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that an idle timeout adds to a connection, beside its timer.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn an_idle_timeout_is_small() {
        assert_eq!(size_of::<Extras>(), 40);
    }
}
