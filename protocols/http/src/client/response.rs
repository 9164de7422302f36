//! A response, as its receiver sees it: [`Response`]; and [`Upgraded`], a connection that speaks another protocol now.

use std::{fmt, mem, rc::Rc};

use bytes::Bytes;
use http::{StatusCode, Version};
use sinew_transports::{Connection, Protocol, SetProtocolError, Transport, reactor::Deferred};

use super::{
    exchange::{Exchange, Stage},
    link::Life,
};
use crate::{
    body::{BodyReceiver, Incoming, Reader, Receiving},
    codec::{BodyError, Fields, Framing, ResponseHead},
};

/// A response: its head, and the way to its body.
///
/// The body is not read before somebody asks for it, and no faster than it is taken. A response that is dropped before its body is over
/// has the rest read and dropped if that is little, for the next request on the connection; else the connection is closed.
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
}

/// A connection on which another protocol has been agreed upon, by `101 Switching Protocols` or a 2xx to CONNECT. Dropped, it is closed.
#[must_use = "dropped, the connection is closed"]
pub struct Upgraded(Rc<Exchange>);

impl Response {
    pub(super) fn new(exchange: &Rc<Exchange>, head: ResponseHead) -> Self {
        Self {
            status: head.status(),
            version: head.version(),
            framing: head.framing(&exchange.method),
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

    /// The first field of that name, if it is text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.text(name)
    }

    /// How long the body is, if the head says so.
    #[must_use]
    pub const fn length(&self) -> Option<u64> {
        match self.framing {
            Framing::None => Some(0),
            Framing::Length(length) => Some(length),
            Framing::Chunked | Framing::UntilClose => None,
        }
    }

    // ---- the body ----

    /// Gathers the body, up to a limit in bytes; past it [`BodyError::TooLong`], and the connection is closed. Cancelled, the connection
    /// is closed.
    pub fn collect(&self, limit: u64) -> Deferred<Bytes, BodyError> {
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

    /// The next piece of the body; `None` after the last. The connection is not read from while nobody asks. Cancelled, no piece is lost.
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

    /// Has the body given to a receiver, piece by piece as it comes, however long it is; also after this handle is dropped.
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
        // Not now: it is the user's code.
        if let Some(reactor) = self.exchange.transport.reactor() {
            reactor.call_soon(move |_| taken.0.body_ended(taken.1));
        }
    }

    /// The trailers, once the body is over; unless a [`BodyReceiver`] has got them.
    #[must_use]
    pub fn take_trailers(&self) -> Fields {
        self.exchange.incoming.borrow_mut().take_trailers()
    }

    /// Closes the connection, if the body is not over.
    pub fn abort(self) {
        self.exchange.abort();
    }

    // ---- another protocol ----

    /// The connection for another protocol, if the server has agreed to it.
    ///
    /// # Errors
    ///
    /// The response, if it is one like any other.
    pub fn into_upgraded(self) -> Result<Upgraded, Box<Self>> {
        match self.exchange.stage.get() {
            Stage::Switched => {
                self.exchange.is_claimed.set(true);
                Ok(Upgraded(Rc::clone(&self.exchange)))
            }
            _ => Err(Box::new(self)),
        }
    }

    /// Whether the server has agreed to another protocol: [`into_upgraded`](Self::into_upgraded) will succeed.
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
            // An `Upgraded` has it.
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
    /// Gives the connection to a protocol, with all that the server has sent behind its response
    /// ([`Transport::set_protocol`]).
    ///
    /// # Errors
    ///
    /// [`SetProtocolError`] returns the protocol, if the connection is over.
    pub fn start<P: Protocol>(self, protocol: P) -> Result<Connection<P>, SetProtocolError<P>> {
        self.into_transport().set_protocol(protocol)
    }

    /// The connection, to be [relayed](Transport::relay) or given to a protocol: what the server has sent behind its response comes
    /// first, as the contract of [`Protocol::take_unread`] has it.
    #[must_use]
    pub fn into_transport(self) -> Transport {
        let exchange = &self.0;
        if let Some(link) = exchange.link() {
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
        // Not once it was handed over: then it is over for this side.
        self.0.abort();
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("transport", &self.0.transport).finish()
    }
}
