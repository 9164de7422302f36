//! Events on their way to the user: [`EventQueue`], and [`Events`], which takes them out.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn},
    rc::Rc,
    task::{Poll, Waker},
};

use super::{Event, shared::Shared};

type Callback = Box<dyn FnMut(&Event)>;

pub(super) struct EventQueue {
    max: usize,
    events: RefCell<VecDeque<Event>>,
    missed: Cell<u64>,
    /// Whether somebody takes them.
    is_wanted: Cell<bool>,
    has_ended: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    callback: RefCell<Option<Callback>>,
}

impl EventQueue {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            events: RefCell::default(),
            missed: Cell::default(),
            is_wanted: Cell::default(),
            has_ended: Cell::default(),
            waker: RefCell::default(),
            callback: RefCell::default(),
        }
    }

    pub(super) fn set_callback(&self, callback: Callback) {
        let old = self.callback.replace(Some(callback));
        drop(old);
    }

    /// Calls the user's callback, which may set another one.
    pub(super) fn push(&self, event: Event) {
        let callback = self.callback.take();
        if let Some(mut callback) = callback {
            callback(&event);
            let mut place = self.callback.borrow_mut();
            if place.is_none() {
                *place = Some(callback);
            }
        }
        if !self.is_wanted.get() {
            return;
        }
        let mut events = self.events.borrow_mut();
        if events.len() >= self.max {
            events.pop_front();
            self.missed.set(self.missed.get() + 1);
        }
        events.push_back(event);
        drop(events);
        self.wake();
    }

    pub(super) fn end(&self) {
        self.has_ended.set(true);
        self.wake();
    }

    fn wake(&self) {
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The events of a connection, from [`ImapClient::events`](super::ImapClient::events). Dropping it forgets those that were not taken.
pub struct Events {
    shared: Rc<Shared>,
}

impl Events {
    pub(super) fn new(shared: Rc<Shared>) -> Self {
        shared.events.is_wanted.set(true);
        Self { shared }
    }

    /// The next event; `None` once the connection has ended, and all events before that were taken.
    ///
    /// Cancel safe.
    pub fn next_event(&mut self) -> impl Future<Output = Option<Event>> {
        poll_fn(|context| {
            let queue = &self.shared.events;
            let missed = queue.missed.take();
            if missed > 0 {
                return Poll::Ready(Some(Event::Missed(missed)));
            }
            let event = queue.events.borrow_mut().pop_front();
            match event {
                Some(event) => Poll::Ready(Some(event)),
                None if queue.has_ended.get() => Poll::Ready(None),
                None => {
                    // An idle connection owns no buffer.
                    queue.events.borrow_mut().shrink_to_fit();
                    queue.waker.replace(Some(context.waker().clone()));
                    Poll::Pending
                }
            }
        })
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let queue = &self.shared.events;
        queue.is_wanted.set(false);
        queue.missed.set(0);
        drop(queue.events.take());
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
