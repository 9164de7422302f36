//! Why no input is taken for now beside the user's pause: [`Hold`]. Several may hold a stream at a time; it goes on when none does.

use std::{cell::Cell, time::Duration};

use sinew_reactor::{Reactor, TimerKey};

use super::{Stream, handover::Handover, state::State};
use crate::Transport;

/// Who holds a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// The other end of its relay has no room.
    Relay = 1,
    /// It is on its way to another protocol.
    Handover = 2,
    /// [`Transport::hold_reading`].
    Time = 4,
}

/// What a stream knows of those who hold it.
#[derive(Default)]
pub(super) struct Holds {
    /// A bit for each.
    by: Cell<u8>,
    pub(super) handover: Handover,
    /// The timer of [`Transport::hold_reading`].
    until: Cell<Option<TimerKey>>,
}

impl Transport {
    /// Delivers no input for so long, whatever [`pause_reading`](Self::pause_reading) and
    /// [`resume_reading`](Self::resume_reading) say meanwhile: for policies around a protocol, such as a limit of its rate, which the
    /// protocol inside must not be able to undo. Zero ends a hold. The last call counts;
    /// [`reading_resumed`](crate::Protocol::reading_resumed) is told when input goes on.
    pub fn hold_reading(&self, time: Duration) {
        let stream = self.inner();
        let Some(reactor) = stream.live_reactor() else { return };
        let until = &stream.holds().until;
        if let Some(key) = until.take() {
            reactor.disarm_timer(key);
        }
        if time.is_zero() {
            stream.release(Hold::Time);
        } else {
            until.set(Some(reactor.arm_timer(stream.token, time)));
            stream.hold(Hold::Time);
            stream.update(State::owe_resume);
        }
        stream.ask_flush();
    }
}

impl Stream {
    pub(super) fn holds(&self) -> &Holds {
        self.cold().holds.get_or_init(Box::default)
    }

    pub(super) fn holds_if_any(&self) -> Option<&Holds> {
        self.cold_if_any()?.holds.get().map(Box::as_ref)
    }

    pub(super) fn hold(&self, who: Hold) {
        let by = &self.holds().by;
        by.set(by.get() | who as u8);
        self.update(State::hold);
    }

    /// `true` if it was held by this alone, and the loop has to come by.
    pub(super) fn release(&self, who: Hold) -> bool {
        let Some(Holds { by, .. }) = self.holds_if_any() else { return false };
        by.set(by.get() & !(who as u8));
        by.get() == 0 && self.update(State::release)
    }

    /// Whether a timer that is due was that of a hold, which is over then.
    pub(super) fn is_hold_over(&self, key: TimerKey) -> bool {
        let Some(Holds { until, .. }) = self.holds_if_any() else { return false };
        let is_over = until.get() == Some(key);
        if is_over {
            until.set(None);
            self.release(Hold::Time);
        }
        is_over
    }
}

impl Holds {
    /// The connection is over.
    pub(super) fn end(&self, reactor: &Reactor) {
        if let Some(key) = self.until.take() {
            reactor.disarm_timer(key);
        }
        self.handover.end();
    }
}
