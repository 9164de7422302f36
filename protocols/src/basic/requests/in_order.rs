//! Matching answers to requests in order: [`Requests`].

use std::{collections::VecDeque, fmt, time::Duration};

use sinew_transports::{ConnectionLost, Transport, WriteStatus, reactor::Deferred};

use super::{
    AnswerError, RequestError,
    places::{InOrder, Outstanding, Place},
};

/// Outstanding requests of a protocol that answers in order, as most line protocols do (pipelining). `send` returns a
/// [`Deferred`] at once; each answer received resolves the oldest request.
///
/// `A` is the answer type. `Q` is whatever must be known about a request to read its answer, such as whether it has
/// several lines: see [`front`](Self::front). `E` is [`RequestError`], or your own error.
///
/// - **Timeout.** A request that is not answered within [`timeout`](Self::timeout), or that is cancelled, fails; it
///   keeps its place in the queue, and its late answer is dropped. Otherwise every later answer would go to the wrong
///   request.
/// - **Limit.** At most [`outstanding_max`](Self::outstanding_max) requests are outstanding, including those that
///   timed out; a further one is not sent.
/// - **End of the connection.** [`lost`](Self::connection_lost) fails all outstanding requests, and all later ones.
///
/// Clones are handles to the same queue. It costs one reactor timer while any request is outstanding.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{
///     ArgumentError, Command, LineHandler, LineReceiver, LineTransport, RequestError, Requests, Word, send_line,
/// };
/// use sinew_transports::{ConnectionLost, Transport, reactor::Deferred};
///
/// #[derive(Default)]
/// struct Client {
///     requests: Requests<String>,
/// }
///
/// impl Client {
///     fn get(&mut self, transport: &Transport, key: &Word) -> Deferred<String, RequestError> {
///         let question = Command::new(&Word::from_static("GET")).word(key);
///         self.requests.send(transport, (), |transport| Ok(send_line(transport, &question)?))
///     }
/// }
///
/// impl LineHandler for Client {
///     fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
///         if self.requests.resolve(String::from_utf8_lossy(line).into_owned()).is_err() {
///             transport.fail("an answer to nothing that was asked");
///         }
///     }
///
///     fn connection_lost(&mut self, _: &mut LineTransport<'_>, reason: &ConnectionLost) {
///         self.requests.connection_lost(reason);
///     }
/// }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use sinew_transports::{memory, reactor::Reactor, StreamConfig};
/// # let reactor = Reactor::simulated(0);
/// # let (connection, wire) =
/// #     memory::connect(&reactor, StreamConfig::default(), LineReceiver::new(Client::default()))?;
///
/// let key = Word::try_from("colour")?;
/// let colour = connection.with(|client, transport| client.handler_mut().get(transport, &key));
/// # let colour = colour.ok_or("it is there")?;
/// # reactor.advance(std::time::Duration::ZERO)?;
/// # assert_eq!(wire.sent(), b"GET colour\r\n");
/// # wire.receive(b"blue\r\n");
/// # reactor.advance(std::time::Duration::ZERO)?;
/// # assert_eq!(colour.take(), Some(Ok("blue".to_owned())));
/// # Ok(())
/// # }
/// ```
pub struct Requests<A: 'static, Q: 'static = (), E: AnswerError = RequestError> {
    outstanding: Outstanding<InOrder<Q, A, E>, A, E>,
}

impl<A: 'static, Q: 'static, E: AnswerError> Requests<A, Q, E> {
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

    /// Sends a request: calls `send` at once to write it, and returns the future answer. If the request is refused,
    /// `send` is not called; if `send` fails, the request fails with its error.
    pub fn send(
        &self,
        transport: &Transport,
        question: Q,
        send: impl FnOnce(&Transport) -> Result<WriteStatus, E>,
    ) -> Deferred<A, E> {
        self.send_within(transport, self.outstanding.timeout(), question, send)
    }

    /// Like [`send`](Self::send), with a timeout for this request.
    pub fn send_within(
        &self,
        transport: &Transport,
        timeout: impl Into<Option<Duration>>,
        question: Q,
        send: impl FnOnce(&Transport) -> Result<WriteStatus, E>,
    ) -> Deferred<A, E> {
        let put = |places: &mut InOrder<_, _, _>, place| places.push_back((question, place));
        self.outstanding.send(transport, timeout.into(), None, send, put)
    }

    /// The data of the request that is answered next; `None` if no request is outstanding.
    #[must_use]
    pub fn front(&self) -> Option<Q>
    where
        Q: Clone,
    {
        self.outstanding.with(|places| places.front().map(|(question, _)| question.clone()))
    }

    /// Resolves the oldest request.
    ///
    /// # Errors
    ///
    /// Hands `answer` back if no request is outstanding: the peer sent an unsolicited answer.
    pub fn resolve(&self, answer: A) -> Result<(), A> {
        self.outstanding.settle(self.next(), answer, Ok)
    }

    /// Fails the oldest request: the error is its answer.
    ///
    /// # Errors
    ///
    /// Hands `error` back if no request is outstanding.
    pub fn failed(&self, error: E) -> Result<(), E> {
        self.outstanding.settle(self.next(), error, Err)
    }

    fn next(&self) -> Option<Place<A, E>> {
        self.outstanding.with(VecDeque::pop_front).map(|(_, place)| place)
    }

    /// Number of outstanding requests, including those that timed out or were cancelled.
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

impl<A: 'static, Q: 'static, E: AnswerError> Default for Requests<A, Q, E> {
    fn default() -> Self {
        Self { outstanding: Outstanding::default() }
    }
}

impl<A: 'static, Q: 'static, E: AnswerError> Clone for Requests<A, Q, E> {
    fn clone(&self) -> Self {
        Self { outstanding: self.outstanding.clone() }
    }
}

impl<A: 'static, Q: 'static, E: AnswerError> fmt::Debug for Requests<A, Q, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").field("len", &self.len()).finish_non_exhaustive()
    }
}
