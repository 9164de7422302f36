//! What all connections of a server share: [`Shared`].

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    rc::Rc,
};

use super::{NewsHandler, ServerConfig};
use crate::nntp::codec::MessageId;

/// What all connections of a server share.
pub(super) struct Shared<S> {
    pub(super) config: ServerConfig,
    pub(super) store: S,
    pub(super) handler: Box<dyn NewsHandler>,
    /// Articles that are being received: another connection that offers one is asked to try later.
    receiving: RefCell<HashSet<MessageId>>,
    /// For identifiers.
    count: Cell<u64>,
}

/// An article that is being received.
pub(super) struct Receiving<S> {
    shared: Rc<Shared<S>>,
    id: MessageId,
}

impl<S> Shared<S> {
    pub(super) fn new(config: ServerConfig, store: S, handler: Box<dyn NewsHandler>) -> Self {
        let (receiving, count) = (RefCell::default(), Cell::default());
        Self { config, store, handler, receiving, count }
    }

    /// Notes that an article is being received; `None` if it is already.
    pub(super) fn receive(self: &Rc<Self>, id: &MessageId) -> Option<Receiving<S>> {
        let is_first = self.receiving.borrow_mut().insert(id.clone());
        is_first.then(|| Receiving { shared: Rc::clone(self), id: id.clone() })
    }

    pub(super) fn is_receiving(&self, id: &MessageId) -> bool {
        self.receiving.borrow().contains(id)
    }

    /// A number that was not returned before.
    pub(super) fn next_count(&self) -> u64 {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }
}

impl<S> Drop for Receiving<S> {
    fn drop(&mut self) {
        self.shared.receiving.borrow_mut().remove(&self.id);
    }
}
