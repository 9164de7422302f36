//! A resource of an account: [`Session`], which may outlive a connection. Data, and what it sends.

use std::{collections::BTreeSet, rc::Rc};

use sinew_transports::{Transport, reactor::DelayedCall};

use super::held_back::{Held, HeldBack};
use crate::xmpp::{
    codec::{Element, Jid, encoded::Encoded},
    copies::Copies,
    output,
    stream_management::StreamManagement,
};

/// Asks for an acknowledgement (XEP-0198).
pub(super) const REQUEST: &str = "<r xmlns='urn:xmpp:sm:3'/>";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SessionId(pub(super) u64);

pub(super) struct Session {
    /// The full address.
    pub(super) jid: Jid,
    pub(super) account: Rc<str>,
    /// None while the session waits to be resumed.
    pub(super) wire: Option<Transport>,
    /// The last presence that was broadcast, if the resource is available.
    pub(super) presence: Option<Element>,
    pub(super) priority: i8,
    /// It has asked for the roster, and is told of changes.
    pub(super) wants_roster: bool,
    pub(super) wants_carbons: bool,
    /// It has asked for the list of blocked addresses, and is told of changes.
    pub(super) wants_blocked: bool,
    /// To whom it has directed available presence.
    pub(super) directed: BTreeSet<Jid>,
    pub(super) management: Option<Box<StreamManagement>>,
    /// With which the session can be resumed.
    pub(super) token: Option<Rc<str>>,
    /// Counts connections, so that a clock of an earlier one does not end it.
    pub(super) generation: u64,
    /// Ends it, if it is not resumed before.
    pub(super) expiry: Option<DelayedCall>,
    /// While its client is inactive (XEP-0352): what waits until it is not.
    pub(super) held_back: Option<Box<HeldBack>>,
    /// A limit is exceeded, and the session ends before anything else happens.
    pub(super) is_doomed: bool,
    /// What was to be sent since then.
    pub(super) unsent: Vec<(Element, Option<Copies>)>,
}

/// The limits of what waits to be sent.
#[derive(Clone, Copy)]
pub(super) struct SendLimits {
    pub(super) stanzas: usize,
    pub(super) bytes: usize,
}

impl Session {
    pub(super) fn new(jid: Jid, account: Rc<str>, wire: Transport) -> Self {
        Self {
            jid,
            account,
            wire: Some(wire),
            presence: None,
            priority: 0,
            wants_roster: false,
            wants_carbons: false,
            wants_blocked: false,
            directed: BTreeSet::new(),
            management: None,
            token: None,
            generation: 0,
            expiry: None,
            held_back: None,
            is_doomed: false,
            unsent: Vec::new(),
        }
    }

    /// Whether it gets messages that are for the account.
    pub(super) const fn takes_messages(&self) -> bool {
        self.presence.is_some() && self.priority >= 0
    }

    pub(super) const fn is_available(&self) -> bool {
        self.presence.is_some()
    }

    /// Bytes that wait for the client: that its connection has not taken, that it has not acknowledged, or that wait until it is active.
    pub(super) fn waiting(&self) -> usize {
        let queued = self.wire.as_ref().map_or(0, Transport::queued);
        let unacknowledged = self.management.as_ref().map_or(0, |management| management.bytes());
        let held_back = self.held_back.as_ref().map_or(0, |held_back| held_back.bytes());
        queued.saturating_add(unacknowledged).saturating_add(held_back)
    }

    /// Sends a stanza, or keeps it: for a later connection, or until the client is active. Returns whether the limits hold.
    pub(super) fn send(
        &mut self,
        stanza: Element,
        text: Encoded,
        copies: Option<Copies>,
        limits: SendLimits,
    ) -> bool {
        if let Some(held_back) = &mut self.held_back {
            if HeldBack::may_hold(&stanza) {
                return held_back.hold(Held { stanza, text, copies }) || self.send_held(limits);
            }
            let holds = self.send_held(limits);
            return self.send_now(stanza, text, copies, limits) && holds;
        }
        self.send_now(stanza, text, copies, limits)
    }

    /// The client is active: it is told what has waited. Returns whether the limits hold.
    pub(super) fn activate(&mut self, limits: SendLimits) -> bool {
        let holds = self.send_held(limits);
        self.held_back = None;
        holds
    }

    fn send_held(&mut self, limits: SendLimits) -> bool {
        let held = self.held_back.as_mut().map(|held_back| held_back.take()).unwrap_or_default();
        held.into_iter().fold(true, |holds, Held { stanza, text, copies }| {
            self.send_now(stanza, text, copies, limits) && holds
        })
    }

    fn send_now(
        &mut self,
        stanza: Element,
        text: Encoded,
        copies: Option<Copies>,
        limits: SendLimits,
    ) -> bool {
        if self.is_doomed {
            self.unsent.push((stanza, copies));
            return true;
        }
        let queued = self.wire.as_ref().map_or(0, Transport::queued);
        let is_full = queued + text.len() > limits.bytes
            || self.management.as_ref().is_some_and(|management| {
                management.len() >= limits.stanzas || management.bytes() + text.len() > limits.bytes
            });
        if is_full {
            self.is_doomed = true;
            self.unsent.push((stanza, copies));
            return false;
        }
        if let Some(wire) = &self.wire {
            output::write(wire, &text);
        }
        let Some(management) = &mut self.management else {
            // More will not be known of it.
            copies.iter().for_each(Copies::received);
            return true;
        };
        if management.sent_copy(stanza, text, copies, None)
            && let Some(wire) = &self.wire
        {
            wire.write(REQUEST);
        }
        true
    }

    /// Writes what is no stanza. Returns whether the limit of bytes holds.
    pub(super) fn write(&mut self, text: &str, bytes_max: usize) -> bool {
        let Some(wire) = self.wire.as_ref().filter(|_| !self.is_doomed) else { return true };
        if wire.queued() + text.len() > bytes_max {
            self.is_doomed = true;
            return false;
        }
        wire.write(text);
        true
    }
}
