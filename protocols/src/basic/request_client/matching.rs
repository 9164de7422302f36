//! How a [`RequestClient`](super::RequestClient) matches answers to requests: [`AnswersInOrder`] and [`AnswersById`].

use std::{fmt, hash::Hash, rc::Rc, time::Duration};

use bytes::Bytes;
use sinew_transports::{ConnectionLost, Transport, WriteStatus, reactor::Deferred};

use crate::basic::{RequestError, Requests, RequestsById};

mod sealed {
    #[allow(unnameable_types, reason = "that is how a trait is sealed")]
    pub trait Sealed {}
    impl Sealed for super::AnswersInOrder {}
    impl<K> Sealed for super::AnswersById<K> {}
}

/// How answers are matched to requests: [`AnswersInOrder`] or [`AnswersById`].
pub trait MatchAnswers: sealed::Sealed + 'static {
    /// What identifies a request.
    type Id: 'static;
    /// The outstanding requests of a connection.
    #[doc(hidden)]
    type Requests: Clone + 'static;

    #[doc(hidden)]
    fn requests(outstanding_max: usize) -> Self::Requests;

    #[doc(hidden)]
    fn send(
        requests: &Self::Requests,
        transport: &Transport,
        timeout: Option<Duration>,
        id: Self::Id,
        write: impl FnOnce(&Transport) -> Result<WriteStatus, RequestError>,
    ) -> Deferred<Bytes, RequestError>;

    #[doc(hidden)]
    fn resolve(&self, requests: &Self::Requests, answer: Bytes) -> Result<(), Bytes>;

    #[doc(hidden)]
    fn connection_lost(requests: &Self::Requests, reason: &ConnectionLost);
}

/// Answers come in the order of the requests.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct AnswersInOrder;

/// Answers carry an identifier `K`.
#[derive(Clone)]
pub struct AnswersById<K> {
    id_of: IdOf<K>,
}

type IdOf<K> = Rc<dyn Fn(&[u8]) -> Option<K>>;

impl<K> AnswersById<K> {
    pub(super) fn new(id_of: impl Fn(&[u8]) -> Option<K> + 'static) -> Self {
        Self { id_of: Rc::new(id_of) }
    }
}

impl MatchAnswers for AnswersInOrder {
    type Id = ();
    type Requests = Requests<Bytes>;

    fn requests(outstanding_max: usize) -> Self::Requests {
        Requests::default().outstanding_max(outstanding_max)
    }

    fn send(
        requests: &Self::Requests,
        transport: &Transport,
        timeout: Option<Duration>,
        (): (),
        write: impl FnOnce(&Transport) -> Result<WriteStatus, RequestError>,
    ) -> Deferred<Bytes, RequestError> {
        requests.send_within(transport, timeout, (), write)
    }

    fn resolve(&self, requests: &Self::Requests, answer: Bytes) -> Result<(), Bytes> {
        requests.resolve(answer)
    }

    fn connection_lost(requests: &Self::Requests, reason: &ConnectionLost) {
        requests.connection_lost(reason);
    }
}

impl<K: Hash + Eq + Clone + 'static> MatchAnswers for AnswersById<K> {
    type Id = K;
    type Requests = RequestsById<K, Bytes>;

    fn requests(outstanding_max: usize) -> Self::Requests {
        RequestsById::default().outstanding_max(outstanding_max)
    }

    fn send(
        requests: &Self::Requests,
        transport: &Transport,
        timeout: Option<Duration>,
        id: K,
        write: impl FnOnce(&Transport) -> Result<WriteStatus, RequestError>,
    ) -> Deferred<Bytes, RequestError> {
        requests.send_within(transport, timeout, id, write)
    }

    fn resolve(&self, requests: &Self::Requests, answer: Bytes) -> Result<(), Bytes> {
        match (self.id_of)(&answer) {
            Some(id) => requests.resolve(&id, answer),
            None => Err(answer),
        }
    }

    fn connection_lost(requests: &Self::Requests, reason: &ConnectionLost) {
        requests.connection_lost(reason);
    }
}

impl<K> fmt::Debug for AnswersById<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnswersById")
    }
}
