//! The connection of a client: [`XmppServerConnection`], a thin protocol. It has the parser and the clocks; what elements mean before a
//! resource is bound is in `negotiation.rs`, and after that in `inbound.rs`.

use std::{
    cell::Cell,
    fmt, mem,
    rc::Rc,
    time::{Duration, Instant},
};

use sinew_auth::{SaslError, SaslServer, ServerStep};
use sinew_protocols::basic::PhaseDeadline;
use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport, reactor::Reactor};

use super::{
    XmppServer,
    session::{REQUEST, SessionId},
    session_life::last_words,
};
use crate::{
    bucket::Bucket,
    xmpp::codec::{
        Element, StreamCondition, StreamError, StreamEvent, StreamParser, XmlLimits, ns,
    },
};

/// Longest stanza before the login.
pub(super) const STANZA_MAX: usize = 10 * 1_024;
/// So many bytes of a stanza count as another one for the rate.
const RATED_LEN: usize = 4 * 1_024;
/// Shortest timer.
const TICK: Duration = Duration::from_millis(1);

/// What is received when.
///
/// | received | `Opening` | `Login` | `Responding` | `Binding` | `Online` |
/// |---|---|---|---|---|---|
/// | header | to `Login`, or to `Binding` | — | — | — | — |
/// | starttls | — | TLS, to `Opening` | ends | ends | ends |
/// | auth | — | to `Waiting` | ends | ends | ends |
/// | response, abort | — | ends | to `Waiting`, to `Login` | ends | ends |
/// | iq that binds | — | ends | ends | to `Online` | a stanza, refused |
/// | resume | — | ends | ends | to `Online` | ends |
/// | stanza | — | ends | ends | ends | taken |
/// | enable, r, a | — | ends | ends | ends | taken |
/// | active, inactive | — | ends | ends | ends | taken |
/// | end of the stream | closes | closes | closes | closes | closes |
///
/// In `Waiting` an answer of the authenticator or of the store is awaited, and nothing is read. In `Closing` nothing is received any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Opening,
    Login,
    Responding,
    Waiting,
    Binding,
    Online,
    Closing,
}

/// What was awaited.
pub(super) enum Outcome {
    Step(Result<ServerStep, SaslError>),
    /// The account of this name is in memory, or could not be read. What to send with the word of success.
    Opened {
        account: Rc<str>,
        data: Option<Vec<u8>>,
        is_open: bool,
    },
}

/// The connection of a client with an [`XmppServer`], as a [`Protocol`]. Made by it.
pub struct XmppServerConnection {
    pub(super) server: XmppServer,
    parser: StreamParser,
    /// Something but white space was given to the parser.
    has_begun: bool,
    login: PhaseDeadline,
    pub(super) phase: Phase,
    /// A header was sent on this stream.
    pub(super) has_header: bool,
    pub(super) sasl: Option<SaslServer>,
    pub(super) tries: usize,
    /// How often credentials had been revoked when the login began.
    pub(super) revocations: u64,
    /// Requests to bind or to resume that have failed.
    pub(super) refused: usize,
    pub(super) outcome: Rc<Cell<Option<Outcome>>>,
    /// After the login.
    pub(super) account: Option<Rc<str>>,
    pub(super) session: Option<SessionId>,
    /// What was received while nothing was to be read.
    rest: Vec<u8>,
    /// Bytes that were received since the last stanza.
    received: usize,
    bucket: Bucket,
    rate_timer: Option<TimerId>,
    alive_timer: Option<TimerId>,
    heard: Option<Instant>,
    pinged: bool,
    is_counted: bool,
}

impl XmppServerConnection {
    pub(super) fn new(server: XmppServer) -> Self {
        Self {
            parser: StreamParser::new(before_login()),
            has_begun: false,
            login: PhaseDeadline::new("the login", server.0.config.login_timeout),
            server,
            phase: Phase::Opening,
            has_header: false,
            sasl: None,
            tries: 0,
            revocations: 0,
            refused: 0,
            outcome: Rc::default(),
            account: None,
            session: None,
            rest: Vec::new(),
            received: 0,
            bucket: Bucket::new(),
            rate_timer: None,
            alive_timer: None,
            heard: None,
            pinged: false,
            is_counted: false,
        }
    }

    /// A new stream, after TLS and after a login: with a parser that knows nothing of the one before.
    pub(super) fn fresh(&mut self) {
        let limits = match self.account {
            Some(_) => self.server.0.config.xml,
            None => before_login(),
        };
        self.parser = StreamParser::new(limits);
        self.has_begun = false;
        self.phase = Phase::Opening;
        self.has_header = false;
    }

    pub(super) fn default_ns(&self) -> &str {
        self.parser.default_ns()
    }

    /// Takes what was received, as long as there is something, and reading is not paused.
    fn take(&mut self, transport: &Transport, mut data: &[u8]) {
        let Some(reactor) = transport.reactor() else { return };
        while !data.is_empty() && !transport.is_closing() && self.phase != Phase::Closing {
            if self.is_paused(transport) {
                self.rest = data.to_vec();
                return;
            }
            if !self.has_begun {
                // Some clients end `<auth/>` with a line end, which comes before the next stream.
                data = data.trim_ascii_start();
                self.has_begun = !data.is_empty();
            }
            let before = data.len();
            let event = self.parser.next(&mut data);
            self.received += before - data.len();
            match event {
                Ok(Some(event)) => self.event(&reactor, transport, event),
                Ok(None) => return,
                Err(error) => {
                    let mut said = StreamError::new(error.condition());
                    said.text = Some(error.to_string());
                    return self.fail(&reactor, transport, said);
                }
            }
            if transport.is_starting_tls() {
                // What was received behind `<starttls/>` was not encrypted, and is dropped (RFC 6120 5.4.3.3).
                return;
            }
        }
    }

    fn is_paused(&self, transport: &Transport) -> bool {
        self.phase == Phase::Waiting || self.rate_timer.is_some() || !transport.is_reading()
    }

    fn event(&mut self, reactor: &Reactor, transport: &Transport, event: StreamEvent) {
        match event {
            StreamEvent::Opened(header) => self.opened(reactor, transport, &header),
            StreamEvent::Closed => self.closed(reactor, transport),
            StreamEvent::Stanza(element) if self.phase == Phase::Online => {
                self.online(reactor, transport, element);
            }
            StreamEvent::Stanza(element) => self.negotiate(reactor, transport, &element),
        }
        if self.phase == Phase::Online && self.login.is_running() {
            self.login.end(transport);
        }
    }

    fn online(&mut self, reactor: &Reactor, transport: &Transport, element: Element) {
        let Some(id) = self.session else { return };
        let taken = self.server.with(reactor, |domain| match element.ns() {
            ns::STREAM_MANAGEMENT => domain.management_received(id, &element),
            ns::CLIENT_STATE => domain.client_state_received(id, &element),
            _ => domain.received(id, element).map_err(StreamError::new),
        });
        if let Err(error) = taken {
            return self.fail(reactor, transport, error);
        }
        let config = &self.server.0.config;
        let more = u32::try_from(mem::take(&mut self.received) / RATED_LEN).unwrap_or(u32::MAX);
        self.bucket.charge(reactor.now(), more, config.interval);
        if let Err(wait) = self.bucket.take(reactor.now(), config.burst, config.interval) {
            self.rate_timer = transport.call_later(wait.max(TICK));
            transport.pause_reading();
        }
    }

    /// The client ends its stream, and with it the session.
    fn closed(&mut self, reactor: &Reactor, transport: &Transport) {
        self.phase = Phase::Closing;
        if let Some(id) = self.session.take() {
            self.server.with(reactor, |domain| domain.stream_ended(id, transport.id()));
        }
        transport.write("</stream:stream>");
        transport.lose_connection();
    }

    /// Ends the stream, and says why. The session ends as well, for the client has done what it must not.
    pub(super) fn fail(&mut self, reactor: &Reactor, transport: &Transport, error: StreamError) {
        if mem::replace(&mut self.phase, Phase::Closing) == Phase::Closing {
            return;
        }
        tracing::debug!(%error, peer = %transport.peer(), "a stream of XMPP is ended");
        if !self.has_header {
            self.send_header(transport, None, Some("1.0"));
        }
        transport.write(last_words(&error));
        transport.lose_connection();
        if let Some(id) = self.session.take() {
            self.server.with(reactor, |domain| domain.stream_ended(id, transport.id()));
        }
    }

    /// The client may have been silent for too long.
    fn check_alive(&mut self, transport: &Transport) {
        let Some(reactor) = transport.reactor() else { return };
        if self.rate_timer.is_some() {
            // It is not read, and its silence says nothing.
            self.heard = Some(reactor.now());
        }
        let Some(heard) = self.heard else { return };
        let config = &self.server.0.config;
        let silence = reactor.now().saturating_duration_since(heard);
        let dead_after = config.ping_after.saturating_add(config.pong_within);
        if self.pinged && silence >= dead_after {
            return self.dead(transport);
        }
        let is_due = silence >= config.ping_after && self.phase == Phase::Online;
        if is_due && !mem::replace(&mut self.pinged, true) {
            self.ask(&reactor, transport);
        }
        let config = &self.server.0.config;
        let wait = match (silence >= config.ping_after, self.pinged) {
            (true, true) => dead_after.saturating_sub(silence),
            // Before it is online, the deadline of the login counts.
            (true, false) => config.ping_after,
            (false, _) => config.ping_after - silence,
        };
        self.alive_timer = transport.call_later(wait.max(TICK));
    }

    /// Nothing has come for too long: the connection is lost, and the session may be resumed.
    fn dead(&mut self, transport: &Transport) {
        self.phase = Phase::Closing;
        transport.write(last_words(&StreamError::new(StreamCondition::ConnectionTimeout)));
        transport.fail("the client of XMPP was silent for too long");
    }

    /// Asks whether the client is there: for an acknowledgement, or by a ping.
    fn ask(&self, reactor: &Reactor, transport: &Transport) {
        let Some(id) = self.session else { return };
        self.server.with(reactor, |domain| {
            let Some(session) = domain.sessions.get(&id) else { return };
            if session.management.is_some() {
                transport.write(REQUEST);
                return;
            }
            let to = session.jid.to_string();
            let ping = Element::new("iq", ns::CLIENT)
                .with_attribute("type", "get")
                .with_attribute("id", domain.next_id())
                .with_attribute("from", domain.config.domain.to_string())
                .with_attribute("to", to)
                .with_child(Element::new("ping", ns::PING));
            domain.send(id, ping);
        });
    }

    /// Has the loop call again when something that was awaited is there.
    pub(super) fn awaited(transport: &Transport, outcome: &Cell<Option<Outcome>>, is: Outcome) {
        outcome.set(Some(is));
        transport.resume_reading();
    }
}

fn before_login() -> XmlLimits {
    XmlLimits::default().stanza_max(STANZA_MAX)
}

impl Protocol for XmppServerConnection {
    fn connection_made(&mut self, transport: &Transport) {
        let Some(reactor) = transport.reactor() else { return };
        self.is_counted = self.server.with(&reactor, |domain| {
            let has_room = domain.connections < domain.config.connections_max;
            domain.connections += usize::from(has_room);
            has_room
        });
        if !self.is_counted {
            return self.fail(
                &reactor,
                transport,
                StreamError::new(StreamCondition::ResourceConstraint),
            );
        }
        self.login.begin(transport);
        self.heard = Some(reactor.now());
        self.check_alive(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.heard = transport.reactor().map(|reactor| reactor.now());
        self.pinged = false;
        match self.rest.is_empty() {
            true => self.take(transport, data),
            false => {
                let mut all = mem::take(&mut self.rest);
                all.extend_from_slice(data);
                self.take(transport, &all);
            }
        }
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        let Some(reactor) = transport.reactor() else { return };
        if let Some(outcome) = self.outcome.take() {
            self.outcome_received(&reactor, transport, outcome);
        }
        let rest = mem::take(&mut self.rest);
        self.take(transport, &rest);
    }

    fn tls_started(&mut self, _: &Transport) {
        self.rest = Vec::new();
        self.fresh();
    }

    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        let Some(reactor) = transport.reactor() else { return };
        if self.login.passed(timer).is_some() {
            return self.fail(
                &reactor,
                transport,
                StreamError::new(StreamCondition::ConnectionTimeout),
            );
        }
        if self.rate_timer.take_if(|running| *running == timer).is_some() {
            // That of the stanza for which there was none.
            let config = &self.server.0.config;
            self.bucket.charge(reactor.now(), 1, config.interval);
            return transport.resume_reading();
        }
        if self.alive_timer.take_if(|running| *running == timer).is_some() {
            self.check_alive(transport);
        }
    }

    fn drain_requested(&mut self, transport: &Transport) {
        let Some(reactor) = transport.reactor() else { return };
        self.fail(&reactor, transport, StreamError::new(StreamCondition::SystemShutdown));
    }

    fn connection_lost(&mut self, transport: &Transport, _: &ConnectionLost) {
        let Some(reactor) = transport.reactor() else { return };
        let (session, mut account) = (self.session.take(), self.account.take());
        if let Some(Outcome::Opened { account: opened, is_open: true, .. }) = self.outcome.take() {
            account = Some(opened);
        }
        let is_counted = mem::take(&mut self.is_counted);
        self.server.with(&reactor, |domain| {
            domain.connections -= usize::from(is_counted);
            if let Some(id) = session {
                domain.connection_lost(id, transport.id());
            }
            if let Some(account) = account {
                domain.close_account(&account);
            }
        });
    }
}

impl fmt::Debug for XmppServerConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XmppServerConnection").field("phase", &self.phase).finish_non_exhaustive()
    }
}
