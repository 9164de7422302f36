//! What a connection does with responses: writes them, and decides what follows.

use std::{rc::Rc, time::Duration};

use http::{Method, StatusCode};
use sinew_transports::{Protocol, Transport, WriteStatus};

use super::{
    Ended, Request, Response,
    answer::Plan,
    connection::{Flood, HttpConnection, Life, Step},
    exchange::{Answer, Exchange, Stage},
};
use crate::body::{Reader, Receiving, Sending};

impl HttpConnection {
    pub(super) fn answer(
        &mut self,
        transport: &Transport,
        exchange: &Rc<Exchange>,
        has_more: bool,
    ) {
        let Some(answer) = exchange.take_answer() else { return };
        match answer {
            Answer::Response(response) => {
                if self.closes_over_body(exchange) {
                    exchange.closes.set(true);
                }
                self.write_response(transport, exchange, final_answer(exchange, response));
            }
            Answer::Dropped => {
                exchange.closes.set(true);
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                self.write_response(transport, exchange, Response::new(status));
            }
            Answer::HandOver(response, protocol) => {
                if exchange.incoming.borrow().decoder.is_ended() {
                    self.write_response(transport, exchange, response);
                    self.hand_over(transport, exchange, protocol);
                } else {
                    // An unread body would be taken for the first bytes of the new protocol.
                    tracing::error!(
                        has_more,
                        "a connection was to be given on before the body of its request was read"
                    );
                    exchange.closes.set(true);
                    let status = StatusCode::INTERNAL_SERVER_ERROR;
                    self.write_response(transport, exchange, Response::new(status));
                }
            }
        }
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
        mut response: Response,
    ) {
        exchange.in_loop.set(true);
        while let Some(map) = exchange.next_map() {
            map(&Request(Rc::clone(exchange)), &mut response);
        }
        exchange.in_loop.set(false);
        let closes = exchange.closes.get() || self.is_draining;
        let plan = Plan::new(&exchange.head, &response, closes);
        exchange.closes.set(plan.closes);
        exchange.answered_with.set(Some(response.status));
        let reactor = exchange.reactor();
        let body = response.take_body();
        let status = self.shared.with_scratch(|out| {
            plan.push_head(out, &self.shared, reactor.as_ref(), &exchange.head, &response);
            exchange.stage.set(Stage::Sent);
            exchange.send(transport, out, body, plan.framing)
        });
        if status == WriteStatus::AboveHighWatermark && self.flood == Flood::No {
            self.flood = Flood::Maybe;
            // By then the bytes have been handed to the system.
            transport.call_later(Duration::ZERO);
        }
        self.set_timeout(transport);
    }

    fn hand_over(
        &mut self,
        transport: &Transport,
        exchange: &Rc<Exchange>,
        protocol: Box<dyn Protocol>,
    ) {
        self.life = Life::GivenOn;
        self.stop_timers(transport);
        transport.set_idle_timeout(None);
        self.exchange = None;
        self.tell_end(exchange, true);
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
            let is_discarded = matches!(incoming.reader, Reader::Discard);
            let is_too_much = is_discarded && incoming.received > self.shared.config.unread_max;
            (!incoming.decoder.is_ended(), is_discarded, is_too_much)
        };
        if exchange.closes.get() || is_left && (is_too_much || self.has_peer_ended) {
            self.end(transport, exchange);
            return Step::Used(used);
        }
        if !is_left {
            self.exchange = None;
            self.stop_body_timer(transport);
            self.set_timeout(transport);
            self.tell_end(exchange, true);
            return Step::Used(used);
        }
        if !is_discarded {
            exchange.in_loop.set(true);
            exchange.discard_body();
            exchange.in_loop.set(false);
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
        self.close(transport);
        let is_whole = exchange.stage.get() == Stage::Sent;
        self.tell_end(exchange, is_whole);
    }

    pub(super) fn tell_end(&self, exchange: &Rc<Exchange>, complete: bool) {
        let ended =
            Ended { status: exchange.answered_with.get(), bytes: exchange.sent.get(), complete };
        exchange.tell_end(&ended);
        exchange.stage.set(Stage::Gone);
    }
}

/// Replaces responses that may not be final. A 2xx to CONNECT would open a tunnel without another end, and after a 1xx the client
/// waits for another response.
fn final_answer(exchange: &Exchange, response: Response) -> Response {
    let status = response.status();
    match () {
        () if status.is_informational() => {
            tracing::error!(%status, "a final answer was to be informational");
            Response::new(StatusCode::INTERNAL_SERVER_ERROR)
        }
        () if *exchange.head.method() == Method::CONNECT && status.is_success() => {
            Response::new(StatusCode::NOT_IMPLEMENTED)
        }
        () => response,
    }
}
