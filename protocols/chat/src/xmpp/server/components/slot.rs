//! The place of a component at a server: [`Slot`], a service whether it is connected or not.

use std::cell::RefCell;

use sinew_auth::Secret;
use sinew_transports::Transport;

use crate::xmpp::{
    codec::{Element, Jid, StanzaCondition, ns},
    server::{Router, Service, bounce::wait},
};

pub(super) struct Slot {
    pub(super) domain: Jid,
    pub(super) secret: Secret,
    pub(super) send_queue_max: usize,
    /// The connection that has it.
    pub(super) wire: RefCell<Option<Transport>>,
}

impl Slot {
    /// Takes the place, unless another connection has it.
    pub(super) fn take(&self, transport: &Transport) -> bool {
        let mut wire = self.wire.borrow_mut();
        let is_free = wire.as_ref().is_none_or(Transport::is_closing);
        if is_free {
            *wire = Some(transport.clone());
        }
        is_free
    }

    /// Gives it up, if it is this connection's.
    pub(super) fn leave(&self, transport: &Transport) {
        let mut wire = self.wire.borrow_mut();
        if wire.as_ref().is_some_and(|known| known.id() == transport.id()) {
            *wire = None;
        }
    }
}

impl Service for Slot {
    fn stanza_received(&self, router: &Router, stanza: Element) {
        let wire = self.wire.borrow().clone();
        let Some(wire) = wire.filter(|wire| !wire.is_closing()) else {
            return router.refuse(&stanza, &wait(StanzaCondition::RemoteServerTimeout));
        };
        // Without a declaration, what is of a client is of the component in its stream.
        let room = self.send_queue_max.saturating_sub(wire.queued());
        match stanza.encode_at_most(ns::CLIENT, room) {
            Ok(text) => {
                wire.write(text);
            }
            Err(_) => router.refuse(&stanza, &wait(StanzaCondition::ResourceConstraint)),
        }
    }
}
