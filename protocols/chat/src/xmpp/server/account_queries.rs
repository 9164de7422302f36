//! What the server answers for an account: to its own resources, and to others (RFC 6121 8.5.1).

use std::rc::Rc;

use super::{bounce, domain::Domain, server_queries::description, session::SessionId};
use crate::xmpp::codec::{Element, Jid, StanzaCondition, StanzaError, ns};

/// What an account has (XEP-0030).
const FEATURES: [&str; 7] = [
    ns::DISCO_INFO,
    ns::DISCO_ITEMS,
    ns::VCARD,
    ns::PUBSUB,
    "http://jabber.org/protocol/pubsub#publish",
    "http://jabber.org/protocol/pubsub#retrieve-items",
    "http://jabber.org/protocol/pubsub#presence-subscribe",
];

impl Domain {
    /// A get or a set for the bare address of an account.
    pub(super) fn account_asked(&mut self, account: &Rc<str>, iq: &Element, from: &Jid) {
        let Some(payload) = iq.children().next().cloned() else { return };
        let is_own = from.local() == Some(account) && self.is_mine(from);
        let is_get = iq.attribute("type") == Some("get");
        let id = self.session_at(from);
        if is_own && self.owner_asked(account, id, iq, &payload) {
            return;
        }
        let answer = match (payload.ns(), payload.name()) {
            (ns::VCARD, "vCard") if is_get => Ok(Some(self.vcard(account))),
            (ns::PUBSUB, "pubsub") if is_get => self.items_asked(account, from, &payload).map(Some),
            // Whether somebody is there is not for everybody to know.
            (ns::DISCO_INFO, "query") if is_get && (is_own || self.sees(account, from)) => {
                self.account_description(&payload)
            }
            (ns::DISCO_ITEMS, "query") if is_get && (is_own || self.sees(account, from)) => {
                Ok(Some(self.account_items(account, from)))
            }
            (ns::PING, "ping") if is_get && is_own => Ok(None),
            _ => Err(StanzaError::service_unavailable()),
        };
        match answer {
            Ok(answer) => self.answer(iq, answer),
            Err(error) => self.refuse(iq, &error),
        }
    }

    /// What only the account itself may ask. Returns whether it was that.
    fn owner_asked(
        &mut self,
        account: &Rc<str>,
        id: Option<SessionId>,
        iq: &Element,
        payload: &Element,
    ) -> bool {
        let is_get = iq.attribute("type") == Some("get");
        let done = match (payload.ns(), payload.name()) {
            (ns::ROSTER, "query") => {
                self.roster_asked(account, id, iq, payload);
                return true;
            }
            (ns::BLOCKING, "blocklist") if is_get => Ok(Some(self.block_list(account, id))),
            (ns::BLOCKING, "block") if !is_get => self.block(account, payload).map(|()| None),
            (ns::BLOCKING, "unblock") if !is_get => self.unblock(account, payload).map(|()| None),
            (ns::CARBONS, word @ ("enable" | "disable")) if !is_get => {
                if let Some(session) = id.and_then(|id| self.sessions.get_mut(&id)) {
                    session.wants_carbons = word == "enable";
                }
                Ok(None)
            }
            (ns::VCARD, "vCard") if !is_get => self.set_vcard(account, payload).map(|()| None),
            (ns::PRIVATE, "query") => self.private_asked(account, payload, is_get),
            (ns::PUBSUB, "pubsub") if !is_get => self.publish_asked(account, payload),
            (ns::PUBSUB_OWNER, "pubsub") => self.owned_nodes_asked(account, payload, is_get),
            (ns::ARCHIVE, _) => {
                self.archive_asked(account, iq, payload);
                return true;
            }
            (ns::SESSION, "session") if !is_get => Ok(None),
            _ => return false,
        };
        match done {
            Ok(answer) => self.answer_when_stored(account, iq, answer),
            Err(error) => self.refuse(iq, &error),
        }
        true
    }

    fn account_description(&self, query: &Element) -> Result<Option<Element>, StanzaError> {
        if query.attribute("node").is_some_and(|node| !node.is_empty()) {
            return Err(bounce::cancel(StanzaCondition::ItemNotFound));
        }
        let mut features = FEATURES.to_vec();
        if self.config.archive.is_some() {
            features.extend([ns::ARCHIVE, ns::STANZA_IDS]);
        }
        let mut answer = description(("account", "registered", ""), &features);
        answer.push(
            Element::new("identity", ns::DISCO_INFO)
                .with_attribute("category", "pubsub")
                .with_attribute("type", "pep"),
        );
        Ok(Some(answer))
    }

    fn vcard(&self, account: &str) -> Element {
        let vcard = self.data(account).and_then(|data| data.vcard.clone());
        vcard.unwrap_or_else(|| Element::new("vCard", ns::VCARD))
    }

    fn set_vcard(&mut self, account: &str, vcard: &Element) -> Result<(), StanzaError> {
        if len(vcard) > self.config.vcard_max {
            return Err(bounce::wait(StanzaCondition::ResourceConstraint));
        }
        if let Some(data) = self.change(account) {
            data.vcard = Some(vcard.clone());
        }
        Ok(())
    }

    /// One element of each name and namespace (XEP-0049).
    fn private_asked(
        &mut self,
        account: &str,
        query: &Element,
        is_get: bool,
    ) -> Result<Option<Element>, StanzaError> {
        let wanted: Vec<_> = query.children().collect();
        let Some(data) = self.data(account) else { return Ok(None) };
        let is_same = |stored: &Element, wanted: &Element| stored.is(wanted.name(), wanted.ns());
        if is_get {
            let [wanted] = wanted.as_slice() else {
                return Err(bounce::modify(StanzaCondition::BadRequest));
            };
            let stored = data.private.iter().find(|stored| is_same(stored, wanted));
            let answer =
                stored.cloned().unwrap_or_else(|| Element::new(wanted.name(), wanted.ns()));
            return Ok(Some(Element::new("query", ns::PRIVATE).with_child(answer)));
        }
        if wanted.is_empty()
            || wanted.iter().any(|data| data.ns().is_empty() || data.ns() == ns::PRIVATE)
        {
            return Err(bounce::modify(StanzaCondition::NotAcceptable));
        }
        let mut private = data.private.clone();
        private.retain(|stored| !wanted.iter().any(|wanted| is_same(stored, wanted)));
        private.extend(wanted.into_iter().cloned());
        if private.iter().map(len).fold(0, usize::saturating_add) > self.config.private_max {
            return Err(bounce::wait(StanzaCondition::ResourceConstraint));
        }
        if let Some(data) = self.change(account) {
            data.private = private;
        }
        Ok(None)
    }
}

/// Bytes of an element where it is stored.
pub(super) fn len(element: &Element) -> usize {
    element.encode("").map_or(usize::MAX, |text| text.len())
}
