//! Those who wait until a client is online: [`Waiting`].

use std::{
    cell::{Cell, RefCell},
    fmt, mem,
};

use sinew_transports::reactor::{Failure, Promise};

/// Those who wait, each with a number.
pub(crate) struct Waiting<E: From<Failure> + fmt::Display + 'static> {
    promises: RefCell<Vec<(u64, Promise<(), E>)>>,
    numbers: Cell<u64>,
    /// The error of all but one of those who wait in vain, from the text of its own.
    lost: fn(String) -> E,
}

impl<E: From<Failure> + fmt::Display> Waiting<E> {
    pub(crate) fn new(lost: fn(String) -> E) -> Self {
        Self { promises: RefCell::default(), numbers: Cell::default(), lost }
    }

    /// Waits. Returns the number of the promise.
    pub(crate) fn push(&self, promise: Promise<(), E>) -> u64 {
        let number = self.next_number();
        self.push_as(number, promise);
        number
    }

    /// A number for [`push_as`](Self::push_as).
    pub(crate) fn next_number(&self) -> u64 {
        let number = self.numbers.get() + 1;
        self.numbers.set(number);
        number
    }

    pub(crate) fn push_as(&self, number: u64, promise: Promise<(), E>) {
        let mut promises = self.promises.borrow_mut();
        promises.retain(|(_, promise)| promise.is_pending());
        promises.push((number, promise));
    }

    /// The client is online.
    pub(crate) fn succeed(&self) {
        for (_, promise) in self.promises.take() {
            promise.resolve(());
        }
    }

    /// One of those who wait waits in vain.
    pub(crate) fn reject(&self, number: u64, error: E) {
        let mut promises = self.promises.borrow_mut();
        let Some(at) = promises.iter().position(|(found, _)| *found == number) else { return };
        let (_, promise) = promises.remove(at);
        drop(promises);
        promise.reject(error);
    }

    /// All wait in vain, but for the one with this number. They are told when the value is dropped; who begins to wait before that is not
    /// among them.
    pub(crate) fn fail(&self, error: E, but: Option<u64>) -> Failed<E> {
        let (kept, promises) =
            self.promises.take().into_iter().partition(|(number, _)| Some(*number) == but);
        *self.promises.borrow_mut() = kept;
        Failed { promises, error, lost: self.lost }
    }
}

/// Those who wait in vain, and why. They are told when it is dropped, also by a panic.
pub(crate) struct Failed<E: From<Failure> + fmt::Display + 'static> {
    promises: Vec<(u64, Promise<(), E>)>,
    error: E,
    lost: fn(String) -> E,
}

impl<E: From<Failure> + fmt::Display> Failed<E> {
    pub(crate) const fn error(&self) -> &E {
        &self.error
    }
}

impl<E: From<Failure> + fmt::Display> Drop for Failed<E> {
    fn drop(&mut self) {
        let reason = self.error.to_string();
        // The error is given to one; the others are told what it says.
        let mut error = Some(mem::replace(&mut self.error, (self.lost)(String::new())));
        for (_, promise) in mem::take(&mut self.promises) {
            promise.reject(error.take().unwrap_or_else(|| (self.lost)(reason.clone())));
        }
    }
}
