//! Those who wait until a client or a component is online: [`Waiting`].

use std::{cell::RefCell, fmt};

use sinew_transports::reactor::{Failure, Promise};

pub(in crate::xmpp) struct Waiting<E: From<Failure> + fmt::Display + 'static>(
    RefCell<Vec<Promise<(), E>>>,
);

impl<E: From<Failure> + fmt::Display> Default for Waiting<E> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<E: From<Failure> + fmt::Display> Waiting<E> {
    pub(in crate::xmpp) fn push(&self, promise: Promise<(), E>) {
        let mut waiting = self.0.borrow_mut();
        waiting.retain(Promise::is_pending);
        waiting.push(promise);
    }

    /// The way to be online has come to its end. An error is given to one of those who wait; the others have what `lost` makes of its
    /// text.
    pub(in crate::xmpp) fn settle(&self, result: Result<(), E>, lost: impl Fn(String) -> E) {
        let waiting = self.0.take();
        let mut error = result.err();
        for promise in waiting {
            match &error {
                None => promise.resolve(()),
                Some(told) => {
                    let told = lost(told.to_string());
                    let mine = error.replace(told);
                    promise.settle(mine.map_or(Ok(()), Err));
                }
            }
        }
    }
}
