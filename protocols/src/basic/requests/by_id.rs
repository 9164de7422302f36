//! Matching answers to requests by identifier: [`RequestsById`].

use std::{fmt, hash::Hash, time::Duration};

use sinew_transports::{ConnectionLost, Transport, WriteStatus, reactor::Deferred};

use super::{
    AnswerError, RequestError,
    places::{ById, Outstanding, Place},
};

/// Outstanding requests of a protocol whose answers carry an identifier and may arrive in any order: like
/// [`Requests`](super::Requests), but matched by an identifier `K` that the caller chooses.
///
/// A request that timed out keeps its identifier for the length of its timeout once more, so that a late answer is
/// not matched to another request; then the identifier is free again.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{RequestError, RequestsById};
/// use sinew_transports::{Transport, reactor::Deferred};
///
/// /// Sends the identifier before the request.
/// fn ask(requests: &RequestsById<u16, Vec<u8>>, transport: &Transport, id: u16) -> Deferred<Vec<u8>, RequestError> {
///     requests.send(transport, id, |transport| Ok(transport.write_vectored(&[&id.to_be_bytes(), b"?"])))
/// }
///
/// let (transport, wire) = Transport::memory();
/// let requests = RequestsById::default();
/// let (first, second) = (ask(&requests, &transport, 1), ask(&requests, &transport, 2));
/// assert_eq!(wire.sent(), b"\0\x01?\0\x02?");
/// assert_eq!(requests.resolve(&2, b"two".to_vec()), Ok(()));
/// assert_eq!((first.take(), second.take()), (None, Some(Ok(b"two".to_vec()))));
/// ```
pub struct RequestsById<K: Hash + Eq + 'static, A: 'static, E: AnswerError = RequestError> {
    outstanding: Outstanding<ById<K, A, E>, A, E>,
}

impl<K: Hash + Eq + 'static, A: 'static, E: AnswerError> RequestsById<K, A, E> {
    /// Maximum number of outstanding requests. Default 1,024; past it [`RequestError::TooMany`].
    #[must_use]
    pub fn outstanding_max(self, questions: usize) -> Self {
        self.outstanding.set_max(questions);
        self
    }

    /// Timeout of requests without their own; `None` disables it. Default 30 s; past it [`RequestError::TimedOut`].
    #[must_use]
    pub fn timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.outstanding.set_timeout(timeout.into());
        self
    }

    /// Sends a request under an identifier that is not in use: see [`Requests::send`](super::Requests::send).
    pub fn send(
        &self,
        transport: &Transport,
        id: K,
        send: impl FnOnce(&Transport) -> Result<WriteStatus, E>,
    ) -> Deferred<A, E> {
        self.send_within(transport, self.outstanding.timeout(), id, send)
    }

    /// Like [`send`](Self::send), with a timeout for this request.
    pub fn send_within(
        &self,
        transport: &Transport,
        timeout: impl Into<Option<Duration>>,
        id: K,
        send: impl FnOnce(&Transport) -> Result<WriteStatus, E>,
    ) -> Deferred<A, E> {
        let refused = self.is_in_use(&id).then_some(RequestError::IdInUse);
        let put = |places: &mut ById<_, _, _>, place| drop(places.insert(id, place));
        self.outstanding.send(transport, timeout.into(), refused, send, put)
    }

    /// Whether a request with that identifier is outstanding, or has timed out recently.
    #[must_use]
    pub fn is_in_use(&self, id: &K) -> bool {
        self.outstanding.with(|places| places.contains_key(id))
    }

    /// Resolves the request with that identifier.
    ///
    /// # Errors
    ///
    /// Hands `answer` back if there is no such request.
    pub fn resolve(&self, id: &K, answer: A) -> Result<(), A> {
        self.outstanding.settle(self.take(id), answer, Ok)
    }

    /// Fails the request with that identifier: the error is its answer.
    ///
    /// # Errors
    ///
    /// Hands `error` back if there is no such request.
    pub fn failed(&self, id: &K, error: E) -> Result<(), E> {
        self.outstanding.settle(self.take(id), error, Err)
    }

    fn take(&self, id: &K) -> Option<Place<A, E>> {
        self.outstanding.with(|places| places.remove(id))
    }

    /// Number of outstanding requests, including cancelled ones and those that timed out recently.
    #[must_use]
    pub fn len(&self) -> usize {
        self.outstanding.len()
    }

    /// Whether no request is outstanding.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The connection has ended: fails all requests with [`RequestError::Lost`], or as abandoned if the reactor is
    /// shutting down. Call it from `connection_lost`.
    pub fn connection_lost(&self, reason: &ConnectionLost) {
        self.outstanding.connection_lost(reason);
    }
}

impl<K: Hash + Eq + 'static, A: 'static, E: AnswerError> Default for RequestsById<K, A, E> {
    fn default() -> Self {
        Self { outstanding: Outstanding::default() }
    }
}

impl<K: Hash + Eq + 'static, A: 'static, E: AnswerError> Clone for RequestsById<K, A, E> {
    fn clone(&self) -> Self {
        Self { outstanding: self.outstanding.clone() }
    }
}

impl<K: Hash + Eq + 'static, A: 'static, E: AnswerError> fmt::Debug for RequestsById<K, A, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestsById").field("len", &self.len()).finish_non_exhaustive()
    }
}
