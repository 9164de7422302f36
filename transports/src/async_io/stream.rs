//! A connection for tasks: [`AsyncStream`]. How it is opened, split, and given to callbacks.

use std::{
    cell::Cell,
    fmt,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use sinew_reactor::{Deferred, Reactor};

use super::{
    ReadHalf, WriteHalf,
    core::{Core, DRAINING, GIVEN_AWAY, PAUSED},
    protocol::{StreamReceiver, TaskProtocol},
    reader::{Reader, read_methods},
    writer::{Writer, write_methods},
};
use crate::{
    ConnectConfig, ConnectError, Connecting, Connection, NotHandedOver, Peer, Protocol,
    SetProtocolError, Transport, endpoint::ClientEndpoint,
};

/// A connection that tasks read and write, over any transport: TCP, TLS, Unix sockets, pipes, processes, memory, a simulated
/// network.
///
/// It is opened by [`connect`](Self::connect) or accepted by an [`AsyncListener`](super::AsyncListener). Input is received only as
/// fast as a task reads it, and writing waits at the high watermark, so both directions are bounded. An idle stream owns no buffer.
///
/// Dropping it closes the connection gracefully, like [`Transport::lose_connection`]: what has been written is sent. To drop that
/// as well, call [`abort`](Self::abort). Which futures may be dropped half-way is [in a table](super#cancel-safety).
///
/// # Examples
///
/// ```
/// use sinew_transports::{AsyncListener, AsyncStream, endpoint::{ClientEndpoint, ServerEndpoint}, reactor::Reactor};
///
/// async fn ask(reactor: Reactor) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
///     let endpoint: ServerEndpoint = "tcp:0:interface=127.0.0.1".parse()?;
///     let mut listener = AsyncListener::bind(&reactor, endpoint)?;
///     let to: ClientEndpoint = listener.local().to_string().parse()?;
///     let mut client = AsyncStream::connect(&reactor, to).await?;
///     let mut server = listener.accept().await.ok_or("the port was closed")?;
///
///     client.write_all(b"are you there?").await?;
///     let mut question = [0; 14];
///     server.read_exact(&mut question).await?;
///     server.write_all(&question).await?;
///     server.shutdown().await?;
///
///     let mut answer = vec![0; 100];
///     let len = client.read(&mut answer).await?;
///     answer.truncate(len);
///     Ok(answer)
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// assert_eq!(reactor.run_until(ask(reactor.clone()))??, b"are you there?");
/// # Ok(())
/// # }
/// ```
pub struct AsyncStream {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
}

/// The halves are not of the same connection. The error returns them.
#[derive(thiserror::Error)]
#[error("the halves are of different connections")]
#[non_exhaustive]
pub struct ReuniteError {
    /// The reading half.
    pub read: ReadHalf,
    /// The writing half.
    pub write: WriteHalf,
}

sinew_reactor::error_debug!(ReuniteError);

impl AsyncStream {
    pub(super) fn new(core: Rc<Core>) -> Self {
        Self { reader: Reader::new(core.clone()), writer: Writer { core } }
    }

    /// Connects, with the defaults of [`ConnectConfig`]. Endpoints are addresses (`"localhost:8000"`), and whatever a string can say
    /// that is parsed: `"tls:example.org:443".parse::<ClientEndpoint>()?`.
    ///
    /// Cancel safe: dropping the future gives up, and closes the connection if there is one.
    ///
    /// # Errors
    ///
    /// The future returns [`ConnectError`].
    pub fn connect(reactor: &Reactor, to: impl Into<ClientEndpoint>) -> ConnectStream {
        Self::connect_with(reactor, to, ConnectConfig::default())
    }

    /// The same with a `config`.
    pub fn connect_with(
        reactor: &Reactor,
        to: impl Into<ClientEndpoint>,
        config: ConnectConfig,
    ) -> ConnectStream {
        let made = Rc::<Slot>::default();
        let receiver = made.clone();
        let connecting = to
            .into()
            .connect_with(reactor, config, move |_: &Peer| TaskProtocol::New(receiver.clone()));
        ConnectStream { connecting, made }
    }

    /// Takes a connection over from callbacks: from now on its protocol receives no more input, and its
    /// [`connection_lost`](Protocol::connection_lost) is called with [`HandedOver`](crate::ConnectionLost::HandedOver) by the event
    /// loop. Input that the protocol has received and not used ([`take_unread`](Protocol::take_unread)) is read first.
    ///
    /// # Errors
    ///
    /// [`NotHandedOver`]: the connection is closing, over, relayed, or has a handover pending. Then nothing has changed.
    ///
    /// # Examples
    ///
    /// A server that knows how to go on after the first byte hands the connection to a task:
    ///
    /// ```
    /// use sinew_transports::{AsyncStream, Protocol, Transport};
    ///
    /// struct Greeter;
    ///
    /// impl Protocol for Greeter {
    ///     fn data_received(&mut self, transport: &Transport, _: &[u8]) {
    ///         let (Some(reactor), Ok(mut stream)) = (transport.reactor(), AsyncStream::take_over(transport)) else {
    ///             return;
    ///         };
    ///         reactor.spawn(async move { stream.write_all(b"hello from a task").await }).detach();
    ///     }
    /// }
    /// ```
    pub fn take_over(transport: &Transport) -> Result<Self, NotHandedOver> {
        // The old protocol may have paused reading.
        let core = Rc::new(Core::new(transport.clone(), PAUSED));
        match transport.set_protocol(TaskProtocol::Open(core.clone())) {
            Ok(_) => Ok(Self::new(core)),
            Err(SetProtocolError { reason, .. }) => Err(reason),
        }
    }

    /// Gives the connection to a protocol: callbacks go on where the task has stopped. What was received and not read is the
    /// protocol's first input. See [`Transport::set_protocol`].
    ///
    /// # Errors
    ///
    /// [`SetProtocolError`] returns the protocol: the connection is closing, over, or has a handover pending. It is closed then.
    pub fn into_protocol<P: Protocol>(
        mut self,
        protocol: P,
    ) -> Result<Connection<P>, SetProtocolError<P>> {
        let core = self.reader.core.clone();
        let connection = core.transport.set_protocol(protocol)?;
        self.reader.return_to_core();
        core.set(GIVEN_AWAY);
        core.resume();
        core.transport.set_auto_pause(core.transport.inner().is_auto_pause_configured());
        Ok(connection)
    }

    /// Splits it into halves that two tasks own. Reading half and writing half work independently of each other.
    #[must_use]
    pub fn split(self) -> (ReadHalf, WriteHalf) {
        (ReadHalf { reader: self.reader }, WriteHalf { writer: self.writer })
    }

    /// Joins the halves of a stream again.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`] returns the halves: they are not of the same connection.
    pub fn reunite(read: ReadHalf, write: WriteHalf) -> Result<Self, ReuniteError> {
        if Rc::ptr_eq(&read.reader.core, &write.writer.core) {
            Ok(Self { reader: read.reader, writer: write.writer })
        } else {
            Err(ReuniteError { read, write })
        }
    }

    read_methods!();
    write_methods!();

    /// Starts TLS on the open connection, as with the STARTTLS of SMTP, and waits for the end of the handshake. See
    /// [`Transport::start_tls`].
    ///
    /// Bytes that were received and not read count as part of the handshake: what somebody on the path has put behind the
    /// plaintext makes it fail (RFC 3207 section 4.2). So read exactly up to the place where the handshake begins.
    ///
    /// If the future is dropped, the handshake goes on, and later reads and writes wait for its end.
    ///
    /// # Errors
    ///
    /// The handshake fails, with the text of the reason, or could not be started: then the error contains a
    /// [`StartTlsError`](crate::tls::StartTlsError).
    #[cfg(feature = "tls")]
    pub async fn start_tls(&mut self, role: impl Into<crate::tls::TlsRole>) -> io::Result<()> {
        use super::core::{ENDED, TLS_STARTED};

        let core = self.reader.core.clone();
        let received = self.reader.take_all();
        if let Err((error, received)) = core.transport.start_tls_with(role.into(), received) {
            self.reader.put_back(&received);
            return Err(io::Error::other(error));
        }
        poll_fn(|context| {
            if core.has(TLS_STARTED) {
                return Poll::Ready(Ok(()));
            }
            match core.end() {
                Some(end) => Poll::Ready(Err(end.error())),
                None if core.has(ENDED) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                None => {
                    core.wait_for_input(context);
                    Poll::Pending
                }
            }
        })
        .await
    }

    /// Drops the connection and what is queued at once; the peer receives a reset. See [`Transport::abort`].
    pub fn abort(self) {
        self.transport().abort();
    }

    /// The address of the other end.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.transport().peer()
    }

    /// Its transport: addresses, socket options, timeouts, what TLS has negotiated, and calls that do not wait.
    #[must_use]
    pub fn transport(&self) -> &Transport {
        &self.reader.core.transport
    }

    /// Resolves when the server is being drained ([`AsyncListener::drain`](super::AsyncListener::drain)), or the connection is over:
    /// finish what was begun, then drop the stream. It stays open until then, or until the deadline of the drain.
    pub fn drain_requested(&self) -> Deferred<()> {
        self.reader.core.when_draining()
    }

    /// Whether the server is being drained.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.reader.core.has(DRAINING)
    }
}

impl fmt::Debug for AsyncStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reader.core.fmt(f)
    }
}

/// Where the stream of an outgoing connection waits for its task.
#[derive(Default)]
struct Slot(Cell<Option<AsyncStream>>);

impl StreamReceiver for Slot {
    fn stream_made(&self, stream: AsyncStream) {
        self.0.set(Some(stream));
    }
}

/// The future of [`AsyncStream::connect`]. Dropping it gives up.
#[must_use = "futures do nothing unless they are awaited"]
pub struct ConnectStream {
    connecting: Connecting<TaskProtocol>,
    made: Rc<Slot>,
}

impl Future for ConnectStream {
    type Output = Result<AsyncStream, ConnectError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let connection = ready!(Pin::new(&mut self.connecting).poll(context))?;
        let Some(stream) = self.made.0.take() else {
            // An endpoint of another kind has not passed the callbacks on.
            return Poll::Ready(Err(ConnectError::NoProtocol(connection.transport().peer())));
        };
        // From here on the stream closes it.
        let _ = connection.detach();
        Poll::Ready(Ok(stream))
    }
}

impl fmt::Debug for ConnectStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectStream").field("settled", &self.connecting.is_settled()).finish()
    }
}
