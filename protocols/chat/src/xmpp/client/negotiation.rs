//! From the connection until the client is online. The table of phases is in `state.rs`.

use std::time::Duration;

use sinew_transports::{Transport, reactor::with_causes};

use super::{
    Security, SendError, XmppClient, XmppError,
    connection::Next,
    state::{Binding, Phase},
};
use crate::xmpp::{
    codec::{
        Element, ErrorKind, Iq, IqKind, Jid, Message, Presence, StanzaCondition, StanzaError,
        StreamError, StreamEvent, StreamFeatures, ns,
        stream_header::{StreamVersion, has_namespaces},
    },
    output,
    stream_management::{StreamManagement, TooMany},
};

/// The ids of the two questions before a client is online, which no others have.
const BIND_ID: &str = "bind";
const SESSION_ID: &str = "session";

/// Most stanzas that are kept until the server has agreed to stream management.
const EARLY_MAX: usize = 64;

/// The longest time that a session can be resumed. The clock does not have much more.
const RESUME_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl XmppClient {
    /// Anything, in any phase.
    pub(super) fn received(
        &self,
        transport: &Transport,
        event: StreamEvent,
        default_ns: &str,
    ) -> Next {
        match event {
            StreamEvent::Opened(header) => self.opened(transport, &header, default_ns),
            StreamEvent::Stanza(element) => return self.element(transport, element),
            StreamEvent::Closed => {
                let mut link = self.0.link.borrow_mut();
                // Before the login anybody can say it.
                link.is_ended |= link.is_logged_in;
                link.phase = Phase::Closing;
                drop(link);
                transport.write("</stream:stream>");
                transport.lose_connection();
            }
        }
        Next::Element
    }

    fn opened(&self, transport: &Transport, header: &Element, default_ns: &str) {
        if !has_namespaces(header, default_ns, ns::CLIENT) {
            return self.unexpected(transport, "a stream of another protocol");
        }
        if !StreamVersion::is_supported(header) {
            return self.unexpected(transport, "a stream of an older version");
        }
        self.0.link.borrow_mut().phase = Phase::Features;
    }

    fn element(&self, transport: &Transport, element: Element) -> Next {
        if element.is("error", ns::STREAMS) {
            let mut link = self.0.link.borrow_mut();
            link.is_ended |= link.is_logged_in;
            drop(link);
            self.fail(transport, XmppError::Stream(StreamError::from_element(&element)));
            return Next::Element;
        }
        let phase = self.0.link.borrow().phase;
        match phase {
            Phase::Features => match StreamFeatures::from_element(&element) {
                Some(features) => self.features(transport, &features),
                None => self.unexpected(transport, "something before the features of its stream"),
            },
            Phase::AskingTls if element.is("proceed", ns::TLS) => return Next::Tls,
            Phase::AskingTls => self.unexpected(transport, "no agreement to TLS"),
            Phase::LoggingIn => return self.login_received(transport, &element),
            Phase::Binding(binding) => self.binding(transport, element, binding),
            Phase::Resuming { wants_session } => self.resuming(transport, &element, wants_session),
            Phase::Enabling => self.enabling(transport, element),
            Phase::Online => self.online_received(transport, element),
            Phase::Offline | Phase::Opening | Phase::Handshaking | Phase::Closing => {}
        }
        Next::Element
    }

    fn features(&self, transport: &Transport, features: &StreamFeatures) {
        let mut link = self.0.link.borrow_mut();
        if link.is_logged_in {
            link.server_limits = features.limits;
            link.has_client_state = features.has_client_state;
            drop(link);
            return self.begin_session(transport, features);
        }
        drop(link);
        if self.0.config.security == Security::None || transport.is_tls() {
            return self.begin_login(transport, features);
        }
        if !features.has_starttls {
            return self.fail(transport, XmppError::TlsNotOffered);
        }
        self.0.link.borrow_mut().phase = Phase::AskingTls;
        self.write(transport, &Element::new("starttls", ns::TLS));
    }

    pub(super) fn start_tls(&self, transport: &Transport) {
        self.0.link.borrow_mut().phase = Phase::Handshaking;
        let config = &self.0.config;
        // The certificate must be for the domain of the account (RFC 6120 13.7.2.1), whatever host serves it.
        if let Err(error) = config.tls.start(transport, config.jid.domain()) {
            self.fail(transport, XmppError::Tls { reason: error.to_string() });
        }
    }

    /// After the login: the session before, or a new one.
    fn begin_session(&self, transport: &Transport, features: &StreamFeatures) {
        let (wants_session, has_management) =
            (features.requires_session, features.has_stream_management);
        let now = transport.reactor().map(|reactor| reactor.now());
        let session = self.0.session.borrow();
        let is_in_time = session.resumable_until.zip(now).is_some_and(|(until, now)| now < until);
        let resume = session.management.as_ref().and_then(StreamManagement::resume);
        drop(session);
        if let Some(resume) = resume.filter(|_| is_in_time && has_management) {
            self.0.link.borrow_mut().phase = Phase::Resuming { wants_session };
            return self.write(transport, &resume);
        }
        self.session_over();
        self.bind(transport, wants_session, has_management);
    }

    fn bind(&self, transport: &Transport, wants_session: bool, has_management: bool) {
        let binding = Binding { wants_session, has_management, is_bound: false };
        self.0.link.borrow_mut().phase = Phase::Binding(binding);
        let mut bind = Element::new("bind", ns::BIND);
        if let Some(resource) = self.0.config.jid.resource() {
            bind.push(Element::new("resource", ns::BIND).with_text(resource));
        }
        self.write(transport, Iq::set(bind).with_id(BIND_ID).element());
    }

    fn binding(&self, transport: &Transport, element: Element, binding: Binding) {
        if element.name() != "iq" {
            // Presence and messages may be early.
            if Message::try_from(element.clone()).is_err() && Presence::try_from(element).is_err() {
                self.unexpected(transport, "no answer to the binding of a resource");
            }
            return;
        }
        let Ok(answer) = Iq::try_from(element) else {
            return self.unexpected(transport, "no answer to the binding of a resource");
        };
        if answer.is_request() {
            return self.write(
                transport,
                Iq::failure(&answer, &StanzaError::service_unavailable()).element(),
            );
        }
        match (answer.id(), answer.error()) {
            (Some(BIND_ID | SESSION_ID), Some(error)) => {
                return self.fail(transport, XmppError::BindRefused(error));
            }
            (Some(BIND_ID), None) if !binding.is_bound => {
                let bound = answer.child("bind", ns::BIND);
                let bound = bound.and_then(|bind| bind.child("jid", ns::BIND)).map(Element::text);
                let Some(jid) = bound.and_then(|jid| jid.parse::<Jid>().ok()) else {
                    return self.unexpected(transport, "no address in answer to the binding");
                };
                if jid.domain() != self.0.config.jid.domain() || jid.is_bare() {
                    return self.unexpected(transport, "an address of somebody else");
                }
                self.0.session.borrow_mut().jid = jid;
                if binding.wants_session {
                    let bound = Binding { is_bound: true, ..binding };
                    self.0.link.borrow_mut().phase = Phase::Binding(bound);
                    let session = Iq::set(Element::new("session", ns::SESSION)).with_id(SESSION_ID);
                    return self.write(transport, session.element());
                }
            }
            (Some(SESSION_ID), None) if binding.is_bound => {}
            _ => return self.unexpected(transport, "no answer to the binding of a resource"),
        }
        if !binding.has_management {
            return self.online(transport, false);
        }
        self.0.link.borrow_mut().phase = Phase::Enabling;
        let mut enable = Element::new("enable", ns::STREAM_MANAGEMENT);
        let resume_within = self.0.config.resume_within;
        if !resume_within.is_zero() {
            enable = enable
                .with_attribute("resume", "true")
                .with_attribute("max", resume_within.as_secs().to_string());
        }
        self.write(transport, &enable);
    }

    fn enabling(&self, transport: &Transport, element: Element) {
        if element.ns() != ns::STREAM_MANAGEMENT {
            return self.early(transport, element);
        }
        match element.name() {
            "enabled" => {
                let mut management = StreamManagement::default();
                management.enabled(&element);
                self.0.session.borrow_mut().management = Some(management);
                self.online(transport, false);
            }
            "failed" => self.online(transport, false),
            _ => {}
        }
    }

    /// A stanza that cannot be answered yet, and that stream management does not count.
    fn early(&self, transport: &Transport, element: Element) {
        if element.ns() != ns::CLIENT || !matches!(element.name(), "message" | "presence" | "iq") {
            return self.unexpected(transport, "something that is no stanza");
        }
        let mut link = self.0.link.borrow_mut();
        if link.early.len() < EARLY_MAX {
            return link.early.push(element);
        }
        drop(link);
        self.unexpected(transport, "too many stanzas before its agreement to stream management");
    }

    fn resuming(&self, transport: &Transport, element: &Element, wants_session: bool) {
        if element.ns() != ns::STREAM_MANAGEMENT {
            return self.unexpected(transport, "no answer to the resumption of a session");
        }
        let count = element.attribute("h").and_then(|count| count.parse().ok());
        match (element.name(), count) {
            ("resumed", Some(count)) if self.acknowledged(transport, count) => {
                self.online(transport, true);
            }
            ("failed", count) => {
                if count.is_none_or(|count| self.acknowledged(transport, count)) {
                    self.session_over();
                    self.bind(transport, wants_session, true);
                }
            }
            ("resumed", None) => self.unexpected(transport, "a resumption without a count"),
            ("r" | "a" | "resumed", _) => {}
            _ => self.unexpected(transport, "no answer to the resumption of a session"),
        }
    }

    /// The server has acknowledged stanzas. Returns whether that can be.
    pub(super) fn acknowledged(&self, transport: &Transport, count: u32) -> bool {
        let mut session = self.0.session.borrow_mut();
        let Some(management) = &mut session.management else { return true };
        let Err(TooMany { handled, sent }) = management.acknowledged(count) else { return true };
        drop(session);
        // The counts do not agree, and never will: the session cannot be resumed either.
        self.0.link.borrow_mut().is_ended = true;
        self.fail(transport, XmppError::AcknowledgedTooMany { handled, sent });
        false
    }

    /// The session cannot be resumed.
    fn session_over(&self) {
        let unknown = self.0.session.borrow_mut().end();
        if !unknown.is_empty() {
            self.call(|handler, xmpp| handler.undelivered(xmpp, unknown));
        }
    }

    /// The connection is lost. Returns the stanzas of which nothing is known, if the session is over.
    pub(super) fn session_cut(&self, was_online: bool, is_ended: bool) -> Vec<Element> {
        let mut session = self.0.session.borrow_mut();
        let now = self.0.reactor.upgrade().map(|reactor| reactor.now());
        let can_resume = session.management.as_ref().is_some_and(StreamManagement::can_resume);
        if can_resume && !was_online && !is_ended {
            // An attempt to resume it has failed; the window remains the same.
            return Vec::new();
        }
        let (Some(now), Some(management)) =
            (now, session.management.as_mut().filter(|_| !is_ended && can_resume))
        else {
            return session.end();
        };
        management.cut();
        let max = management.max_seconds.map(Duration::from_secs);
        let within = self.0.config.resume_within;
        let within = max.map_or(within, |max| max.min(within)).min(RESUME_MAX);
        session.resumable_until = now.checked_add(within);
        Vec::new()
    }

    fn online(&self, transport: &Transport, is_resumed: bool) {
        let mut link = self.0.link.borrow_mut();
        link.phase = Phase::Online;
        link.was_online = true;
        drop(link);
        if is_resumed {
            let mut session = self.0.session.borrow_mut();
            session.resumable_until = None;
            if let Some(management) = &mut session.management {
                for text in management.texts() {
                    output::write(transport, text);
                }
                if management.ask(self.now()) {
                    transport.write(super::xmpp_client::REQUEST);
                }
            }
        } else {
            self.begin_presence();
        }
        self.send_waiting();
        self.0.waiting.succeed();
        let early = std::mem::take(&mut self.0.link.borrow_mut().early);
        self.call(|handler, xmpp| handler.online(xmpp, is_resumed));
        for element in early {
            if !transport.is_closing() {
                self.stanza(transport, element);
            }
        }
    }

    /// What a new session begins with.
    fn begin_presence(&self) {
        let config = &self.0.config;
        if config.fetches_roster {
            self.fetch_roster();
        }
        if config.carbons {
            let enable = Iq::set(Element::new("enable", ns::CARBONS));
            self.request(enable).then(|_, enabled| {
                if let Err(error) = enabled {
                    tracing::debug!(error = %with_causes(&error), "there are no carbon copies of messages");
                }
            });
        }
        let mut session = self.0.session.borrow_mut();
        if !config.rejoins {
            session.rooms.forget_all();
        }
        let rooms = session.rooms.entries();
        drop(session);
        for presence in config.presence.iter().cloned().chain(rooms) {
            if let Err(error) = self.put(presence.into()) {
                tracing::debug!(error = %with_causes(&error), "presence was not sent");
            }
        }
    }

    /// Messages that were written while the client was not online, or while there was no room for them.
    pub(super) fn send_waiting(&self) {
        let mut unsent = Vec::new();
        loop {
            let first = self.0.session.borrow().waiting.front().cloned();
            let Some(stanza) = first else { break };
            match self.put(stanza.clone()) {
                Ok(()) => {}
                // The server may accept less than it did, or than the configuration says.
                Err(SendError::TooLong { .. } | SendError::Encode(_)) => unsent.push(stanza),
                Err(_) => break,
            }
            self.0.session.borrow_mut().waiting.pop_front();
        }
        if !unsent.is_empty() {
            self.call(|handler, xmpp| handler.undelivered(xmpp, unsent));
        }
    }

    /// Answers a question with an error.
    pub(super) fn refuse_iq(&self, iq: &Iq, kind: ErrorKind, condition: StanzaCondition) {
        debug_assert!(iq.kind() != IqKind::Error, "an error is not answered");
        let answer = Iq::failure(iq, &StanzaError::new(kind, condition));
        if let Err(error) = self.put(answer.into()) {
            tracing::debug!(error = %with_causes(&error), "a question was not answered");
        }
    }

    /// Writes an element that is no stanza, or comes before stanzas are counted.
    pub(super) fn write(&self, transport: &Transport, element: &Element) {
        match element.encode(ns::CLIENT) {
            Ok(text) => drop(transport.write(text)),
            // What the configuration has is what can be wrong.
            Err(error) => self.fail(transport, XmppError::Lost { reason: error.to_string() }),
        }
    }

    pub(super) fn unexpected(&self, transport: &Transport, what: &'static str) {
        self.fail(transport, XmppError::Unexpected { what });
    }

    /// Gives the connection up, and says why if the server is to blame.
    pub(super) fn fail(&self, transport: &Transport, error: XmppError) {
        let said = match &error {
            XmppError::Xml(error) => Some(StreamError::new(error.condition())),
            XmppError::Unexpected { .. } => {
                Some(StreamError::new(crate::xmpp::codec::StreamCondition::PolicyViolation))
            }
            XmppError::AcknowledgedTooMany { handled, sent } => {
                Some(StreamError::handled_too_many(*handled, *sent))
            }
            _ => None,
        };
        let mut link = self.0.link.borrow_mut();
        if link.phase == Phase::Closing {
            return;
        }
        let is_silent =
            matches!(error, XmppError::Silent { .. } | XmppError::Unacknowledged { .. });
        let reason = error.to_string();
        let is_handshaking = link.phase == Phase::Handshaking;
        link.failure.get_or_insert(error);
        link.phase = Phase::Closing;
        drop(link);
        if let Some(text) = said.and_then(|said| said.to_element().encode(ns::CLIENT).ok()) {
            transport.write(text);
        }
        // A stream that is closed cannot be resumed; one whose peer is gone can.
        if !is_silent && !is_handshaking {
            transport.write("</stream:stream>");
        }
        transport.fail(reason);
    }
}
