//! What not every connection has, apart from what all have: an idle connection is to be small. One with an idle timeout has that
//! more and nothing else; the rest is rare.

use std::{
    cell::{Cell, OnceCell, RefCell},
    time::{Duration, Instant},
};
#[cfg(unix)]
use std::{collections::VecDeque, os::fd::OwnedFd};

use sinew_reactor::{Promise, TimerKey};

use super::{Stream, hold::Holds, relay::RelayEnd, socket::Socket};
use crate::{ConnectionLost, producer::Producers, timers::Timers};

/// See the head of this file.
#[derive(Default)]
pub(super) struct Extras {
    idle: Cell<Option<Idle>>,
    cold: OnceCell<Box<ColdState>>,
}

/// For how long a connection may be idle, and what counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IdleTimeout {
    pub(crate) after: Duration,
    /// Not if it is only what is received that counts.
    pub(crate) counts_sent: bool,
}

/// The idle timeout of a connection at work.
#[derive(Clone, Copy)]
pub(super) struct Idle {
    /// The last time that anything came or went that counts: all that a message costs.
    pub(super) since: Instant,
    /// The timer that looks whether that is long enough ago.
    pub(super) key: TimerKey,
    /// In nanoseconds, and in the highest bit whether it counts what is sent: a `Duration` would take twice as much.
    timeout: u64,
}

/// The highest bit of [`Idle::timeout`].
const COUNTS_SENT: u64 = 1 << 63;

/// The tick of timers. With less, the loop would never sleep.
const IDLE_TIMEOUT_MIN: Duration = Duration::from_millis(1);

impl IdleTimeout {
    /// As a connection keeps it: more than 292 years are 292 years, and less than a tick is one.
    pub(super) fn bounded(self) -> Self {
        let after = self.after.clamp(IDLE_TIMEOUT_MIN, Duration::from_nanos(COUNTS_SENT - 1));
        Self { after, ..self }
    }
}

impl Idle {
    pub(super) fn new(timeout: IdleTimeout, since: Instant, key: TimerKey) -> Self {
        let ns = timeout.bounded().after.as_nanos() as u64;
        let timeout = if timeout.counts_sent { ns | COUNTS_SENT } else { ns };
        Self { since, key, timeout }
    }

    pub(super) const fn timeout(&self) -> Duration {
        Duration::from_nanos(self.timeout & !COUNTS_SENT)
    }

    pub(super) const fn counts_sent(&self) -> bool {
        self.timeout & COUNTS_SENT != 0
    }
}

/// What few connections have, and those that are ending.
#[derive(Default)]
pub(super) struct ColdState {
    /// The socket, where something was put around a plain one in mid-stream.
    pub(super) wrapped: RefCell<Option<Socket>>,
    /// The user's timers, so that they die with the connection.
    pub(super) timers: Timers,
    pub(super) linger: Cell<Option<TimerKey>>,
    /// When the socket is looked at, though no engine has told of it.
    pub(super) look: Cell<Option<TimerKey>>,
    /// What had not reached the other end's system when that was last asked.
    pub(super) undelivered: Cell<usize>,
    pub(super) producers: Producers,
    pub(super) relay: OnceCell<RelayEnd>,
    /// Who holds back its input, once anybody has.
    pub(super) holds: OnceCell<Box<Holds>>,
    /// What `fail` was given, or why output has failed, or why the connection was lost.
    pub(super) reason: Cell<Option<ConnectionLost>>,
    /// Descriptors that have come and nobody has taken yet.
    #[cfg(unix)]
    pub(super) descriptors: RefCell<VecDeque<OwnedFd>>,
    /// Who waits for the end.
    pub(super) when_lost: RefCell<Vec<Promise<()>>>,
}

impl ColdState {
    /// Why the connection is lost. What `fail` said before stays the reason: the rest only follows from it. A panic does not.
    pub(super) fn blame(&self, reason: ConnectionLost) {
        let first = match reason {
            ConnectionLost::Panicked(_) => None,
            _ => self.reason.take(),
        };
        self.reason.set(Some(first.unwrap_or(reason)));
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

    pub(super) fn cold(&self) -> &ColdState {
        self.extras.get_or_init(Box::default).cold.get_or_init(Box::default)
    }

    pub(super) fn cold_if_any(&self) -> Option<&ColdState> {
        self.extras.get()?.cold.get().map(Box::as_ref)
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
