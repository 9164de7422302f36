//! The connection of a component: [`ComponentConnection`], a thin protocol. The table of phases is in `link.rs`, what stanzas mean is in
//! `stanzas.rs`.

use std::{fmt, time::Duration};

use sinew_protocols::basic::PhaseDeadline;
use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport, reactor::with_causes};

use super::{
    ComponentError, XmppComponent,
    link::{Link, Phase},
};
use crate::xmpp::codec::{
    Element, Iq, StreamError, StreamEvent, StreamParser, XmlLimits, component_handshake, ns,
    stream_header::has_namespaces,
};

/// Longest element before the server has accepted the component.
const STANZA_MAX: usize = 10 * 1_024;

/// The connection of an [`XmppComponent`], as a [`Protocol`]. Made by it.
pub struct ComponentConnection {
    component: XmppComponent,
    parser: StreamParser,
    handshake: PhaseDeadline,
}

impl ComponentConnection {
    pub(super) fn new(component: XmppComponent) -> Self {
        let config = &component.0.config;
        let handshake = PhaseDeadline::new("the handshake", config.handshake_timeout);
        // A stream of a component has one parser: its limits before the handshake are those of a header.
        let parser = StreamParser::new(XmlLimits::default().stanza_max(STANZA_MAX));
        Self { component, parser, handshake }
    }

    fn event(&mut self, transport: &Transport, event: StreamEvent) {
        match event {
            StreamEvent::Opened(header) => self.opened(transport, &header),
            StreamEvent::Stanza(element) => self.element(transport, element),
            StreamEvent::Closed => {
                self.component.0.link.borrow_mut().phase = Phase::Closing;
                transport.write("</stream:stream>");
                transport.lose_connection();
            }
        }
    }

    fn opened(&self, transport: &Transport, header: &Element) {
        if !has_namespaces(header, self.parser.default_ns(), ns::COMPONENT) {
            return self.unexpected(transport, "a stream of another protocol");
        }
        let Some(id) = header.attribute("id").filter(|id| !id.is_empty()) else {
            return self.unexpected(transport, "a stream without an id");
        };
        self.component.0.link.borrow_mut().phase = Phase::Handshaking;
        let proof = component_handshake(id, self.component.0.config.secret.bytes());
        transport.write(format!("<handshake>{proof}</handshake>"));
    }

    fn element(&mut self, transport: &Transport, element: Element) {
        let phase = self.component.0.link.borrow().phase;
        if element.is("error", ns::STREAMS) {
            let error = ComponentError::Stream(StreamError::from_element(&element));
            return self.component.fail(transport, error);
        }
        match phase {
            Phase::Handshaking if element.is("handshake", ns::COMPONENT) => self.online(transport),
            Phase::Handshaking => self.unexpected(transport, "no answer to the handshake"),
            Phase::Online => self.component.stanza(transport, element),
            Phase::Offline | Phase::Opening | Phase::Closing => {}
        }
    }

    fn online(&mut self, transport: &Transport) {
        self.handshake.end(transport);
        self.parser.set_limits(self.component.0.config.xml);
        let mut link = self.component.0.link.borrow_mut();
        link.phase = Phase::Online;
        link.was_online = true;
        drop(link);
        self.component.0.waiting.succeed();
        self.component.call(|handler, xmpp| handler.online(xmpp));
    }

    fn unexpected(&self, transport: &Transport, what: &'static str) {
        self.component.fail(transport, ComponentError::Unexpected { what });
    }

    /// The server may have been silent for too long.
    fn check_alive(&self, transport: &Transport) {
        let Some(reactor) = transport.reactor() else { return };
        let config = &self.component.0.config;
        let mut link = self.component.0.link.borrow_mut();
        let silence = link.heard.map(|heard| reactor.now().saturating_duration_since(heard));
        let silence = silence.unwrap_or_default();
        let dead_after = config.ping_after.saturating_add(config.pong_within);
        if link.pinged && silence >= dead_after {
            drop(link);
            return self.component.fail(transport, ComponentError::Silent { after: silence });
        }
        let asks = silence >= config.ping_after && !link.pinged && link.phase == Phase::Online;
        link.pinged |= asks;
        let wait = match (silence >= config.ping_after, link.pinged) {
            (true, true) => dead_after.saturating_sub(silence),
            // Before the component is online, the deadline of the handshake counts.
            (true, false) => config.ping_after,
            (false, _) => config.ping_after - silence,
        };
        link.alive_timer = transport.call_later(wait.max(Duration::from_millis(1)));
        drop(link);
        if asks {
            self.ask();
        }
    }

    /// Sends a ping to the own domain, which the server gives back: the one address that a server must know.
    fn ask(&self) {
        let id = self.component.0.requests.borrow_mut().next_id();
        let ping = Iq::get(Element::new("ping", ns::PING));
        let ping = ping.with_to(self.component.domain()).with_id(id);
        if let Err(error) = self.component.send(ping) {
            tracing::debug!(error = %with_causes(&error), "the XMPP server was not asked whether it is there");
        }
    }
}

impl Protocol for ComponentConnection {
    fn connection_made(&mut self, transport: &Transport) {
        self.handshake.begin(transport);
        let mut link = self.component.0.link.borrow_mut();
        link.transport = Some(transport.clone());
        link.heard = transport.reactor().map(|reactor| reactor.now());
        drop(link);
        // A domain has nothing that would have to be escaped.
        transport.write(format!(
            "<?xml version='1.0'?><stream:stream xmlns='{}' xmlns:stream='{}' to='{}'>",
            ns::COMPONENT,
            ns::STREAMS,
            self.component.0.config.domain
        ));
        self.check_alive(transport);
    }

    fn data_received(&mut self, transport: &Transport, mut data: &[u8]) {
        let mut link = self.component.0.link.borrow_mut();
        link.heard = transport.reactor().map(|reactor| reactor.now());
        link.pinged = false;
        drop(link);
        while !transport.is_closing() {
            match self.parser.next(&mut data) {
                Ok(Some(event)) => self.event(transport, event),
                Ok(None) => break,
                Err(error) => return self.component.fail(transport, error.into()),
            }
        }
    }

    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        if let Some(passed) = self.handshake.passed(timer) {
            let error = ComponentError::TimedOut { after: passed.within };
            return self.component.fail(transport, error);
        }
        let mut link = self.component.0.link.borrow_mut();
        if link.alive_timer.take_if(|running| *running == timer).is_some() {
            drop(link);
            self.check_alive(transport);
        }
    }

    fn drain_requested(&mut self, transport: &Transport) {
        self.component.quit();
        transport.lose_connection();
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        let generation = self.component.0.link.borrow().generation;
        let link = self.component.0.link.replace(Link::new(generation));
        self.component.0.requests.borrow_mut().fail_all();
        let failure = (!link.was_online).then(|| {
            link.failure.unwrap_or_else(|| ComponentError::Lost { reason: reason.to_string() })
        });
        // Those who wait are told also if the handler panics, and those that it makes wait belong to the next connection.
        let failed = failure.map(|failure| self.component.failed(failure));
        self.component.call(|handler, xmpp| match &failed {
            Some(failed) => handler.handshake_failed(xmpp, failed.error()),
            None => handler.connection_lost(xmpp, reason),
        });
    }
}

impl fmt::Debug for ComponentConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComponentConnection")
            .field("component", &self.component)
            .finish_non_exhaustive()
    }
}
