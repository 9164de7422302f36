//! Handshake limiter: bounds the handshake steps per turn of the event loop, so that many new connections do not starve the
//! established ones. [`HandshakeLimiter`] knows no TLS.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use sinew_reactor::{Reactor, Token};

/// The limiter of one reactor.
#[derive(Default)]
pub(super) struct HandshakeLimiter {
    /// Steps admitted in this turn, including granted permits.
    admitted: Cell<usize>,
    waiting: RefCell<VecDeque<Token>>,
    /// Number of the next_permit permit.
    next_permit: Cell<u64>,
    /// Permits below this number are granted.
    granted: Cell<u64>,
    /// A call of [`refill`](Self::refill) is scheduled for the next_permit turn.
    refill_scheduled: Cell<bool>,
}

/// A place in the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Permit(u64);

impl HandshakeLimiter {
    /// Admits a step, or queues the token and returns a permit. The handler of a granted permit is rescheduled, first in, first
    /// out, and then calls this again with the permit.
    pub(super) fn acquire(
        &self,
        reactor: &Reactor,
        token: Token,
        per_turn: usize,
        permit: Option<Permit>,
    ) -> Result<(), Permit> {
        if let Some(permit) = permit {
            return if permit.0 < self.granted.get() { Ok(()) } else { Err(permit) };
        }
        self.schedule_refill(reactor, per_turn);
        if self.admitted.get() < per_turn && self.waiting.borrow().is_empty() {
            self.admitted.set(self.admitted.get() + 1);
            return Ok(());
        }
        let permit = Permit(self.next_permit.get());
        self.next_permit.set(permit.0 + 1);
        self.waiting.borrow_mut().push_back(token);
        Err(permit)
    }

    fn schedule_refill(&self, reactor: &Reactor, per_turn: usize) {
        if !self.refill_scheduled.replace(true) {
            reactor.call_soon(move |reactor| reactor.local::<Self>().refill(reactor, per_turn));
        }
    }

    /// Grants permits to the first tokens in the queue.
    fn refill(&self, reactor: &Reactor, per_turn: usize) {
        self.refill_scheduled.set(false);
        let mut waiting = self.waiting.borrow_mut();
        let granted = per_turn.min(waiting.len());
        waiting.drain(..granted).for_each(|token| reactor.reschedule(token));
        if waiting.is_empty() {
            waiting.shrink_to(per_turn);
        }
        self.granted.set(self.granted.get() + granted as u64);
        self.admitted.set(granted);
        if granted > 0 {
            drop(waiting);
            self.schedule_refill(reactor, per_turn);
        }
    }
}
