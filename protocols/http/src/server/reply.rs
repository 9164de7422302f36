//! The handle for responding to a request: [`Reply`], and the outcome: [`Ended`].

use std::{fmt, rc::Rc};

use http::{Method, StatusCode, Version};
use sinew_transports::{Protocol, WriteStatus, endpoint::DynProtocol, reactor::Excerpt};

use super::{
    Request, Response,
    exchange::{Answer, Exchange, Stage},
};
use crate::codec::{Fields, encode_response};

/// Responds to one request, once, now or later.
///
/// If it is dropped without a response, the client gets a 500, and an error is logged. A response to a disconnected client is
/// discarded.
#[must_use = "a reply that is dropped is a 500"]
pub struct Reply(pub(super) Option<Rc<Exchange>>);

/// The outcome of a request and its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// The status that was sent; `None` if the connection ended before there was a response.
    pub status: Option<StatusCode>,
    /// How many bytes of the body were given to the transport.
    pub bytes: u64,
    /// Whether the whole response was given to the transport.
    pub complete: bool,
}

impl Reply {
    pub(super) const fn new(exchange: Rc<Exchange>) -> Self {
        Self(Some(exchange))
    }

    /// Responds. The loop sends the response: no callback runs in this call.
    pub fn send(self, response: impl Into<Response>) {
        self.answer(Answer::Response(response.into()));
    }

    /// Sends an informational response before the final one, such as `103 Early Hints` (RFC 9110 15.2). It is sent at once,
    /// bypassing layers, and not to HTTP/1.0 clients, which do not know them. `false` if it was not sent: the status is not 1xx,
    /// or is 101, or it is too late.
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

    /// Responds, and hands the connection over to another protocol, with the unread input after the request: after `101 Switching
    /// Protocols`, or a 2xx to CONNECT. If the client has asked for neither, it sends a 500, logs an error, and drops the protocol.
    pub fn upgrade(self, response: Response, protocol: impl Protocol) {
        let Some(exchange) = &self.0 else { return };
        let status = response.status();
        let is_asked = match *exchange.head.method() {
            Method::CONNECT => status.is_success(),
            _ => exchange.head.wants_upgrade() && status == StatusCode::SWITCHING_PROTOCOLS,
        };
        if is_asked {
            return self.answer(Answer::HandOver(response, DynProtocol::new(protocol)));
        }
        tracing::error!(%status, "a connection was to change its protocol, and the client had not asked for it");
        self.send(StatusCode::INTERNAL_SERVER_ERROR);
    }

    /// Has the loop call `f` to change the response before it is sent. Layers around a handler are built on this. The last added
    /// `f` is called first, so that layers see the response from the inside out.
    pub fn map(self, f: impl FnOnce(&Request, &mut Response) + 'static) -> Self {
        if let Some(exchange) = &self.0 {
            exchange.add_map(Box::new(f));
        }
        self
    }

    /// Has the loop call `f` at the end: the response is with the transport, or the connection is lost.
    pub fn on_end(self, f: impl FnOnce(&Request, &Ended) + 'static) -> Self {
        if let Some(exchange) = &self.0 {
            exchange.add_end(Box::new(f));
        }
        self
    }

    /// Whether the client has disconnected, or the server has responded by itself: no response will be sent.
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

/// The loop drops what users have stored.
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
