//! Calling handlers: for events, for queues, one at a time; and what happens to a handler that panics.

use std::{
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
};

use crate::{
    Reactor,
    engine::Event,
    handler::{Handler, Token},
    inspection::Inspection,
};

/// Events between two readings of the clock. If a batch was slow, all its handlers are named in the warning. A loop
/// with little to do has one event per batch.
const EVENTS_PER_BATCH: usize = 8;

impl Reactor {
    /// Calls the handlers of events, in order. The token of a handler that was removed in this turn matches nothing.
    pub(crate) fn dispatch(&self, events: &[Event]) {
        let next = Cell::new(0);
        while next.get() < events.len() {
            // One `catch_unwind` around all of them; it is set up again only after a panic.
            let caught = catch_unwind(AssertUnwindSafe(|| self.dispatch_from(&next, events)));
            if let Err(panic) = caught {
                let token = events[next.get() - 1].token;
                let panic = self.contained(&|| self.describe(token), panic);
                if let Some(inspection) = &self.inner.inspection {
                    // What it has sent and received is its own, not that of the next one.
                    let now = self.inner.callback_start.get();
                    inspection.called(token, &self.inner.meter, now, now);
                }
                self.handler_panicked(token, &panic.message);
            }
        }
    }

    fn dispatch_from(&self, next: &Cell<usize>, events: &[Event]) {
        if let Some(inspection) = &self.inner.inspection {
            return self.dispatch_inspected(inspection, next, events);
        }
        for batch in events[next.get()..].chunks(EVENTS_PER_BATCH) {
            for event in batch {
                next.set(next.get() + 1);
                // `borrow_mut` is cheaper than `borrow` here.
                let handler = self.inner.registry.borrow_mut().handler(event.token);
                if let Some(handler) = handler {
                    handler.ready(self, event.ready);
                }
            }
            self.record_callback(&|| self.describe_all(batch));
        }
    }

    /// The same while each handler is looked at: each is a batch of its own.
    #[inline(never)]
    fn dispatch_inspected(&self, inspection: &Inspection, next: &Cell<usize>, events: &[Event]) {
        for event in &events[next.get()..] {
            next.set(next.get() + 1);
            let handler = self.inner.registry.borrow_mut().handler(event.token);
            let Some(handler) = handler else { continue };
            let began = self.inner.callback_start.get();
            handler.ready(self, event.ready);
            self.record_callback(&|| self.describe(event.token));
            let now = self.inner.callback_start.get();
            inspection.called(event.token, &self.inner.meter, began, now);
        }
    }

    /// Calls the handlers in the queue of rescheduled handlers.
    pub(crate) fn call_rescheduled(&self) {
        self.for_queued(&self.inner.queues.rescheduled, |token| {
            // A request made from here on is for the next turn.
            self.inner.registry.borrow_mut().unmark_rescheduled(token);
            self.call_handler(token, |handler| handler.rescheduled(self));
        });
    }

    /// Calls the handlers that are in a queue now.
    pub(crate) fn call_queued(
        &self,
        queue: &RefCell<Vec<Token>>,
        f: impl Fn(&Self, Rc<dyn Handler>),
    ) {
        self.for_queued(queue, |token| self.call_handler(token, |handler| f(self, handler)));
    }

    fn for_queued(&self, queue: &RefCell<Vec<Token>>, f: impl Fn(Token)) {
        if queue.borrow().is_empty() {
            return;
        }
        let mut tokens = queue.take();
        tokens.drain(..).for_each(f);
        // Keep the larger of the two allocations.
        let mut queue = queue.borrow_mut();
        if queue.is_empty() {
            *queue = tokens;
        }
    }

    /// Calls a method of a handler. If it panics and does not handle that, deregisters it.
    #[inline]
    pub(crate) fn call_handler(&self, token: Token, f: impl FnOnce(Rc<dyn Handler>)) {
        let handler = self.inner.registry.borrow().handler(token);
        let Some(handler) = handler else { return };
        let began = self.inner.callback_start.get();
        let called = self.guard(|| self.describe(token), move || f(handler));
        if let Some(inspection) = &self.inner.inspection {
            inspection.called(token, &self.inner.meter, began, self.inner.callback_start.get());
        }
        if let Err(panic) = called {
            self.handler_panicked(token, &panic.message);
        }
    }

    #[cold]
    fn handler_panicked(&self, token: Token, message: &str) {
        let handler = self.inner.registry.borrow().handler(token);
        let Some(handler) = handler else { return };
        let dealt_with =
            self.guard(|| self.describe(token), move || handler.panicked(self, message));
        if dealt_with != Ok(true) {
            self.deregister(token, false);
        }
    }

    #[cold]
    fn describe(&self, token: Token) -> String {
        let handler = self.inner.registry.borrow().handler(token);
        handler.map_or_else(|| "a removed handler".to_owned(), |handler| handler.describe())
    }

    #[cold]
    fn describe_all(&self, events: &[Event]) -> String {
        let names: Vec<_> = events.iter().map(|event| self.describe(event.token)).collect();
        names.join(", or ")
    }
}
