//! What waits while a client says that nobody looks at it (XEP-0352): [`HeldBack`]. Pure.
//!
//! | stanza | |
//! |---|---|
//! | presence without a type, or `unavailable` | waits, in place of an earlier one of the same sender |
//! | a message that only says that somebody is typing (XEP-0085) | the same, with the same type |
//! | what a room says of the client itself, requests, errors, other messages, iq | all that waits is sent before it |

use crate::xmpp::{
    codec::{Element, encoded::Encoded, ns},
    copies::Copies,
};

/// Most stanzas that wait, and most bytes of them. For more, all are sent.
const STANZAS_MAX: usize = 200;
const BYTES_MAX: usize = 64 * 1_024;

/// A stanza, and its text.
pub(super) struct Held {
    pub(super) stanza: Element,
    pub(super) text: Encoded,
    pub(super) copies: Option<Copies>,
}

/// In the order in which they came.
#[derive(Default)]
pub(super) struct HeldBack {
    held: Vec<Held>,
    bytes: usize,
}

impl HeldBack {
    /// Whether a stanza may wait.
    pub(super) fn may_hold(stanza: &Element) -> bool {
        match stanza.name() {
            "presence" => {
                matches!(stanza.attribute("type"), None | Some("unavailable"))
                    && !is_of_itself(stanza)
            }
            "message" => is_chat_state(stanza),
            _ => false,
        }
    }

    /// Holds a stanza back. Returns whether there is room for more.
    pub(super) fn hold(&mut self, held: Held) -> bool {
        let is_outdated = |known: &Held| {
            // In a room somebody may be typing for all, and for the client alone.
            let is_message = held.stanza.name() == "message";
            let is_same = |name| known.stanza.attribute(name) == held.stanza.attribute(name);
            known.stanza.name() == held.stanza.name()
                && is_same("from")
                && (!is_message || is_same("type"))
        };
        if let Some(at) = self.held.iter().position(is_outdated) {
            self.bytes -= self.held.remove(at).text.len();
        }
        self.bytes += held.text.len();
        self.held.push(held);
        self.held.len() < STANZAS_MAX && self.bytes < BYTES_MAX
    }

    /// The bytes that wait.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of them, which do not wait any more.
    pub(super) fn take(&mut self) -> Vec<Held> {
        self.bytes = 0;
        std::mem::take(&mut self.held)
    }
}

/// Presence of a room by which the client learns that it is in, or is not any more (XEP-0045 15.6.2).
fn is_of_itself(presence: &Element) -> bool {
    let x = presence.child("x", ns::MUC_USER);
    x.is_some_and(|x| {
        x.children().any(|child| child.name() == "status" && child.attribute("code") == Some("110"))
    })
}

fn is_chat_state(message: &Element) -> bool {
    let is_state = |child: &Element| child.ns() == ns::CHAT_STATES;
    message.attribute("type") != Some("error")
        && message.children().any(is_state)
        && message.children().all(|child| {
            is_state(child) || child.ns() == ns::HINTS || child.is("thread", ns::CLIENT)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_stanzas_is_bounded() {
        let mut held_back = HeldBack::default();
        let presence = |from: usize| {
            let stanza =
                Element::new("presence", ns::CLIENT).with_attribute("from", from.to_string());
            assert!(HeldBack::may_hold(&stanza));
            Held { stanza, text: "x".repeat(100).into(), copies: None }
        };
        for _ in 0..3 {
            for from in 1..STANZAS_MAX {
                assert!(held_back.hold(presence(from)), "{from}");
            }
        }
        assert!(!held_back.hold(presence(0)));
        assert_eq!((held_back.take().len(), held_back.bytes), (STANZAS_MAX, 0));
    }
}
