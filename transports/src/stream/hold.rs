//! Holds: reasons to block input beside the user's pause. Several may be set at a time; input resumes when none is left.

use std::{cell::Cell, rc::Rc, time::Duration};

use sinew_reactor::{Reactor, TimerKey};

use super::{Stream, pending_handover::Handover, state::State};
use crate::Transport;

/// A reason to block input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// The other end of the relay has no room.
    Relay = 1,
    /// A handover to another protocol is pending.
    Handover = 2,
    /// [`Transport::hold_reading`].
    Time = 4,
    /// [`Transport::yield_turn`].
    Turn = 8,
}

/// The holds of a stream.
#[derive(Default)]
pub(super) struct Holds {
    /// One bit for each [`Hold`].
    bits: Cell<u8>,
    pub(super) handover: Handover,
    /// The timer of [`Transport::hold_reading`].
    timer: Cell<Option<TimerKey>>,
}

impl Transport {
    /// Delivers no input for this time, regardless of [`pause_reading`](Self::pause_reading) and
    /// [`resume_reading`](Self::resume_reading): for policies around a protocol, such as a rate limit, that the protocol inside
    /// must not be able to undo. Each call replaces the one before; zero ends the hold.
    /// [`reading_resumed`](crate::Protocol::reading_resumed) is called before input is delivered again.
    pub fn hold_reading(&self, time: Duration) {
        let stream = self.inner();
        let Some(reactor) = stream.live_reactor() else { return };
        let holds = stream.holds();
        let timer = &holds.timer;
        if let Some(key) = timer.take() {
            reactor.disarm_timer(key);
        }
        if time.is_zero() {
            stream.release(Hold::Time);
        } else {
            timer.set(Some(reactor.arm_timer(stream.token, time)));
            stream.hold(Hold::Time);
            stream.update(State::set_resume_pending);
        }
        stream.ask_flush();
    }

    /// Delivers no more input before the event loop has called the other connections: for a protocol that has done its share of a turn
    /// and still has received input, such as commands that a client has sent without waiting for replies. Keep the rest of the input, and
    /// go on with it in [`reading_resumed`](crate::Protocol::reading_resumed), which is called in this turn, behind the events of
    /// others, or in the next, whatever [`pause_reading`](Self::pause_reading) and [`resume_reading`](Self::resume_reading) did
    /// meanwhile. What was written until now is sent before. [`Reactor::turns`] says which turn it is.
    pub fn yield_turn(&self) {
        let stream = self.inner();
        let Some(reactor) = stream.live_reactor() else { return };
        if stream.state.get().is_open() {
            stream.hold(Hold::Turn);
            stream.update(State::set_resume_pending);
            self.reschedule(&reactor);
        }
    }
}

impl Stream {
    pub(super) fn holds(&self) -> Rc<Holds> {
        self.cold().holds.get_or_make(Rc::default)
    }

    pub(super) fn holds_if_any(&self) -> Option<Rc<Holds>> {
        self.cold_if_any()?.holds.get()
    }

    #[inline]
    pub(super) fn has_holds(&self) -> bool {
        self.cold_if_any().is_some_and(|cold| cold.holds.is_some())
    }

    pub(super) fn hold(&self, reason: Hold) {
        let holds = self.holds();
        let bits = &holds.bits;
        bits.set(bits.get() | reason as u8);
        self.update(State::hold);
    }

    /// Returns `true` if this was the only hold, so that the stream has to be rescheduled.
    pub(super) fn release(&self, reason: Hold) -> bool {
        let Some(holds) = self.holds_if_any() else { return false };
        let bits = &holds.bits;
        bits.set(bits.get() & !(reason as u8));
        bits.get() == 0 && self.update(State::release)
    }

    /// Ends the timed hold if this is its timer. Returns whether it is.
    pub(super) fn expire_hold(&self, key: TimerKey) -> bool {
        let Some(holds) = self.holds_if_any() else { return false };
        let is_over = holds.timer.get() == Some(key);
        if is_over {
            holds.timer.set(None);
            self.release(Hold::Time);
        }
        is_over
    }
}

impl Holds {
    /// Whether nothing is held or pending.
    pub(super) fn is_unused(&self) -> bool {
        self.bits.get() == 0 && self.timer.get().is_none() && self.handover.is_unused()
    }

    pub(super) fn has(&self, reason: Hold) -> bool {
        self.bits.get() & reason as u8 != 0
    }

    /// Cancels the timer and drops a pending handover: the connection is over.
    pub(super) fn end(&self, reactor: &Reactor) {
        if let Some(key) = self.timer.take() {
            reactor.disarm_timer(key);
        }
        self.handover.clear();
        if let Some(moving) = self.handover.moving.take() {
            // It holds a closure of the user's.
            reactor.defer_drop(moving);
        }
    }
}
