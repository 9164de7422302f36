//! Addresses from which an account wants nothing (XEP-0191).

use std::{collections::BTreeSet, rc::Rc};

use super::{bounce, domain::Domain, session::SessionId};
use crate::xmpp::codec::{Element, Jid, StanzaCondition, StanzaError, ns};

impl Domain {
    /// Whether an account has blocked an address, its bare one, or its domain. Neither itself nor the server can be.
    pub(super) fn is_blocked(&self, account: &str, jid: &Jid) -> bool {
        let Some(data) = self.data(account).filter(|data| !data.blocked.is_empty()) else {
            return false;
        };
        !self.is_never_blocked(account, jid) && covers(&data.blocked, jid)
    }

    fn is_never_blocked(&self, account: &str, jid: &Jid) -> bool {
        self.is_mine(jid) && (jid.local().is_none() || jid.local() == Some(account))
    }

    pub(super) fn block_list(&mut self, account: &str, id: Option<SessionId>) -> Element {
        if let Some(session) = id.and_then(|id| self.sessions.get_mut(&id)) {
            session.wants_blocked = true;
        }
        let blocked = self.data(account).map(|data| data.blocked.clone()).unwrap_or_default();
        list("blocklist", &blocked)
    }

    pub(super) fn block(&mut self, account: &Rc<str>, block: &Element) -> Result<(), StanzaError> {
        let wanted = addresses(block)?;
        if wanted.is_empty() {
            return Err(bounce::modify(StanzaCondition::BadRequest));
        }
        let max = self.config.blocked_max;
        let known = self.data(account).map(|data| data.blocked.clone()).unwrap_or_default();
        let new: BTreeSet<Jid> = wanted.difference(&known).cloned().collect();
        if known.len() + new.len() > max {
            return Err(bounce::wait(StanzaCondition::ResourceConstraint));
        }
        // For them the account is gone. While it is not blocked yet they can be told.
        for contact in self.seeing_among(account, &new) {
            self.hide_presence(account, &contact);
        }
        self.end_directed(account, &new);
        if let Some(data) = self.change(account) {
            data.blocked.extend(new);
        }
        self.push_blocked(account, &list("block", &wanted));
        Ok(())
    }

    pub(super) fn unblock(
        &mut self,
        account: &Rc<str>,
        unblock: &Element,
    ) -> Result<(), StanzaError> {
        let wanted = addresses(unblock)?;
        let known = self.data(account).map(|data| data.blocked.clone()).unwrap_or_default();
        // Without an address: all of them.
        let gone: BTreeSet<Jid> = match wanted.is_empty() {
            true => known,
            false => wanted.intersection(&known).cloned().collect(),
        };
        if let Some(data) = self.change(account) {
            data.blocked.retain(|jid| !gone.contains(jid));
        }
        for contact in self.seeing_among(account, &gone) {
            self.show_presence(account, &contact);
        }
        self.push_blocked(account, &list("unblock", &wanted));
        Ok(())
    }

    /// Presence that sessions have directed at these addresses is over: they are told now, and not when the session ends.
    fn end_directed(&mut self, account: &Rc<str>, jids: &BTreeSet<Jid>) {
        for id in self.sessions_of(account) {
            let Some(session) = self.sessions.get(&id) else { continue };
            let is_over = |to: &&Jid| covers(jids, to) && !self.is_never_blocked(account, to);
            let over: Vec<Jid> = session.directed.iter().filter(is_over).cloned().collect();
            let from = session.jid.to_string();
            for to in over {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.directed.remove(&to);
                }
                let unavailable = Element::new("presence", ns::CLIENT)
                    .with_attribute("type", "unavailable")
                    .with_attribute("from", from.as_str())
                    .with_attribute("to", to.to_string());
                self.route(unavailable);
            }
        }
    }

    /// Contacts who see the account's presence, and their resources, that are among these.
    fn seeing_among(&self, account: &str, jids: &BTreeSet<Jid>) -> Vec<Jid> {
        let Some(data) = self.data(account) else { return Vec::new() };
        let seeing = data.contacts.iter().filter(|(jid, contact)| {
            contact.from && (jids.contains(*jid) || jids.contains(&jid.of_domain()))
        });
        // Of other contacts perhaps a resource.
        let resources = jids
            .iter()
            .filter(|jid| !jid.is_bare() && jid.local().is_some() && self.sees(account, jid));
        seeing.map(|(jid, _)| jid).chain(resources).cloned().collect()
    }

    fn push_blocked(&mut self, account: &Rc<str>, change: &Element) {
        let Some(bare) = self.bare(account) else { return };
        for id in self.sessions_where(account, |session| session.wants_blocked) {
            let push = Element::new("iq", ns::CLIENT)
                .with_attribute("type", "set")
                .with_attribute("id", self.next_id())
                .with_attribute("from", bare.to_string())
                .with_child(change.clone());
            self.send_to_all(&[id], &push);
        }
    }
}

/// Whether an address, its bare one, or its domain is among these.
fn covers(jids: &BTreeSet<Jid>, jid: &Jid) -> bool {
    [jid.clone(), jid.bare(), jid.of_domain()].iter().any(|jid| jids.contains(jid))
}

fn addresses(list: &Element) -> Result<BTreeSet<Jid>, StanzaError> {
    let items = list.children().filter(|item| item.is("item", ns::BLOCKING));
    let jids = items.map(|item| item.attribute("jid").and_then(|jid| jid.parse().ok()));
    jids.collect::<Option<_>>().ok_or(bounce::modify(StanzaCondition::JidMalformed))
}

fn list(name: &str, jids: &BTreeSet<Jid>) -> Element {
    let mut list = Element::new(name, ns::BLOCKING);
    for jid in jids {
        list.push(Element::new("item", ns::BLOCKING).with_attribute("jid", jid.to_string()));
    }
    list
}
