//! The way to answer a request: [`Reply`], and what is known when all is over: [`Ended`].

use std::{fmt, rc::Rc};

use http::{Method, StatusCode, Version};
use sinew_transports::{Protocol, WriteStatus, reactor::Excerpt};

use super::{
    Request, Response,
    exchange::{Answer, Exchange, Stage},
};
use crate::codec::{Fields, encode_response};

/// Answers one request, once: at once or whenever there is an answer.
///
/// Dropped without an answer, the client gets a 500 and the log a line. An answer to a client that is gone is dropped without one.
#[must_use = "a reply that is dropped is a 500"]
pub struct Reply(pub(super) Option<Rc<Exchange>>);

/// What became of a request and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// The status that was sent; `None` if the connection ended before anybody answered.
    pub status: Option<StatusCode>,
    /// How many bytes of a body were given to the transport.
    pub bytes: u64,
    /// Whether the whole answer was given to the transport.
    pub complete: bool,
}

impl Reply {
    pub(super) const fn new(exchange: Rc<Exchange>) -> Self {
        Self(Some(exchange))
    }

    /// Answers. The loop sends it: nothing is called from here.
    pub fn send(self, response: impl Into<Response>) {
        self.answer(Answer::Response(response.into()));
    }

    /// Sends an informational response before the answer, as `103 Early Hints` (RFC 9110 15.2). It goes out at once, past all layers, and
    /// not to clients of HTTP/1.0, which know none. `false` if it was not sent: the status is not 1xx, or is 101, or it is too late.
    pub fn inform(&self, status: StatusCode, fields: &Fields) -> bool {
        let Some(exchange) = self.0.as_ref().filter(|_| !self.is_gone()) else { return false };
        let is_told = status.is_informational()
            && status != StatusCode::SWITCHING_PROTOCOLS
            && exchange.head.version() == Version::HTTP_11;
        let Some(transport) = exchange.transport().filter(|_| is_told) else { return false };
        let mut head = Vec::new();
        encode_response(&mut head, status, fields);
        transport.write(&head) != WriteStatus::Closed
    }

    /// Answers, and gives the connection to another protocol, with all that the client has sent behind its request: after `101 Switching
    /// Protocols`, or a 2xx to CONNECT. If the client has asked for neither, it is a 500 and a line in the log, and the protocol is
    /// dropped.
    pub fn upgrade(self, response: Response, protocol: impl Protocol) {
        let Some(exchange) = &self.0 else { return };
        let status = response.status();
        let is_asked = match *exchange.head.method() {
            Method::CONNECT => status.is_success(),
            _ => exchange.head.wants_upgrade() && status == StatusCode::SWITCHING_PROTOCOLS,
        };
        if is_asked {
            return self.answer(Answer::HandOver(response, Box::new(protocol)));
        }
        tracing::error!(%status, "a connection was to change its protocol, and the client had not asked for it");
        self.send(StatusCode::INTERNAL_SERVER_ERROR);
    }

    /// Has the loop change the answer before it is sent, whoever gives it: the one thing that a layer around a handler needs. What was
    /// added last is called first, so that layers see the answer from the inside out.
    pub fn map(self, f: impl FnOnce(&Request, &mut Response) + 'static) -> Self {
        if let Some(exchange) = &self.0 {
            exchange.add_map(Box::new(f));
        }
        self
    }

    /// Has the loop call `f` when all is over: the answer is with the transport, or the connection is lost.
    pub fn on_end(self, f: impl FnOnce(&Request, &Ended) + 'static) -> Self {
        if let Some(exchange) = &self.0 {
            exchange.add_end(Box::new(f));
        }
        self
    }

    /// Whether the client is gone, or was answered by the server itself: no answer will be sent.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.as_ref().is_none_or(|exchange| exchange.stage.get() != Stage::Waiting)
    }

    #[inline]
    fn answer(mut self, answer: Answer) {
        let Some(exchange) = self.0.take() else { return };
        if let Some(late) = exchange.answer(answer) {
            drop_late(&exchange, late);
        }
    }
}

/// What users let go of is dropped by the loop.
#[inline(never)]
fn drop_late(exchange: &Exchange, late: Answer) {
    if let Some(reactor) = exchange.reactor() {
        reactor.defer_drop(late);
    }
}

impl Drop for Reply {
    #[inline]
    fn drop(&mut self) {
        if let Some(exchange) = self.0.take() {
            drop_unanswered(&exchange);
        }
    }
}

#[inline(never)]
fn drop_unanswered(exchange: &Exchange) {
    if exchange.answer(Answer::Dropped).is_none() {
        let target = Excerpt::new(exchange.head.target());
        tracing::error!(method = %exchange.head.method(), %target, "a reply was dropped without an answer");
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("gone", &self.is_gone()).finish()
    }
}
