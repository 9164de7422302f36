//! Answers that name their question: [`RequestsById`].

use std::{fmt, hash::Hash, time::Duration};

use sinew_transports::{ConnectionLost, Transport, WriteStatus, reactor::Deferred};

use super::{
    AnswerError, RequestError,
    places::{ById, Outstanding},
};

/// Questions of a protocol whose answers name them, and come in any order: [`Requests`](super::Requests), by a name `K`, which is the
/// caller's to choose.
///
/// A question that timed out keeps its name for as long again as it had, so that an answer that is late is not taken for that of
/// another; then the name is free.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{RequestError, RequestsById};
/// use sinew_transports::{Transport, reactor::Deferred};
///
/// /// Whatever is asked goes behind a number.
/// fn ask(requests: &RequestsById<u16, Vec<u8>>, transport: &Transport, id: u16) -> Deferred<Vec<u8>, RequestError> {
///     requests.ask(transport, id, |transport| Ok(transport.write_vectored(&[&id.to_be_bytes(), b"?"])))
/// }
///
/// let (transport, wire) = Transport::memory();
/// let requests = RequestsById::default();
/// let (first, second) = (ask(&requests, &transport, 1), ask(&requests, &transport, 2));
/// assert_eq!(wire.sent(), b"\0\x01?\0\x02?");
/// assert_eq!(requests.answered(&2, b"two".to_vec()), Ok(()));
/// assert_eq!((first.take(), second.take()), (None, Some(Ok(b"two".to_vec()))));
/// ```
pub struct RequestsById<K: Hash + Eq + 'static, A: 'static, E: AnswerError = RequestError> {
    outstanding: Outstanding<ById<K, A, E>, A, E>,
}

impl<K: Hash + Eq + 'static, A: 'static, E: AnswerError> RequestsById<K, A, E> {
    /// How many questions may wait. Default 1,024; past it [`RequestError::TooMany`].
    #[must_use]
    pub fn outstanding_max(self, questions: usize) -> Self {
        self.outstanding.set_max(questions);
        self
    }

    /// How long a question waits for its answer, unless it says otherwise. Default 30 s; past it [`RequestError::TimedOut`].
    #[must_use]
    pub fn timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.outstanding.set_timeout(timeout.into());
        self
    }

    /// Asks, under a name that no other question has: see [`Requests::ask`](super::Requests::ask).
    pub fn ask(
        &self,
        transport: &Transport,
        id: K,
        send: impl FnOnce(&Transport) -> Result<WriteStatus, E>,
    ) -> Deferred<A, E> {
        self.ask_within(transport, self.outstanding.timeout(), id, send)
    }

    /// The same with a time of its own.
    pub fn ask_within(
        &self,
        transport: &Transport,
        timeout: impl Into<Option<Duration>>,
        id: K,
        send: impl FnOnce(&Transport) -> Result<WriteStatus, E>,
    ) -> Deferred<A, E> {
        let refused = self.is_in_use(&id).then_some(RequestError::IdInUse);
        let put = |places: &mut ById<_, _, _>, place| drop(places.insert(id, place));
        self.outstanding.ask(transport, timeout.into(), refused, send, put)
    }

    /// Whether a question of that name waits, or has timed out not long ago.
    #[must_use]
    pub fn is_in_use(&self, id: &K) -> bool {
        self.outstanding.with(|places| places.contains_key(id))
    }

    /// Answers the question of that name.
    ///
    /// # Errors
    ///
    /// The answer, if there is none.
    pub fn answered(&self, id: &K, answer: A) -> Result<(), A> {
        match self.outstanding.with(|places| places.remove(id)) {
            Some(place) => {
                self.outstanding.settle(place, Ok(answer));
                Ok(())
            }
            None => Err(answer),
        }
    }

    /// Fails the question of that name: that is its answer.
    ///
    /// # Errors
    ///
    /// The error, if there is none.
    pub fn failed(&self, id: &K, error: E) -> Result<(), E> {
        match self.outstanding.with(|places| places.remove(id)) {
            Some(place) => {
                self.outstanding.settle(place, Err(error));
                Ok(())
            }
            None => Err(error),
        }
    }

    /// How many questions wait for an answer, those that timed out not long ago or were cancelled among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.outstanding.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The connection is over: fails all questions with [`RequestError::Lost`], or as abandoned if that is because the reactor ends. To
    /// be called from `connection_lost`.
    pub fn lost(&self, reason: &ConnectionLost) {
        self.outstanding.lost(reason);
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
