//! How sessions begin, lose their connections, are resumed, and end.

use std::{fmt::Write as _, rc::Rc};

use sinew_transports::{ConnectionId, Transport, reactor::DelayedCall};

use super::{
    account::Account,
    archive_queries::is_result,
    bounce,
    domain::{Domain, Later},
    session::{REQUEST, Session, SessionId},
};
use crate::xmpp::{
    codec::{Element, Jid, StanzaCondition, StanzaError, StreamCondition, StreamError, ns},
    output,
    stream_management::{StreamManagement, TooMany},
};

/// Bytes of a token with which a session is resumed, and of a resource that the server makes.
const TOKEN_LEN: usize = 16;

/// A random word; `None` if the system has no random numbers.
pub(super) fn random_word() -> Option<String> {
    let mut random = [0; TOKEN_LEN];
    getrandom::fill(&mut random).ok()?;
    Some(random.iter().fold(String::new(), |mut word, byte| {
        let _ = write!(word, "{byte:02x}");
        word
    }))
}

/// The end of a stream, after this error.
pub(super) fn last_words(error: &StreamError) -> String {
    format!("{}</stream:stream>", with_prefix(&error.to_element()))
}

/// An element of the stream itself, with the prefix that clients expect (RFC 6120 4.8.5).
pub(super) fn with_prefix(element: &Element) -> String {
    let children: String =
        element.children().filter_map(|child| child.encode(ns::CLIENT).ok()).collect();
    let name = element.name();
    format!("<stream:{name}>{children}</stream:{name}>")
}

impl Domain {
    /// Binds a resource (RFC 6120 7). One that is there already loses its session.
    pub(super) fn bind(
        &mut self,
        account: &Rc<str>,
        resource: Option<&str>,
        wire: &Transport,
    ) -> Result<(SessionId, Jid), StanzaError> {
        let failed = || bounce::wait(StanzaCondition::InternalServerError);
        if self.is_stopping {
            return Err(bounce::wait(StanzaCondition::ServiceUnavailable));
        }
        let bare = self.bare(account).ok_or_else(failed)?;
        let jid = match resource.filter(|resource| !resource.is_empty()) {
            Some(resource) => bare.with_resource(resource),
            None => bare.with_resource(&random_word().ok_or_else(failed)?),
        };
        let jid = jid.map_err(|_| bounce::modify(StanzaCondition::BadRequest))?;
        if let Some(old) = self.session_at(&jid) {
            self.kick(old, &StreamError::new(StreamCondition::Conflict));
        }
        let sessions = self.sessions_of(account);
        if sessions.len() >= self.config.resources_max {
            // A client that has lost its connection, and does not resume, is not kept out by what it has left.
            let waits = |id: &&SessionId| {
                self.sessions.get(id).is_some_and(|session| session.wire.is_none())
            };
            if let Some(waiting) = sessions.iter().find(waits) {
                self.end_session(*waiting);
            }
        }
        if self.sessions_of(account).len() >= self.config.resources_max {
            return Err(bounce::wait(StanzaCondition::ResourceConstraint));
        }
        let id = self.next_session();
        self.account_mut(account).ok_or_else(failed)?.sessions.push(id);
        self.sessions.insert(id, Session::new(jid.clone(), Rc::clone(account), wire.clone()));
        Ok((id, jid))
    }

    /// Stream management begins (XEP-0198 3). The answer.
    pub(super) fn enable_management(&mut self, id: SessionId, enable: &Element) -> Element {
        let wants_resume = matches!(enable.attribute("resume"), Some("true" | "1"));
        let within = self.config.resume_within;
        let failed = Element::new("failed", ns::STREAM_MANAGEMENT)
            .with_child(Element::new("unexpected-request", ns::STANZA_ERRORS));
        let Some(session) =
            self.sessions.get_mut(&id).filter(|session| session.management.is_none())
        else {
            return failed;
        };
        session.management = Some(Box::default());
        let mut enabled = Element::new("enabled", ns::STREAM_MANAGEMENT);
        if let Some(token) = random_word().filter(|_| wants_resume && !within.is_zero()) {
            let token: Rc<str> = token.into();
            enabled = enabled
                .with_attribute("id", &*token)
                .with_attribute("resume", "true")
                .with_attribute("max", within.as_secs().to_string());
            session.token = Some(Rc::clone(&token));
            self.tokens.insert(token, id);
        }
        enabled
    }

    /// What is not a stanza, of stream management. Returns what is wrong.
    pub(super) fn management_received(
        &mut self,
        id: SessionId,
        element: &Element,
    ) -> Result<(), StreamError> {
        if element.name() == "enable" {
            let answer = self.enable_management(id, element);
            self.write(id, &answer);
            return Ok(());
        }
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        let Some(management) = &mut session.management else {
            return Err(StreamError::new(StreamCondition::UnsupportedStanzaType));
        };
        match element.name() {
            "r" => {
                let answer = management.answer();
                self.write(id, &answer);
            }
            "a" => {
                let count = element.attribute("h").and_then(|count| count.parse().ok());
                let Some(count) = count else {
                    return Err(StreamError::new(StreamCondition::UndefinedCondition));
                };
                if let Err(TooMany { handled, sent }) = management.acknowledged(count) {
                    return Err(StreamError::handled_too_many(handled, sent));
                }
                if management.ask(None) {
                    self.write_text(id, REQUEST);
                }
            }
            _ => return Err(StreamError::new(StreamCondition::UnsupportedStanzaType)),
        }
        Ok(())
    }

    /// Whether somebody looks at a client (XEP-0352). Returns what is wrong.
    pub(super) fn client_state_received(
        &mut self,
        id: SessionId,
        element: &Element,
    ) -> Result<(), StreamError> {
        let limits = self.send_limits();
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        match element.name() {
            "inactive" => {
                session.held_back.get_or_insert_default();
            }
            "active" => {
                if !session.activate(limits) {
                    self.doomed.push(id);
                }
            }
            _ => return Err(StreamError::new(StreamCondition::UnsupportedStanzaType)),
        }
        Ok(())
    }

    fn write(&mut self, id: SessionId, element: &Element) {
        if let Ok(text) = element.encode(ns::CLIENT) {
            self.write_text(id, &text);
        }
    }

    fn write_text(&mut self, id: SessionId, text: &str) {
        let max = self.config.send_queue_max;
        self.backlog_grows(text.len());
        if self.sessions.get_mut(&id).is_some_and(|session| !session.write(text, max)) {
            self.doomed.push(id);
        }
    }

    /// A client that has logged in resumes a session of its account (XEP-0198 5). What was not acknowledged is sent again.
    ///
    /// # Errors
    ///
    /// What to answer.
    pub(super) fn resume(
        &mut self,
        account: &str,
        resume: &Element,
        wire: &Transport,
    ) -> Result<SessionId, Element> {
        let failed = |condition: StanzaCondition| {
            let condition = Element::new(condition.as_str(), ns::STANZA_ERRORS);
            Element::new("failed", ns::STREAM_MANAGEMENT).with_child(condition)
        };
        let limits = self.send_limits();
        let token = resume.attribute("previd").unwrap_or_default();
        let count = resume.attribute("h").and_then(|count| count.parse().ok());
        let Some(count) = count else { return Err(failed(StanzaCondition::BadRequest)) };
        let found = self.tokens.get_key_value(token).map(|(token, id)| (Rc::clone(token), *id));
        let found = found.and_then(|(token, id)| {
            let session = self.sessions.get_mut(&id).filter(|session| *session.account == *account);
            session.map(|session| (token, id, session))
        });
        let Some((token, id, session)) = found else {
            return Err(failed(StanzaCondition::ItemNotFound));
        };
        let Some(management) = &mut session.management else {
            return Err(failed(StanzaCondition::ItemNotFound));
        };
        if management.acknowledged(count).is_err() {
            return Err(failed(StanzaCondition::BadRequest));
        }
        management.cut();
        session.generation += 1;
        if let Some(expiry) = session.expiry.take() {
            expiry.cancel();
        }
        if let Some(old) = session.wire.replace(wire.clone()) {
            // The client knows that it is gone before the server does.
            old.write(last_words(&StreamError::new(StreamCondition::Conflict)));
            old.lose_connection();
        }
        let resumed = Element::new("resumed", ns::STREAM_MANAGEMENT)
            .with_attribute("previd", &*token)
            .with_attribute("h", management.handled().to_string());
        wire.write(resumed.encode(ns::CLIENT).unwrap_or_default());
        for text in management.texts() {
            output::write(wire, text);
        }
        let again = management.bytes();
        if management.ask(None) {
            wire.write(REQUEST);
        }
        // XEP-0352 5: a stream begins with a client that is active.
        if !session.activate(limits) {
            self.doomed.push(id);
        }
        self.backlog_grows(again);
        Ok(id)
    }

    /// The stream of a session has ended, and with it the session, unless that has another connection already.
    pub(super) fn stream_ended(&mut self, id: SessionId, connection: ConnectionId) {
        let wire = self.sessions.get(&id).and_then(|session| session.wire.as_ref());
        if wire.is_some_and(|wire| wire.id() == connection) {
            self.end_session(id);
        }
    }

    /// The connection of a session is lost, unless the session has another one already.
    pub(super) fn connection_lost(&mut self, id: SessionId, connection: ConnectionId) {
        let within = self.config.resume_within;
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.wire.as_ref().is_none_or(|wire| wire.id() != connection) {
            return;
        }
        session.wire = None;
        match &mut session.management {
            Some(management) if session.token.is_some() => {
                management.cut();
                session.generation += 1;
                let generation = session.generation;
                self.later.push(Later::Expire { id, generation, after: within });
            }
            _ => self.end_session(id),
        }
    }

    /// The clock of a session without a connection runs.
    pub(super) fn expires(&mut self, id: SessionId, generation: u64, expiry: DelayedCall) {
        match self.sessions.get_mut(&id).filter(|session| session.generation == generation) {
            Some(session) => session.expiry = Some(expiry),
            None => drop(expiry.cancel()),
        }
    }

    /// The time to resume a session is over.
    pub(super) fn expire(&mut self, id: SessionId, generation: u64) {
        let is_over =
            |session: &Session| session.wire.is_none() && session.generation == generation;
        if self.sessions.get(&id).is_some_and(is_over) {
            self.end_session(id);
        }
    }

    /// Ends all sessions, for good.
    pub(super) fn stop(&mut self) {
        self.is_stopping = true;
        let mut sessions: Vec<_> = self.sessions.keys().copied().collect();
        sessions.sort();
        for id in sessions {
            self.kick(id, &StreamError::new(StreamCondition::SystemShutdown));
        }
    }

    /// The credentials of an account do not count any more. Returns how many sessions have ended.
    pub(super) fn revoke(&mut self, account: &str, condition: StreamCondition) -> usize {
        self.revocations += 1;
        let sessions = self.sessions_of(account);
        for id in &sessions {
            self.kick(*id, &StreamError::new(condition));
        }
        sessions.len()
    }

    /// Ends a session and its connection, and says why.
    pub(super) fn kick(&mut self, id: SessionId, error: &StreamError) {
        if let Some(wire) = self.sessions.get_mut(&id).and_then(|session| session.wire.take()) {
            wire.write(last_words(error));
            wire.lose_connection();
        }
        self.end_session(id);
    }

    /// Ends the sessions that have exceeded a limit: what a client does not take is not sent on.
    pub(super) fn end_doomed(&mut self) {
        loop {
            while let Some(id) = self.doomed.pop() {
                let Some(session) = self.sessions.get_mut(&id) else { continue };
                tracing::debug!(jid = %session.jid, "a client of XMPP does not take what is sent to it");
                if let Some(wire) = session.wire.take() {
                    wire.abort();
                }
                self.end_session(id);
            }
            if !self.bound_backlog() {
                return;
            }
        }
    }

    /// A session is over. Others are told, and messages that it has not acknowledged find another way.
    pub(super) fn end_session(&mut self, id: SessionId) {
        let Some(mut session) = self.sessions.remove(&id) else { return };
        if let Some(expiry) = session.expiry.take() {
            expiry.cancel();
        }
        if let Some(token) = &session.token {
            self.tokens.remove(token);
        }
        if let Some(account) = self.account_mut(&session.account) {
            account.sessions.retain(|known| *known != id);
        }
        self.presence_over(&mut session, None);
        let unknown = session.management.as_deref_mut().map(StreamManagement::forget);
        let unsent = std::mem::take(&mut session.unsent);
        for (stanza, copies) in unknown.into_iter().flatten().chain(unsent) {
            if copies.is_none_or(|copies| copies.are_lost()) {
                self.undelivered(&session, stanza);
            }
        }
        // Also questions that have arrived: nobody will answer them.
        let home = self.config.domain.clone();
        self.questions.forget_asker(&session.jid, &home);
        for question in self.questions.gone(&session.jid, &home) {
            self.refuse(&question, &StanzaError::service_unavailable());
        }
    }

    /// A stanza that a session may not have received. Questions are refused by themselves.
    fn undelivered(&mut self, session: &Session, stanza: Element) {
        let is_copy =
            ["sent", "received"].iter().any(|name| stanza.child(name, ns::CARBONS).is_some())
                || is_result(&stanza);
        // RFC 6121 5.2.2: what is unknown is normal.
        let is_for_one =
            !matches!(stanza.attribute("type"), Some("groupchat" | "headline" | "error"));
        if stanza.name() == "message" && is_for_one && !is_copy {
            self.message_again(&session.account, stanza);
        }
    }

    /// A connection that had logged in is gone.
    pub(super) fn close_account(&mut self, account: &str) {
        let account: Option<&mut Account> = self.account_mut(account);
        if let Some(account) = account {
            account.connections = account.connections.saturating_sub(1);
        }
    }
}
