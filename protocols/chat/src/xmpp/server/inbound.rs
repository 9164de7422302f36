//! What a client sends: the checks of RFC 6120 8, and where each stanza goes. The sender is always the session, whatever it says.

use super::{bounce, domain::Domain, session::SessionId};
use crate::xmpp::codec::{Element, Jid, StanzaCondition, StanzaError, StreamCondition, ns};

/// How many times as long as it may be received a stanza may be when it is passed on. Prefixes are not kept, and a long namespace would
/// be said again and again.
const WRITTEN_PER_READ: usize = 4;

impl Domain {
    /// A stanza of a session.
    ///
    /// # Errors
    ///
    /// It is no stanza, and the stream is over.
    pub(super) fn received(
        &mut self,
        id: SessionId,
        mut stanza: Element,
    ) -> Result<(), StreamCondition> {
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        if stanza.ns() != ns::CLIENT || !matches!(stanza.name(), "message" | "presence" | "iq") {
            return Err(StreamCondition::UnsupportedStanzaType);
        }
        if let Some(management) = &mut session.management {
            management.received();
        }
        let (from, account) = (session.jid.clone(), session.account.clone());
        stanza.set_attribute("from", from.to_string());
        let max = self.config.xml.stanza_max_bytes().saturating_mul(WRITTEN_PER_READ);
        if stanza.encode_at_most(ns::CLIENT, max).is_err() {
            self.refuse_too_long(id, stanza, &from);
            return Ok(());
        }
        let to = match stanza.attribute("to").map(str::parse::<Jid>).transpose() {
            Ok(to) => to,
            Err(_) => {
                // RFC 6120 8.3.3.8. The answer comes from the server, since that address is none.
                stanza.set_attribute("to", self.config.domain.to_string());
                self.refuse(&stanza, &bounce::modify(StanzaCondition::JidMalformed));
                return Ok(());
            }
        };
        if stanza.name() == "iq" && !is_iq(&stanza) {
            self.refuse_malformed(id, &stanza);
            return Ok(());
        }
        if bounce::is_answer(&stanza) && !self.is_awaited(&from, &stanza) {
            tracing::debug!(%from, "an answer to what was not asked, or is answered already");
            return Ok(());
        }
        if let Some(to) = &to {
            // As it is prepared: services compare it.
            stanza.set_attribute("to", to.to_string());
            let is_own = to.is_same_bare(&from);
            if !is_own && self.is_blocked(&account, to) {
                self.refuse_to_blocked(id, &stanza);
                return Ok(());
            }
        }
        if stanza.name() == "presence" {
            self.presence_from(id, stanza, to.as_ref());
            return Ok(());
        }
        if to.is_none() {
            // RFC 6120 10.3: without an address it is for the own account.
            stanza.set_attribute("to", from.bare().to_string());
        }
        match stanza.name() {
            "message" => self.message_from(id, stanza),
            _ => self.route(stanza),
        }
        Ok(())
    }

    /// A stanza that would be too long to be passed on. An answer is replaced, so that there is one.
    fn refuse_too_long(&mut self, id: SessionId, mut stanza: Element, from: &Jid) {
        let to = stanza.attribute("to").and_then(|to| to.parse::<Jid>().ok());
        stanza.set_attribute("to", to.unwrap_or_else(|| from.bare()).to_string());
        let error = bounce::modify(StanzaCondition::PolicyViolation);
        if let Some(answer) = bounce::error_of(&stanza, &error) {
            self.send(id, answer);
        }
        if bounce::is_answer(&stanza) && self.is_awaited(from, &stanza) {
            self.route(bounce::instead_of(&stanza, &error));
        }
    }

    /// A stanza to somebody whom the account has blocked.
    fn refuse_to_blocked(&mut self, id: SessionId, stanza: &Element) {
        let mut error = bounce::cancel(StanzaCondition::NotAcceptable);
        error.application = Some(Element::new("blocked", ns::BLOCKING_ERRORS));
        // Straight to the session: what comes from that address is dropped.
        let answer = bounce::error_of(stanza, &error);
        if let Some(answer) = answer.filter(|answer| answer.name() != "presence") {
            self.send(id, answer);
        }
        if bounce::is_answer(stanza) {
            // The question came before the address was blocked.
            self.route(bounce::instead_of(stanza, &StanzaError::service_unavailable()));
        }
    }

    /// Whether somebody waits for an answer of a session, which is then answered. What the server itself has asked, for the domain or for
    /// the account, is not counted.
    fn is_awaited(&mut self, from: &Jid, answer: &Element) -> bool {
        let Some(to) = answer.attribute("to") else { return true };
        let Ok(to) = to.parse::<Jid>() else { return false };
        let id = answer.attribute("id").unwrap_or_default();
        let is_of_server = self.is_mine(&to) && to.is_bare();
        is_of_server || self.questions.answered(from, &to, id, &self.config.domain)
    }

    /// An iq that is none. A request is answered; so is one whose type is unknown, since it may be a request.
    fn refuse_malformed(&mut self, id: SessionId, iq: &Element) {
        if matches!(iq.attribute("type"), Some("result" | "error")) {
            return;
        }
        let mut answer = bounce::reply_to(iq, "error");
        if iq.attribute("to").is_none() {
            answer.set_attribute("from", self.config.domain.to_string());
        }
        answer.push(bounce::modify(StanzaCondition::BadRequest).to_element(ns::CLIENT));
        self.send(id, answer);
    }
}

/// Whether it is a message, presence, or an iq as it has to be.
pub(super) fn is_stanza(element: &Element) -> bool {
    element.ns() == ns::CLIENT
        && match element.name() {
            "message" | "presence" => true,
            "iq" => is_iq(element),
            _ => false,
        }
}

/// RFC 6120 8.2.3.
fn is_iq(iq: &Element) -> bool {
    let children = iq.children().take(2).count();
    let has_children = match iq.attribute("type") {
        Some("get" | "set") => children == 1,
        Some("result") => children <= 1,
        Some("error") => true,
        _ => false,
    };
    has_children && iq.attribute("id").is_some_and(|id| !id.is_empty())
}
