//! A connection of a server: [`HttpConnection`]. It takes requests out of the input one after the other, hands them to the handler, and
//! writes the answers in that order. It reads no clock: what takes too long is told by timers.
//!
//! | what is there | bytes come | the answer comes | the peer ends its side | a drain | the time is over |
//! |---|---|---|---|---|---|
//! | nothing (idle) | a head begins | | closed | closed | `keep_alive`, or `head_timeout` before the first request: closed |
//! | a part of a head | it goes on | | closed | goes on, then closes | `head_timeout`: 408, closed |
//! | a request whose body is wanted | they are its body | written, the body is dropped or the connection closed | 400, closed | goes on, then closes | `body_rate`: 408, closed |
//! | a request in work | kept, up to `read_ahead_max` | written, then idle | the answer is still sent, then closed | goes on, then closes | the handler's business |
//! | an answer on its way | kept, as before | | as before | goes on, then closes | `write_timeout`: aborted |
//! | the connection closes | dropped | dropped | | | the transport's business |

use std::{
    fmt, mem,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::StatusCode;
use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport, reactor::Excerpt};

use super::{
    Reply, Request, Response,
    answer::Plan,
    exchange::{Exchange, Stage},
    shared::Shared,
    unread::{BegunHead, Unread},
};
use crate::codec::{BodyError, RequestHead};

/// A connection of an [`HttpServer`](super::HttpServer), which makes it. Idle, it owns no buffer.
pub struct HttpConnection {
    pub(super) shared: Rc<Shared>,
    /// The request in work, one at a time: so answers cannot be out of order.
    pub(super) exchange: Option<Rc<Exchange>>,
    unread: Unread,
    pub(super) requests: u32,
    /// When it was made, in milliseconds of [`Shared::millis`].
    made: u32,
    /// Reading was paused here.
    pub(super) is_paused: bool,
    /// The peer has ended its side.
    pub(super) has_peer_ended: bool,
    pub(super) is_draining: bool,
    silence: Silence,
    pub(super) flood: Flood,
    pub(super) life: Life,
}

/// Whether more is queued than the client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flood {
    No,
    /// It was, when something was written; the system may take all of it at once.
    Maybe,
    /// It is, until `writing_resumed`.
    Yes,
}

/// Which silence the idle timeout is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Silence {
    /// Before the first request.
    Head,
    KeepAlive,
    /// While an answer is on its way.
    Write,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Open,
    /// It closes; input is dropped.
    Closing,
    /// It was given to another protocol, and so is what is unread.
    GivenOn,
}

/// What came of a look at the input.
pub(super) enum Step {
    /// So many bytes were used; there may be more to do.
    Used(usize),
    /// Nothing can be done with what there is.
    Wait,
    /// The same: it is a part of a head.
    WaitForHead,
}

/// What came of all looks at it.
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
            silence: Silence::Head,
            flood: Flood::No,
            life: Life::Open,
        }
    }

    // ---- the input ----

    /// Uses as much of the input as can be used now. `seen` is how much of it is known to be no whole head.
    fn consume(&mut self, transport: &Transport, input: &[u8], mut seen: usize) -> Consumed {
        let mut used = 0;
        let mut is_part_of_head = false;
        // Requests that are answered at once use the same exchange, one after the other.
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

    /// Something has changed: looks at what is unread.
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

    /// Notes whether what is unread is a part of a head, and sees to it that this comes in time.
    fn note_head(&mut self, transport: &Transport, is_part: bool, deadline: Option<Instant>) {
        let now = transport.reactor().filter(|_| is_part).map(|reactor| reactor.now());
        let head = now.map(|now| {
            let deadline = deadline.unwrap_or_else(|| now + self.time_for_head(now));
            // Set anew at each piece, so that it is over at the deadline and not when nothing has come for some time.
            self.silence = Silence::Head;
            transport.set_read_timeout(deadline.saturating_duration_since(now));
            BegunHead { seen: self.unread.len(), deadline }
        });
        self.unread.set_head(head);
    }

    /// How long the head may take that has begun. The first counts from when the connection was made.
    fn time_for_head(&self, now: Instant) -> Duration {
        let all = self.shared.config.head_timeout;
        let age = self.shared.millis(now).wrapping_sub(self.made);
        match self.requests {
            0 => all.saturating_sub(Duration::from_millis(age.into())),
            _ => all,
        }
    }

    /// Pauses reading while too much is unread, and goes on after.
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
        // Over the high watermark, the client has to take answers before it gets more.
        if self.flood != Flood::No {
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
        exchange.in_loop.set(true);
        let request = Request(Rc::clone(exchange));
        self.shared.handler.handle(request, Reply::new(Rc::clone(exchange)));
        exchange.in_loop.set(false);
    }

    /// Goes on with the request in work.
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

    /// Feeds the body of the request in work; how much of the input was used. `None` if it has failed.
    fn feed(
        &mut self,
        transport: &Transport,
        exchange: &Rc<Exchange>,
        input: &[u8],
    ) -> Option<usize> {
        self.continue_if_expected(transport, exchange, input);
        exchange.in_loop.set(true);
        let fed = exchange.feed(input);
        exchange.in_loop.set(false);
        let used = match fed {
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

    /// Somebody wants the body, and the client waits to be told so (RFC 9110 10.1.1).
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

    /// Watches the rate of a body while it is wanted and has not come.
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

    /// The body is refused or cut off: its reader is told, and the client, if there is no answer yet.
    fn body_failed(&mut self, transport: &Transport, exchange: &Rc<Exchange>, error: BodyError) {
        tracing::debug!(%error, peer = %transport.peer(), "the body of a request was refused");
        let is_unanswered = matches!(exchange.stage.get(), Stage::Waiting | Stage::Answered);
        let status = error.status();
        exchange.in_loop.set(true);
        exchange.end_body(Err(error));
        exchange.in_loop.set(false);
        exchange.closes.set(true);
        if is_unanswered {
            let answer = exchange.answered().take();
            drop(answer);
            self.write_response(transport, exchange, &mut Response::new(status));
        }
        match exchange.stage.get() {
            // What is on its way goes out first.
            Stage::Sending => {}
            _ => self.end(transport, exchange),
        }
    }

    // ---- the end ----

    /// Answers what is no request, and closes.
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

    /// Sets the idle timeout to what is there to be waited for.
    pub(super) fn set_timeout(&mut self, transport: &Transport) {
        let is_writing = self.is_sending() || self.flood == Flood::Yes;
        let silence = if is_writing { Silence::Write } else { Silence::KeepAlive };
        if self.silence != silence {
            self.silence = silence;
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
            // The client takes nothing. Where nothing is queued, it is the handler who takes its time.
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
