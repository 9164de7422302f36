//! The answer that a stanza has failed: [`error_of`]. Pure.

use crate::xmpp::codec::{Element, ErrorKind, StanzaCondition, StanzaError, ns};

/// The error that answers a stanza, with its addresses exchanged; `None` where nothing must be answered (RFC 6120 8.3.1).
pub(super) fn error_of(stanza: &Element, error: &StanzaError) -> Option<Element> {
    let kind = stanza.attribute("type");
    let has_answer = match stanza.name() {
        "iq" => matches!(kind, Some("get" | "set")),
        "message" => kind != Some("error"),
        _ => !matches!(
            kind,
            Some("error" | "unavailable" | "unsubscribed" | "subscribed" | "unsubscribe")
        ),
    };
    has_answer.then(|| {
        let mut answer = reply_to(stanza, "error");
        answer.push(error.to_element(ns::CLIENT));
        answer
    })
}

/// An empty answer of this type, with addresses exchanged.
pub(super) fn reply_to(stanza: &Element, kind: &str) -> Element {
    let mut answer = Element::new(stanza.name(), ns::CLIENT).with_attribute("type", kind);
    for (from, to) in [("id", "id"), ("from", "to"), ("to", "from")] {
        if let Some(value) = stanza.attribute(from) {
            answer.set_attribute(to, value);
        }
    }
    answer
}

/// The result of an iq.
pub(super) fn result_of(iq: &Element, payload: Option<Element>) -> Element {
    let mut answer = reply_to(iq, "result");
    if let Some(payload) = payload {
        answer.push(payload);
    }
    answer
}

/// Whether it answers a get or a set.
pub(super) fn is_answer(stanza: &Element) -> bool {
    stanza.name() == "iq" && matches!(stanza.attribute("type"), Some("result" | "error"))
}

/// The error in place of an answer.
pub(super) fn instead_of(result: &Element, error: &StanzaError) -> Element {
    let mut answer = Element::new(result.name(), ns::CLIENT).with_attribute("type", "error");
    for name in ["id", "from", "to"] {
        if let Some(value) = result.attribute(name) {
            answer.set_attribute(name, value);
        }
    }
    answer.push(error.to_element(ns::CLIENT));
    answer
}

/// Shorthands for errors that occur often.
pub(super) const fn cancel(condition: StanzaCondition) -> StanzaError {
    StanzaError::new(ErrorKind::Cancel, condition)
}

pub(super) const fn modify(condition: StanzaCondition) -> StanzaError {
    StanzaError::new(ErrorKind::Modify, condition)
}

pub(super) const fn wait(condition: StanzaCondition) -> StanzaError {
    StanzaError::new(ErrorKind::Wait, condition)
}

pub(super) const fn auth(condition: StanzaCondition) -> StanzaError {
    StanzaError::new(ErrorKind::Auth, condition)
}
