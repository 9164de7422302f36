//! One connection of a load, made anew whenever it is lost: [`Lane`], with the requests that have no answer yet.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    mem,
    rc::Rc,
    time::{Duration, Instant},
};

/// A request that has been sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// When it should have been.
    pub(crate) planned: Instant,
    /// When it was.
    pub(crate) at: Instant,
}

/// What a lane needs of its connection.
pub(crate) trait Wire {
    /// Sends the next request, and returns its length.
    fn send(&self) -> usize;

    /// Ends the connection at once.
    fn abort(&self);
}

/// A connection, or the place of one.
#[derive(Default)]
pub(crate) struct Lane {
    wire: RefCell<Option<Rc<dyn Wire>>>,
    unanswered: RefCell<VecDeque<Sent>>,
    /// It has been connected, or failed to, once.
    pub(crate) was_tried: Cell<bool>,
    /// It stands in the load's list of lanes that wait for a request.
    pub(crate) is_free: Cell<bool>,
}

impl Lane {
    pub(crate) fn connect(&self, wire: Rc<dyn Wire>) {
        *self.wire.borrow_mut() = Some(wire);
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.wire.borrow().is_some()
    }

    /// Whether `wire` is the connection of this lane, and not one that it gave up.
    pub(crate) fn is_on(&self, wire: &Rc<dyn Wire>) -> bool {
        self.wire.borrow().as_ref().is_some_and(|own| Rc::ptr_eq(own, wire))
    }

    pub(crate) fn has_room(&self, pipeline: usize) -> bool {
        self.is_connected() && self.unanswered.borrow().len() < pipeline
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.unanswered.borrow().is_empty()
    }

    /// Sends a request. Returns its length.
    pub(crate) fn send(&self, sent: Sent) -> usize {
        let wire = self.wire.borrow().clone();
        let Some(wire) = wire else { return 0 };
        self.unanswered.borrow_mut().push_back(sent);
        wire.send()
    }

    /// The oldest request has its answer.
    pub(crate) fn answered(&self) -> Option<Sent> {
        self.unanswered.borrow_mut().pop_front()
    }

    /// Whether the oldest request was sent so long ago.
    pub(crate) fn has_waited_since(&self, now: Instant, timeout: Duration) -> bool {
        let oldest = self.unanswered.borrow().front().copied();
        oldest.is_some_and(|sent| now.saturating_duration_since(sent.at) >= timeout)
    }

    /// The connection is over. Returns the requests that will have no answer.
    pub(crate) fn disconnected(&self) -> VecDeque<Sent> {
        self.wire.take();
        mem::take(&mut self.unanswered.borrow_mut())
    }

    /// Ends the connection. What it still says is for nobody.
    pub(crate) fn give_up(&self) -> VecDeque<Sent> {
        if let Some(wire) = self.wire.take() {
            wire.abort();
        }
        self.disconnected()
    }
}
