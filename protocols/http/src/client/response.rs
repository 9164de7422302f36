//! A response, for its receiver: [`Response`]; and [`Upgraded`], a connection that now uses another protocol.

use std::{fmt, mem, rc::Rc, time::Duration};

use bytes::Bytes;
use http::{StatusCode, Version};
use sinew_transports::{Connection, Protocol, SetProtocolError, Transport, reactor::Deferred};

use super::{
    ClientConnection, ConnectionConfig,
    exchange::{Exchange, Life, Link, Stage},
};
use crate::{
    body::{BodyReceiver, Decoding, Incoming, Reader, Receiving},
    codec::{BodyError, Fields, Framing, ResponseHead, parameter},
};

/// A response: its head, and access to its body.
///
/// The body is read only on request, with backpressure. If a response is dropped before the end of its body, the rest is read and
/// dropped if it is short, for the next request on the connection; else the connection is closed.
///
/// # Examples
///
/// ```
/// use sinew_http::{client::Response, codec::BodyError};
///
/// async fn count(response: Response) -> Result<usize, BodyError> {
///     let mut bytes = 0;
///     while let Some(piece) = response.next_piece().await? {
///         bytes += piece.len();
///     }
///     Ok(bytes)
/// }
/// ```
#[must_use = "a response that is dropped has its body thrown away"]
pub struct Response {
    exchange: Rc<Exchange>,
    status: StatusCode,
    version: Version,
    fields: Fields,
    framing: Framing,
    length: Option<u64>,
    urls: Vec<String>,
}

/// A connection for which another protocol was agreed on, by `101 Switching Protocols` or a 2xx to CONNECT. Dropping it closes it.
#[must_use = "dropped, the connection is closed"]
pub struct Upgraded {
    exchange: Rc<Exchange>,
    /// `None` once the connection is closed.
    link: Option<Rc<Link>>,
}

impl Response {
    pub(super) fn new(exchange: &Rc<Exchange>, head: ResponseHead) -> Self {
        let framing = head.framing(&exchange.method);
        let length = match framing {
            Framing::None => Some(0),
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::UntilClose => None,
        };
        Self {
            status: head.status(),
            version: head.version(),
            framing,
            length,
            urls: Vec::new(),
            fields: head.into_fields(),
            exchange: Rc::clone(exchange),
        }
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// `HTTP/1.0` or `HTTP/1.1`.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The fields.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The first field with this name, if it is text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.text(name)
    }

    /// The length of the body, if it is known: the head has it, and the body is not decompressed.
    #[must_use]
    pub const fn length(&self) -> Option<u64> {
        self.length
    }

    /// The URL of the response, after redirects. `None` if the request was sent on a connection, without a URL.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.urls.last().map(String::as_str)
    }

    /// The URLs that were redirected, in order; empty if the first one has responded.
    #[must_use]
    pub fn redirects(&self) -> &[String] {
        self.urls.split_last().map_or(&[], |(_, before)| before)
    }

    // ---- the body ----

    /// Collects the body, up to [`ConnectionConfig::body_max`](super::ConnectionConfig::body_max) bytes. Cancelling closes the
    /// connection.
    pub fn collect(&self) -> Deferred<Bytes, BodyError> {
        self.collect_up_to(self.exchange.body_max())
    }

    /// Collects the body, up to a limit in bytes; above it [`BodyError::TooLong`], and the connection is closed. Cancelling closes
    /// the connection.
    pub fn collect_up_to(&self, limit: u64) -> Deferred<Bytes, BodyError> {
        let (promise, body) = self.exchange.new_promise();
        if self.length().is_some_and(|length| length > limit) {
            self.exchange.abort();
            promise.reject(BodyError::TooLong { max: limit });
            return body;
        }
        let mut incoming = self.exchange.incoming.borrow_mut();
        if let (Reader::Nobody, Some(end)) = (&incoming.reader, &incoming.end) {
            promise.settle(end.clone().map(|()| Bytes::new()));
            return body;
        }
        let exchange = Rc::downgrade(&self.exchange);
        promise.on_cancel(move |_| exchange.upgrade().iter().for_each(|exchange| exchange.abort()));
        let capacity = self.length().unwrap_or_default().min(16 * 1024);
        let bytes = Vec::with_capacity(usize::try_from(capacity).unwrap_or_default());
        let asked = incoming.read_by(Reader::Collect { limit, bytes, promise });
        drop(incoming);
        match asked {
            Ok(()) => self.exchange.wake(),
            Err(Reader::Collect { promise, .. }) => promise.reject(BodyError::Taken),
            Err(_) => {}
        }
        body
    }

    /// Collects the body like [`collect`](Self::collect), as text: UTF-8, or Latin-1 if the head says so. Invalid parts become
    /// U+FFFD.
    pub fn text(&self) -> Deferred<String, BodyError> {
        let content_type = self.field("content-type").unwrap_or_default();
        let charset = parameter(content_type, "charset").unwrap_or_default();
        let is_latin_1 = ["iso-8859-1", "latin1", "iso_8859-1"]
            .iter()
            .any(|name| charset.eq_ignore_ascii_case(name));
        self.collect().map(move |body| {
            body.map(|body| match is_latin_1 {
                true => body.iter().map(|byte| char::from(*byte)).collect(),
                false => String::from_utf8_lossy(&body).into_owned(),
            })
        })
    }

    /// The next piece of the body; `None` after the last. The connection does not read until a piece is requested. Cancelling
    /// loses nothing.
    pub fn next_piece(&self) -> Deferred<Option<Bytes>, BodyError> {
        let (promise, piece) = self.exchange.new_promise();
        let mut incoming = self.exchange.incoming.borrow_mut();
        if let Some(end) = &incoming.end {
            promise.settle(end.clone().map(|()| None));
            return piece;
        }
        let asked = incoming.read_by(Reader::Pull(Some(promise)));
        drop(incoming);
        match asked {
            Ok(()) => self.exchange.wake(),
            Err(Reader::Pull(Some(promise))) => promise.reject(BodyError::Taken),
            Err(_) => {}
        }
        piece
    }

    /// Passes the body to a receiver, in pieces, whatever its length; also after this handle is dropped.
    pub fn receive(&self, receiver: impl BodyReceiver) {
        let mut incoming = self.exchange.incoming.borrow_mut();
        let is_over = incoming.end.is_some();
        let taken: (Box<dyn BodyReceiver>, _) =
            match incoming.read_by(Reader::Receive(Box::new(receiver))) {
                Ok(()) if is_over => match mem::replace(&mut incoming.reader, Reader::Told) {
                    Reader::Receive(receiver) => (receiver, over(&mut incoming)),
                    _ => return,
                },
                Err(Reader::Receive(receiver)) => (receiver, Err(BodyError::Taken)),
                _ => {
                    drop(incoming);
                    return self.exchange.wake();
                }
            };
        drop(incoming);
        // Not now: the receiver is user code.
        if let Some(reactor) = self.exchange.transport.reactor() {
            reactor.call_soon(move |_| taken.0.body_ended(taken.1));
        }
    }

    /// The trailers of a complete body; unless a [`BodyReceiver`] has received them.
    #[must_use]
    pub fn take_trailers(&self) -> Fields {
        self.exchange.incoming.borrow_mut().take_trailers()
    }

    /// Closes the connection, unless the body is complete.
    pub fn abort(self) {
        self.exchange.abort();
    }

    // ---- what the client does with it ----

    pub(super) fn set_urls(&mut self, urls: impl Iterator<Item = String>) {
        self.urls = urls.collect();
    }

    /// Delivers at most this many bytes of the body.
    pub(super) fn limit_body(&self, max: u64) {
        self.exchange.incoming.borrow_mut().delivered_max = Some(max);
    }

    /// Sets the idle timeout of the body.
    pub(super) fn set_idle_timeout(&self, timeout: Duration) {
        self.exchange.idle_timeout.set(Some(timeout));
        if self.exchange.stage.get() == Stage::Body {
            self.exchange.transport.set_idle_timeout(timeout);
        }
    }

    /// Sets the deadline of the body.
    pub(super) fn limit_time(&self, left: Duration) {
        if self.exchange.stage.get() != Stage::Body {
            return;
        }
        if let Some(link) = self.exchange.link() {
            link.total_timer.set(self.exchange.transport.call_later(left));
        }
    }

    /// Decodes the content coding, if it is supported, and removes the fields that describe it.
    pub(super) fn decompress(&mut self) {
        if matches!(self.framing, Framing::None | Framing::Length(0)) {
            return;
        }
        let mut codings = self.fields.list("content-encoding");
        let (Some(coding), None) = (codings.next(), codings.next()) else { return };
        let Some(decoding) = Decoding::new(coding) else { return };
        drop(codings);
        self.fields.remove("content-encoding");
        self.fields.remove("content-length");
        self.length = None;
        self.exchange.incoming.borrow_mut().decoding = Some(Box::new(decoding));
    }

    // ---- another protocol ----

    /// The connection for another protocol, if the server has agreed to it.
    ///
    /// # Errors
    ///
    /// The response, if it is not an upgrade.
    pub fn into_upgraded(self) -> Result<Upgraded, Box<Self>> {
        match self.exchange.stage.get() {
            Stage::Switched => {
                self.exchange.is_claimed.set(true);
                Ok(Upgraded { exchange: Rc::clone(&self.exchange), link: self.exchange.link() })
            }
            _ => Err(Box::new(self)),
        }
    }

    /// Whether the server has agreed to another protocol, so that [`into_upgraded`](Self::into_upgraded) will succeed.
    #[must_use]
    pub fn is_upgrade(&self) -> bool {
        self.exchange.stage.get() == Stage::Switched
    }
}

fn over(incoming: &mut Incoming) -> Result<Fields, BodyError> {
    match &incoming.end {
        Some(Err(error)) => Err(error.clone()),
        _ => Ok(incoming.take_trailers()),
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        match self.exchange.stage.get() {
            // An `Upgraded` owns it.
            Stage::Switched if self.exchange.is_claimed.get() => {}
            Stage::Switched => self.exchange.abort(),
            Stage::Body => self.exchange.give_up_body(self.framing),
            Stage::Head | Stage::Over => {}
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

impl Upgraded {
    /// The connection, using HTTP again: with the server at the other end of a tunnel.
    #[must_use]
    pub fn into_connection(self) -> ClientConnection {
        let connection = self.connection();
        let _ = self.into_transport();
        connection.reopen();
        connection
    }

    pub(super) fn connection(&self) -> ClientConnection {
        match &self.link {
            Some(link) => ClientConnection::of(link),
            None => ClientConnection::new(ConnectionConfig::default()).0,
        }
    }

    /// Hands the connection over to a protocol, with the unread input after the response
    /// ([`Transport::set_protocol`]).
    ///
    /// # Errors
    ///
    /// [`SetProtocolError`] returns the protocol, if the connection has ended.
    pub fn start<P: Protocol>(self, protocol: P) -> Result<Connection<P>, SetProtocolError<P>> {
        self.into_transport().set_protocol(protocol)
    }

    /// The connection, to be [relayed](Transport::relay) or handed over to a protocol: the unread input after the response comes
    /// first, as the contract of [`Protocol::take_unread`] says.
    #[must_use]
    pub fn into_transport(self) -> Transport {
        let exchange = &self.exchange;
        if let Some(link) = &self.link {
            link.end_exchange();
            exchange.stage.set(Stage::Over);
            if link.is_open() {
                link.life.set(Life::HandedOver);
            }
            if link.is_paused.take() {
                exchange.transport.resume_reading();
            }
        }
        exchange.transport.clone()
    }
}

impl Drop for Upgraded {
    fn drop(&mut self) {
        // Not after a handover: then it has ended for this side.
        self.exchange.abort();
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("transport", &self.exchange.transport).finish()
    }
}
