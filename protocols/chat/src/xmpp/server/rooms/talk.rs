//! Messages in a room: to all, to one, and the subject (XEP-0045 7.4, 7.5, 8.1); and questions from one occupant to another. Pure.

use std::time::SystemTime;

use super::{
    Role, Room, RoomsConfig, occupant_questions::Question, room_settings::PrivateMessages,
};
use crate::xmpp::{
    codec::{Element, Iq, IqKind, Jid, Message, MessageKind, StanzaCondition, StanzaError, ns},
    server::bounce::{auth, cancel, error_of, modify, result_of, wait},
};

impl Room {
    /// A message to the room or to an occupant.
    pub(super) fn message_received(
        &mut self,
        message: &Message,
        limits: &RoomsConfig,
        now: SystemTime,
        out: &mut Vec<Element>,
    ) -> Result<(), StanzaError> {
        let (Some(from), Some(to)) = (message.from(), message.to()) else { return Ok(()) };
        match (message.kind(), to.resource()) {
            (MessageKind::Error, _) => {
                self.message_failed(message, out);
                Ok(())
            }
            (MessageKind::Groupchat, None) => self.said(message, from, limits, now, out),
            // XEP-0045 7.5: not in private.
            (MessageKind::Groupchat, Some(_)) => Err(modify(StanzaCondition::BadRequest)),
            (_, Some(nick)) => self.said_to_one(message, from, nick, out),
            (_, None) => match message.child("x", ns::MUC_USER) {
                Some(x) => self.invitation_received(x, from, limits, out),
                None => Err(modify(StanzaCondition::BadRequest)),
            },
        }
    }

    fn said(
        &mut self,
        message: &Message,
        from: &Jid,
        limits: &RoomsConfig,
        now: SystemTime,
        out: &mut Vec<Element>,
    ) -> Result<(), StanzaError> {
        let Some((nick, occupant)) = self.occupant_at(from) else {
            return Err(modify(StanzaCondition::NotAcceptable));
        };
        if occupant.role < Role::Participant {
            return Err(auth(StanzaCondition::Forbidden));
        }
        let role = occupant.role;
        let said = relayed(message.element(), &self.address(nick));
        // It is sent to everybody.
        if said.encode_at_most(ns::CLIENT, limits.message_max).is_err() {
            return Err(modify(StanzaCondition::PolicyViolation));
        }
        // XEP-0045 8.1: with a body or a thread it is a message that has a subject.
        let is_subject =
            message.subject().is_some() && message.body().is_none() && message.thread().is_none();
        if is_subject {
            if role < Role::Moderator && !self.settings.anyone_changes_subject {
                return Err(auth(StanzaCondition::Forbidden));
            }
            if message.subject().is_some_and(|subject| subject.len() > limits.subject_max) {
                return Err(modify(StanzaCondition::NotAcceptable));
            }
        }
        for occupant in self.occupants.values() {
            out.push(said.clone().with_attribute("to", occupant.jid.to_string()));
        }
        if is_subject {
            // Of the message only the text is kept: what else is in it would be sent to all who enter, and stored.
            let mut kept = Element::new("message", ns::CLIENT).with_attribute("type", "groupchat");
            kept.set_attribute("from", said.attribute("from").unwrap_or_default());
            if let Some(subject) = said.child("subject", ns::CLIENT) {
                kept.push(Element::new("subject", ns::CLIENT).with_text(subject.text()));
            }
            self.subject = Some(kept);
            self.is_changed = true;
        } else if message.body().is_some() {
            self.history.push(said, now, limits.history_max, limits.history_bytes_max);
        }
        Ok(())
    }

    fn said_to_one(
        &self,
        message: &Message,
        from: &Jid,
        nick: &str,
        out: &mut Vec<Element>,
    ) -> Result<(), StanzaError> {
        let Some((own, occupant)) = self.occupant_at(from) else {
            return Err(modify(StanzaCondition::NotAcceptable));
        };
        let Some(recipient) = self.occupants.get(nick) else {
            return Err(cancel(StanzaCondition::ItemNotFound));
        };
        let needed = match self.settings.private_messages {
            PrivateMessages::Anyone => Some(Role::Visitor),
            PrivateMessages::Participants => Some(Role::Participant),
            PrivateMessages::Moderators => Some(Role::Moderator),
            PrivateMessages::Nobody => None,
        };
        if needed.is_none_or(|needed| occupant.role < needed) {
            return Err(auth(StanzaCondition::Forbidden));
        }
        let said = relayed(message.element(), &self.address(own));
        let said = said.with_child(Element::new("x", ns::MUC_USER));
        out.push(said.with_attribute("to", recipient.jid.to_string()));
        Ok(())
    }

    /// An error of what the room has delivered. One to a nick goes to who has written in private.
    fn message_failed(&mut self, message: &Message, out: &mut Vec<Element>) {
        let (Some(from), Some(to)) = (message.from(), message.to()) else { return };
        if message.child("error", ns::CLIENT).is_none() {
            return;
        }
        let condition = message.error().map(|error| error.condition);
        let Some((own, _)) = self.occupant_at(from) else { return };
        if let Some(recipient) = to.resource().and_then(|nick| self.occupants.get(nick)) {
            let failed = failed(message.element(), &self.address(own));
            out.push(failed.with_attribute("to", recipient.jid.to_string()));
        } else if condition.is_some_and(is_gone) {
            self.gone(from, out);
        }
    }

    /// A question from one occupant to another: it keeps its id. A ping to oneself is answered by the room (XEP-0410).
    pub(super) fn asked_of_occupant(
        &mut self,
        iq: &Iq,
        nick: &str,
        out: &mut Vec<Element>,
    ) -> Result<(), StanzaError> {
        let Some((own, _)) = iq.from().and_then(|from| self.occupant_at(from)) else {
            return Err(modify(StanzaCondition::NotAcceptable));
        };
        let is_ping = iq.payload().is_some_and(|payload| payload.is("ping", ns::PING));
        if own == nick && is_ping {
            out.push(result_of(iq.element(), None));
            return Ok(());
        }
        let (Some(recipient), Some(asker)) = (self.occupants.get(nick), iq.from()) else {
            return Err(cancel(StanzaCondition::ItemNotFound));
        };
        let question = Question {
            asker: asker.clone(),
            asker_nick: own.to_owned(),
            asked: recipient.jid.clone(),
            asked_nick: nick.to_owned(),
            id: iq.id().unwrap_or_default().to_owned(),
        };
        let asked = relayed(iq.element(), &self.address(own));
        let asked = asked.with_attribute("to", recipient.jid.to_string());
        let given_up = self.questions.asked(question);
        self.refuse_questions(&given_up, &wait(StanzaCondition::ResourceConstraint), out);
        out.push(asked);
        Ok(())
    }

    /// The answer to such a question. It comes from the nick that was asked, and goes to who has asked, whatever they are called now.
    /// What nobody waits for goes nowhere.
    pub(super) fn occupant_answered(&mut self, iq: &Iq, nick: &str, out: &mut Vec<Element>) {
        let Some(from) = iq.from() else { return };
        let Some(question) = self.questions.answered(from, nick, iq.id().unwrap_or_default())
        else {
            return;
        };
        let address = self.address(&question.asked_nick);
        let answer = match iq.kind() {
            IqKind::Error => failed(iq.element(), &address),
            _ => relayed(iq.element(), &address),
        };
        out.push(answer.with_attribute("to", question.asker.to_string()));
    }

    /// Somebody has left: what it was asked and what it has asked is answered as it would be now.
    pub(super) fn refuse_questions_of(&mut self, jid: &Jid, out: &mut Vec<Element>) {
        let (was_asked, has_asked) = self.questions.left(jid);
        self.refuse_questions(&was_asked, &cancel(StanzaCondition::ItemNotFound), out);
        self.refuse_questions(&has_asked, &modify(StanzaCondition::NotAcceptable), out);
    }

    pub(super) fn refuse_questions(
        &self,
        questions: &[Question],
        error: &StanzaError,
        out: &mut Vec<Element>,
    ) {
        let answers = questions.iter().map(|question| error_of(&question.to_iq(&self.jid), error));
        out.extend(answers.flatten());
    }
}

/// What an occupant has sent, from its address in the room, without what only the room may say.
fn relayed(stanza: &Element, from: &str) -> Element {
    let mut relayed = stanza.clone().with_attribute("from", from);
    relayed.remove_attribute("to");
    relayed.remove_children("x", ns::MUC_USER);
    relayed.remove_children("delay", ns::DELAY);
    relayed
}

/// An error that an occupant has sent: the error alone, since it is no message, and without who says it (`by`), which may be an address
/// that others do not see.
fn failed(stanza: &Element, from: &str) -> Element {
    let mut failed = Element::new(stanza.name(), ns::CLIENT)
        .with_attribute("type", "error")
        .with_attribute("from", from);
    if let Some(id) = stanza.attribute("id") {
        failed.set_attribute("id", id);
    }
    failed.with_child(StanzaError::of(stanza).to_element(ns::CLIENT))
}

/// Whether an error says that a client is not there any more (XEP-0045 9.4 of ghosts).
const fn is_gone(condition: StanzaCondition) -> bool {
    matches!(
        condition,
        StanzaCondition::Gone
            | StanzaCondition::ItemNotFound
            | StanzaCondition::RecipientUnavailable
            | StanzaCondition::RemoteServerNotFound
            | StanzaCondition::RemoteServerTimeout
            | StanzaCondition::ServiceUnavailable
    )
}
