//! A listening port for tasks: [`AsyncListener`].

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::VecDeque,
    fmt,
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_core::Stream;
use sinew_reactor::{Deferred, Reactor};

use super::{
    AsyncStream,
    protocol::{StreamReceiver, TaskProtocol},
};
use crate::{
    Address, Factory, ListenConfig, ListenError, ListeningPort, Peer, endpoint::ServerEndpoint,
};

/// Accepted connections that wait for a task. With so many, the port accepts no more until one is taken; TLS handshakes that are in
/// progress then are completed.
pub const ACCEPT_QUEUE_MAX: usize = 64;

/// A listening port whose connections are taken by a task, with [`accept`](Self::accept) or as a [`Stream`].
///
/// At most 64 accepted connections wait to be taken; then the port [pauses](ListeningPort::pause). Dropping it closes the port and
/// the connections that wait.
///
/// # Examples
///
/// ```no_run
/// use sinew_transports::{AsyncListener, AsyncStream, endpoint::ServerEndpoint, reactor::Reactor};
///
/// async fn echo(mut stream: AsyncStream) -> std::io::Result<()> {
///     let mut buffer = [0; 4096];
///     loop {
///         let len = stream.read(&mut buffer).await?;
///         if len == 0 {
///             return Ok(());
///         }
///         stream.write_all(&buffer[..len]).await?;
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let endpoint: ServerEndpoint = "tcp:8000".parse()?;
/// let mut listener = AsyncListener::bind(&reactor, endpoint)?;
/// let spawner = reactor.clone();
/// reactor.run_until(async move {
///     while let Some(stream) = listener.accept().await {
///         spawner.spawn(echo(stream)).detach();
///     }
/// })?;
/// # Ok(())
/// # }
/// ```
pub struct AsyncListener {
    queue: Rc<AcceptQueue>,
    port: ListeningPort<Address>,
}

#[derive(Default)]
struct AcceptQueue {
    streams: RefCell<VecDeque<AsyncStream>>,
    waker: Cell<Option<Waker>>,
    port: OnceCell<ListeningPort<Address>>,
    /// The port is paused, because the queue is full.
    is_paused: Cell<bool>,
    /// The port is closed, and every connection that it accepted has been queued.
    is_stopped: Cell<bool>,
    /// The listener was dropped.
    is_dropped: Cell<bool>,
}

impl AsyncListener {
    /// Listens, with the defaults of [`ListenConfig`]. Endpoints are socket addresses, and whatever a string can say that is parsed:
    /// `"tls:443:cert=FILE".parse::<ServerEndpoint>()?`.
    ///
    /// # Errors
    ///
    /// [`ListenError`], with the address and the cause.
    pub fn bind(reactor: &Reactor, at: impl Into<ServerEndpoint>) -> Result<Self, ListenError> {
        Self::bind_with(reactor, at, ListenConfig::default())
    }

    /// The same with a `config`.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_with(
        reactor: &Reactor,
        at: impl Into<ServerEndpoint>,
        config: ListenConfig,
    ) -> Result<Self, ListenError> {
        let queue = Rc::<AcceptQueue>::default();
        let port = at.into().listen_with(reactor, config, QueueFactory(queue.clone()))?;
        let _ = queue.port.set(port.clone());
        Ok(Self { queue, port })
    }

    /// The next connection; `None` once the port is closed and all connections are taken.
    ///
    /// Cancel safe: a future that is dropped has taken none.
    pub async fn accept(&mut self) -> Option<AsyncStream> {
        poll_fn(|context| self.poll_accept(context)).await
    }

    fn poll_accept(&mut self, context: &Context<'_>) -> Poll<Option<AsyncStream>> {
        let queue = &*self.queue;
        let next = queue.streams.borrow_mut().pop_front();
        if let Some(stream) = next {
            if queue.is_paused.take() {
                self.port.resume();
            }
            return Poll::Ready(Some(stream));
        }
        if queue.is_stopped.get() {
            return Poll::Ready(None);
        }
        queue.waker.set(Some(context.waker().clone()));
        Poll::Pending
    }

    /// The address that it listens on, with the port that the system chose if port 0 was requested.
    #[must_use]
    pub fn local(&self) -> Address {
        self.port.local()
    }

    /// The port: number of open connections, pause, when it is closed.
    #[must_use]
    pub fn port(&self) -> &ListeningPort<Address> {
        &self.port
    }

    /// Accepts no more; [`accept`](Self::accept) returns the connections that wait and then `None`.
    pub fn stop_listening(&self) {
        self.port.stop_listening();
    }

    /// Accepts no more, and lets the tasks of open connections know by [`AsyncStream::drain_requested`]. Resolves when the last is
    /// closed. After the deadline those that are left are aborted. See [`ListeningPort::drain`].
    pub fn drain(&self, deadline: Duration) -> Deferred<()> {
        self.port.drain(deadline)
    }
}

impl Stream for AsyncListener {
    type Item = AsyncStream;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_accept(context)
    }
}

impl Drop for AsyncListener {
    fn drop(&mut self) {
        self.queue.is_dropped.set(true);
        self.port.stop_listening();
        // Their drop closes the connections.
        drop(self.queue.streams.take());
    }
}

impl fmt::Debug for AsyncListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncListener")
            .field("local", &self.port.local())
            .field("waiting", &self.queue.streams.borrow().len())
            .finish()
    }
}

impl AcceptQueue {
    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl StreamReceiver for AcceptQueue {
    fn stream_made(&self, stream: AsyncStream) {
        if self.is_dropped.get() {
            return drop(stream);
        }
        let mut streams = self.streams.borrow_mut();
        streams.push_back(stream);
        let is_full = streams.len() >= ACCEPT_QUEUE_MAX;
        drop(streams);
        if is_full
            && !self.is_paused.replace(true)
            && let Some(port) = self.port.get()
        {
            port.pause();
        }
        self.wake();
    }
}

struct QueueFactory(Rc<AcceptQueue>);

impl Factory for QueueFactory {
    type Protocol = TaskProtocol;

    fn build_protocol(&mut self, _: &Peer) -> Option<TaskProtocol> {
        (!self.0.is_dropped.get()).then(|| TaskProtocol::New(self.0.clone()))
    }

    fn stopped(&mut self) {
        self.0.is_stopped.set(true);
        self.0.wake();
    }
}
