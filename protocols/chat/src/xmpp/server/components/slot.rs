//! The place of a component at a server: [`Slot`], a service whether it is connected or not.

use std::cell::RefCell;

use sinew_auth::Secret;
use sinew_transports::Transport;

use crate::xmpp::{
    codec::{Element, Jid, StanzaCondition, ns},
    server::{
        Router, Service,
        bounce::{modify, wait},
        questions::Questions,
    },
};

pub(super) struct Slot {
    pub(super) domain: Jid,
    pub(super) secret: Secret,
    pub(super) send_queue_max: usize,
    /// The connection that has it.
    pub(super) wire: RefCell<Option<Transport>>,
    /// What the component was asked by that connection.
    pub(super) questions: RefCell<Questions>,
}

impl Slot {
    /// Takes the place, unless another connection has it.
    pub(super) fn take(&self, transport: &Transport, router: &Router) -> bool {
        let mut wire = self.wire.borrow_mut();
        let is_free = wire.as_ref().is_none_or(Transport::is_closing);
        if is_free {
            let old = wire.replace(transport.clone());
            drop(wire);
            if old.is_some() {
                self.refuse_all(router);
            }
        }
        is_free
    }

    /// Gives it up, if it is this connection's. What the component has not answered is refused.
    pub(super) fn leave(&self, transport: &Transport, router: &Router) {
        let mut wire = self.wire.borrow_mut();
        if wire.take_if(|known| known.id() == transport.id()).is_none() {
            return;
        }
        drop(wire);
        self.refuse_all(router);
    }

    fn refuse_all(&self, router: &Router) {
        let questions = self.questions.borrow_mut().all_gone();
        for question in questions {
            router.refuse(&question, &wait(StanzaCondition::RemoteServerTimeout));
        }
    }

    /// Whether somebody waits for this answer of the component, which is then answered.
    pub(super) fn is_awaited(&self, answer: &Element, router: &Router) -> bool {
        let Some((from, to, home)) = addresses(answer, router) else { return false };
        // The server itself asks whether the component is there.
        let id = answer.attribute("id").unwrap_or_default();
        to == home || self.questions.borrow_mut().answered(&from, &to, id, &home)
    }
}

/// The sender, the recipient, and the domain of the accounts.
fn addresses(stanza: &Element, router: &Router) -> Option<(Jid, Jid, Jid)> {
    let address = |name| stanza.attribute(name).and_then(|jid| jid.parse::<Jid>().ok());
    Some((address("from")?, address("to")?, router.domain()?))
}

impl Service for Slot {
    fn stanza_received(&self, router: &Router, stanza: Element) {
        let wire = self.wire.borrow().clone();
        let Some(wire) = wire.filter(|wire| !wire.is_closing()) else {
            return router.refuse(&stanza, &wait(StanzaCondition::RemoteServerTimeout));
        };
        // Without a declaration, what is of a client is of the component in its stream.
        let Ok(text) = stanza.encode_at_most(ns::CLIENT, self.send_queue_max) else {
            return router.refuse(&stanza, &modify(StanzaCondition::PolicyViolation));
        };
        if wire.queued().saturating_add(text.len()) > self.send_queue_max {
            return router.refuse(&stanza, &wait(StanzaCondition::ResourceConstraint));
        }
        if matches!(stanza.attribute("type"), Some("get" | "set")) && stanza.name() == "iq" {
            let Some((from, to, home)) = addresses(&stanza, router) else { return };
            let given_up = self.questions.borrow_mut().asked(&stanza, &from, &to, &home);
            for question in given_up {
                router.refuse(&question, &wait(StanzaCondition::ResourceConstraint));
            }
        }
        wire.write(text);
    }
}
