//! Which messages are archived (XEP-0313 5), and the ids that they are given (XEP-0359).
//!
//! | message | archived |
//! |---|---|
//! | `chat` and `normal` with a body | of the sender, and of the recipient when it is delivered or stored for later |
//! | the same with `no-store` or `no-permanent-store` (XEP-0334) | not |
//! | `chat` and `normal` without a body | with `store` only |
//! | `groupchat`, `headline`, `error` | not |
//! | to the own account | once |
//! | refused: by a block, or since too many messages wait already | not of the recipient |
//! | sent again, since a session has not acknowledged it | not again |

use std::rc::Rc;

use sinew_transports::reactor::Excerpt;

use super::{
    archive::{ArchiveId, StoredMessage},
    domain::Domain,
    session::SessionId,
};
use crate::xmpp::codec::{Element, Jid, ns};

impl Domain {
    /// A session sends a message. Ids in the name of its account are removed. Returns the message as its other resources see it, if it
    /// was archived: with its id.
    pub(super) fn archive_sent(&mut self, id: SessionId, message: &mut Element) -> Option<Element> {
        let session = self.sessions.get(&id)?;
        let (account, bare) = (Rc::clone(&session.account), session.jid.bare());
        remove_ids_of(&bare, message);
        let to: Jid = message.attribute("to").and_then(|to| to.parse().ok())?;
        // What the account sends to itself is archived where it is received.
        if to.is_same_bare(&bare) {
            return None;
        }
        let mut copy = message.clone();
        self.archive(&account, &bare, &mut copy, to).then_some(copy)
    }

    /// An account receives a message. Ids in its name are removed: others have forged them.
    pub(super) fn remove_received_ids(&self, account: &str, message: &mut Element) {
        if message.child("stanza-id", ns::STANZA_IDS).is_some()
            && let Some(bare) = self.bare(account)
        {
            remove_ids_of(&bare, message);
        }
    }

    /// An account receives a message, now or later.
    pub(super) fn archive_received(
        &mut self,
        account: &Rc<str>,
        message: &mut Element,
        from: &Jid,
    ) {
        if let Some(bare) = self.bare(account) {
            self.archive(account, &bare, message, from.clone());
        }
    }

    /// Puts a message in line for an archive, and gives it its id. Returns whether it did.
    fn archive(&mut self, account: &Rc<str>, bare: &Jid, message: &mut Element, with: Jid) -> bool {
        let Some(archive) = &self.config.archive else { return false };
        if !is_archived(message) {
            return false;
        }
        // A page that has nothing else in it has to fit.
        let max = archive.message_max().min(self.config.send_queue_max / 2);
        let Ok(len) = message.encode_at_most(ns::CLIENT, max).map(|text| text.len()) else {
            tracing::debug!(max, "a message is too long for an archive");
            return false;
        };
        let len = len + with.to_string().len();
        self.is_archive_full &= !self.archives.is_empty();
        if !self.archives.has_room(account, len) {
            if !std::mem::replace(&mut self.is_archive_full, true) {
                tracing::error!(
                    account = %Excerpt::new(&**account),
                    "a message is not archived, since too many wait for it; more may follow"
                );
            }
            return false;
        }
        // No id is given twice, also if the clock of the machine is set back meanwhile.
        let next = self.last_archived.0.saturating_add(1);
        let id = ArchiveId::at(self.wall).random().max(ArchiveId(next));
        self.last_archived = id;
        self.archives.push(account, StoredMessage::new(id, with, message.clone()), len);
        message.push(stanza_id(bare, id));
        true
    }

    /// An id as a message of this account has it, if messages are archived.
    pub(super) fn id_of_archive(&self, account: &str, id: ArchiveId) -> Option<Element> {
        let bare = self.bare(account).filter(|_| self.config.archive.is_some())?;
        Some(stanza_id(&bare, id))
    }
}

fn stanza_id(by: &Jid, id: ArchiveId) -> Element {
    Element::new("stanza-id", ns::STANZA_IDS)
        .with_attribute("by", by.to_string())
        .with_attribute("id", id.to_string())
}

fn is_archived(message: &Element) -> bool {
    let hint = |name| message.child(name, ns::HINTS).is_some();
    let is_conversation =
        !matches!(message.attribute("type"), Some("groupchat" | "headline" | "error"));
    is_conversation
        && !hint("no-store")
        && !hint("no-permanent-store")
        && (hint("store") || message.child("body", ns::CLIENT).is_some())
}

/// Only the account's own server says which ids there are in its archive (XEP-0359 6).
fn remove_ids_of(bare: &Jid, message: &mut Element) {
    let is_forged = |id: &Element| {
        id.attribute("by").and_then(|by| by.parse::<Jid>().ok()).is_some_and(|by| by == *bare)
    };
    let ids = message.children().filter(|child| child.is("stanza-id", ns::STANZA_IDS));
    let (forged, others): (Vec<_>, Vec<_>) = ids.cloned().partition(is_forged);
    if !forged.is_empty() {
        message.remove_children("stanza-id", ns::STANZA_IDS);
        others.into_iter().for_each(|id| message.push(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_archived() {
        let hint = |name| Element::new(name, ns::HINTS);
        let body = || Element::new("body", ns::CLIENT).with_text("a");
        let state = || Element::new("composing", ns::CHAT_STATES);
        for (kind, children, expected) in [
            ("chat", vec![body()], true),
            ("normal", vec![body()], true),
            ("unknown", vec![body()], true),
            ("groupchat", vec![body()], false),
            ("headline", vec![body()], false),
            ("error", vec![body()], false),
            ("groupchat", vec![body(), hint("store")], false),
            ("chat", vec![body(), hint("no-store")], false),
            ("chat", vec![body(), hint("no-permanent-store")], false),
            ("chat", vec![body(), hint("store"), hint("no-store")], false),
            ("chat", vec![body(), hint("no-copy")], true),
            ("chat", vec![state()], false),
            ("chat", vec![state(), hint("store")], true),
            ("chat", vec![], false),
        ] {
            let message = Element::new("message", ns::CLIENT).with_attribute("type", kind);
            let message = children.into_iter().fold(message, Element::with_child);
            assert_eq!(is_archived(&message), expected, "{message:?}");
        }
    }

    #[test]
    fn ids_in_the_name_of_an_account() {
        let id = |by: &str| Element::new("stanza-id", ns::STANZA_IDS).with_attribute("by", by);
        let bare: Jid = "ann@example.org".parse().unwrap();
        let mut message = Element::new("message", ns::CLIENT);
        for by in
            ["ann@example.org", "ANN@Example.org", "room@example.org", "ann@example.org/x", "@"]
        {
            message.push(id(by));
        }
        remove_ids_of(&bare, &mut message);
        let left: Vec<_> = message.children().filter_map(|child| child.attribute("by")).collect();
        assert_eq!(left, ["room@example.org", "ann@example.org/x", "@"]);
    }
}
