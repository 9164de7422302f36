//! The state machine of a server connection: [`HttpConnection`]. It decodes requests one after the other, passes them to the
//! handler, and writes the responses in the same order. It reads no clock: timers report timeouts.
//!
//! | state | bytes arrive | the response is ready | the peer half-closes | drain | timeout |
//! |---|---|---|---|---|---|
//! | idle | a head begins | | closed | closed | `keep_alive`, or `head_timeout` before the first request: closed |
//! | part of a head | it continues | | closed | continues, then closes | `head_timeout`: 408, closed |
//! | a request whose body is being read | its body | written, the body is dropped or the connection closed | 400, closed | continues, then closes | `body_rate`: 408, closed |
//! | a request is being handled | kept, up to `read_ahead_max` | written, then idle | the response is still sent, then closed | continues, then closes | up to the handler |
//! | a response is being sent | kept, as before | | as before | continues, then closes | `write_timeout`: aborted |
//! | closing | dropped | dropped | | | up to the transport |

use std::{
    fmt, mem,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::StatusCode;
use sinew_protocols::basic::TurnShare;
use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport, reactor::Excerpt};

use super::{
    Reply, Request, Response,
    answer::Plan,
    exchange::{Exchange, Stage},
    shared::Shared,
};
use crate::{
    body::Receiving,
    codec::{BodyError, RequestHead},
    unread::{PartialHead, Unread},
};

/// A connection of an [`HttpServer`](super::HttpServer). Owns no buffer while it is idle.
pub struct HttpConnection {
    pub(super) shared: Rc<Shared>,
    /// The current request. Only one at a time, so responses cannot be out of order.
    pub(super) exchange: Option<Rc<Exchange>>,
    unread: Unread,
    pub(super) requests: u32,
    /// When the connection was made, in milliseconds of [`Shared::millis`].
    made: u32,
    /// This connection has paused reading.
    pub(super) is_paused: bool,
    /// The peer has half-closed.
    pub(super) has_peer_ended: bool,
    pub(super) is_draining: bool,
    timeout: TimeoutKind,
    pub(super) flood: Flood,
    pub(super) life: Life,
    /// Requests of a turn of the event loop.
    share: TurnShare,
}

/// Most requests of a connection that are handled in one turn of the event loop. Those that are pipelined behind them follow in the next.
const REQUESTS_PER_TURN: u8 = 64;

/// Whether the output queue is above the high watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flood {
    No,
    /// It was, after a write; the system may take everything at once.
    Maybe,
    /// It is, until `writing_resumed`.
    Yes,
}

/// Which timeout the transport has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TimeoutKind {
    /// Until the first request, or until a head is complete.
    Head,
    KeepAlive,
    /// While a response is being sent.
    Write,
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
    /// The same: the input is a part of a head.
    WaitForHead,
}

/// The result of processing all of it.
struct Consumed {
    used: usize,
    /// The rest is a part of a head.
    is_part_of_head: bool,
}

impl HttpConnection {
    pub(super) const fn new(shared: Rc<Shared>) -> Self {
        Self {
            shared,
            exchange: None,
            unread: Unread::NONE,
            requests: 0,
            made: 0,
            is_paused: false,
            has_peer_ended: false,
            is_draining: false,
            timeout: TimeoutKind::Head,
            flood: Flood::No,
            life: Life::Open,
            share: TurnShare::new(),
        }
    }

    // ---- the input ----

    /// Consumes as much of the input as possible. `seen` bytes of it are known not to contain a complete head.
    fn consume(&mut self, transport: &Transport, input: &[u8], mut seen: usize) -> Consumed {
        let mut used = 0;
        let mut is_part_of_head = false;
        // Requests with immediate responses use the same exchange, one after the other.
        let mut spare = None;
        while self.life == Life::Open {
            let rest = &input[used..];
            let step = match self.exchange.clone() {
                None => self.next_request(transport, rest, mem::take(&mut seen), &mut spare),
                Some(exchange) => {
                    let step = self.go_on(transport, &exchange, rest);
                    if self.exchange.is_none() {
                        spare = Shared::cleared(exchange);
                    }
                    step
                }
            };
            match step {
                Step::Used(bytes) => used += bytes,
                Step::Wait => break,
                Step::WaitForHead => {
                    is_part_of_head = true;
                    break;
                }
            }
        }
        if let Some(exchange) = spare {
            self.shared.give_back(exchange);
        }
        Consumed { used, is_part_of_head }
    }

    /// The state has changed: processes the unread input.
    fn go_on_with_unread(&mut self, transport: &Transport) {
        let mut unread = self.unread.take();
        let (head, requests) = (unread.head(), self.requests);
        let seen = head.map_or(0, |head| head.seen);
        let consumed = self.consume(transport, unread.rest(), seen);
        unread.advance(consumed.used);
        if self.life != Life::Closing {
            self.unread = unread;
            let deadline = head.filter(|_| self.requests == requests).map(|head| head.deadline);
            self.note_head(transport, consumed.is_part_of_head, deadline);
        }
        self.settle(transport);
    }

    /// Records whether the unread input is a part of a head, and sets its deadline.
    fn note_head(&mut self, transport: &Transport, is_part: bool, deadline: Option<Instant>) {
        let now = transport.reactor().filter(|_| is_part).map(|reactor| reactor.now());
        let head = now.map(|now| {
            let deadline = deadline.unwrap_or_else(|| now + self.time_for_head(now));
            // A read timeout starts again with each byte. So it is set again for each piece, to the time that is left.
            self.timeout = TimeoutKind::Head;
            transport.set_read_timeout(deadline.saturating_duration_since(now));
            PartialHead { seen: self.unread.len(), deadline }
        });
        self.unread.set_head(head);
    }

    /// How long a head that begins now may take. For the first, the time counts from when the connection was made.
    fn time_for_head(&self, now: Instant) -> Duration {
        let all = self.shared.config.head_timeout;
        let age = self.shared.millis(now).wrapping_sub(self.made);
        match self.requests {
            0 => all.saturating_sub(Duration::from_millis(age.into())),
            _ => all,
        }
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

    fn next_request(
        &mut self,
        transport: &Transport,
        input: &[u8],
        seen: usize,
        spare: &mut Option<Rc<Exchange>>,
    ) -> Step {
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
        let Some(reactor) = transport.reactor() else { return Step::Wait };
        if !self.share.take(&reactor, REQUESTS_PER_TURN) {
            transport.yield_turn();
            return Step::Wait;
        }
        let mut exchange = spare.take().unwrap_or_else(|| self.shared.take_exchange());
        let Some(inside) = Rc::get_mut(&mut exchange) else { return Step::Wait };
        match inside.head.decode(input, seen, &self.shared.config.head) {
            Ok(Some(len)) => {
                self.begin(transport, &mut exchange);
                if self.answer_at_once(transport, &exchange) {
                    *spare = Shared::cleared(exchange);
                }
                Step::Used(len)
            }
            Ok(None) => {
                *spare = Some(exchange);
                if self.has_peer_ended {
                    self.close(transport);
                    return Step::Wait;
                }
                Step::WaitForHead
            }
            Err(error) => {
                let start = Excerpt::new(&input[..input.len().min(64)]).len_max(64);
                tracing::debug!(%error, ?start, peer = %transport.peer(), "a request was refused");
                *spare = Some(exchange);
                self.refuse(transport, error.status());
                Step::Wait
            }
        }
    }

    fn begin(&mut self, transport: &Transport, exchange: &mut Rc<Exchange>) {
        self.requests += 1;
        self.set_timeout(transport);
        let config = &self.shared.config;
        let Some(inside) = Rc::get_mut(exchange) else { return };
        let closes = !inside.head.is_persistent() || self.requests >= config.requests_max;
        inside.begin(transport, config);
        inside.closes.set(closes);
        self.exchange = Some(Rc::clone(exchange));
        let request = Request(Rc::clone(exchange));
        let reply = Reply::new(Rc::clone(exchange));
        exchange.in_callback(|| self.shared.handler.handle(request, reply));
    }

    /// Continues with the current request.
    fn go_on(&mut self, transport: &Transport, exchange: &Rc<Exchange>, input: &[u8]) -> Step {
        exchange.looked_at();
        let is_untouched = exchange.incoming.borrow().is_untouched();
        let used = match is_untouched {
            true => 0,
            false => match self.feed(transport, exchange, input) {
                Some(used) => used,
                None => return Step::Wait,
            },
        };
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

    /// Feeds the body of the current request; returns how much of the input was consumed, or `None` if the body has failed.
    fn feed(
        &mut self,
        transport: &Transport,
        exchange: &Rc<Exchange>,
        input: &[u8],
    ) -> Option<usize> {
        self.continue_if_expected(transport, exchange, input);
        let used = match exchange.in_callback(|| exchange.feed(input)) {
            Ok(used) => used,
            Err(error) => {
                self.body_failed(transport, exchange, error);
                return None;
            }
        };
        let is_waiting = used == input.len() && exchange.incoming.borrow().wants_more();
        if is_waiting && self.has_peer_ended {
            self.body_failed(transport, exchange, BodyError::Truncated);
            return None;
        }
        self.time_body(transport, exchange, is_waiting);
        Some(used)
    }

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
    fn time_body(&self, transport: &Transport, exchange: &Exchange, is_waiting: bool) {
        let incoming = exchange.incoming.borrow();
        let config = &self.shared.config;
        let is_timed = is_waiting && incoming.wants_more();
        if !is_timed {
            exchange.stop_body_timer(transport);
        } else if exchange.body_timer.get().is_none() && config.body_rate > 0 {
            exchange.body_mark.set(incoming.received);
            exchange.body_timer.set(transport.call_later(config.body_window));
        }
    }

    fn body_window_over(&mut self, transport: &Transport) {
        let Some(exchange) = self.exchange.clone() else { return };
        let config = &self.shared.config;
        if !exchange.incoming.borrow().is_wanted() {
            return;
        }
        let received = exchange.incoming.borrow().received.saturating_sub(exchange.body_mark.get());
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
        exchange.in_callback(|| exchange.end_body(Err(error)));
        exchange.closes.set(true);
        if is_unanswered {
            let answer = exchange.answered().take();
            drop(answer);
            self.write_response(transport, exchange, &mut Response::new(status));
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
            plan.push_head(out, &self.shared, transport, &head, &response);
            transport.write(out);
        });
        self.close(transport);
    }

    pub(super) fn close(&mut self, transport: &Transport) {
        self.life = Life::Closing;
        self.unread = Unread::NONE;
        transport.lose_connection();
    }

    /// Sets the timeout for what the connection waits for now.
    pub(super) fn set_timeout(&mut self, transport: &Transport) {
        let is_writing = self.is_sending() || self.flood == Flood::Yes;
        let timeout = if is_writing { TimeoutKind::Write } else { TimeoutKind::KeepAlive };
        if self.timeout != timeout {
            self.timeout = timeout;
            let config = &self.shared.config;
            transport.set_idle_timeout(if is_writing {
                config.write_timeout
            } else {
                config.keep_alive
            });
        }
    }

    fn is_sending(&self) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.stage.get() == Stage::Sending)
    }
}

impl Protocol for HttpConnection {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_read_timeout(self.shared.config.head_timeout);
        if let Some(reactor) = transport.reactor() {
            self.made = self.shared.millis(reactor.now());
        }
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        if !self.unread.is_empty() {
            self.unread.push(data);
            return self.go_on_with_unread(transport);
        }
        let consumed = self.consume(transport, data, 0);
        if consumed.used < data.len() && self.life != Life::Closing {
            self.unread.push(&data[consumed.used..]);
            self.note_head(transport, consumed.is_part_of_head, None);
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
        if let Some(exchange) = &self.exchange
            && exchange.body_timer.get() == Some(timer)
        {
            exchange.body_timer.set(None);
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
        } else if self.unread.head().is_some() {
            self.refuse(transport, StatusCode::REQUEST_TIMEOUT);
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
        exchange.tell_end(false);
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
