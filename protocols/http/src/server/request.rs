//! A request, as handlers see it: [`Request`].

use std::{any::Any, borrow::Cow, fmt, rc::Rc};

use bytes::Bytes;
use http::{Method, Version};
use sinew_transports::{
    Peer, Transport,
    reactor::{Deferred, Reactor},
};

use super::{
    BodyReceiver,
    exchange::Exchange,
    incoming::{Incoming, Reader},
};
use crate::codec::{BodyError, Fields, FormError, RequestHead, form, list, percent_decode};

/// The most fields of a form or a query that are read.
const FORM_FIELDS_MAX: usize = 1_000;

/// A request: its head, and the way to its body. A handle that is cheap to clone and may be kept.
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
    /// The head as it was decoded.
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

    /// The path as it was sent, nothing decoded.
    #[must_use]
    pub fn path(&self) -> &str {
        self.head().path()
    }

    /// What of the path no router has used; it begins with `/`, or is empty. Without a router, the whole path.
    #[must_use]
    pub fn rest(&self) -> &str {
        self.path().get(self.0.mounted.get()..).unwrap_or_default()
    }

    /// What is behind the question mark, as it was sent.
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

    /// The first value of that name in the query, decoded.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        let fields = self.query_fields().ok()?;
        fields.into_iter().find_map(|(found, value)| (found == name).then_some(value))
    }

    /// A parameter of the path that a router has found, decoded. `None` also if what was sent there decodes to something that is not
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

    /// The first field of that name, if it is text.
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

    /// For which host and port it is, as the client says. Do not echo it: it is the client's to choose.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        self.head().authority()
    }

    /// Whether a content coding, as `gzip`, is one that the client takes (RFC 9110 12.5.3).
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

    /// Who has sent it.
    #[must_use]
    pub fn peer(&self) -> Option<Peer> {
        self.0.transport().map(Transport::peer)
    }

    /// The reactor that its connection lives on.
    ///
    /// # Panics
    ///
    /// If the reactor has been dropped: not in a callback, but a request that was kept may outlive it.
    #[must_use]
    #[track_caller]
    pub fn reactor(&self) -> Reactor {
        self.0.reactor().expect("the reactor of this request has been dropped")
    }

    /// Puts something of any type beside the request, for whoever handles it after: a layer puts in who has logged in, say.
    pub fn put<T: Any>(&self, note: T) {
        self.0.add_note(Rc::new(note));
    }

    /// The last thing of this type that was put beside the request.
    #[must_use]
    pub fn find<T: Any>(&self) -> Option<Rc<T>> {
        self.0.find_note()
    }

    /// Has the loop call `f` if the client goes away before it has its whole answer.
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

    /// Gathers the body, as long as the server's `body_max` allows. A client that waits for `100 Continue` gets it.
    ///
    /// On an error the server answers by itself, with [`BodyError::status`], unless somebody has; a handler just returns.
    pub fn collect(&self) -> Deferred<Bytes, BodyError> {
        self.collect_up_to(self.0.body_max.get())
    }

    /// Gathers the body, as long as this limit allows.
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

    /// The next piece of the body; `None` after the last. The connection is not read from while nobody asks.
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

    /// Has the body given to a receiver, piece by piece as it comes, however long it is.
    pub fn receive(&self, receiver: impl BodyReceiver) {
        if let Err(Reader::Receive(receiver)) = self.read_by(Reader::Receive(Box::new(receiver))) {
            // Not now: it is the user's code.
            self.reactor().call_soon(|_| receiver.body_ended(Err(BodyError::Taken)));
        }
    }

    /// The trailers, once the body is over; unless a [`BodyReceiver`] has got them.
    #[must_use]
    pub fn take_trailers(&self) -> Fields {
        self.0.incoming.borrow_mut().take_trailers()
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
