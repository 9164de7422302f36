//! The state machine of a server connection: [`HttpConnection`]. It decodes requests one after the other, passes them to the
//! handler, and writes the responses in the same order. It reads no clock: timers report timeouts.
//!
//! | state | bytes arrive | the response is ready | the peer half-closes | drain | timeout |
//! |---|---|---|---|---|---|
//! | idle | a head begins | | closed | closed | `keep_alive`: closed |
//! | part of a head | it continues | | closed | continues, then closes | `head_timeout`: 408, closed |
//! | a request whose body is being read | its body | written, the body is dropped or the connection closed | 400, closed | continues, then closes | `body_rate`: 408, closed |
//! | a request is being handled | kept, up to `read_ahead_max` | written, then idle | the response is still sent, then closed | continues, then closes | up to the handler |
//! | a response is being sent | kept, as before | | as before | continues, then closes | `write_timeout`: aborted |
//! | closing | dropped | dropped | | | up to the transport |

use std::{fmt, rc::Rc};

use bytes::Bytes;
use http::StatusCode;
use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport, reactor::Excerpt};

use super::{
    Ended, Reply, Request, Response,
    answer::Plan,
    exchange::{Exchange, Stage},
    shared::Shared,
};
use crate::{
    body::{Incoming, Receiving},
    codec::{BodyDecoder, BodyError, RequestHead},
    unread::Unread,
};

/// A connection of an [`HttpServer`](super::HttpServer). Owns no buffer while it is idle.
pub struct HttpConnection {
    pub(super) shared: Rc<Shared>,
    /// The current request. Only one at a time, so responses cannot be out of order.
    pub(super) exchange: Option<Rc<Exchange>>,
    unread: Unread,
    /// The length of the part of `unread` that is known not to contain a complete head.
    seen: usize,
    pub(super) requests: u32,
    head_timer: Option<TimerId>,
    body_timer: Option<TimerId>,
    /// Bytes of the body when its timer was started.
    body_mark: u64,
    /// This connection has paused reading.
    pub(super) is_paused: bool,
    /// The peer has half-closed.
    pub(super) has_peer_ended: bool,
    pub(super) is_draining: bool,
    /// The write timeout is set instead of the keep-alive timeout.
    is_write_timed: bool,
    pub(super) flood: Flood,
    pub(super) life: Life,
}

/// Whether the output queue is above the high watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flood {
    No,
    /// It was, after a write; the system may take everything at once.
    Maybe,
    /// It is, until `writing_resumed`.
    Yes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Open,
    /// The connection is closing; input is dropped.
    Closing,
    /// The connection was handed over to another protocol, with the unread input.
    GivenOn,
}

/// The result of processing the input.
pub(super) enum Step {
    /// So many bytes were consumed; there may be more to do.
    Used(usize),
    /// Nothing can be done with the present input.
    Wait,
}

impl HttpConnection {
    pub(super) const fn new(shared: Rc<Shared>) -> Self {
        Self {
            shared,
            exchange: None,
            unread: Unread::NONE,
            seen: 0,
            requests: 0,
            head_timer: None,
            body_timer: None,
            body_mark: 0,
            is_paused: false,
            has_peer_ended: false,
            is_draining: false,
            is_write_timed: false,
            flood: Flood::No,
            life: Life::Open,
        }
    }

    // ---- the input ----

    /// Consumes as much of the input as possible.
    fn consume(&mut self, transport: &Transport, input: &[u8]) -> usize {
        let mut used = 0;
        while self.life == Life::Open {
            let rest = &input[used..];
            let step = match self.exchange.clone() {
                None => self.next_request(transport, rest),
                Some(exchange) => {
                    let step = self.go_on(transport, &exchange, rest);
                    if self.exchange.is_none() {
                        self.shared.give_back(exchange);
                    }
                    step
                }
            };
            match step {
                Step::Used(bytes) => used += bytes,
                Step::Wait => break,
            }
        }
        used
    }

    /// The state has changed: processes the unread input.
    fn go_on_with_unread(&mut self, transport: &Transport) {
        let mut unread = self.unread.take();
        let used = self.consume(transport, unread.rest());
        unread.advance(used);
        if self.life != Life::Closing {
            self.unread = unread;
        }
        self.settle(transport);
    }

    /// Pauses reading while too much is unread, and resumes it after.
    fn settle(&mut self, transport: &Transport) {
        if self.life != Life::Open {
            return;
        }
        let is_full = match &self.exchange {
            Some(exchange) => {
                let body_waits = exchange.incoming.borrow().paused;
                self.unread.len() > self.shared.config.read_ahead_max
                    || (body_waits && !self.unread.is_empty())
            }
            None => false,
        };
        if is_full && !self.is_paused {
            self.is_paused = true;
            transport.pause_reading();
        } else if !is_full && self.is_paused {
            self.is_paused = false;
            transport.resume_reading();
        }
    }

    fn next_request(&mut self, transport: &Transport, input: &[u8]) -> Step {
        if input.is_empty() {
            if self.has_peer_ended || self.is_draining {
                self.close(transport);
            }
            return Step::Wait;
        }
        // Above the high watermark, the client has to read responses before the next request is handled.
        if self.flood != Flood::No {
            return Step::Wait;
        }
        let mut exchange = self.shared.take_exchange();
        let Some(inside) = Rc::get_mut(&mut exchange) else { return Step::Wait };
        match inside.head.decode(input, self.seen, &self.shared.config.head) {
            Ok(Some(len)) => {
                self.seen = 0;
                if let Some(timer) = self.head_timer.take() {
                    transport.cancel_timer(timer);
                }
                self.begin(transport, exchange);
                Step::Used(len)
            }
            Ok(None) => {
                self.shared.give_back(exchange);
                self.seen = input.len();
                if self.has_peer_ended {
                    self.close(transport);
                } else if self.head_timer.is_none() {
                    self.head_timer = transport.call_later(self.shared.config.head_timeout);
                }
                Step::Wait
            }
            Err(error) => {
                let start = Excerpt::new(&input[..input.len().min(64)]).len_max(64);
                tracing::debug!(%error, ?start, peer = %transport.peer(), "a request was refused");
                self.shared.give_back(exchange);
                self.refuse(transport, error.status());
                Step::Wait
            }
        }
    }

    fn begin(&mut self, transport: &Transport, mut exchange: Rc<Exchange>) {
        self.requests += 1;
        let config = &self.shared.config;
        let Some(inside) = Rc::get_mut(&mut exchange) else { return };
        let closes = !inside.head.is_persistent() || self.requests >= config.requests_max;
        let decoder = BodyDecoder::new(inside.head.framing(), config.chunks);
        let incoming = Incoming::new(decoder, inside.head.expects_continue());
        inside.begin(transport, incoming, config.body_max);
        inside.closes.set(closes);
        self.exchange = Some(Rc::clone(&exchange));
        exchange.in_loop.set(true);
        let request = Request(Rc::clone(&exchange));
        self.shared.handler.handle(request, Reply::new(Rc::clone(&exchange)));
        exchange.in_loop.set(false);
    }

    /// Continues with the current request.
    fn go_on(&mut self, transport: &Transport, exchange: &Rc<Exchange>, input: &[u8]) -> Step {
        exchange.looked_at();
        self.continue_if_expected(transport, exchange, input);
        exchange.in_loop.set(true);
        let fed = exchange.feed(input);
        exchange.in_loop.set(false);
        let used = match fed {
            Ok(used) => used,
            Err(error) => {
                self.body_failed(transport, exchange, error);
                return Step::Wait;
            }
        };
        let is_waiting = used == input.len() && exchange.incoming.borrow().wants_more();
        if is_waiting && self.has_peer_ended {
            self.body_failed(transport, exchange, BodyError::Truncated);
            return Step::Wait;
        }
        self.time_body(transport, exchange, is_waiting);
        if exchange.stage.get() == Stage::Answered {
            let has_more = used < input.len();
            self.answer(transport, exchange, has_more);
        }
        if exchange.stage.get() == Stage::Sent && self.life == Life::Open {
            return self.finish(transport, exchange, used);
        }
        match used {
            0 => Step::Wait,
            used => Step::Used(used),
        }
    }

    // ---- the body ----

    /// The handler wants the body: tell a client that waits for it (RFC 9110 10.1.1).
    fn continue_if_expected(&self, transport: &Transport, exchange: &Exchange, input: &[u8]) {
        let mut incoming = exchange.incoming.borrow_mut();
        if !incoming.expects_continue || !incoming.is_wanted() {
            return;
        }
        incoming.expects_continue = false;
        if input.is_empty() && !incoming.decoder.is_ended() {
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    /// Checks the rate of a body that is being read.
    fn time_body(&mut self, transport: &Transport, exchange: &Exchange, is_waiting: bool) {
        let incoming = exchange.incoming.borrow();
        let config = &self.shared.config;
        let is_timed = is_waiting && incoming.wants_more();
        if is_timed && self.body_timer.is_none() && config.body_rate > 0 {
            self.body_mark = incoming.received;
            self.body_timer = transport.call_later(config.body_window);
        } else if !is_timed && let Some(timer) = self.body_timer.take() {
            transport.cancel_timer(timer);
        }
    }

    fn body_window_over(&mut self, transport: &Transport) {
        let Some(exchange) = self.exchange.clone() else { return };
        let config = &self.shared.config;
        if !exchange.incoming.borrow().is_wanted() {
            return;
        }
        let received = exchange.incoming.borrow().received.saturating_sub(self.body_mark);
        let wanted = u64::from(config.body_rate) * config.body_window.as_millis() as u64 / 1_000;
        if received < wanted {
            self.body_failed(transport, &exchange, BodyError::TooSlow);
        } else {
            self.time_body(transport, &exchange, true);
        }
    }

    /// The body is rejected or truncated: tells its reader, and the client if there is no response yet.
    fn body_failed(&mut self, transport: &Transport, exchange: &Rc<Exchange>, error: BodyError) {
        tracing::debug!(%error, peer = %transport.peer(), "the body of a request was refused");
        let is_unanswered = matches!(exchange.stage.get(), Stage::Waiting | Stage::Answered);
        let status = error.status();
        exchange.in_loop.set(true);
        exchange.end_body(Err(error));
        exchange.in_loop.set(false);
        exchange.closes.set(true);
        if is_unanswered {
            drop(exchange.take_answer());
            self.write_response(transport, exchange, Response::new(status));
        }
        match exchange.stage.get() {
            // Bytes that are being sent go out first.
            Stage::Sending => {}
            _ => self.end(transport, exchange),
        }
    }

    // ---- the end ----

    /// Responds to invalid input, and closes.
    fn refuse(&mut self, transport: &Transport, status: StatusCode) {
        let response = Response::new(status).with_close();
        let head = RequestHead::default();
        let plan = Plan::new(&head, &response, true);
        self.shared.with_scratch(|out| {
            plan.push_head(out, &self.shared, transport.reactor().as_ref(), &head, &response);
            transport.write(out);
        });
        self.close(transport);
    }

    pub(super) fn close(&mut self, transport: &Transport) {
        self.life = Life::Closing;
        self.unread = Unread::default();
        self.stop_timers(transport);
        transport.lose_connection();
    }

    pub(super) fn stop_timers(&mut self, transport: &Transport) {
        if let Some(timer) = self.head_timer.take() {
            transport.cancel_timer(timer);
        }
        self.stop_body_timer(transport);
    }

    pub(super) fn stop_body_timer(&mut self, transport: &Transport) {
        if let Some(timer) = self.body_timer.take() {
            transport.cancel_timer(timer);
        }
    }

    /// Switches between the write timeout and the keep-alive timeout.
    pub(super) fn set_timeout(&mut self, transport: &Transport) {
        let on = self.is_sending() || self.flood == Flood::Yes;
        if self.is_write_timed != on {
            self.is_write_timed = on;
            let config = &self.shared.config;
            transport.set_idle_timeout(if on { config.write_timeout } else { config.keep_alive });
        }
    }

    fn is_sending(&self) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.stage.get() == Stage::Sending)
    }
}

impl Protocol for HttpConnection {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_idle_timeout(self.shared.config.keep_alive);
        self.head_timer = transport.call_later(self.shared.config.head_timeout);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        if !self.unread.is_empty() {
            self.unread.push(data);
            return self.go_on_with_unread(transport);
        }
        let used = self.consume(transport, data);
        if self.life != Life::Closing {
            self.unread.push(&data[used..]);
        }
        self.settle(transport);
    }

    fn read_closed(&mut self, transport: &Transport) {
        self.has_peer_ended = true;
        self.go_on_with_unread(transport);
    }

    fn writing_paused(&mut self, transport: &Transport) {
        self.flood = Flood::Yes;
        self.set_timeout(transport);
    }

    fn writing_resumed(&mut self, transport: &Transport) {
        self.flood = Flood::No;
        self.set_timeout(transport);
        self.go_on_with_unread(transport);
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        self.go_on_with_unread(transport);
    }

    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        if self.head_timer.take_if(|running| *running == timer).is_some() {
            // No byte has arrived: there is no request to respond to.
            return match self.unread.is_empty() {
                true => self.close(transport),
                false => self.refuse(transport, StatusCode::REQUEST_TIMEOUT),
            };
        }
        if self.body_timer.take_if(|running| *running == timer).is_some() {
            return self.body_window_over(transport);
        }
        if self.flood == Flood::Maybe {
            self.flood = Flood::No;
        }
        self.go_on_with_unread(transport);
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        let is_file = self.exchange.as_ref().is_some_and(|exchange| exchange.is_file.get());
        if transport.queued() > 0 || is_file && self.is_sending() {
            // The client reads nothing. If nothing is queued, the handler is slow instead.
            transport.abort();
        } else if self.exchange.is_none() && self.unread.is_empty() {
            self.close(transport);
        }
    }

    fn drain_requested(&mut self, transport: &Transport) {
        self.is_draining = true;
        if self.exchange.is_none() && self.unread.is_empty() {
            self.close(transport);
        }
    }

    fn take_unread(&mut self, _: &Transport) -> Bytes {
        self.unread.take().into_rest().into()
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        let Some(exchange) = self.exchange.take() else { return };
        exchange.end_body(Err(BodyError::Truncated));
        exchange.stage.set(Stage::Gone);
        if let Some(reactor) = transport.reactor() {
            while let Some(disconnect) = exchange.next_disconnect() {
                disconnect(&reactor);
            }
        }
        tracing::debug!(%reason, "a client was gone before it had its answer");
        let ended = Ended {
            status: exchange.answered_with.get(),
            bytes: exchange.sent.get(),
            complete: false,
        };
        exchange.tell_end(&ended);
    }
}

impl fmt::Debug for HttpConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpConnection")
            .field("requests", &self.requests)
            .field("in_work", &self.exchange.is_some())
            .field("unread", &self.unread.len())
            .finish_non_exhaustive()
    }
}
