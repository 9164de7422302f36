//! A client that asks questions over any framing, and reconnects: [`RequestClient`]. Matching answers to requests is the work of
//! `requests/`.

mod matching;
#[cfg(test)]
mod tests;
mod waiting;

use std::{
    cell::{Cell, RefCell},
    fmt,
    hash::Hash,
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use sinew_transports::{
    ClientService, ConnectConfig, ConnectError, ConnectionLost, OwnedConnection, Peer, RetryConfig,
    Transport,
    endpoint::ClientEndpoint,
    reactor::{Deferred, Failure, Reactor, WeakReactor},
};

use super::{
    Codec, FrameError, FrameHandler, FrameTransport, Framed, RequestError,
    requests::{OUTSTANDING_MAX, TIMEOUT},
    send_frame,
};

use self::waiting::Waiting;
pub use matching::{AnswersById, AnswersInOrder, MatchAnswers};

/// A client of a protocol of questions and answers, each of them one frame of `D`. Cheap to clone.
///
/// - **Order.** Answers come [in the order](Self::in_order) of the requests, as in most line protocols, or carry
///   [an identifier](Self::by_id). Requests are sent at once, without waiting for earlier answers (pipelining).
/// - **Reconnecting.** A client that was [started](RequestClientConfig::start) connects again whenever its connection is lost. A
///   request waits for a connection, within its timeout. One that was sent on a connection that is lost fails with
///   [`RequestError::Lost`]: only you know whether it may be sent twice. A client that was
///   [connected](RequestClientConfig::connect) has one connection, after whose end every request fails.
/// - **Timeout and cancellation.** A request that is dropped or late keeps its place, so that its answer does not go to
///   another: see [`Requests`](super::Requests).
/// - **Limit.** At most [`outstanding_max`](RequestClientConfig::outstanding_max) requests wait for their answers on a connection,
///   and as many for a connection.
/// - **End.** Dropping the last clone closes the connection gracefully; requests without an answer fail.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew_protocols::{basic::{Line, RequestClient}, wire::Echo};
/// use sinew_transports::{Peer, endpoint::{ClientEndpoint, ServerEndpoint}, reactor::Reactor};
///
/// let reactor = Reactor::simulated(7);
/// let port = "memory:echo".parse::<ServerEndpoint>()?.listen(&reactor, |_: &Peer| Echo)?;
/// let endpoint: ClientEndpoint = "memory:echo".parse()?;
///
/// let client = RequestClient::in_order(Line::default()).start(&reactor, endpoint);
/// let answer = reactor.run_until(async move { client.ask("hello").await })??;
/// assert_eq!(answer, "hello");
/// # Ok(())
/// # }
/// ```
pub struct RequestClient<D: Codec, M: MatchAnswers = AnswersInOrder> {
    inner: Rc<Inner<D, M>>,
}

/// The settings of a [`RequestClient`].
#[must_use = "it becomes a client by `start` or `connect`"]
pub struct RequestClientConfig<D: Codec, M: MatchAnswers = AnswersInOrder> {
    codec: D,
    matching: M,
    timeout: Option<Duration>,
    outstanding_max: usize,
    retry: RetryConfig,
    connect: ConnectConfig,
    unsolicited: Option<Unsolicited>,
}

/// Receives frames that answer nothing.
type Unsolicited = Rc<RefCell<dyn FnMut(Bytes)>>;

struct Inner<D: Codec, M: MatchAnswers> {
    link: Link<D, M>,
    shared: Rc<Shared<D, M>>,
    reactor: WeakReactor,
}

/// Where the connection comes from. Dropped, it closes.
enum Link<D: Codec, M: MatchAnswers> {
    Service(ClientService<Framed<D, Answers<D, M>>>),
    Connection(OwnedConnection<Framed<D, Answers<D, M>>>),
}

/// What the client and the handlers of its connections share.
struct Shared<D: Codec, M: MatchAnswers> {
    config: RequestClientConfig<D, M>,
    /// The last connection, with its requests.
    current: RefCell<Option<(Transport, M::Requests)>>,
    /// How many requests wait for a connection.
    waiting: Rc<Cell<usize>>,
}

/// The handler of one connection.
struct Answers<D: Codec, M: MatchAnswers> {
    requests: M::Requests,
    shared: Rc<Shared<D, M>>,
}

impl<D: Codec> RequestClient<D> {
    /// Answers come in the order of the requests.
    pub fn in_order(codec: D) -> RequestClientConfig<D> {
        RequestClientConfig::new(codec, AnswersInOrder)
    }

    /// Sends a request and returns the future answer. It is sent at once if there is a connection.
    ///
    /// # Errors
    ///
    /// [`RequestError`], by the deferred.
    pub fn ask(&self, question: impl AsRef<[u8]>) -> Deferred<Bytes, RequestError> {
        self.ask_within(self.inner.shared.config.timeout, question)
    }

    /// Like [`ask`](Self::ask), with a timeout for this request.
    pub fn ask_within(
        &self,
        timeout: impl Into<Option<Duration>>,
        question: impl AsRef<[u8]>,
    ) -> Deferred<Bytes, RequestError> {
        self.inner.ask(timeout.into(), (), question.as_ref())
    }
}

impl<D: Codec, K: Hash + Eq + Clone + 'static> RequestClient<D, AnswersById<K>> {
    /// Answers carry an identifier, which `id_of` finds in the frame; `None` for a frame that answers nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_protocols::basic::{AnswersById, Int16, RequestClient, RequestError};
    ///
    /// /// Asks under an identifier of two bytes at the start of the frame.
    /// async fn ask(client: &RequestClient<Int16, AnswersById<u16>>, id: u16, question: &[u8]) -> Result<Vec<u8>, RequestError> {
    ///     let answer = client.ask_as(id, [&id.to_be_bytes(), question].concat()).await?;
    ///     Ok(answer[2..].to_vec())
    /// }
    ///
    /// let config = RequestClient::by_id(Int16::default(), |frame: &[u8]| {
    ///     Some(u16::from_be_bytes(*frame.first_chunk()?))
    /// });
    /// # drop(config);
    /// ```
    pub fn by_id(
        codec: D,
        id_of: impl Fn(&[u8]) -> Option<K> + 'static,
    ) -> RequestClientConfig<D, AnswersById<K>> {
        RequestClientConfig::new(codec, AnswersById::new(id_of))
    }

    /// Sends a request, whose frame contains this identifier already, and returns the future answer. It is sent at once if there
    /// is a connection.
    ///
    /// # Errors
    ///
    /// [`RequestError`], by the deferred; [`RequestError::IdInUse`] if another request under this identifier is outstanding.
    pub fn ask_as(&self, id: K, question: impl AsRef<[u8]>) -> Deferred<Bytes, RequestError> {
        self.ask_as_within(self.inner.shared.config.timeout, id, question)
    }

    /// Like [`ask_as`](Self::ask_as), with a timeout for this request.
    pub fn ask_as_within(
        &self,
        timeout: impl Into<Option<Duration>>,
        id: K,
        question: impl AsRef<[u8]>,
    ) -> Deferred<Bytes, RequestError> {
        self.inner.ask(timeout.into(), id, question.as_ref())
    }
}

impl<D: Codec, M: MatchAnswers> RequestClient<D, M> {
    /// Whether there is a connection now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.inner.shared.is_connected()
    }

    /// Closes the connection gracefully, and connects no more. Requests without an answer fail. Resolves when the connection is
    /// over.
    pub fn close(&self) -> Deferred<()> {
        match &self.inner.link {
            Link::Service(service) => service.stop(),
            Link::Connection(connection) => {
                connection.transport().lose_connection();
                connection.transport().when_lost()
            }
        }
    }
}

impl<D: Codec, M: MatchAnswers> RequestClientConfig<D, M> {
    fn new(codec: D, matching: M) -> Self {
        Self {
            codec,
            matching,
            timeout: Some(TIMEOUT),
            outstanding_max: OUTSTANDING_MAX,
            retry: RetryConfig::default(),
            connect: ConnectConfig::default(),
            unsolicited: None,
        }
    }

    /// Timeout of requests without their own, with the wait for a connection; `None` disables it. Default 30 s; past it
    /// [`RequestError::TimedOut`].
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// Maximum number of requests that wait for their answers on a connection, and of those that wait for a connection. Default
    /// 1,024; past it [`RequestError::TooMany`].
    pub fn outstanding_max(mut self, requests: usize) -> Self {
        self.outstanding_max = requests.max(1);
        self
    }

    /// How a client that was started reconnects, and how it connects.
    pub fn retry(mut self, retry: RetryConfig) -> Self {
        self.retry = retry;
        self
    }

    /// How a client that has one connection connects.
    pub fn connect_config(mut self, connect: ConnectConfig) -> Self {
        self.connect = connect;
        self
    }

    /// Receives the frames that answer nothing, such as notifications. Without this, such a frame ends the connection.
    pub fn on_unsolicited(mut self, f: impl FnMut(Bytes) + 'static) -> Self {
        self.unsolicited = Some(Rc::new(RefCell::new(f)));
        self
    }

    /// A client that keeps itself connected to an endpoint. Its first requests wait for the connection.
    pub fn start(
        self,
        reactor: &Reactor,
        endpoint: impl Into<ClientEndpoint>,
    ) -> RequestClient<D, M> {
        let retry = self.retry.clone();
        let shared = Rc::new(Shared::new(self));
        let service = ClientService::with(reactor, endpoint, retry, factory(&shared));
        service.start();
        RequestClient::new(reactor, Link::Service(service), shared)
    }

    /// A client with one connection.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], by the deferred.
    pub fn connect(
        self,
        reactor: &Reactor,
        endpoint: impl Into<ClientEndpoint>,
    ) -> Deferred<RequestClient<D, M>, ConnectError> {
        let connect = self.connect.clone();
        let shared = Rc::new(Shared::new(self));
        let connecting = endpoint.into().connect_with(reactor, connect, factory(&shared));
        let weak = reactor.downgrade();
        connecting.map(move |connection| {
            let link = Link::Connection(connection.owned());
            RequestClient { inner: Rc::new(Inner { link, shared, reactor: weak }) }
        })
    }
}

impl<D: Codec, M: MatchAnswers> RequestClient<D, M> {
    fn new(reactor: &Reactor, link: Link<D, M>, shared: Rc<Shared<D, M>>) -> Self {
        Self { inner: Rc::new(Inner { link, shared, reactor: reactor.downgrade() }) }
    }
}

impl<D: Codec, M: MatchAnswers> Shared<D, M> {
    fn new(config: RequestClientConfig<D, M>) -> Self {
        Self { config, current: RefCell::default(), waiting: Rc::default() }
    }

    /// Sends a request on the present connection, whatever its state.
    fn send(
        &self,
        timeout: Option<Duration>,
        id: M::Id,
        question: &[u8],
    ) -> Option<Deferred<Bytes, RequestError>> {
        let (transport, requests) = self.current.borrow().clone()?;
        let codec = &self.config.codec;
        let write = |to: &Transport| Ok(send_frame(to, codec, question)?);
        Some(M::send(&requests, &transport, timeout, id, write))
    }

    /// Whether the present connection takes requests.
    fn is_connected(&self) -> bool {
        self.current.borrow().as_ref().is_some_and(|(transport, _)| !transport.is_closing())
    }
}

fn factory<D: Codec, M: MatchAnswers>(
    shared: &Rc<Shared<D, M>>,
) -> impl FnMut(&Peer) -> Framed<D, Answers<D, M>> + use<D, M> {
    let shared = shared.clone();
    move |_| {
        let config = &shared.config;
        let requests = M::requests(config.outstanding_max);
        let codec = config.codec.clone();
        Framed::with_decoder(codec, Answers { requests, shared: shared.clone() })
    }
}

impl<D: Codec, M: MatchAnswers> Inner<D, M> {
    fn ask(
        &self,
        timeout: Option<Duration>,
        id: M::Id,
        question: &[u8],
    ) -> Deferred<Bytes, RequestError> {
        let (shared, reactor) = (&self.shared, self.reactor.upgrade());
        match (&self.link, reactor) {
            // Those that wait already are sent first.
            (Link::Service(service), Some(reactor))
                if shared.waiting.get() > 0 || !shared.is_connected() =>
            {
                let question = Bytes::copy_from_slice(question);
                let (promise, answer) = reactor.promise();
                let began = reactor.now();
                Waiting { timeout, began, id, question, promise }.start(&reactor, shared, service);
                answer
            }
            _ => shared.send(timeout, id, question).unwrap_or_else(|| {
                let (promise, answer) = self.reactor.promise();
                promise.reject(Failure::Abandoned.into());
                answer
            }),
        }
    }
}

impl<D: Codec, M: MatchAnswers> Drop for Inner<D, M> {
    fn drop(&mut self) {
        if let Link::Service(service) = &self.link {
            service.stop().detach();
        }
    }
}

impl<D: Codec, M: MatchAnswers> FrameHandler<D> for Answers<D, M> {
    fn connection_made(&mut self, transport: &mut FrameTransport<'_, D>) {
        let current = ((**transport).clone(), self.requests.clone());
        self.shared.current.replace(Some(current));
    }

    fn frame_received(&mut self, transport: &mut FrameTransport<'_, D>, frame: &[u8]) {
        let config = &self.shared.config;
        let answer = Bytes::copy_from_slice(frame);
        if let Err(frame) = config.matching.resolve(&self.requests, answer) {
            match &config.unsolicited {
                Some(unsolicited) => (unsolicited.borrow_mut())(frame),
                None => transport.fail(FrameError::Invalid("an answer to nothing that was asked")),
            }
        }
    }

    fn connection_lost(&mut self, _: &mut FrameTransport<'_, D>, reason: &ConnectionLost) {
        M::connection_lost(&self.requests, reason);
    }
}

impl<D: Codec, M: MatchAnswers> Clone for RequestClient<D, M> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<D: Codec, M: MatchAnswers> fmt::Debug for RequestClient<D, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestClient")
            .field("connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}

impl<D: Codec, M: MatchAnswers> fmt::Debug for RequestClientConfig<D, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestClientConfig")
            .field("timeout", &self.timeout)
            .field("outstanding_max", &self.outstanding_max)
            .finish_non_exhaustive()
    }
}
