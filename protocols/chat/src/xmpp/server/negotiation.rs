//! From the connection until a resource is bound (RFC 6120 4 to 7). The table of phases is in `connection.rs`.

use std::rc::Rc;

use data_encoding::BASE64;
use sinew_auth::{AuthError, Channel, Mechanism, SaslError, SaslServer, ServerStep};
use sinew_transports::{
    Transport,
    reactor::{Reactor, with_causes},
};

use super::{
    XmppServerConnection, bounce,
    connection::{Outcome, Phase, STANZA_MAX},
    session_life::{random_word, with_prefix},
};
use crate::xmpp::codec::{
    Element, StanzaCondition, StanzaError, StreamCondition, StreamError, ns,
    stream_header::{StreamVersion, has_namespaces},
};

/// Most requests to bind or to resume that fail.
const REFUSED_MAX: usize = 10;

impl XmppServerConnection {
    /// The header of a stream, perhaps after TLS or a login.
    pub(super) fn opened(&mut self, reactor: &Reactor, transport: &Transport, header: &Element) {
        let version = (!StreamVersion::is_old(header)).then_some("1.0");
        self.send_header(transport, header.attribute("from"), version);
        let condition = match header {
            _ if !has_namespaces(header, self.default_ns(), ns::CLIENT) => {
                Some(StreamCondition::InvalidNamespace)
            }
            _ if !StreamVersion::is_supported(header) => Some(StreamCondition::UnsupportedVersion),
            _ => {
                let to = header.attribute("to").and_then(|to| to.parse().ok());
                (to.as_ref() != Some(&self.server.0.config.domain))
                    .then_some(StreamCondition::HostUnknown)
            }
        };
        if let Some(condition) = condition {
            return self.fail(reactor, transport, StreamError::new(condition));
        }
        let features = match self.account {
            Some(_) => self.features_for_session(),
            None => match self.features_for_login(transport) {
                Some(features) => features,
                None => {
                    let mut error = StreamError::new(StreamCondition::PolicyViolation);
                    error.text = Some("logins need TLS, which this port does not have".to_owned());
                    return self.fail(reactor, transport, error);
                }
            },
        };
        self.phase = if self.account.is_some() { Phase::Binding } else { Phase::Login };
        transport.write(with_prefix(&features));
    }

    /// The header of the server. A client of an older version is told none (RFC 6120 4.7.5).
    pub(super) fn send_header(
        &mut self,
        transport: &Transport,
        to: Option<&str>,
        version: Option<&str>,
    ) {
        self.has_header = true;
        let mut header = Element::new("stream", "")
            .with_attribute("from", self.server.0.config.domain.to_string())
            .with_attribute("id", random_word().unwrap_or_default())
            .with_lang("en");
        for (name, value) in [("version", version), ("to", to)] {
            if let Some(value) = value {
                header.set_attribute(name, value);
            }
        }
        let header = header.encode("").unwrap_or_default();
        let attributes = header.trim_start_matches("<stream").trim_end_matches("/>");
        transport.write(format!(
            "<?xml version='1.0'?><stream:stream xmlns='{}' xmlns:stream='{}'{attributes}>",
            ns::CLIENT,
            ns::STREAMS
        ));
    }

    /// Whether passwords may be spoken of here.
    fn is_secure(&self, transport: &Transport) -> bool {
        !self.server.0.config.requires_tls || Channel::of(transport).is_encrypted()
    }

    fn offers_tls(&self, transport: &Transport) -> bool {
        self.server.0.config.tls.is_offered() && !transport.is_tls()
    }

    /// What is offered before the login; `None` if that is nothing.
    fn features_for_login(&self, transport: &Transport) -> Option<Element> {
        let mut features = Element::new("features", ns::STREAMS);
        let is_secure = self.is_secure(transport);
        if self.offers_tls(transport) {
            let mut starttls = Element::new("starttls", ns::TLS);
            if !is_secure {
                starttls.push(Element::new("required", ns::TLS));
            }
            features.push(starttls);
        }
        if is_secure {
            let mut list = Element::new("mechanisms", ns::SASL);
            let mechanisms = self.mechanisms(transport);
            for mechanism in &mechanisms {
                list.push(Element::new("mechanism", ns::SASL).with_text(mechanism.name()));
            }
            features.push(list);
            if mechanisms.iter().any(|mechanism| matches!(mechanism, Mechanism::ScramPlus(_))) {
                // The one that `Channel` knows (XEP-0440).
                let kind = Element::new("channel-binding", ns::CHANNEL_BINDING)
                    .with_attribute("type", "tls-server-end-point");
                features.push(
                    Element::new("sasl-channel-binding", ns::CHANNEL_BINDING).with_child(kind),
                );
            }
        }
        if features.nodes().is_empty() {
            return None;
        }
        features.push(limits(STANZA_MAX, self.server.0.config.login_timeout.as_secs()));
        Some(features)
    }

    /// The mechanisms that XMPP has. LOGIN and CRAM-MD5 are of mail.
    fn mechanisms(&self, transport: &Transport) -> Vec<Mechanism> {
        let mut all = self.server.0.config.accounts.mechanisms(&Channel::of(transport));
        all.retain(|mechanism| {
            !matches!(mechanism, Mechanism::Login | Mechanism::CramMd5 | Mechanism::XOAuth2)
        });
        all
    }

    fn features_for_session(&self) -> Element {
        let config = &self.server.0.config;
        let session =
            Element::new("session", ns::SESSION).with_child(Element::new("optional", ns::SESSION));
        Element::new("features", ns::STREAMS)
            .with_child(Element::new("bind", ns::BIND))
            .with_child(session)
            .with_child(Element::new("sm", ns::STREAM_MANAGEMENT))
            .with_child(Element::new("ver", ns::ROSTER_VERSIONS))
            .with_child(Element::new("csi", ns::CLIENT_STATE))
            .with_child(limits(
                config.xml.stanza_max_bytes(),
                config.ping_after.saturating_add(config.pong_within).as_secs(),
            ))
    }

    /// An element before a resource is bound.
    pub(super) fn negotiate(
        &mut self,
        reactor: &Reactor,
        transport: &Transport,
        element: &Element,
    ) {
        let condition = match (self.phase, element.ns(), element.name()) {
            (Phase::Login, ns::TLS, "starttls") if self.offers_tls(transport) => {
                write(transport, &Element::new("proceed", ns::TLS));
                return self.server.0.config.tls.start(transport);
            }
            (Phase::Login, ns::TLS, "starttls") => {
                // RFC 6120 5.4.2.2: the stream ends with it.
                write(transport, &Element::new("failure", ns::TLS));
                self.phase = Phase::Closing;
                transport.write("</stream:stream>");
                return transport.lose_connection();
            }
            (Phase::Login, ns::SASL, "auth") => return self.auth(reactor, transport, element),
            (Phase::Responding, ns::SASL, "response") => {
                let text = element.text();
                let Some(sasl) = self.sasl.clone() else { return };
                // An empty message has no text.
                let step = sasl.respond_encoded(reactor, text.trim_ascii().as_bytes());
                return self.step(transport, step);
            }
            (Phase::Responding, ns::SASL, "abort") => {
                return self.login_failed(reactor, transport, &SaslError::Aborted);
            }
            // What the client has proved may not be true any more.
            (Phase::Binding, ..) if self.is_revoked(reactor) => StreamCondition::Reset,
            (Phase::Binding, ns::CLIENT, "iq") => return self.bind(reactor, transport, element),
            (Phase::Binding, ns::STREAM_MANAGEMENT, "resume") => {
                return self.resume(reactor, transport, element);
            }
            // RFC 6120 7.1: no stanza before a resource is bound.
            (_, ns::CLIENT, _) => StreamCondition::NotAuthorized,
            _ => StreamCondition::UnsupportedStanzaType,
        };
        self.fail(reactor, transport, StreamError::new(condition));
    }

    fn is_revoked(&self, reactor: &Reactor) -> bool {
        self.server.with(reactor, |domain| domain.revocations) != self.revocations
    }

    fn auth(&mut self, reactor: &Reactor, transport: &Transport, auth: &Element) {
        let mechanism = auth.attribute("mechanism").unwrap_or_default().to_owned();
        let is_offered = self.is_secure(transport)
            && self.mechanisms(transport).iter().any(|offered| offered.name() == mechanism);
        if !is_offered {
            let error = match self.is_secure(transport) {
                true => SaslError::NoSuchMechanism(mechanism),
                false => SaslError::EncryptionRequired,
            };
            return self.login_failed(reactor, transport, &error);
        }
        self.revocations = self.server.with(reactor, |domain| domain.revocations);
        let accounts = &self.server.0.config.accounts;
        let sasl = SaslServer::success_data(accounts, Channel::of(transport).service("xmpp"));
        let text = auth.text();
        let initial = Some(text.trim_ascii().as_bytes()).filter(|text| !text.is_empty());
        let step = sasl.start_encoded(reactor, &mechanism, initial);
        self.sasl = Some(sasl);
        self.step(transport, step);
    }

    /// Waits for a step of the login. Nothing more is read until it is there.
    fn step(
        &mut self,
        transport: &Transport,
        step: sinew_transports::reactor::Deferred<ServerStep, SaslError>,
    ) {
        self.phase = Phase::Waiting;
        transport.pause_reading();
        let (outcome, transport) = (Rc::clone(&self.outcome), transport.clone());
        step.then(move |_, step| Self::awaited(&transport, &outcome, Outcome::Step(step)));
    }

    /// What was awaited is there.
    pub(super) fn outcome_received(
        &mut self,
        reactor: &Reactor,
        transport: &Transport,
        outcome: Outcome,
    ) {
        if self.phase != Phase::Waiting {
            // The end of the connection closes the account again.
            if let Outcome::Opened { account, is_open: true, .. } = outcome {
                self.account = Some(account);
            }
            return;
        }
        match outcome {
            Outcome::Step(Ok(ServerStep::Challenge(challenge))) => {
                self.phase = Phase::Responding;
                write(transport, &with_data("challenge", &challenge));
            }
            Outcome::Step(Ok(ServerStep::Done { identity, data })) => {
                self.sasl = None;
                self.logged_in(reactor, transport, identity.name(), data);
            }
            Outcome::Step(Ok(_)) => self.login_failed(reactor, transport, &SaslError::OutOfOrder),
            Outcome::Step(Err(error)) => self.login_failed(reactor, transport, &error),
            Outcome::Opened { is_open: false, .. } => {
                self.login_refused(reactor, transport, "temporary-auth-failure");
            }
            Outcome::Opened { account, data, is_open: true } => {
                self.account = Some(account);
                let success = match data {
                    Some(data) => with_data("success", &data),
                    None => Element::new("success", ns::SASL),
                };
                write(transport, &success);
                self.fresh();
            }
        }
    }

    /// The credentials were right. The account is read before the client is told.
    fn logged_in(
        &mut self,
        reactor: &Reactor,
        transport: &Transport,
        name: &str,
        data: Option<Vec<u8>>,
    ) {
        let jid =
            format!("{name}@{}", self.server.0.config.domain).parse::<crate::xmpp::codec::Jid>();
        // Two names that are prepared alike would be one account.
        let is_prepared = jid.is_ok_and(|jid| jid.is_bare() && jid.local() == Some(name));
        if !is_prepared {
            return self.login_refused(reactor, transport, "not-authorized");
        }
        let account: Rc<str> = name.into();
        transport.pause_reading();
        let opened = self.server.open_account(reactor, name);
        let (outcome, transport, server) =
            (Rc::clone(&self.outcome), transport.clone(), self.server.clone());
        opened.then(move |reactor, opened| {
            let is_open = matches!(opened, Ok(true));
            if is_open && transport.is_closing() {
                // The connection does not know that it has the account.
                return server.with(reactor, |domain| domain.close_account(&account));
            }
            Self::awaited(&transport, &outcome, Outcome::Opened { account, data, is_open });
        });
        self.phase = Phase::Waiting;
    }

    fn login_failed(&mut self, reactor: &Reactor, transport: &Transport, error: &SaslError) {
        tracing::debug!(error = %with_causes(&error), peer = %transport.peer(), "a login of XMPP has failed");
        let condition = match error {
            SaslError::Aborted => "aborted",
            SaslError::Base64 => "incorrect-encoding",
            SaslError::NotAuthorized { .. } => "invalid-authzid",
            SaslError::NoSuchMechanism(_) => "invalid-mechanism",
            SaslError::EncryptionRequired => "encryption-required",
            SaslError::TooLong { .. } | SaslError::Malformed(_) | SaslError::OutOfOrder => {
                "malformed-request"
            }
            SaslError::Auth(AuthError::Unavailable(_) | AuthError::TooManyFailures { .. }) => {
                "temporary-auth-failure"
            }
            _ => "not-authorized",
        };
        self.login_refused(reactor, transport, condition);
    }

    /// RFC 6120 6.4.5: the client may try again, but not for ever.
    fn login_refused(&mut self, reactor: &Reactor, transport: &Transport, condition: &str) {
        self.sasl = None;
        let failure =
            Element::new("failure", ns::SASL).with_child(Element::new(condition, ns::SASL));
        write(transport, &failure);
        self.phase = Phase::Login;
        self.tries += 1;
        if self.tries >= self.server.0.config.logins_max {
            let mut error = StreamError::new(StreamCondition::PolicyViolation);
            error.text = Some("too many logins have failed".to_owned());
            self.fail(reactor, transport, error);
        }
    }

    fn bind(&mut self, reactor: &Reactor, transport: &Transport, iq: &Element) {
        let bind = iq.child("bind", ns::BIND).filter(|_| iq.attribute("type") == Some("set"));
        let (Some(bind), Some(account)) = (bind, self.account.clone()) else {
            return self.fail(reactor, transport, StreamError::new(StreamCondition::NotAuthorized));
        };
        let resource = bind.child("resource", ns::BIND).map(Element::text);
        let bound = match iq.attribute("id").is_some_and(|id| !id.is_empty()) {
            true => self
                .server
                .with(reactor, |domain| domain.bind(&account, resource.as_deref(), transport)),
            false => Err(bounce::modify(StanzaCondition::BadRequest)),
        };
        // Addresses are of stanzas after this.
        let mut iq = iq.clone();
        iq.remove_attribute("from");
        iq.remove_attribute("to");
        let answer = match bound {
            Ok((id, jid)) => {
                self.session = Some(id);
                self.phase = Phase::Online;
                let jid = Element::new("jid", ns::BIND).with_text(jid.to_string());
                bounce::result_of(&iq, Some(Element::new("bind", ns::BIND).with_child(jid)))
            }
            Err(error) => {
                self.refused += 1;
                refusal(&iq, &error)
            }
        };
        write(transport, &answer);
        self.check_refused(reactor, transport);
    }

    /// Each is answered, and a client that does not read would have its answers wait.
    fn check_refused(&mut self, reactor: &Reactor, transport: &Transport) {
        if self.refused >= REFUSED_MAX {
            let mut error = StreamError::new(StreamCondition::PolicyViolation);
            error.text = Some("too many requests to bind or to resume have failed".to_owned());
            self.fail(reactor, transport, error);
        }
    }

    fn resume(&mut self, reactor: &Reactor, transport: &Transport, resume: &Element) {
        let Some(account) = self.account.clone() else { return };
        match self.server.with(reactor, |domain| domain.resume(&account, resume, transport)) {
            Ok(id) => {
                self.session = Some(id);
                self.phase = Phase::Online;
            }
            Err(failed) => {
                self.refused += 1;
                write(transport, &failed);
                self.check_refused(reactor, transport);
            }
        }
    }
}

fn refusal(iq: &Element, error: &StanzaError) -> Element {
    let mut answer = bounce::reply_to(iq, "error");
    answer.push(error.to_element(ns::CLIENT));
    answer
}

/// XEP-0478.
fn limits(bytes: usize, idle_seconds: u64) -> Element {
    let number = |name, number: String| Element::new(name, ns::STREAM_LIMITS).with_text(number);
    Element::new("limits", ns::STREAM_LIMITS)
        .with_child(number("max-bytes", bytes.to_string()))
        .with_child(number("idle-seconds", idle_seconds.to_string()))
}

/// RFC 6120 6.4.2: an empty message is written as `=`.
fn with_data(name: &str, data: &[u8]) -> Element {
    let text = if data.is_empty() { "=".to_owned() } else { BASE64.encode(data) };
    Element::new(name, ns::SASL).with_text(text)
}

/// Writes what is no stanza.
fn write(transport: &Transport, element: &Element) {
    match element.encode(ns::CLIENT) {
        Ok(text) => drop(transport.write(text)),
        Err(error) => transport.fail(error),
    }
}
