//! So that a crowd of new connections cannot starve the others: [`HandshakeLimiter`] lets a few steps of handshakes through each turn
//! of the loop. Knows no TLS.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use sinew_reactor::{Reactor, Token};

/// One for each reactor.
#[derive(Default)]
pub(super) struct HandshakeLimiter {
    /// Let through in this turn, those who were called included.
    passed: Cell<usize>,
    waiting: RefCell<VecDeque<Token>>,
    /// The ticket that the next to wait will have.
    next: Cell<u64>,
    /// Tickets below this one have been called.
    called: Cell<u64>,
    /// The loop will open it for another turn.
    is_armed: Cell<bool>,
}

/// The place of one who waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Permit(u64);

impl HandshakeLimiter {
    /// Whether it is the turn of who asks. If not, they get a ticket to ask with when the loop comes by for them, in the order
    /// in which they came.
    pub(super) fn pass(
        &self,
        reactor: &Reactor,
        token: Token,
        per_turn: usize,
        permit: Option<Permit>,
    ) -> Result<(), Permit> {
        if let Some(permit) = permit {
            return if permit.0 < self.called.get() { Ok(()) } else { Err(permit) };
        }
        self.open_next_turn(reactor, per_turn);
        if self.passed.get() < per_turn && self.waiting.borrow().is_empty() {
            self.passed.set(self.passed.get() + 1);
            return Ok(());
        }
        let permit = Permit(self.next.get());
        self.next.set(permit.0 + 1);
        self.waiting.borrow_mut().push_back(token);
        Err(permit)
    }

    fn open_next_turn(&self, reactor: &Reactor, per_turn: usize) {
        if !self.is_armed.replace(true) {
            reactor.call_soon(move |reactor| reactor.local::<Self>().call(reactor, per_turn));
        }
    }

    /// Calls the next few.
    fn call(&self, reactor: &Reactor, per_turn: usize) {
        self.is_armed.set(false);
        let mut waiting = self.waiting.borrow_mut();
        let called = per_turn.min(waiting.len());
        waiting.drain(..called).for_each(|token| reactor.reschedule(token));
        if waiting.is_empty() {
            waiting.shrink_to(per_turn);
        }
        self.called.set(self.called.get() + called as u64);
        self.passed.set(called);
        if called > 0 {
            drop(waiting);
            self.open_next_turn(reactor, per_turn);
        }
    }
}
