//! The connection that a client is making: [`Attempt`], one at a time, which can be given up.

use std::{cell::RefCell, rc::Rc};

use sinew_transports::{
    ConnectError,
    reactor::{Canceller, Deferred},
};

/// What makes the connection, while it does.
#[derive(Default)]
pub(crate) struct Attempt(RefCell<Option<Rc<Canceller<(), ConnectError>>>>);

impl Attempt {
    /// A connection is being made.
    pub(crate) fn begin(&self, connecting: &Deferred<(), ConnectError>) {
        *self.0.borrow_mut() = Some(Rc::new(connecting.canceller()));
    }

    /// The connection is made, or cannot be made.
    pub(crate) fn end(&self) {
        self.0.take();
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Stops connecting, if there is no connection yet. Returns whether there was something to stop.
    pub(crate) fn cancel(&self) -> bool {
        let canceller = self.0.borrow().clone();
        if let Some(canceller) = &canceller {
            canceller.cancel();
        }
        canceller.is_some()
    }
}
