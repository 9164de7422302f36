//! What a connection does with responses: writes them, and decides what follows.

use std::{rc::Rc, time::Duration};

use http::{Method, StatusCode, Version};
use sinew_transports::{Transport, WriteStatus, endpoint::DynProtocol};

use super::{
    Request, Response,
    answer::Plan,
    connection::{Flood, HttpConnection, Life, Step},
    exchange::{Answer, Exchange, Stage},
};
use crate::body::{INLINE_MAX, Reader, Receiving, Sending};

impl HttpConnection {
    /// Writes the response of a handler that has responded at once, if request and response have the usual form. Returns `true` if the
    /// exchange is over.
    #[inline]
    pub(super) fn answer_at_once(&mut self, transport: &Transport, exchange: &Exchange) -> bool {
        if exchange.stage.get() != Stage::Answered || !exchange.is_plain() {
            return false;
        }
        let status = match &*exchange.answered() {
            Some(Answer::Response(response)) => self.write_usual(transport, exchange, response),
            _ => None,
        };
        let Some(status) = status else { return false };
        self.note_flood(transport, status);
        self.exchange = None;
        exchange.stage.set(Stage::Gone);
        true
    }

    pub(super) fn answer(
        &mut self,
        transport: &Transport,
        exchange: &Rc<Exchange>,
        has_more: bool,
    ) {
        let mut answered = exchange.answered();
        let Some(answer) = &mut *answered else { return };
        match answer {
            Answer::Response(response) => {
                if self.closes_over_body(exchange) {
                    exchange.closes.set(true);
                }
                check_final(exchange, response);
                self.write_response(transport, exchange, response);
            }
            Answer::Dropped => self.write_failure(transport, exchange),
            Answer::HandOver(..) if !exchange.incoming.borrow().decoder.is_ended() => {
                // An unread body would be taken for the first bytes of the new protocol.
                tracing::error!(
                    has_more,
                    "a connection was to be given on before the body of its request was read"
                );
                self.write_failure(transport, exchange);
            }
            Answer::HandOver(response, _) => {
                self.write_response(transport, exchange, response);
                let answer = answered.take();
                drop(answered);
                if let Some(Answer::HandOver(_, protocol)) = answer {
                    self.hand_over(transport, exchange, protocol);
                }
            }
        }
    }

    /// Responds that the handler has failed, and closes.
    fn write_failure(&mut self, transport: &Transport, exchange: &Rc<Exchange>) {
        exchange.closes.set(true);
        let mut response = Response::new(StatusCode::INTERNAL_SERVER_ERROR);
        self.write_response(transport, exchange, &mut response);
    }

    /// Whether the rest of the body is not worth reading, or may never arrive.
    fn closes_over_body(&self, exchange: &Exchange) -> bool {
        let incoming = exchange.incoming.borrow();
        let is_left = !incoming.decoder.is_ended();
        is_left
            && (incoming.expects_continue
                || incoming.decoder.announced() > self.shared.config.unread_max)
    }

    pub(super) fn write_response(
        &mut self,
        transport: &Transport,
        exchange: &Rc<Exchange>,
        response: &mut Response,
    ) {
        while let Some(map) = exchange.next_map() {
            exchange.in_callback(|| map(&Request(Rc::clone(exchange)), response));
        }
        exchange.answered_with.set(Some(response.status));
        let status = match self.write_usual(transport, exchange, response) {
            Some(status) => status,
            None => self.write_any(transport, exchange, response),
        };
        self.note_flood(transport, status);
        self.set_timeout(transport);
    }

    fn note_flood(&mut self, transport: &Transport, status: WriteStatus) {
        if status == WriteStatus::AboveHighWatermark && self.flood == Flood::No {
            self.flood = Flood::Maybe;
            // By then the bytes have been handed to the system.
            transport.call_later(Duration::ZERO);
        }
    }

    /// Writes a response of the usual form: a 200 with a short body and no field other than its content type.
    #[inline]
    fn write_usual(
        &self,
        transport: &Transport,
        exchange: &Exchange,
        response: &Response,
    ) -> Option<WriteStatus> {
        let closes = exchange.closes.get() || self.is_draining || response.close;
        let head = &exchange.head;
        let is_usual = response.status == StatusCode::OK
            && response.fields.is_empty()
            && !closes
            && head.version() == Version::HTTP_11
            && !matches!(*head.method(), Method::HEAD | Method::CONNECT);
        let body = response.body.bytes().filter(|body| is_usual && body.len() <= INLINE_MAX)?;
        let reactor = transport.reactor()?;
        exchange.stage.set(Stage::Sent);
        exchange.sent.set(body.len() as u64);
        Some(self.shared.write_usual(transport, &reactor, response.content_type, body))
    }

    #[inline(never)]
    fn write_any(
        &self,
        transport: &Transport,
        exchange: &Rc<Exchange>,
        response: &mut Response,
    ) -> WriteStatus {
        let closes = exchange.closes.get() || self.is_draining;
        let plan = Plan::new(&exchange.head, response, closes);
        exchange.closes.set(plan.closes);
        let body = response.take_body();
        self.shared.with_scratch(|out| {
            plan.push_head(out, &self.shared, transport, &exchange.head, response);
            exchange.stage.set(Stage::Sent);
            exchange.send(transport, out, body, plan.framing)
        })
    }

    fn hand_over(&mut self, transport: &Transport, exchange: &Rc<Exchange>, protocol: DynProtocol) {
        self.life = Life::GivenOn;
        exchange.stop_body_timer(transport);
        transport.set_idle_timeout(None);
        self.exchange = None;
        Self::tell_end(exchange, true);
        if let Err(error) = transport.set_protocol(protocol) {
            tracing::debug!(%error, "a connection could not be given on");
            transport.lose_connection();
        }
        if self.is_paused {
            self.is_paused = false;
            transport.resume_reading();
        }
    }

    /// The response is with the transport: the rest of the body is dropped, and the next request may start.
    pub(super) fn finish(
        &mut self,
        transport: &Transport,
        exchange: &Rc<Exchange>,
        used: usize,
    ) -> Step {
        let (is_left, is_discarded, is_too_much) = {
            let incoming = exchange.incoming.borrow();
            let is_left = !incoming.decoder.is_ended();
            let is_discarded = is_left && matches!(incoming.reader, Reader::Discard);
            let is_too_much = is_discarded && incoming.received > self.shared.config.unread_max;
            (is_left, is_discarded, is_too_much)
        };
        if exchange.closes.get() || is_left && (is_too_much || self.has_peer_ended) {
            self.end(transport, exchange);
            return Step::Used(used);
        }
        if !is_left {
            self.exchange = None;
            exchange.stop_body_timer(transport);
            self.set_timeout(transport);
            Self::tell_end(exchange, true);
            return Step::Used(used);
        }
        if !is_discarded {
            exchange.in_callback(|| exchange.discard_body());
            return Step::Used(used);
        }
        match used {
            0 => Step::Wait,
            used => Step::Used(used),
        }
    }

    /// Closes the connection after a response.
    pub(super) fn end(&mut self, transport: &Transport, exchange: &Rc<Exchange>) {
        self.exchange = None;
        exchange.stop_body_timer(transport);
        self.close(transport);
        let is_whole = exchange.stage.get() == Stage::Sent;
        Self::tell_end(exchange, is_whole);
    }

    pub(super) fn tell_end(exchange: &Rc<Exchange>, complete: bool) {
        exchange.tell_end(complete);
        exchange.stage.set(Stage::Gone);
    }
}

/// Replaces responses that may not be final. A 2xx to CONNECT would open a tunnel without another end, and after a 1xx the client
/// waits for another response.
#[inline]
fn check_final(exchange: &Exchange, response: &mut Response) {
    let status = response.status();
    if status != StatusCode::OK || *exchange.head.method() == Method::CONNECT {
        check_unusual(exchange, response);
    }
}

fn check_unusual(exchange: &Exchange, response: &mut Response) {
    let status = response.status();
    if status.is_informational() {
        tracing::error!(%status, "a final answer was to be informational");
        *response = Response::new(StatusCode::INTERNAL_SERVER_ERROR);
    } else if status.is_success() && *exchange.head.method() == Method::CONNECT {
        *response = Response::new(StatusCode::NOT_IMPLEMENTED);
    }
}
