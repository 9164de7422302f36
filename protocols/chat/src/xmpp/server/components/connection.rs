//! The connection of a component: [`ComponentPortConnection`], a thin protocol.
//!
//! | received | `Opening` | `Handshaking` | `Online` |
//! |---|---|---|---|
//! | header to a domain that is known | a header with an id | — | — |
//! | header to another one | `host-unknown` | — | — |
//! | the right handshake | — | online; `conflict` if the place is taken | `policy-violation` |
//! | a wrong one | — | `not-authorized`, late | `policy-violation` |
//! | any after too many wrong ones | — | `policy-violation` | `policy-violation` |
//! | stanza from the own domain | — | `not-authorized` | routed |
//! | stanza from elsewhere | — | `not-authorized` | `invalid-from` |
//! | stanza without a recipient | — | `not-authorized` | `improper-addressing` |
//! | another element | — | `not-authorized` | `unsupported-stanza-type` |
//! | end of the stream | closes | closes | closes |
//!
//! Each error ends the stream. While a handshake is judged, in `Judging`, nothing is read. In `Closing` nothing is received any more.

use std::{
    cell::Cell,
    fmt, mem,
    rc::Rc,
    time::{Duration, Instant},
};

use sinew_auth::{AuthError, Channel};
use sinew_protocols::basic::PhaseDeadline;
use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport};

use super::{ComponentPort, slot::Slot};
use crate::{
    bucket::Bucket,
    xmpp::{
        codec::{
            Element, Jid, Stanza, StanzaCondition, StanzaProblem, StreamCondition, StreamError,
            StreamEvent, StreamParser, XmlLimits, component_handshake, ns,
            stream_header::has_namespaces,
        },
        server::{
            Router,
            bounce::{is_answer, modify},
            session_life::{last_words, random_word},
        },
    },
};

/// Longest element before the handshake.
const STANZA_MAX: usize = 10 * 1_024;
/// Shortest timer.
const TICK: Duration = Duration::from_millis(1);
/// The id of the question whether a component is there. Nobody waits for the answer: any answer will do.
const PING_ID: &str = "component-ping";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Opening,
    Handshaking,
    Judging,
    Online,
    Closing,
}

/// The connection of a component with a [`ComponentPort`], as a [`Protocol`]. Made by it.
pub struct ComponentPortConnection {
    port: ComponentPort,
    router: Router,
    parser: StreamParser,
    handshake: PhaseDeadline,
    phase: Phase,
    /// The place that is claimed, and once online is had.
    slot: Option<Rc<Slot>>,
    id: String,
    /// Whether the handshake was right, once that is known.
    verdict: Rc<Cell<Option<Result<(), AuthError>>>>,
    /// What was received while nothing was to be read.
    rest: Vec<u8>,
    bucket: Bucket,
    rate_timer: Option<TimerId>,
    alive_timer: Option<TimerId>,
    heard: Option<Instant>,
    pinged: bool,
}

impl ComponentPortConnection {
    pub(super) fn new(port: ComponentPort, router: Router) -> Self {
        port.0.connections.set(port.0.connections.get() + 1);
        let handshake = PhaseDeadline::new("the handshake", port.0.config.handshake_timeout);
        Self {
            port,
            router,
            parser: StreamParser::new(XmlLimits::default().stanza_max(STANZA_MAX)),
            handshake,
            phase: Phase::Opening,
            slot: None,
            id: String::new(),
            verdict: Rc::default(),
            rest: Vec::new(),
            bucket: Bucket::new(),
            rate_timer: None,
            alive_timer: None,
            heard: None,
            pinged: false,
        }
    }

    /// Takes what was received, as long as there is something, and reading is not paused.
    fn take(&mut self, transport: &Transport, mut data: &[u8]) {
        while !data.is_empty() && !transport.is_closing() && self.phase != Phase::Closing {
            if self.rate_timer.is_some() || self.phase == Phase::Judging {
                self.rest = data.to_vec();
                return;
            }
            match self.parser.next(&mut data) {
                Ok(Some(StreamEvent::Opened(header))) => self.opened(transport, &header),
                Ok(Some(StreamEvent::Stanza(element))) => self.element(transport, element),
                Ok(Some(StreamEvent::Closed)) => {
                    self.phase = Phase::Closing;
                    transport.write("</stream:stream>");
                    transport.lose_connection();
                }
                Ok(None) => return,
                Err(error) => return self.fail(transport, error.condition()),
            }
        }
    }

    fn opened(&mut self, transport: &Transport, header: &Element) {
        if !has_namespaces(header, self.parser.default_ns(), ns::COMPONENT) {
            return self.fail(transport, StreamCondition::InvalidNamespace);
        }
        let Some(id) = random_word() else {
            return self.fail(transport, StreamCondition::InternalServerError);
        };
        // The domain of the accounts is no component's, whatever the configuration says: it could speak for all of them.
        let is_of_accounts =
            |slot: &Slot| self.router.domain().is_some_and(|own| own == slot.domain);
        let slot = header.attribute("to").and_then(|to| self.port.slot(to));
        let Some(slot) = slot.filter(|slot| !is_of_accounts(slot)) else {
            return self.fail(transport, StreamCondition::HostUnknown);
        };
        send_header(transport, Some(&slot.domain), &id);
        self.phase = Phase::Handshaking;
        (self.slot, self.id) = (Some(slot), id);
    }

    fn element(&mut self, transport: &Transport, element: Element) {
        match (self.phase, self.slot.clone()) {
            (Phase::Handshaking, Some(slot)) => self.proved(transport, &element, &slot),
            (Phase::Online, Some(slot)) => self.stanza(transport, element, &slot),
            _ => {}
        }
    }

    fn proved(&mut self, transport: &Transport, element: &Element, slot: &Slot) {
        let known = component_handshake(&self.id, slot.secret.bytes());
        let is_handshake = element.is("handshake", ns::COMPONENT);
        // In constant time; some components write the digits in upper case.
        let given = element.text().trim().to_ascii_lowercase();
        let is_right = is_handshake && sinew_auth::is_equal(known.as_bytes(), given.as_bytes());
        let Some(reactor) = transport.reactor() else { return };
        self.phase = Phase::Judging;
        transport.pause_reading();
        let (judge, domain) = (&self.port.0.config.judge, slot.domain.to_string());
        let judged = judge.judge(&reactor, &Channel::of(transport), &domain, is_right);
        let (verdict, transport) = (Rc::clone(&self.verdict), transport.clone());
        judged.then(move |_, judged| {
            verdict.set(Some(judged.map(drop)));
            transport.resume_reading();
        });
    }

    /// The handshake was judged.
    fn judged(&mut self, transport: &Transport, verdict: Result<(), AuthError>) {
        let Some(slot) = self.slot.clone().filter(|_| self.phase == Phase::Judging) else { return };
        if let Err(error) = verdict {
            tracing::info!(domain = %slot.domain, peer = %transport.peer(), %error, "a component has not proved its secret");
            return self.fail(
                transport,
                match error {
                    AuthError::TooManyFailures { .. } => StreamCondition::PolicyViolation,
                    AuthError::Refused => StreamCondition::NotAuthorized,
                    _ => StreamCondition::ResourceConstraint,
                },
            );
        }
        if !slot.take(transport, &self.router) {
            return self.fail(transport, StreamCondition::Conflict);
        }
        self.handshake.end(transport);
        self.parser.set_limits(self.port.0.config.xml);
        self.phase = Phase::Online;
        transport.write("<handshake/>");
    }

    fn stanza(&mut self, transport: &Transport, mut element: Element, slot: &Slot) {
        element.move_to_ns(ns::COMPONENT, &ns::CLIENT.into());
        let address = |name| element.attribute(name).and_then(|jid| jid.parse::<Jid>().ok());
        let is_own = address("from").is_some_and(|from| from.domain() == slot.domain.domain());
        let condition = match Stanza::try_from(element.clone()) {
            Err(StanzaProblem::Name) if element.is("handshake", ns::CLIENT) => {
                Some(StreamCondition::PolicyViolation)
            }
            Err(StanzaProblem::Name) => Some(StreamCondition::UnsupportedStanzaType),
            _ if !is_own => Some(StreamCondition::InvalidFrom),
            _ if address("to").is_none() => Some(StreamCondition::ImproperAddressing),
            // RFC 6120 8.2.3: a question that is none is answered as well.
            Err(problem) => {
                tracing::debug!(%problem, domain = %slot.domain, "a stanza of a component is refused");
                if element.attribute("id").is_some() {
                    self.router.refuse(&element, &modify(StanzaCondition::BadRequest));
                }
                None
            }
            Ok(_) if is_answer(&element) && !slot.is_awaited(&element, &self.router) => {
                tracing::debug!(domain = %slot.domain, "an answer to what was not asked, or is answered already");
                None
            }
            Ok(_) => {
                self.router.route(element);
                None
            }
        };
        if let Some(condition) = condition {
            return self.fail(transport, condition);
        }
        let config = &self.port.0.config;
        let Some(reactor) = transport.reactor() else { return };
        if let Err(wait) = self.bucket.take(reactor.now(), config.burst, config.interval) {
            // It was taken already, and counts.
            self.bucket.charge(reactor.now(), 1, config.interval);
            self.rate_timer = transport.call_later(wait.max(TICK));
            transport.pause_reading();
        }
    }

    /// Ends the stream, and says why.
    fn fail(&mut self, transport: &Transport, condition: StreamCondition) {
        if mem::replace(&mut self.phase, Phase::Closing) == Phase::Closing {
            return;
        }
        if self.id.is_empty() {
            send_header(transport, None, &random_word().unwrap_or_default());
        }
        transport.write(last_words(&StreamError::new(condition)));
        self.leave(transport);
        transport.lose_connection();
    }

    fn leave(&self, transport: &Transport) {
        if let Some(slot) = &self.slot {
            slot.leave(transport, &self.router);
        }
    }

    /// The component may have been silent for too long.
    fn check_alive(&mut self, transport: &Transport) {
        let (Some(reactor), Some(heard)) = (transport.reactor(), self.heard) else { return };
        let config = &self.port.0.config;
        let silence = reactor.now().saturating_duration_since(heard);
        let dead_after = config.ping_after.saturating_add(config.pong_within);
        if self.pinged && silence >= dead_after {
            return self.fail(transport, StreamCondition::ConnectionTimeout);
        }
        let is_due = silence >= config.ping_after && self.phase == Phase::Online;
        let wait = match (silence >= config.ping_after, self.pinged || is_due) {
            (true, true) => dead_after.saturating_sub(silence),
            // Before it is online, the deadline of the handshake counts.
            (true, false) => config.ping_after,
            (false, _) => config.ping_after - silence,
        };
        if is_due && !mem::replace(&mut self.pinged, true) {
            self.ask(transport);
        }
        self.alive_timer = transport.call_later(wait.max(TICK));
    }

    fn ask(&self, transport: &Transport) {
        let (Some(slot), Some(from)) = (&self.slot, self.router.domain()) else { return };
        let ping = Element::new("iq", ns::CLIENT)
            .with_attribute("type", "get")
            .with_attribute("id", PING_ID)
            .with_attribute("from", from.to_string())
            .with_attribute("to", slot.domain.to_string())
            .with_child(Element::new("ping", ns::PING));
        transport.write(ping.encode(ns::CLIENT).unwrap_or_default());
    }
}

fn send_header(transport: &Transport, from: Option<&Jid>, id: &str) {
    // Neither a domain nor the id has anything that would have to be escaped.
    let from = from.map(|from| format!(" from='{from}'")).unwrap_or_default();
    transport.write(format!(
        "<?xml version='1.0'?><stream:stream xmlns='{}' xmlns:stream='{}'{from} id='{id}'>",
        ns::COMPONENT,
        ns::STREAMS
    ));
}

impl Protocol for ComponentPortConnection {
    fn connection_made(&mut self, transport: &Transport) {
        self.handshake.begin(transport);
        self.heard = transport.reactor().map(|reactor| reactor.now());
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
        if let Some(verdict) = self.verdict.take() {
            self.judged(transport, verdict);
        }
        let rest = mem::take(&mut self.rest);
        self.take(transport, &rest);
    }

    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        if self.handshake.passed(timer).is_some() {
            return self.fail(transport, StreamCondition::ConnectionTimeout);
        }
        if self.rate_timer.take_if(|running| *running == timer).is_some() {
            return transport.resume_reading();
        }
        if self.alive_timer.take_if(|running| *running == timer).is_some() {
            self.check_alive(transport);
        }
    }

    fn drain_requested(&mut self, transport: &Transport) {
        self.fail(transport, StreamCondition::SystemShutdown);
    }

    fn connection_lost(&mut self, transport: &Transport, _: &ConnectionLost) {
        self.phase = Phase::Closing;
        self.leave(transport);
    }
}

impl Drop for ComponentPortConnection {
    fn drop(&mut self) {
        let connections = &self.port.0.connections;
        connections.set(connections.get().saturating_sub(1));
    }
}

impl fmt::Debug for ComponentPortConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComponentPortConnection")
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
