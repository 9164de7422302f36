//! Datagrams for tasks: [`AsyncDatagram`].

use std::{
    cell::{Cell, RefCell},
    cmp,
    collections::VecDeque,
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use sinew_reactor::Reactor;

#[cfg(unix)]
use crate::{ConnectError, ReactorUnix, UnixAddr, UnixDatagramConfig, UnixListenError};
use crate::{
    DatagramAddr, DatagramConfig, DatagramProtocol, DatagramTransport, Destination, ReactorUdp,
    SendFailed, SendStatus, Stopped, UdpError,
};

/// Received datagrams that wait for a task. With so many, receiving pauses; the kernel's buffer takes the next ones, and drops those
/// for which it has no room.
pub const DATAGRAM_QUEUE_MAX: usize = 64;

/// A datagram socket for tasks: UDP, or a Unix socket.
///
/// Dropping it closes the socket.
///
/// # Examples
///
/// ```
/// use sinew_transports::{AsyncDatagram, reactor::Reactor};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let mut server = AsyncDatagram::bind(&reactor, "127.0.0.1:0")?;
/// let mut client = AsyncDatagram::connect(&reactor, server.local())?;
/// reactor.run_until(async move {
///     client.send(b"hello").await?;
///     let mut buffer = [0; 1500];
///     let (len, from) = server.recv_from(&mut buffer).await?;
///     server.send_to(&buffer[..len], from).await?;
///     assert_eq!(client.recv(&mut buffer).await?, 5);
///     std::io::Result::Ok(())
/// })??;
/// # Ok(())
/// # }
/// ```
pub struct AsyncDatagram<A: DatagramAddr = SocketAddr> {
    transport: DatagramTransport<A>,
    inbox: Rc<Inbox<A>>,
}

/// What the protocol behind the socket stores for tasks.
struct Inbox<A> {
    received: RefCell<VecDeque<(Box<[u8]>, A)>>,
    reader: Cell<Option<Waker>>,
    writer: Cell<Option<Waker>>,
    is_paused: Cell<bool>,
    /// The peer's host has reported that nothing listens; the next call returns it.
    is_refused: Cell<bool>,
    /// The queue was full, and has not become empty since.
    is_full: Cell<bool>,
    /// The result of a datagram that the system has refused.
    send_error: Cell<Option<io::Error>>,
    /// The socket was closed by something else than this handle: the cause.
    stopped: RefCell<Option<(io::ErrorKind, String)>>,
}

impl<A> Default for Inbox<A> {
    fn default() -> Self {
        Self {
            received: RefCell::default(),
            reader: Cell::default(),
            writer: Cell::default(),
            is_paused: Cell::default(),
            is_refused: Cell::default(),
            is_full: Cell::default(),
            send_error: Cell::default(),
            stopped: RefCell::default(),
        }
    }
}

impl AsyncDatagram {
    /// Receives UDP on `addr`, with the defaults of [`DatagramConfig`]. With port 0 the system chooses one, which
    /// [`local`](Self::local) returns.
    ///
    /// # Errors
    ///
    /// [`UdpError`], with the address and the cause.
    pub fn bind(reactor: &Reactor, addr: impl Into<Destination>) -> Result<Self, UdpError> {
        Self::bind_with(reactor, addr, DatagramConfig::default())
    }

    /// The same with a `config`.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_with(
        reactor: &Reactor,
        addr: impl Into<Destination>,
        config: DatagramConfig,
    ) -> Result<Self, UdpError> {
        Self::open(|protocol| reactor.listen_udp_with(addr, config, protocol))
    }

    /// UDP to one peer, with the defaults of [`DatagramConfig`]; see [`ReactorUdp::connect_udp`].
    ///
    /// # Errors
    ///
    /// [`UdpError`], with the address and the cause.
    pub fn connect(reactor: &Reactor, to: impl Into<Destination>) -> Result<Self, UdpError> {
        Self::connect_with(reactor, to, DatagramConfig::default())
    }

    /// The same with a `config`.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn connect_with(
        reactor: &Reactor,
        to: impl Into<Destination>,
        config: DatagramConfig,
    ) -> Result<Self, UdpError> {
        Self::open(|protocol| reactor.connect_udp_with(to, config, protocol))
    }
}

#[cfg(unix)]
impl AsyncDatagram<UnixAddr> {
    /// Receives datagrams on a Unix socket; see [`ReactorUnix::listen_unix_datagram`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn bind_unix(
        reactor: &Reactor,
        at: impl Into<UnixAddr>,
        config: UnixDatagramConfig,
    ) -> Result<Self, UnixListenError> {
        Self::open(|protocol| reactor.listen_unix_datagram_with(at, config, protocol))
    }

    /// Sends datagrams to a Unix socket; see [`ReactorUnix::connect_unix_datagram`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn connect_unix(
        reactor: &Reactor,
        to: impl Into<UnixAddr>,
        config: UnixDatagramConfig,
    ) -> Result<Self, ConnectError> {
        Self::open(|protocol| reactor.connect_unix_datagram_with(to, config, protocol))
    }
}

impl<A: DatagramAddr> AsyncDatagram<A> {
    fn open<E>(
        open: impl FnOnce(TaskDatagrams<A>) -> Result<DatagramTransport<A>, E>,
    ) -> Result<Self, E> {
        let inbox = Rc::<Inbox<A>>::default();
        let transport = open(TaskDatagrams(inbox.clone()))?;
        Ok(Self { transport, inbox })
    }

    /// Waits for a datagram and copies it into the buffer. Returns its length and its sender. What the buffer has no room for is
    /// lost.
    ///
    /// Cancel safe: a future that is dropped has taken no datagram.
    ///
    /// # Errors
    ///
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused), if nothing listens at the peer of a connected socket: the socket goes
    /// on. Any other, with its cause: the socket is closed.
    pub async fn recv_from(&mut self, buffer: &mut [u8]) -> io::Result<(usize, A)> {
        poll_fn(|context| self.poll_recv_from(context, buffer)).await
    }

    /// The same without the sender.
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    pub async fn recv(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.recv_from(buffer).await.map(|(len, _)| len)
    }

    fn poll_recv_from(
        &self,
        context: &Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, A)>> {
        let next = self.inbox.received.borrow_mut().pop_front();
        if let Some((data, from)) = next {
            if self.inbox.is_paused.take() {
                self.transport.resume_receiving();
            }
            let len = cmp::min(data.len(), buffer.len());
            buffer[..len].copy_from_slice(&data[..len]);
            return Poll::Ready(Ok((len, from)));
        }
        if let Some(error) = self.inbox.take_error() {
            return Poll::Ready(Err(error));
        }
        self.inbox.reader.set(Some(context.waker().clone()));
        Poll::Pending
    }

    /// Sends a datagram to an address. Waits while the send queue is full, unless the configuration says that datagrams are dropped
    /// then ([`Overflow`](crate::Overflow)).
    ///
    /// Cancel safe while it waits for room: a future that is dropped has not sent it.
    ///
    /// # Errors
    ///
    /// The system refuses the datagram, with the cause: it is too long, there is no route. The socket goes on.
    pub async fn send_to(&mut self, data: &[u8], to: A) -> io::Result<()> {
        self.submit(|transport| transport.send_to(data, to.clone())).await
    }

    /// Sends a datagram to the peer of a connected socket.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to); and [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) if nothing listened there when an
    /// earlier datagram arrived.
    pub async fn send(&mut self, data: &[u8]) -> io::Result<()> {
        self.submit(|transport| transport.send(data)).await
    }

    async fn submit(&self, send: impl Fn(&DatagramTransport<A>) -> SendStatus) -> io::Result<()> {
        let inbox = &*self.inbox;
        if let Some(error) = inbox.take_error() {
            return Err(error);
        }
        let mut has_failed = false;
        poll_fn(|context| {
            loop {
                if has_failed {
                    // The cause comes in a callback.
                    return match inbox.send_error.take() {
                        Some(error) => Poll::Ready(Err(error)),
                        None => inbox.poll_sender(context),
                    };
                }
                if inbox.is_full.get() {
                    return inbox.poll_sender(context);
                }
                inbox.send_error.take();
                match send(&self.transport) {
                    SendStatus::Closed => return Poll::Ready(Err(inbox.closed())),
                    SendStatus::Refused => inbox.is_full.set(true),
                    SendStatus::Failed => has_failed = true,
                    _ => return Poll::Ready(Ok(())),
                }
            }
        })
        .await
    }

    /// The local address.
    #[must_use]
    pub fn local(&self) -> A {
        self.transport.local()
    }

    /// The peer, if the socket is connected.
    #[must_use]
    pub fn peer(&self) -> Option<A> {
        self.transport.peer()
    }

    /// Its transport: counters, multicast, options.
    #[must_use]
    pub fn transport(&self) -> &DatagramTransport<A> {
        &self.transport
    }
}

impl<A: DatagramAddr> Drop for AsyncDatagram<A> {
    fn drop(&mut self) {
        self.transport.stop();
    }
}

impl<A: DatagramAddr> fmt::Debug for AsyncDatagram<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncDatagram")
            .field("transport", &self.transport)
            .field("received", &self.inbox.received.borrow().len())
            .finish()
    }
}

impl<A> Inbox<A> {
    /// An error that concerns no particular call.
    fn take_error(&self) -> Option<io::Error> {
        if self.is_refused.take() {
            return Some(io::ErrorKind::ConnectionRefused.into());
        }
        self.stopped.borrow().is_some().then(|| self.closed())
    }

    fn closed(&self) -> io::Error {
        match &*self.stopped.borrow() {
            Some((kind, text)) => io::Error::new(*kind, text.clone()),
            None => io::Error::new(io::ErrorKind::NotConnected, "the socket is closed"),
        }
    }

    /// Waits for a callback about sending. Ready only if the socket is closed.
    fn poll_sender(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        if self.stopped.borrow().is_some() {
            return Poll::Ready(Err(self.closed()));
        }
        self.writer.set(Some(context.waker().clone()));
        Poll::Pending
    }

    fn wake(place: &Cell<Option<Waker>>) {
        if let Some(waker) = place.take() {
            waker.wake();
        }
    }
}

/// The protocol behind the socket.
struct TaskDatagrams<A>(Rc<Inbox<A>>);

impl<A: DatagramAddr> DatagramProtocol<A> for TaskDatagrams<A> {
    fn datagram_received(&mut self, transport: &DatagramTransport<A>, data: &[u8], from: A) {
        let mut received = self.0.received.borrow_mut();
        received.push_back((data.into(), from));
        if received.len() >= DATAGRAM_QUEUE_MAX {
            self.0.is_paused.set(true);
            transport.pause_receiving();
        }
        drop(received);
        Inbox::<A>::wake(&self.0.reader);
    }

    fn send_failed(&mut self, _: &DatagramTransport<A>, failed: &SendFailed<A>) {
        let cause = io::Error::new(failed.source.kind(), failed.to_string());
        self.0.send_error.set(Some(cause));
        Inbox::<A>::wake(&self.0.writer);
    }

    fn connection_refused(&mut self, _: &DatagramTransport<A>) {
        self.0.is_refused.set(true);
        Inbox::<A>::wake(&self.0.reader);
    }

    fn sending_resumed(&mut self, _: &DatagramTransport<A>) {
        self.0.is_full.set(false);
        Inbox::<A>::wake(&self.0.writer);
    }

    fn stopped(&mut self, _: &DatagramTransport<A>, reason: &Stopped) {
        let kind = match reason {
            Stopped::Io(error) => error.kind(),
            _ => io::ErrorKind::NotConnected,
        };
        *self.0.stopped.borrow_mut() = Some((kind, reason.to_string()));
        Inbox::<A>::wake(&self.0.reader);
        Inbox::<A>::wake(&self.0.writer);
    }
}
