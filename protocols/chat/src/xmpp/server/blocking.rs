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
        let is_exempt =
            self.is_mine(jid) && (jid.local().is_none() || jid.local() == Some(account));
        !is_exempt
            && [jid.clone(), jid.bare(), jid.of_domain()]
                .iter()
                .any(|jid| data.blocked.contains(jid))
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

    /// Contacts who see the account's presence, and are among these.
    fn seeing_among(&self, account: &str, jids: &BTreeSet<Jid>) -> Vec<Jid> {
        let Some(data) = self.data(account) else { return Vec::new() };
        let seeing = data.contacts.iter().filter(|(jid, contact)| {
            contact.from && (jids.contains(*jid) || jids.contains(&jid.of_domain()))
        });
        seeing.map(|(jid, _)| jid.clone()).collect()
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
