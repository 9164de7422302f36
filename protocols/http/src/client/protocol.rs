//! The state machine of a client connection: [`ClientProtocol`]. Reads no clock: timers report timeouts.
//!
//! | state | bytes arrive | the response is complete | the peer half-closes | timeout |
//! |---|---|---|---|---|
//! | idle | unexpected: closed | | closed | `keep_alive`: closed |
//! | sending a request | the response, early | closed: the server does not have the whole request | rejected, closed | `idle_timeout`: rejected, aborted |
//! | waiting for a response | the head of the response | | rejected, closed | `head_timeout`: rejected, aborted |
//! | receiving a body | its body | idle, or closed | its end, or truncated | `idle_timeout`: the same, aborted |
//! | receiving a body, without a reader now | kept, reading pauses | | noticed when it is read again | does not count |
//! | another protocol was agreed on | kept, reading pauses | | noticed by that protocol | does not count |

use std::{fmt, rc::Rc};

use bytes::Bytes;
use http::{Method, StatusCode};
use sinew_transports::{ConnectionLost, Protocol, TimerId, Transport, reactor::Excerpt};

use super::{
    ClientConnection, Phase, RequestError, Response,
    exchange::{Exchange, Life, Link, Stage},
};
use crate::{
    body::{Incoming, Reader, Receiving},
    codec::{BodyDecoder, BodyError, ResponseHead},
    unread::Unread,
};

/// Input for another protocol, kept until that protocol is set.
const SWITCHED_UNREAD_MAX: usize = 16 * 1024;

/// The protocol of a connection from a [`ClientFactory`](super::ClientFactory). Owns no buffer while it is idle.
pub struct ClientProtocol {
    link: Rc<Link>,
    unread: Unread,
    /// The length of the part of `unread` that is known not to contain a complete head.
    seen: usize,
    informational: u32,
    /// The peer has half-closed.
    has_peer_ended: bool,
}

/// The result of processing the input.
enum Step {
    /// So many bytes were consumed; there may be more to do.
    Used(usize),
    /// Nothing can be done with the present input.
    Wait,
}

impl ClientProtocol {
    pub(super) const fn new(link: Rc<Link>) -> Self {
        Self { link, unread: Unread::NONE, seen: 0, informational: 0, has_peer_ended: false }
    }

    // ---- the input ----

    /// Consumes as much of the input as possible.
    fn consume(&mut self, transport: &Transport, input: &[u8]) -> usize {
        let mut used = 0;
        while self.link.is_open() {
            let rest = &input[used..];
            let Some(exchange) = self.link.exchange() else {
                if !rest.is_empty() {
                    let start = Excerpt::new(rest).len_max(64);
                    tracing::debug!(?start, peer = %transport.peer(), "a server sent what was not asked for");
                }
                if !rest.is_empty() || self.has_peer_ended {
                    self.close(transport);
                }
                break;
            };
            exchange.looked_at();
            let step = match exchange.stage.get() {
                Stage::Head => self.head(transport, &exchange, rest),
                Stage::Body => self.body(transport, &exchange, rest),
                Stage::Switched | Stage::Over => Step::Wait,
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
        if self.link.life.get() != Life::Closing {
            self.unread = unread;
        }
        self.settle(transport);
    }

    /// Pauses reading while input is not wanted, and resumes it after.
    fn settle(&self, transport: &Transport) {
        if !self.link.is_open() {
            return;
        }
        self.link.has_unread.set(!self.unread.is_empty());
        let stage = self.link.exchange().map(|exchange| exchange.stage.get());
        let is_full = match stage {
            Some(Stage::Body) => !self.unread.is_empty(),
            Some(Stage::Switched) => self.unread.len() > SWITCHED_UNREAD_MAX,
            _ => false,
        };
        if is_full && !self.link.is_paused.replace(true) {
            transport.pause_reading();
        } else if !is_full && self.link.is_paused.replace(false) {
            transport.resume_reading();
        }
    }

    fn head(&mut self, transport: &Transport, exchange: &Rc<Exchange>, input: &[u8]) -> Step {
        if !input.is_empty() {
            exchange.is_answered.set(true);
        }
        let mut head = ResponseHead::default();
        match head.decode(input, self.seen, &self.link.config.head) {
            Ok(Some(len)) => {
                self.seen = 0;
                self.head_received(transport, exchange, head);
                Step::Used(len)
            }
            Ok(None) => {
                self.seen = input.len();
                if self.has_peer_ended {
                    let error = exchange.lost(ConnectionLost::Done.to_string());
                    self.fail(transport, exchange, error);
                }
                Step::Wait
            }
            Err(error) => {
                let start = Excerpt::new(&input[..input.len().min(64)]).len_max(64);
                tracing::debug!(%error, ?start, peer = %transport.peer(), "a response was refused");
                self.fail(transport, exchange, error.into());
                Step::Wait
            }
        }
    }

    fn head_received(
        &mut self,
        transport: &Transport,
        exchange: &Rc<Exchange>,
        head: ResponseHead,
    ) {
        let status = head.status();
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return match exchange.wants_upgrade && !exchange.is_held() && !exchange.is_sending.get()
            {
                true => self.switch(transport, exchange, head),
                false => self.fail(transport, exchange, RequestError::UnexpectedUpgrade),
            };
        }
        if status.is_informational() {
            self.informational += 1;
            let max = self.link.config.informational_max;
            if self.informational > max {
                return self.fail(transport, exchange, RequestError::TooManyInformational { max });
            }
            if status == StatusCode::CONTINUE {
                self.link.stop_timer(&self.link.continue_timer);
                exchange.send_held();
            } else {
                exchange.inform(status, head.fields());
            }
            return;
        }
        if exchange.method == Method::CONNECT && status.is_success() {
            return self.switch(transport, exchange, head);
        }
        self.informational = 0;
        self.link.stop_timer(&self.link.head_timer);
        self.link.stop_timer(&self.link.continue_timer);
        exchange.stage.set(Stage::Body);
        if !head.is_persistent() || exchange.is_held() {
            exchange.closes.set(true);
        }
        let decoder = BodyDecoder::new(head.framing(&exchange.method), self.link.config.chunks);
        *exchange.incoming.borrow_mut() = Incoming::new(decoder, false);
        transport.set_idle_timeout(self.link.config.idle_timeout);
        exchange.respond(Response::new(exchange, head));
    }

    fn switch(&mut self, transport: &Transport, exchange: &Rc<Exchange>, head: ResponseHead) {
        self.informational = 0;
        self.link.stop_timer(&self.link.head_timer);
        exchange.stage.set(Stage::Switched);
        transport.set_idle_timeout(None);
        exchange.respond(Response::new(exchange, head));
    }

    // ---- the body ----

    fn body(&mut self, transport: &Transport, exchange: &Rc<Exchange>, input: &[u8]) -> Step {
        let used = match exchange.in_callback(|| exchange.feed(input)) {
            Ok(used) => used,
            Err(error) => {
                self.body_failed(transport, exchange, error);
                return Step::Wait;
            }
        };
        let has_ended = self.has_peer_ended && used == input.len();
        let (finished, is_too_much) = {
            let mut incoming = exchange.incoming.borrow_mut();
            let is_discarded = matches!(incoming.reader, Reader::Discard);
            let is_too_much = is_discarded && incoming.received > self.link.config.unread_max;
            (incoming.finish(has_ended), is_too_much)
        };
        match finished {
            Some(Ok(trailers)) => {
                exchange.in_callback(|| exchange.close_body(Ok(trailers)));
                self.finish(transport, exchange, used == input.len());
                Step::Used(used)
            }
            Some(Err(error)) => {
                self.body_failed(transport, exchange, error);
                Step::Wait
            }
            None if is_too_much => {
                self.body_failed(transport, exchange, BodyError::Taken);
                Step::Wait
            }
            None if used == 0 => Step::Wait,
            None => Step::Used(used),
        }
    }

    fn body_failed(&mut self, transport: &Transport, exchange: &Rc<Exchange>, error: BodyError) {
        tracing::debug!(%error, peer = %transport.peer(), "the body of a response was given up");
        self.link.end_exchange();
        exchange.in_callback(|| exchange.close_body(Err(error)));
        exchange.stage.set(Stage::Over);
        self.abort(transport);
    }

    /// The response is complete: the connection takes the next request, or closes. `is_clean`: no input follows the response.
    fn finish(&mut self, transport: &Transport, exchange: &Exchange, is_clean: bool) {
        self.link.end_exchange();
        exchange.stage.set(Stage::Over);
        // A server that has responded before it had the whole request may take the rest for another request.
        let is_unsent = exchange.is_sending.get() || exchange.is_held();
        if exchange.is_sending.get() {
            return self.abort(transport);
        }
        if exchange.closes.get() || is_unsent || !is_clean || self.has_peer_ended {
            return self.close(transport);
        }
        self.link.served.set(self.link.served.get().saturating_add(1));
        transport.set_idle_timeout(self.link.config.keep_alive);
        if let Some(watcher) = self.link.watcher() {
            watcher.idle(&ClientConnection::of(&self.link));
        }
    }

    // ---- the end ----

    /// There will be no response.
    fn fail(&mut self, transport: &Transport, exchange: &Exchange, error: RequestError) {
        self.link.end_exchange();
        exchange.stage.set(Stage::Over);
        exchange.reject(error);
        self.abort(transport);
    }

    fn close(&mut self, transport: &Transport) {
        self.link.start_closing(transport);
        self.unread = Unread::default();
        transport.lose_connection();
    }

    fn abort(&mut self, transport: &Transport) {
        self.link.start_closing(transport);
        self.unread = Unread::default();
        transport.abort();
    }
}

impl Protocol for ClientProtocol {
    fn connection_made(&mut self, transport: &Transport) {
        self.link.made(transport);
        transport.set_idle_timeout(self.link.config.keep_alive);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        if !self.unread.is_empty() {
            self.unread.push(data);
            return self.go_on_with_unread(transport);
        }
        let used = self.consume(transport, data);
        if self.link.life.get() != Life::Closing {
            self.unread.push(&data[used..]);
        }
        self.settle(transport);
    }

    fn read_closed(&mut self, transport: &Transport) {
        self.has_peer_ended = true;
        self.go_on_with_unread(transport);
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        self.go_on_with_unread(transport);
    }

    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        let exchange = self.link.exchange();
        if self.link.head_timer.get() == Some(timer) {
            self.link.head_timer.set(None);
            if let Some(exchange) = exchange {
                let after = self.link.config.head_timeout;
                let error = RequestError::TimedOut { phase: Phase::Head, after };
                self.fail(transport, &exchange, error);
            }
            return;
        }
        if self.link.total_timer.get() == Some(timer) {
            self.link.total_timer.set(None);
            if let Some(exchange) = exchange.filter(|one| one.stage.get() == Stage::Body) {
                self.body_failed(transport, &exchange, BodyError::TooSlow);
            }
            return;
        }
        if self.link.continue_timer.get() == Some(timer) {
            self.link.continue_timer.set(None);
            if let Some(exchange) = exchange {
                exchange.send_held();
            }
            return;
        }
        // The body is wanted again: its timeout starts anew.
        if let Some(exchange) = exchange.filter(|one| one.stage.get() == Stage::Body) {
            transport.set_idle_timeout(exchange.idle_timeout.get());
        }
        self.go_on_with_unread(transport);
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        let Some(exchange) = self.link.exchange() else { return self.close(transport) };
        match exchange.stage.get() {
            Stage::Body if exchange.incoming.borrow().wants_more() => {
                self.body_failed(transport, &exchange, BodyError::TooSlow);
            }
            // If nothing is queued, the program is slow; but the unsent part of a file is in no queue.
            Stage::Head
                if transport.queued() > 0
                    || exchange.is_sending.get() && exchange.is_file.get() =>
            {
                let after = self.link.config.idle_timeout.unwrap_or_default();
                let error = RequestError::TimedOut { phase: Phase::Sending, after };
                self.fail(transport, &exchange, error);
            }
            _ => {}
        }
    }

    fn drain_requested(&mut self, transport: &Transport) {
        match self.link.exchange() {
            Some(exchange) => exchange.closes.set(true),
            None => self.close(transport),
        }
    }

    fn tls_started(&mut self, transport: &Transport) {
        let Some(promise) = self.link.secured.take() else { return };
        if !self.unread.is_empty() {
            // Bytes before the handshake were not sent by the server.
            let reason = format!("{} bytes came before the handshake", self.unread.len());
            promise.reject(RequestError::Tls { reason });
            return self.abort(transport);
        }
        self.link.life.set(Life::Open);
        transport.set_idle_timeout(self.link.config.keep_alive);
        promise.resolve(ClientConnection::of(&self.link));
    }

    fn take_unread(&mut self, _: &Transport) -> Bytes {
        self.unread.take().into_rest().into()
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        let exchange = self.link.end_exchange();
        self.link.lost();
        if let Some(exchange) = exchange {
            let stage = exchange.stage.replace(Stage::Over);
            exchange.in_loop.set(true);
            match stage {
                Stage::Head => exchange.reject(exchange.lost(reason.to_string())),
                Stage::Body => exchange.close_body(Err(BodyError::Truncated)),
                Stage::Switched | Stage::Over => {}
            }
        }
        if let Some(promise) = self.link.secured.take() {
            promise.reject(RequestError::Tls { reason: reason.to_string() });
        }
        self.link.tell_gone(transport.reactor().as_ref());
    }
}

impl fmt::Debug for ClientProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientProtocol")
            .field("life", &self.link.life.get())
            .field("served", &self.link.served.get())
            .field("unread", &self.unread.len())
            .finish_non_exhaustive()
    }
}
