//! A bound on things at once: [`Slots`]. Tasks wait for a slot in order.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

use sinew_transports::reactor::{Failure, Promise, WeakReactor};

/// So many at once.
#[derive(Debug)]
pub(super) struct Slots {
    free: Cell<usize>,
    waiting: RefCell<VecDeque<Promise<Slot>>>,
    reactor: WeakReactor,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot(Rc<Slots>);

impl Slots {
    pub(super) fn new(reactor: WeakReactor, count: usize) -> Rc<Self> {
        Rc::new(Self { free: Cell::new(count), waiting: RefCell::default(), reactor })
    }

    /// Waits for a free slot.
    pub(super) async fn acquire(self: &Rc<Self>) -> Result<Slot, Failure> {
        if let Some(free) = self.free.get().checked_sub(1) {
            self.free.set(free);
            return Ok(Slot(self.clone()));
        }
        let (promise, slot) = self.reactor.promise();
        self.waiting.borrow_mut().push_back(promise);
        slot.await
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let slots = &self.0;
        // Those who no longer wait are passed over.
        let next = loop {
            match slots.waiting.borrow_mut().pop_front() {
                Some(promise) if !promise.is_awaited() => {}
                next => break next,
            }
        };
        match next {
            // The result of a wait that was cancelled meanwhile is dropped by the loop, which passes the slot on.
            Some(promise) => promise.resolve(Self(slots.clone())),
            None => slots.free.set(slots.free.get() + 1),
        }
    }
}
