//! Items that accounts publish (XEP-0163): who may read them, and who is told.

use std::rc::Rc;

use super::{
    domain::Domain,
    session::{Session, SessionId},
    store::PepNode,
};
use crate::xmpp::codec::{Element, Jid, ns};

impl Domain {
    /// Whether somebody may read a node: its account always; others if it is open, or if they see the account's presence.
    pub(super) fn may_read(&self, account: &str, node: &PepNode, somebody: &Jid) -> bool {
        let is_own = somebody.local() == Some(account) && self.is_mine(somebody);
        is_own || node.is_open || (!node.is_private && self.sees(account, somebody))
    }

    /// Tells the own resources, and contacts who may read the node, what has happened to it.
    pub(super) fn tell_of_node(&mut self, account: &Rc<str>, name: &str, what: Element) {
        let Some(data) = self.data(account) else { return };
        let is_private = data.nodes.get(name).is_some_and(|node| node.is_private);
        let contacts: Vec<Jid> = match is_private {
            true => Vec::new(),
            false => data
                .contacts
                .iter()
                .filter(|(_, contact)| contact.from)
                .map(|(jid, _)| jid.clone())
                .collect(),
        };
        let Some(message) = self.event(account, what) else { return };
        let own = self.sessions_where(account, Session::is_available);
        self.send_to_all(&own, &message);
        for contact in contacts {
            if !self.is_blocked(account, &contact) {
                self.route(message.clone().with_attribute("to", contact.to_string()));
            }
        }
    }

    fn event(&self, account: &str, what: Element) -> Option<Element> {
        Some(
            Element::new("message", ns::CLIENT)
                .with_attribute("from", self.bare(account)?.to_string())
                .with_attribute("type", "headline")
                .with_child(Element::new("event", ns::PUBSUB_EVENT).with_child(what)),
        )
    }

    /// A resource has become available: it is told the last item of each node that it may read, of its account and of contacts that are
    /// in memory. Of the others it can ask.
    pub(super) fn send_last_items(&mut self, id: SessionId, account: &Rc<str>, contacts: &[Jid]) {
        let Some(jid) = self.sessions.get(&id).map(|session| session.jid.clone()) else { return };
        // Straight to the session, so that here is where blocks count: of both.
        let mine = contacts.iter().filter(|contact| {
            self.is_mine(contact)
                && !self.is_blocked(account, contact)
                && !contact.local().is_some_and(|publisher| self.is_blocked(publisher, &jid))
        });
        let accounts: Vec<Rc<str>> = mine
            .filter_map(|contact| contact.local().map(Rc::from))
            .chain([Rc::clone(account)])
            .collect();
        for publisher in accounts {
            let Some(data) = self.data(&publisher) else { continue };
            let readable =
                data.nodes.iter().filter(|(_, node)| self.may_read(&publisher, node, &jid));
            let items: Vec<_> = readable
                .filter_map(|(name, node)| Some(items_event(name, [node.items.back()?])))
                .collect();
            for items in items {
                if let Some(message) = self.event(&publisher, items) {
                    self.send_to_all(&[id], &message);
                }
            }
        }
    }
}

/// Items, as an event has them.
pub(super) fn items_event<'a>(node: &str, items: impl IntoIterator<Item = &'a Element>) -> Element {
    let mut list = Element::new("items", ns::PUBSUB_EVENT).with_attribute("node", node);
    for item in items {
        list.push(renamed(item, ns::PUBSUB_EVENT));
    }
    list
}

/// An item in another namespace, with what is in it.
pub(super) fn renamed(item: &Element, ns: &str) -> Element {
    let mut copy = Element::new("item", ns);
    if let Some(id) = item.attribute("id") {
        copy.set_attribute("id", id);
    }
    for child in item.children() {
        copy.push(child.clone());
    }
    copy
}
