//! Copies of messages for the other resources of an account (XEP-0280).

use std::rc::Rc;

use super::{domain::Domain, session::SessionId};
use crate::xmpp::codec::{Element, Jid, ns};

impl Domain {
    /// A resource has sent a message.
    pub(super) fn copy_sent(&mut self, sender: SessionId, message: &Element) {
        let Some(account) = self.sessions.get(&sender).map(|session| Rc::clone(&session.account))
        else {
            return;
        };
        self.copy(&account, message, "sent", &[sender]);
    }

    /// The resources `takers` receive a message.
    pub(super) fn copy_received(
        &mut self,
        account: &Rc<str>,
        message: &Element,
        from: &Jid,
        takers: &[SessionId],
    ) {
        // The others have a copy of what the account sends to itself.
        let is_own = from.local() == Some(account) && self.is_mine(from);
        if !is_own {
            self.copy(account, message, "received", takers);
        }
    }

    fn copy(&mut self, account: &Rc<str>, message: &Element, name: &str, without: &[SessionId]) {
        let mut others = self.sessions_where(account, |session| session.wants_carbons);
        others.retain(|id| !without.contains(id));
        if others.is_empty() || !is_copied(message) {
            return;
        }
        let Some(bare) = self.bare(account) else { return };
        let forwarded = Element::new("forwarded", ns::FORWARD).with_child(message.clone());
        let copy = Element::new("message", ns::CLIENT)
            .with_attribute("from", bare.to_string())
            .with_attribute("type", message.attribute("type").unwrap_or("normal"))
            .with_child(Element::new(name, ns::CARBONS).with_child(forwarded));
        self.send_to_all(&others, &copy);
    }
}

/// XEP-0280 6.1: what belongs to a conversation, unless it says otherwise.
fn is_copied(message: &Element) -> bool {
    let is_private = message.child("private", ns::CARBONS).is_some()
        || message.child("no-copy", ns::HINTS).is_some();
    let is_copy = message.child("sent", ns::CARBONS).is_some()
        || message.child("received", ns::CARBONS).is_some();
    let is_conversation = match message.attribute("type") {
        Some("chat") => true,
        Some("groupchat" | "headline" | "error") => false,
        _ => message.child("body", ns::CLIENT).is_some(),
    };
    is_conversation && !is_private && !is_copy
}
