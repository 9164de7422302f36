//! State that few connections need, kept out of [`Stream`] so that an idle connection stays small. The idle timeout has a cell of
//! its own, because many connections have one; everything else is in [`ColdState`], which is made when it is first needed and
//! given up after a round of output that leaves nothing in it.

use std::{
    cell::{Cell, OnceCell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};
#[cfg(unix)]
use std::{collections::VecDeque, os::fd::OwnedFd};

use sinew_reactor::{Promise, TimerKey};

use super::{
    Stream,
    async_output::OutputWaiter,
    hold::Holds,
    on_demand::{OnDemand, is_some},
    relay::RelayEnd,
    socket::Socket,
};
use crate::{ConnectionLost, config::IdleTimeout, producer::Producers, timers::Timers};

/// The optional parts of a stream.
#[derive(Default)]
pub(super) struct Extras {
    idle: Cell<Option<Idle>>,
    cold: OnDemand<ColdState>,
}

/// A running idle timeout.
#[derive(Clone, Copy)]
pub(super) struct Idle {
    /// Time of the last activity. Updating it is all that a message costs.
    pub(super) since: Instant,
    /// The timer that compares `since` with the time.
    pub(super) key: TimerKey,
    /// In nanoseconds; the highest bit is [`COUNTS_SENT`]. A `Duration` would take twice the space.
    timeout: u64,
}

/// Flag in the highest bit of [`Idle::timeout`]: sent data counts as activity.
const COUNTS_SENT: u64 = 1 << 63;

/// The tick of timers. A shorter timeout would keep the event loop from sleeping.
const IDLE_TIMEOUT_MIN: Duration = Duration::from_millis(1);

impl IdleTimeout {
    /// Clamped to what is stored: from one tick to 292 years.
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

/// State of the few connections that use these features, and of those that are closing. What is added here is added to
/// [`ColdState::is_unused`], too.
#[derive(Default)]
pub(crate) struct ColdState {
    /// The socket, if a plain TCP socket was wrapped after the stream was made.
    pub(super) wrapped: RefCell<Option<Socket>>,
    /// The user's timers, which are cancelled with the connection.
    pub(super) timers: Timers,
    pub(super) linger: Cell<Option<TimerKey>>,
    /// The timer of the next check of the socket without an event from the engine.
    pub(super) check_timer: Cell<Option<TimerKey>>,
    /// Bytes that had not reached the peer's kernel at the last check.
    pub(super) undelivered: Cell<usize>,
    pub(super) producers: Producers,
    pub(super) relay: OnceCell<Rc<RelayEnd>>,
    /// What blocks its input beside the user's pause. Made at the first hold.
    pub(super) holds: OnDemand<Holds>,
    /// The error given to `fail`, or why output failed, or why the connection was lost.
    pub(super) reason: Cell<Option<ConnectionLost>>,
    /// Received file descriptors that the user has not taken yet.
    #[cfg(unix)]
    pub(super) descriptors: RefCell<VecDeque<OwnedFd>>,
    /// The task that waits for the output.
    pub(super) output_waiter: Cell<Option<OutputWaiter>>,
    /// Promises of `Transport::when_lost`.
    pub(super) when_lost: RefCell<Vec<Promise<()>>>,
}

impl ColdState {
    /// Sets the reason of the end. An earlier reason, such as that of `fail`, stays, since later errors follow from it; only a
    /// panic replaces it.
    pub(super) fn set_reason(&self, reason: ConnectionLost) {
        let first = match reason {
            ConnectionLost::Panicked(_) => None,
            _ => self.reason.take(),
        };
        self.reason.set(Some(first.unwrap_or(reason)));
    }

    /// Frees the capacity that one connection needed and others do not.
    fn shrink(&self) {
        self.producers.shrink();
        #[cfg(unix)]
        self.descriptors.take();
        self.when_lost.take();
    }

    /// Whether nothing is in it, so that another stream could have it as well.
    fn is_unused(&self) -> bool {
        #[cfg(unix)]
        let has_descriptors = !self.descriptors.borrow().is_empty();
        #[cfg(not(unix))]
        let has_descriptors = false;
        self.relay.get().is_none()
            && !self.holds.is_some()
            && self.timers.len() == 0
            && self.producers.is_empty()
            && self.wrapped.borrow().is_none()
            && self.linger.get().is_none()
            && self.check_timer.get().is_none()
            && self.undelivered.get() == 0
            && !is_some(&self.reason)
            && !has_descriptors
            && !is_some(&self.output_waiter)
            && self.when_lost.borrow().is_empty()
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

    pub(super) fn cold(&self) -> Rc<ColdState> {
        let cold = &self.extras.get_or_init(Box::default).cold;
        cold.get_or_make(|| self.shared.buffers.take_spare())
    }

    pub(super) fn cold_if_any(&self) -> Option<Rc<ColdState>> {
        self.extras.get()?.cold.get()
    }

    #[inline]
    pub(super) fn has_cold(&self) -> bool {
        self.extras.get().is_some_and(|extras| extras.cold.is_some())
    }

    /// Gives up the cold state if nothing is in it, so that what an idle connection costs does not depend on what it has done.
    pub(super) fn release_cold(&self) {
        let Some(extras) = self.extras.get() else { return };
        if let Some(cold) = extras.cold.get() {
            cold.holds.take_unused(Holds::is_unused);
        }
        if let Some(cold) = extras.cold.take_unused(ColdState::is_unused) {
            cold.shrink();
            self.shared.buffers.give_back_spare(cold);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an idle timeout adds to a connection, beside its timer.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn an_idle_timeout_is_small() {
        assert_eq!(size_of::<Extras>(), 40);
    }
}
