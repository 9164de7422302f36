//! The queue of a service, once it is open: [`QueueSlot`].

use std::{cell::RefCell, rc::Rc};

use sinew::mail::{
    queue::{Queue, Relay},
    routing::{Receiver, Router, Rules},
    store::Store,
};

/// Where mail goes.
#[derive(Clone)]
pub(super) struct Places {
    pub(super) router: Router,
    pub(super) relay: Relay,
    /// The mailboxes, if there is a quota.
    pub(super) limited: Option<Rc<dyn Store>>,
}

/// The place of a queue: empty before it is open, and again when the service stops, so that what asks for it later does not keep its
/// folder from the next service. Clones are the same place.
#[derive(Clone, Debug, Default)]
pub(super) struct QueueSlot(Rc<RefCell<Option<Queue>>>);

impl QueueSlot {
    pub(super) fn set(&self, queue: Queue) {
        self.0.replace(Some(queue));
    }

    pub(super) fn take(&self) -> Option<Queue> {
        self.0.take()
    }

    pub(super) fn queue(&self) -> Option<Queue> {
        self.0.borrow().clone()
    }

    /// A receiver into the queue, if it is open.
    pub(super) fn receiver(&self, places: &Places, rules: &Rules) -> Option<Receiver> {
        let receiver = Receiver::new(self.queue()?, places.router.clone(), rules.clone());
        let receiver = receiver.relay(places.relay.clone());
        Some(match &places.limited {
            Some(store) => receiver.mailboxes(Rc::clone(store)),
            None => receiver,
        })
    }
}
