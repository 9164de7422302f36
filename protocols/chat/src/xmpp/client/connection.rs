//! The connection of a client: [`XmppConnection`], a thin protocol. What elements mean is in `negotiation.rs` and `incoming.rs`.

use std::{fmt, time::Duration};

use sinew_protocols::basic::PhaseDeadline;
use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport, reactor::with_causes};

use super::{
    XmppClient, XmppError,
    state::{Link, Phase},
    xmpp_client::REQUEST,
};
use crate::xmpp::codec::{Element, Iq, StreamParser, XmlLimits, ns};

/// Longest stanza before the login.
const STANZA_MAX: usize = 10 * 1_024;

/// The connection of an [`XmppClient`], as a [`Protocol`]. Made by it.
pub struct XmppConnection {
    client: XmppClient,
    parser: StreamParser,
    login: PhaseDeadline,
}

/// What follows an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The next element.
    Element,
    /// A new stream.
    Stream,
    /// Nothing in plaintext.
    Tls,
}

impl XmppConnection {
    pub(super) fn new(client: XmppClient) -> Self {
        let login = PhaseDeadline::new("the login", client.0.config.login_timeout);
        let parser = StreamParser::new(before_login());
        Self { client, parser, login }
    }

    /// Begins a stream, also after TLS and after the login: with a parser that knows nothing of the one before.
    fn open(&mut self, transport: &Transport) {
        if transport.is_closing() {
            return;
        }
        let mut link = self.client.0.link.borrow_mut();
        link.phase = Phase::Opening;
        let limits = match link.is_logged_in {
            true => self.client.0.config.xml,
            false => before_login(),
        };
        drop(link);
        self.parser = StreamParser::new(limits);
        let config = &self.client.0.config;
        // The name is sent only where nobody reads it.
        let from = transport.is_tls().then(|| config.jid.bare().to_string());
        let mut header = Element::new("stream", "").with_attribute("to", config.jid.domain());
        if let Some(from) = from {
            header.set_attribute("from", from);
        }
        let header = header.with_attribute("version", "1.0").encode("");
        let header = header.unwrap_or_default();
        let attributes = header.trim_start_matches("<stream").trim_end_matches("/>");
        transport.write(format!(
            "<?xml version='1.0'?><stream:stream xmlns='{}' xmlns:stream='{}'{attributes}>",
            ns::CLIENT,
            ns::STREAMS
        ));
    }

    /// The server may have been silent for too long.
    fn check_alive(&self, transport: &Transport) {
        let Some(reactor) = transport.reactor() else { return };
        let config = &self.client.0.config;
        let mut link = self.client.0.link.borrow_mut();
        let silence = link.heard.map(|heard| reactor.now().saturating_duration_since(heard));
        let silence = silence.unwrap_or_default();
        // A server that ends silent connections says when (XEP-0478).
        let ping_after = link.server_limits.ping_after(config.ping_after);
        let dead_after = ping_after.saturating_add(config.pong_within);
        if link.pinged && silence >= dead_after {
            drop(link);
            return self.client.fail(transport, XmppError::Silent { after: silence });
        }
        let owed = self.client.acknowledgement_owed().filter(|_| transport.queued() == 0);
        if let Some(after) = owed.filter(|owed| *owed >= dead_after) {
            drop(link);
            return self.client.fail(transport, XmppError::Unacknowledged { after });
        }
        let asks = silence >= ping_after && !link.pinged && link.phase == Phase::Online;
        link.pinged |= asks;
        let wait = match (silence >= ping_after, link.pinged) {
            (true, true) => dead_after.saturating_sub(silence),
            // Before the client is online, the deadline of the login counts.
            (true, false) => ping_after,
            (false, _) => ping_after - silence,
        };
        link.alive_timer = transport.call_later(wait.max(Duration::from_millis(1)));
        drop(link);
        if asks {
            self.ask(transport);
        }
    }

    /// The client is online, and the server may have said how long it bears silence.
    fn check_again(&self, transport: &Transport) {
        if let Some(timer) = self.client.0.link.borrow_mut().alive_timer.take() {
            transport.cancel_timer(timer);
        }
        self.check_alive(transport);
    }

    /// Asks whether the server is there: for an acknowledgement, which it has to give, or by a ping.
    fn ask(&self, transport: &Transport) {
        let mut session = self.client.0.session.borrow_mut();
        if session.management.is_some() {
            drop(session);
            transport.write(REQUEST);
            return;
        }
        let id = session.requests.next_id();
        let server = session.jid.of_domain();
        drop(session);
        // Any answer will do, and so will an error.
        let ping = Iq::get(Element::new("ping", ns::PING)).with_to(server).with_id(id);
        if let Err(error) = self.client.put(ping.into()) {
            tracing::debug!(error = %with_causes(&error), "the XMPP server was not asked whether it is there");
        }
    }
}

fn before_login() -> XmlLimits {
    XmlLimits::default().stanza_max(STANZA_MAX)
}

impl Protocol for XmppConnection {
    fn connection_made(&mut self, transport: &Transport) {
        self.login.begin(transport);
        let mut link = self.client.0.link.borrow_mut();
        link.transport = Some(transport.clone());
        link.heard = transport.reactor().map(|reactor| reactor.now());
        drop(link);
        self.open(transport);
        self.check_alive(transport);
    }

    fn data_received(&mut self, transport: &Transport, mut data: &[u8]) {
        let mut link = self.client.0.link.borrow_mut();
        link.heard = transport.reactor().map(|reactor| reactor.now());
        link.pinged = false;
        drop(link);
        while !transport.is_closing() {
            let event = match self.parser.next(&mut data) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => return self.client.fail(transport, error.into()),
            };
            match self.client.received(transport, event, self.parser.default_ns()) {
                Next::Element => {}
                Next::Stream => self.open(transport),
                // RFC 6120 5.4.3.3: anybody can have inserted it.
                Next::Tls if !data.is_empty() => {
                    return self.client.fail(transport, XmppError::BehindProceed);
                }
                Next::Tls => return self.client.start_tls(transport),
            }
            if self.login.is_running() && self.client.is_online() {
                self.login.end(transport);
                self.check_again(transport);
            }
        }
        // An acknowledgement makes room.
        self.client.send_waiting_if_online();
    }

    fn writing_resumed(&mut self, _: &Transport) {
        self.client.send_waiting_if_online();
    }

    fn tls_started(&mut self, transport: &Transport) {
        self.open(transport);
    }

    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        if let Some(passed) = self.login.passed(timer) {
            return self.client.fail(transport, XmppError::TimedOut { after: passed.within });
        }
        let mut link = self.client.0.link.borrow_mut();
        if link.alive_timer.take_if(|running| *running == timer).is_some() {
            drop(link);
            self.check_alive(transport);
        }
    }

    fn drain_requested(&mut self, transport: &Transport) {
        self.client.quit();
        transport.lose_connection();
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        let generation = self.client.0.link.borrow().generation;
        let link = self.client.0.link.replace(Link::new(generation));
        let unknown = self.client.session_cut(link.was_online, link.is_ended);
        let failure = (!link.was_online).then(|| {
            link.failure.unwrap_or_else(|| XmppError::Lost { reason: reason.to_string() })
        });
        // Those who wait are told also if the handler panics, and those that it makes wait belong to the next connection.
        let failed = failure.map(|failure| self.client.failed(failure));
        if !unknown.is_empty() {
            self.client.call(|handler, xmpp| handler.undelivered(xmpp, unknown));
        }
        self.client.call(|handler, xmpp| match &failed {
            Some(failed) => handler.login_failed(xmpp, failed.error()),
            None => handler.connection_lost(xmpp, reason),
        });
    }
}

impl fmt::Debug for XmppConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XmppConnection").field("client", &self.client).finish_non_exhaustive()
    }
}
