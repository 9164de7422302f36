//! The roster, as clients ask for it and change it (RFC 6121 2).

use std::rc::Rc;

use super::{bounce, domain::Domain, session::SessionId, store::Contact, subscription::Change};
use crate::xmpp::codec::{Element, Jid, StanzaCondition, StanzaError, ns};

/// Most groups of a contact, and the longest name of one and of a contact, in bytes.
const GROUPS_MAX: usize = 32;
const NAME_MAX: usize = 1_023;

/// A contact as the roster shows it.
pub(super) fn item_of(jid: &Jid, contact: &Contact) -> Element {
    let mut item = Element::new("item", ns::ROSTER)
        .with_attribute("jid", jid.to_string())
        .with_attribute("subscription", contact.subscription().word());
    if contact.asks {
        item.set_attribute("ask", "subscribe");
    }
    if let Some(name) = &contact.name {
        item.set_attribute("name", name.as_str());
    }
    for group in &contact.groups {
        item.push(Element::new("group", ns::ROSTER).with_text(group.as_str()));
    }
    item
}

impl Domain {
    /// `jabber:iq:roster` of the own account.
    pub(super) fn roster_asked(
        &mut self,
        account: &Rc<str>,
        id: Option<SessionId>,
        iq: &Element,
        query: &Element,
    ) {
        if iq.attribute("type") == Some("get") {
            return self.roster_wanted(account, id, iq, query);
        }
        let items: Vec<_> = query.children().take(2).collect();
        let changed = match items.as_slice() {
            [item] if item.is("item", ns::ROSTER) => self.set_contact(account, item),
            _ => Err(bounce::modify(StanzaCondition::BadRequest)),
        };
        match changed {
            // The push is before the result, as it may be.
            Ok(()) => self.answer_when_stored(account, iq, None),
            Err(error) => self.refuse(iq, &error),
        }
    }

    fn roster_wanted(
        &mut self,
        account: &str,
        id: Option<SessionId>,
        iq: &Element,
        query: &Element,
    ) {
        if let Some(session) = id.and_then(|id| self.sessions.get_mut(&id)) {
            session.wants_roster = true;
        }
        let Some(data) = self.data(account) else { return };
        let version = data.roster_version.to_string();
        // RFC 6121 2.6.3: an empty answer, if the client has this version.
        if query.attribute("ver") == Some(&version) {
            return self.answer(iq, None);
        }
        let mut roster = Element::new("query", ns::ROSTER);
        if query.attribute("ver").is_some() {
            roster.set_attribute("ver", version);
        }
        for (jid, contact) in data.contacts.iter().filter(|(_, contact)| contact.is_listed) {
            roster.push(item_of(jid, contact));
        }
        self.answer(iq, Some(roster));
    }

    fn set_contact(&mut self, account: &Rc<str>, item: &Element) -> Result<(), StanzaError> {
        let bad = || bounce::modify(StanzaCondition::BadRequest);
        let jid = item.attribute("jid").and_then(|jid| jid.parse::<Jid>().ok()).ok_or_else(bad)?;
        let contact = jid.bare();
        if self.bare(account).as_ref() == Some(&contact) {
            return Err(bounce::cancel(StanzaCondition::NotAllowed));
        }
        if item.attribute("subscription") == Some("remove") {
            return self.remove_contact(account, &contact);
        }
        let name = item.attribute("name").filter(|name| !name.is_empty());
        let mut groups: Vec<_> = item
            .children()
            .filter(|child| child.is("group", ns::ROSTER))
            .map(Element::text)
            .collect();
        groups.sort_unstable();
        // RFC 6121 2.3.3.
        if groups.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(bad());
        }
        let is_acceptable = groups.len() <= GROUPS_MAX
            && name.is_none_or(|name| name.len() <= NAME_MAX)
            && groups.iter().all(|group| !group.is_empty() && group.len() <= NAME_MAX);
        if !is_acceptable {
            return Err(bounce::modify(StanzaCondition::NotAcceptable));
        }
        let max = self.config.roster_max;
        let data = self.change(account).ok_or_else(bad)?;
        if data.contacts.len() >= max && !data.contacts.contains_key(&contact) {
            return Err(bounce::wait(StanzaCondition::ResourceConstraint));
        }
        let entry = data.contacts.entry(contact.clone()).or_default();
        entry.name = name.map(str::to_owned);
        entry.groups = groups;
        entry.is_listed = true;
        self.contact_changed(account, &contact);
        Ok(())
    }

    /// RFC 6121 2.5: subscriptions in both directions end.
    fn remove_contact(&mut self, account: &Rc<str>, contact: &Jid) -> Result<(), StanzaError> {
        let known = self.data(account).and_then(|data| data.contacts.get(contact));
        let Some(known) = known.filter(|known| known.is_listed) else {
            return Err(bounce::cancel(StanzaCondition::ItemNotFound));
        };
        let state = known.subscription();
        if state.from {
            self.hide_presence(account, contact);
        }
        let wall = self.wall;
        let Some(data) = self.change(account) else { return Ok(()) };
        data.contacts.remove(contact);
        let version = data.roster_changed(wall);
        let item = Element::new("item", ns::ROSTER)
            .with_attribute("jid", contact.to_string())
            .with_attribute("subscription", "remove");
        self.push_roster(account, item, version);
        let Some(bare) = self.bare(account) else { return Ok(()) };
        for (change, word) in
            [(Change::Unsubscribe, "unsubscribe"), (Change::Unsubscribed, "unsubscribed")]
        {
            let mut state = state;
            let has_meaning = match change {
                Change::Unsubscribe => state.to || state.asks,
                change => state.send(change),
            };
            if has_meaning {
                let presence = Element::new("presence", ns::CLIENT)
                    .with_attribute("type", word)
                    .with_attribute("from", bare.to_string())
                    .with_attribute("to", contact.to_string());
                self.route(presence);
            }
        }
        Ok(())
    }

    /// Tells the resources that have asked for the roster of a change (RFC 6121 2.1.6).
    pub(super) fn push_roster(&mut self, account: &Rc<str>, item: Element, version: u64) {
        let Some(bare) = self.bare(account) else { return };
        let query = Element::new("query", ns::ROSTER)
            .with_attribute("ver", version.to_string())
            .with_child(item);
        for id in self.sessions_where(account, |session| session.wants_roster) {
            let push = Element::new("iq", ns::CLIENT)
                .with_attribute("type", "set")
                .with_attribute("id", self.next_id())
                .with_attribute("from", bare.to_string())
                .with_child(query.clone());
            self.send_to_all(&[id], &push);
        }
    }
}
