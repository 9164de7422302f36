//! Messages: to whom they go (RFC 6121 8.5), and those that wait (XEP-0160).
//!
//! | to | normal, chat | groupchat | headline | error |
//! |---|---|---|---|---|
//! | a resource that is there | delivered | delivered | delivered | delivered |
//! | a resource that is not there | as to the account | an error | dropped | dropped |
//! | the account, resources of priority 0 or more | to those of the highest priority | an error | to all of them | dropped |
//! | the account, no such resource | stored, or an error | an error | dropped | dropped |

use std::rc::Rc;

use super::{
    archive::ArchiveId,
    domain::Domain,
    session::{Session, SessionId},
};
use crate::{
    irc::codec::format_time,
    xmpp::{
        codec::{Element, Jid, StanzaError, ns},
        copies::Copies,
    },
};

impl Domain {
    /// A message of a session, to somebody.
    pub(super) fn message_from(&mut self, id: SessionId, mut message: Element) {
        self.remove_own_stamp(&mut message);
        let archived = self.archive_sent(id, &mut message);
        self.copy_sent(id, archived.as_ref().unwrap_or(&message));
        self.route(message);
    }

    /// A stanza of a service.
    pub(super) fn service_sent(&mut self, mut stanza: Element) {
        if stanza.name() == "message" {
            self.remove_own_stamp(&mut stanza);
        }
        self.route(stanza);
    }

    /// A stamp in the name of the server is the server's (XEP-0203 5).
    fn remove_own_stamp(&self, message: &mut Element) {
        let is_ours = |child: &Element| {
            let from = child.attribute("from").and_then(|from| from.parse::<Jid>().ok());
            child.is("delay", ns::DELAY) && from.is_some_and(|from| from == self.config.domain)
        };
        if message.children().any(is_ours) {
            message.remove_children("delay", ns::DELAY);
        }
    }

    /// A message to an account or one of its resources.
    pub(super) fn message_to(
        &mut self,
        account: &Rc<str>,
        mut message: Element,
        from: &Jid,
        to: &Jid,
    ) {
        self.remove_received_ids(account, &mut message);
        // RFC 6121 5.2.2: what is unknown is normal.
        let is_known = |kind: &&str| matches!(*kind, "chat" | "groupchat" | "headline" | "error");
        let kind = message.attribute("type").filter(is_known).unwrap_or("normal");
        if let Some(id) = Some(to).filter(|to| !to.is_bare()).and_then(|to| self.session_at(to)) {
            self.archive_received(account, &mut message, from);
            self.copy_received(account, &message, from, &[id]);
            return self.send(id, message);
        }
        match (kind, to.is_bare()) {
            ("error", _) | ("headline", false) => {}
            ("groupchat", _) => self.refuse(&message, &StanzaError::service_unavailable()),
            ("headline", true) => {
                for id in self.sessions_where(account, Session::takes_messages) {
                    self.send(id, message.clone());
                }
            }
            _ => self.message_of_conversation(account, message, Some(from)),
        }
    }

    /// A message that a resource has not acknowledged. The others had their copies of it.
    pub(super) fn message_again(&mut self, account: &Rc<str>, message: Element) {
        self.message_of_conversation(account, message, None);
    }

    /// A message of a conversation to an account: to its resources, or to the store. With copies for those that want some, if its sender
    /// is told.
    fn message_of_conversation(
        &mut self,
        account: &Rc<str>,
        mut message: Element,
        from: Option<&Jid>,
    ) {
        let there = self.sessions_where(account, Session::takes_messages);
        let highest = there
            .iter()
            .filter_map(|id| self.sessions.get(id))
            .map(|session| session.priority)
            .max();
        let Some(highest) = highest else { return self.store_message(account, message, from) };
        let takers = self.sessions_where(account, |session| {
            session.takes_messages() && session.priority == highest
        });
        if let Some(from) = from {
            self.archive_received(account, &mut message, from);
            self.copy_received(account, &message, from, &takers);
        }
        let copies = Some(Copies::default()).filter(|_| takers.len() > 1);
        for id in takers {
            self.send_copy(id, message.clone(), copies.clone());
        }
    }

    /// Keeps a message for later, with the time. A new one, whose sender is told, is archived unless it is refused.
    fn store_message(&mut self, account: &Rc<str>, mut message: Element, from: Option<&Jid>) {
        if !is_worth_storing(&message) {
            if let Some(from) = from {
                self.archive_received(account, &mut message, from);
            }
            return;
        }
        let is_stamped = message
            .child("delay", ns::DELAY)
            .is_some_and(|delay| delay.attribute("from") == Some(self.config.domain.domain()));
        let stamp = (!is_stamped).then(|| {
            Element::new("delay", ns::DELAY)
                .with_attribute("from", self.config.domain.to_string())
                .with_attribute("stamp", format_time(self.wall))
        });
        let (max, bytes_max) = (self.config.offline_max, self.config.offline_bytes_max);
        let len = |message: &Element| {
            message.encode_at_most(ns::CLIENT, bytes_max).map_or(usize::MAX, |text| text.len())
        };
        let Some(data) = self.data(account) else { return };
        let id = from.and_then(|_| self.id_of_archive(account, ArchiveId(0)));
        let new = [&message].into_iter().chain(&stamp).chain(&id);
        let bytes = data.offline.iter().chain(new).map(len).fold(0, usize::saturating_add);
        let (waiting, before) =
            (data.offline.len(), self.account(account).map_or(0, |account| account.offline_bytes));
        if waiting >= max
            || bytes > bytes_max
            || !self.has_room_offline(account, bytes.saturating_sub(before))
        {
            return self.refuse(&message, &StanzaError::service_unavailable());
        }
        if let Some(from) = from {
            self.archive_received(account, &mut message, from);
        }
        stamp.into_iter().for_each(|stamp| message.push(stamp));
        if let Some(data) = self.change(account) {
            data.offline.push_back(message);
        }
        self.offline_has(account, bytes);
    }

    /// A resource is there that takes what has waited.
    pub(super) fn deliver_stored(&mut self, id: SessionId, account: &str) {
        if self.data(account).is_none_or(|data| data.offline.is_empty()) {
            return;
        }
        let waiting = self.change(account).map(|data| std::mem::take(&mut data.offline));
        self.offline_has(account, 0);
        for message in waiting.into_iter().flatten() {
            self.send(id, message);
        }
    }
}

/// Whether a message is to be stored: not if it only says that somebody is typing (XEP-0160 3), nor if it says so (XEP-0334).
fn is_worth_storing(message: &Element) -> bool {
    message.child("no-store", ns::HINTS).is_none()
        && message.child("no-permanent-store", ns::HINTS).is_none()
        && message.children().any(|child| {
            !matches!(child.ns(), ns::CHAT_STATES | ns::HINTS | ns::DELAY)
                && !child.is("thread", ns::CLIENT)
        })
}
