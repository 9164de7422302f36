//! The request that handlers receive: [`Request`].

use std::{any::Any, borrow::Cow, fmt, rc::Rc};

use bytes::Bytes;
use http::{Method, Version};
use sinew_transports::{
    Peer, Transport,
    reactor::{Deferred, Reactor},
};

use super::{BodyReceiver, exchange::Exchange};
use crate::{
    body::{Incoming, Reader, Receiving},
    codec::{BodyError, Fields, FormError, RequestHead, form, list, percent_decode},
};

/// Most fields of a form or a query that are read.
const FORM_FIELDS_MAX: usize = 1_000;

/// A request: its head, and access to its body. A handle that is cheap to clone and can be kept.
///
/// # Examples
///
/// ```
/// use sinew_http::server::{Request, Response};
///
/// fn greet(request: &Request) -> Response {
///     let name = request.query_value("name").unwrap_or_else(|| "you".to_owned());
///     Response::text(format!("hello {name}, by {}\n", request.method()))
/// }
/// ```
#[derive(Clone)]
pub struct Request(pub(super) Rc<Exchange>);

impl Request {
    /// The decoded head.
    #[must_use]
    pub fn head(&self) -> &RequestHead {
        &self.0.head
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        self.head().method()
    }

    /// `HTTP/1.0` or `HTTP/1.1`.
    #[must_use]
    pub fn version(&self) -> Version {
        self.head().version()
    }

    /// The path as it was sent, not decoded.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head().path()
    }

    /// The part of the path that no router has consumed; it begins with `/`, or is empty. Without a router, the whole path.
    #[must_use]
    pub fn rest(&self) -> &str {
        self.path().get(self.0.mounted.get()..).unwrap_or_default()
    }

    /// The part after the question mark, as it was sent.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.head().query()
    }

    /// The names and values of the query, decoded.
    ///
    /// # Errors
    ///
    /// [`FormError`] if there are more than 1,000.
    pub fn query_fields(&self) -> Result<Vec<(String, String)>, FormError> {
        form(self.query().unwrap_or_default().as_bytes(), FORM_FIELDS_MAX)
    }

    /// The first value with this name in the query, decoded.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        let fields = self.query_fields().ok()?;
        fields.into_iter().find_map(|(found, value)| (found == name).then_some(value))
    }

    /// A path parameter that a router has matched, decoded. `None` also if it decodes to invalid
    /// UTF-8.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Cow<'_, str>> {
        let params = self.0.params.borrow();
        let (_, place) = params.iter().rev().find(|(found, _)| &**found == name)?;
        let sent = self.head().path_bytes().get(place.clone())?;
        match percent_decode(std::str::from_utf8(sent).ok()?)? {
            Cow::Borrowed(text) => std::str::from_utf8(text).ok().map(Cow::Borrowed),
            Cow::Owned(text) => String::from_utf8(text).ok().map(Cow::Owned),
        }
    }

    /// The fields.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        self.head().fields()
    }

    /// The first field with this name, if it is text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields().text(name)
    }

    /// A cookie (RFC 6265 5.4), as it was sent.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let values =
            self.fields().all("cookie").filter_map(|value| std::str::from_utf8(value).ok());
        let mut pairs = values.flat_map(|value| value.split(';'));
        pairs.find_map(|pair| {
            let (found, value) = pair.trim().split_once('=')?;
            (found.trim() == name).then(|| value.trim().trim_matches('"'))
        })
    }

    /// The host and port that it is for, according to the client. Do not echo it: clients can send any text.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        self.head().authority()
    }

    /// Whether the client accepts a content coding, such as `gzip` (RFC 9110 12.5.3).
    #[must_use]
    pub fn accepts_encoding(&self, coding: &str) -> bool {
        let values = self.fields().all("accept-encoding");
        let elements = values.filter_map(|value| std::str::from_utf8(value).ok()).flat_map(list);
        let mut any = None;
        for element in elements {
            let mut parts = element.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let quality =
                parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            let is_taken = quality.is_none_or(|q| q.parse::<f32>().is_ok_and(|q| q > 0.0));
            if name.eq_ignore_ascii_case(coding) {
                return is_taken;
            }
            if name == "*" {
                any = Some(is_taken);
            }
        }
        any.unwrap_or(false)
    }

    /// The client.
    #[must_use]
    pub fn peer(&self) -> Option<Peer> {
        self.0.transport().map(Transport::peer)
    }

    /// The reactor of its connection.
    ///
    /// # Panics
    ///
    /// If the reactor has been dropped: never in a callback, but a request that was kept may outlive it.
    #[must_use]
    #[track_caller]
    pub fn reactor(&self) -> Reactor {
        self.0.reactor().expect("the reactor of this request has been dropped")
    }

    /// Attaches a value of any type to the request, for later handlers. A layer attaches the authenticated user, for example.
    pub fn put<T: Any>(&self, note: T) {
        self.0.add_note(Rc::new(note));
    }

    /// The last value of this type that was attached to the request.
    #[must_use]
    pub fn find<T: Any>(&self) -> Option<Rc<T>> {
        self.0.find_note()
    }

    /// Has the loop call `f` if the client disconnects before it has its whole response.
    pub fn on_disconnect(&self, f: impl FnOnce(&Reactor) + 'static) {
        if let (Some(f), Some(reactor)) = (self.0.add_disconnect(Box::new(f)), self.0.reactor()) {
            reactor.call_soon(f);
        }
    }

    // ---- the body ----

    /// Whether there is a body, or may be one.
    #[must_use]
    pub fn has_body(&self) -> bool {
        !matches!(
            self.head().framing(),
            crate::codec::Framing::None | crate::codec::Framing::Length(0)
        )
    }

    /// Collects the body, up to the server's `body_max`. A client that waits for `100 Continue` receives it.
    ///
    /// On an error the server responds with [`BodyError::status`], unless there is a response already; the handler just returns.
    pub fn collect(&self) -> Deferred<Bytes, BodyError> {
        self.collect_up_to(self.0.body_max.get())
    }

    /// Collects the body, up to this limit.
    pub fn collect_up_to(&self, limit: u64) -> Deferred<Bytes, BodyError> {
        let (promise, body) = self.reactor().promise();
        let announced = self.0.incoming.borrow().decoder.announced();
        let bytes =
            Vec::with_capacity(usize::try_from(announced.min(limit).min(16 * 1024)).unwrap_or(0));
        let reader = Reader::Collect { limit, bytes, promise };
        if let Err(Reader::Collect { promise, .. }) = self.read_by(reader) {
            promise.reject(BodyError::Taken);
        }
        body
    }

    /// The next piece of the body; `None` after the last. The connection does not read until a piece is requested.
    pub fn next_piece(&self) -> Deferred<Option<Bytes>, BodyError> {
        let (promise, piece) = self.reactor().promise();
        if let Err(Reader::Pull(Some(promise))) = self.read_by(Reader::Pull(Some(promise))) {
            let incoming = self.0.incoming.borrow();
            match incoming.end() {
                Some(end) => promise.settle(end.clone().map(|()| None)),
                None => promise.reject(BodyError::Taken),
            }
        }
        piece
    }

    /// Passes the body to a receiver, in pieces, whatever its length.
    pub fn receive(&self, receiver: impl BodyReceiver) {
        if let Err(Reader::Receive(receiver)) = self.read_by(Reader::Receive(Box::new(receiver))) {
            // Not now: the receiver is user code.
            self.reactor().call_soon(|_| receiver.body_ended(Err(BodyError::Taken)));
        }
    }

    /// The trailers of a complete body; unless a [`BodyReceiver`] has received them.
    #[must_use]
    pub fn take_trailers(&self) -> Fields {
        self.0.incoming.borrow_mut().take_trailers()
    }

    /// How many bytes of the body have been received so far.
    #[must_use]
    pub fn bytes_received(&self) -> u64 {
        self.0.incoming.borrow().received
    }

    /// How many bytes of the body of the response were given to the transport so far. Of a file, they are counted in steps of 4 MiB, once
    /// the system has taken them.
    #[must_use]
    pub fn bytes_sent(&self) -> u64 {
        self.0.sent.get()
    }

    fn read_by(&self, reader: Reader) -> Result<(), Reader> {
        Incoming::read_by(&mut self.0.incoming.borrow_mut(), reader)?;
        self.0.wake();
        Ok(())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", self.method())
            .field("target", &self.head().target())
            .field("fields", self.fields())
            .finish_non_exhaustive()
    }
}
