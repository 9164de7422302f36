//! Events on their way to the user: [`EventQueue`], which calls a callback and keeps events for tasks.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    task::{Context, Poll, Waker},
};

use super::Event;

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

    /// Somebody takes the events from now on.
    pub(super) fn add_taker(&self) {
        self.takers.set(self.takers.get() + 1);
    }

    /// Somebody does not take them any more. Without anybody they are forgotten.
    pub(super) fn remove_taker(&self) {
        self.takers.set(self.takers.get().saturating_sub(1));
        if self.takers.get() == 0 {
            self.missed.set(0);
            self.bytes.set(0);
            drop(self.events.take());
        }
    }

    /// The next event; `None` once the connection has ended, and all events before that were taken.
    pub(super) fn poll_next(&self, context: &Context<'_>) -> Poll<Option<Event>> {
        let missed = self.missed.take();
        if missed > 0 {
            return Poll::Ready(Some(Event::Missed(missed)));
        }
        match self.pop() {
            Some(event) => Poll::Ready(Some(event)),
            None if self.has_ended.get() => Poll::Ready(None),
            None => {
                // An idle connection owns no buffer.
                self.events.borrow_mut().shrink_to_fit();
                let mut wakers = self.wakers.borrow_mut();
                if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                    wakers.push(context.waker().clone());
                }
                Poll::Pending
            }
        }
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
