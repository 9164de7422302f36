//! Requests to see presence, their answers, and what they do to rosters (RFC 6121 3). The states are in `subscription.rs`.

use std::rc::Rc;

use super::{
    bounce,
    domain::Domain,
    roster_queries::item_of,
    session::{Session, SessionId},
    store::Contact,
    subscription::{Change, Inbound, Subscription},
};
use crate::xmpp::codec::{Element, Jid, StanzaCondition, ns};

impl Contact {
    pub(super) const fn subscription(&self) -> Subscription {
        Subscription {
            to: self.to,
            from: self.from,
            asks: self.asks,
            is_asked: self.request.is_some(),
        }
    }

    /// Takes a new state. Who asks is there already, or is set by the caller.
    fn set(&mut self, state: Subscription) {
        (self.to, self.from, self.asks) = (state.to, state.from, state.asks);
        if !state.is_asked {
            self.request = None;
        }
    }

    /// Nothing is known of it any more.
    const fn is_nobody(&self) -> bool {
        !self.is_listed && !self.to && !self.from && !self.asks && self.request.is_none()
    }
}

/// Longest request for a subscription that is kept as it is.
const REQUEST_MAX: usize = 1_024;

/// What is kept of a request until it is answered (RFC 6121 3.1.3): all of it, unless it is too long. Strangers decide how many there are.
fn kept_request(presence: &Element) -> Element {
    if presence.encode_at_most("", REQUEST_MAX).is_ok() {
        return presence.clone();
    }
    let mut kept = Element::new("presence", ns::CLIENT).with_attribute("type", "subscribe");
    for name in ["from", "to"] {
        if let Some(address) = presence.attribute(name) {
            kept.set_attribute(name, address);
        }
    }
    kept
}

impl Domain {
    /// A session sends a change to a contact.
    pub(super) fn subscription_from(
        &mut self,
        id: SessionId,
        change: Change,
        mut presence: Element,
        to: &Jid,
    ) {
        let Some(account) = self.sessions.get(&id).map(|session| Rc::clone(&session.account))
        else {
            return;
        };
        let (Some(bare), contact) = (self.bare(&account), to.bare()) else { return };
        if contact == bare {
            return;
        }
        presence.set_attribute("to", contact.to_string());
        let max = self.config.roster_max;
        let Some(data) = self.data(&account) else { return };
        let is_new = !data.contacts.contains_key(&contact);
        if is_new && change == Change::Subscribe && data.contacts.len() >= max {
            return self.refuse(&presence, &bounce::wait(StanzaCondition::ResourceConstraint));
        }
        // RFC 6121 3.1.2: subscriptions are of accounts.
        presence.set_attribute("from", bare.to_string());
        let known = data.contacts.get(&contact).map(Contact::subscription).unwrap_or_default();
        let mut state = known;
        let is_routed = state.send(change);
        if state != known {
            let Some(data) = self.change(&account) else { return };
            let entry = data.contacts.entry(contact.clone()).or_default();
            entry.set(state);
            entry.is_listed |= matches!(change, Change::Subscribe | Change::Subscribed);
            self.contact_changed(&account, &contact);
        }
        if is_routed {
            self.route(presence);
        }
        match (known.from, state.from) {
            (false, true) => self.show_presence(&account, &contact),
            (true, false) => self.hide_presence(&account, &contact),
            _ => {}
        }
    }

    /// A change of a contact arrives.
    pub(super) fn subscription_to(
        &mut self,
        account: &Rc<str>,
        change: Change,
        mut presence: Element,
        from: &Jid,
    ) {
        let (Some(bare), contact) = (self.bare(account), from.bare()) else { return };
        let max = self.config.roster_max;
        let Some(data) = self.data(account) else { return };
        if change == Change::Subscribe
            && data.contacts.len() >= max
            && !data.contacts.contains_key(&contact)
        {
            return self.refuse(&presence, &bounce::wait(StanzaCondition::ResourceConstraint));
        }
        let known = data.contacts.get(&contact).map(Contact::subscription).unwrap_or_default();
        let mut state = known;
        let inbound = state.receive(change);
        presence.set_attribute("from", contact.to_string());
        presence.set_attribute("to", bare.to_string());
        match inbound {
            Inbound::Ignore => return,
            Inbound::Confirm => {
                let subscribed = Element::new("presence", ns::CLIENT)
                    .with_attribute("type", "subscribed")
                    .with_attribute("from", bare.to_string())
                    .with_attribute("to", contact.to_string());
                self.route(subscribed);
                return self.show_presence(account, &contact);
            }
            Inbound::Deliver => {}
        }
        let Some(data) = self.change(account) else { return };
        let entry = data.contacts.entry(contact.clone()).or_default();
        entry.set(state);
        if state.is_asked && !known.is_asked {
            entry.request = Some(kept_request(&presence));
        }
        let told = self.sessions_where(account, Session::is_available);
        for id in told {
            self.send(id, presence.clone());
        }
        self.contact_changed(account, &contact);
        if known.from && !state.from {
            self.hide_presence(account, &contact);
        }
    }

    /// Stores a contact, or forgets it, and tells those who have asked for the roster.
    pub(super) fn contact_changed(&mut self, account: &Rc<str>, contact: &Jid) {
        let wall = self.wall;
        let Some(data) = self.change(account) else { return };
        let version = data.roster_changed(wall);
        let Some(entry) = data.contacts.get(contact) else { return };
        let item = entry.is_listed.then(|| item_of(contact, entry));
        if entry.is_nobody() {
            data.contacts.remove(contact);
        }
        if let Some(item) = item {
            self.push_roster(account, item, version);
        }
    }

    /// A contact may see the account now: it is told of each resource that is there.
    pub(super) fn show_presence(&mut self, account: &Rc<str>, contact: &Jid) {
        if self.is_blocked(account, contact) {
            return;
        }
        for id in self.sessions_where(account, Session::is_available) {
            let presence = self.sessions.get(&id).and_then(|session| session.presence.clone());
            if let Some(presence) = presence {
                self.route(presence.with_attribute("to", contact.to_string()));
            }
        }
    }

    /// A contact may not see the account any more: for it, each resource is gone.
    pub(super) fn hide_presence(&mut self, account: &Rc<str>, contact: &Jid) {
        // For whom is blocked it is gone already.
        if self.is_blocked(account, contact) {
            return;
        }
        for id in self.sessions_where(account, Session::is_available) {
            let Some(session) = self.sessions.get(&id) else { continue };
            let unavailable = Element::new("presence", ns::CLIENT)
                .with_attribute("type", "unavailable")
                .with_attribute("from", session.jid.to_string())
                .with_attribute("to", contact.to_string());
            self.route(unavailable);
        }
    }
}
