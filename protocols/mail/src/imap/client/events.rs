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
    bytes_max: u64,
    events: RefCell<VecDeque<Event>>,
    /// The memory of the events, about.
    bytes: Cell<u64>,
    missed: Cell<u64>,
    /// How many take them.
    takers: Cell<usize>,
    has_ended: Cell<bool>,
    /// Of all tasks that wait.
    wakers: RefCell<Vec<Waker>>,
    callback: RefCell<Option<Callback>>,
}

impl EventQueue {
    pub(super) fn new(max: usize, bytes_max: u64) -> Self {
        Self {
            max,
            bytes_max,
            events: RefCell::default(),
            bytes: Cell::default(),
            missed: Cell::default(),
            takers: Cell::default(),
            has_ended: Cell::default(),
            wakers: RefCell::default(),
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
        if self.takers.get() == 0 {
            return;
        }
        self.bytes.set(self.bytes.get() + event.memory());
        self.events.borrow_mut().push_back(event);
        while self.events.borrow().len() > self.max || self.bytes.get() > self.bytes_max {
            if self.pop().is_none() {
                break;
            }
            self.missed.set(self.missed.get() + 1);
        }
        self.wake();
    }

    fn pop(&self) -> Option<Event> {
        let event = self.events.borrow_mut().pop_front()?;
        self.bytes.set(self.bytes.get().saturating_sub(event.memory()));
        Some(event)
    }

    pub(super) fn end(&self) {
        self.has_ended.set(true);
        self.wake();
    }

    fn wake(&self) {
        let wakers = self.wakers.take();
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// The events of a connection, from [`ImapClient::events`](super::ImapClient::events). Dropping the last one forgets those that were not taken.
pub struct Events {
    shared: Rc<Shared>,
}

impl Events {
    pub(super) fn new(shared: Rc<Shared>) -> Self {
        let takers = &shared.events.takers;
        takers.set(takers.get() + 1);
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
            match queue.pop() {
                Some(event) => Poll::Ready(Some(event)),
                None if queue.has_ended.get() => Poll::Ready(None),
                None => {
                    // An idle connection owns no buffer.
                    queue.events.borrow_mut().shrink_to_fit();
                    let mut wakers = queue.wakers.borrow_mut();
                    if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                        wakers.push(context.waker().clone());
                    }
                    Poll::Pending
                }
            }
        })
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let queue = &self.shared.events;
        queue.takers.set(queue.takers.get().saturating_sub(1));
        if queue.takers.get() == 0 {
            queue.missed.set(0);
            queue.bytes.set(0);
            drop(queue.events.take());
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
