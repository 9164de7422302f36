//! Connections in memory, without a kernel: the test holds the other end of the connection, a [`Wire`].
//!
//! There are two ways to use them. [`Transport::memory`] returns a transport by itself: the test calls the protocol's methods as
//! the event loop would, and checks what was sent. [`connect`] adds a protocol to a reactor: the event loop drives it exactly
//! like one on a socket.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    io::{self, IoSlice, Read},
    net::SocketAddr,
    rc::Rc,
    time::Instant,
};

use sinew_reactor::{Reactor, Ready, RegisterError, Token, WeakReactor};

use crate::{
    Connection, Peer, Protocol, StreamConfig, Transport,
    net::ByteStream,
    stream::{Shared, StreamBuilder, layer::driver::NoProtocol, socket::Socket},
};

mod failures;
pub(crate) mod port;
#[cfg(feature = "tls")]
mod secured;

#[cfg(feature = "tls")]
pub use secured::connect_tls;

/// Default capacity towards the far end, like that of a socket's buffer.
const CAPACITY: usize = 256 * 1024;

/// The far end of a connection in memory: what a peer can see and do.
#[derive(Clone)]
pub struct Wire {
    ends: Rc<Ends>,
    reactor: WeakReactor,
    /// The reactor of a transport made by [`Transport::memory`].
    own_reactor: Option<Reactor>,
    transport: Transport,
}

/// The state of both directions.
struct Ends {
    /// From the far end to the stream.
    inbound: RefCell<VecDeque<u8>>,
    inbound_ended: Cell<bool>,
    /// From the stream to the far end.
    outbound: RefCell<Vec<u8>>,
    outbound_ended: Cell<bool>,
    capacity: Cell<usize>,
    /// The far end has reset the connection.
    reset_by_peer: Cell<bool>,
    /// The stream has reset the connection.
    reset: Cell<bool>,
    closed: Cell<bool>,
    /// Input and output are separate, so input continues after output has failed.
    separate_directions: Cell<bool>,
    token: Token,
    /// The stream's local address.
    local: Option<SocketAddr>,
}

impl Ends {
    /// The result of a read of an empty buffer. Data that arrived before a reset is read first, as on a socket.
    fn empty_read_result(&self) -> io::Result<usize> {
        match (self.reset_by_peer.get(), self.inbound_ended.get()) {
            (true, _) => Err(io::ErrorKind::ConnectionReset.into()),
            (false, true) => Ok(0),
            (false, false) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

/// The stream's end of the connection.
struct StreamEnd(Rc<Ends>);

impl ByteStream for StreamEnd {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut inbound = self.0.inbound.borrow_mut();
        let len = inbound.len().min(buffer.len());
        if len == 0 && !buffer.is_empty() {
            return self.0.empty_read_result();
        }
        inbound.read_exact(&mut buffer[..len]).expect("`len` is at most the length of `inbound`");
        Ok(len)
    }

    fn peek(&self) -> io::Result<usize> {
        if self.0.inbound.borrow().is_empty() { self.0.empty_read_result() } else { Ok(1) }
    }

    fn short_read_drains(&self, _: bool) -> bool {
        true
    }

    fn check(&self) -> io::Result<()> {
        match self.0.reset_by_peer.get() {
            true => Err(io::ErrorKind::ConnectionReset.into()),
            false => Ok(()),
        }
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.0.reset_by_peer.get() || self.0.outbound_ended.get() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut outbound = self.0.outbound.borrow_mut();
        let before = outbound.len();
        for slice in slices {
            let room = self.0.capacity.get().saturating_sub(outbound.len());
            outbound.extend_from_slice(&slice[..slice.len().min(room)]);
        }
        match outbound.len() - before {
            0 if slices.iter().any(|slice| !slice.is_empty()) => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            n => Ok(n),
        }
    }

    fn close_write(&self) -> io::Result<()> {
        self.0.outbound_ended.set(true);
        Ok(())
    }

    fn reset(&self) {
        self.0.reset.set(true);
    }

    fn readiness(&self) -> Ready {
        let ended = self.0.inbound_ended.get() || self.0.reset_by_peer.get();
        let mut ready = Ready::NONE;
        if ended {
            ready = ready | Ready::READ | Ready::READ_CLOSED;
        } else if !self.0.inbound.borrow().is_empty() {
            ready = ready | Ready::READ;
        }
        if self.0.outbound.borrow().len() < self.0.capacity.get() || self.0.reset_by_peer.get() {
            ready = ready | Ready::WRITE;
        }
        ready
    }

    fn has_separate_directions(&self) -> bool {
        self.0.separate_directions.get()
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        self.0.local
    }
}

impl Drop for StreamEnd {
    fn drop(&mut self) {
        self.0.outbound_ended.set(true);
        self.0.closed.set(true);
    }
}

/// Adds a protocol to a reactor, on a connection in memory: the event loop calls `connection_made` in its next turn, and then
/// drives the connection like one on a socket. The [`Wire`] is its peer.
///
/// # Errors
///
/// If the reactor has no room for another handler.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use sinew_reactor::Reactor;
/// use sinew_transports::{Protocol, StreamConfig, Transport, memory};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let reactor = Reactor::new()?;
/// let (_, wire) = memory::connect(&reactor, StreamConfig::default(), Echo)?;
/// wire.receive(b"hello");
/// while wire.sent_len() < 5 {
///     reactor.turn(Some(Duration::ZERO))?;
/// }
/// assert_eq!(wire.sent(), b"hello");
/// # Ok(())
/// # }
/// ```
pub fn connect<P: Protocol>(
    reactor: &Reactor,
    config: StreamConfig,
    protocol: P,
) -> Result<(Connection<P>, Wire), RegisterError> {
    connect_as(reactor, config, protocol, Peer::Memory, None)
}

/// Like [`connect`], with these addresses of both ends.
///
/// # Errors
///
/// If the reactor has no room for another handler.
pub fn connect_as<P: Protocol>(
    reactor: &Reactor,
    config: StreamConfig,
    protocol: P,
    peer: Peer,
    local: Option<SocketAddr>,
) -> Result<(Connection<P>, Wire), RegisterError> {
    let (transport, ends) = join(reactor, config, Some(protocol), peer, local)?;
    let wire = Wire::new(reactor, ends, transport.clone());
    Ok((Connection::new(transport), wire))
}

fn join<P: Protocol>(
    reactor: &Reactor,
    config: StreamConfig,
    protocol: Option<P>,
    peer: Peer,
    local: Option<SocketAddr>,
) -> Result<(Transport, Rc<Ends>), RegisterError> {
    let token = reactor.reserve()?;
    let ends = Rc::new(Ends {
        inbound: RefCell::default(),
        inbound_ended: Cell::new(false),
        outbound: RefCell::default(),
        outbound_ended: Cell::new(false),
        capacity: Cell::new(CAPACITY),
        reset_by_peer: Cell::new(false),
        reset: Cell::new(false),
        closed: Cell::new(false),
        separate_directions: Cell::new(false),
        token,
        local,
    });
    let shared = Shared::new(reactor, config, None);
    let socket = Socket::from(Box::new(StreamEnd(ends.clone())) as Box<dyn ByteStream>);
    let transport = StreamBuilder { reactor, socket, token, peer, shared }.adopt(protocol);
    reactor.reschedule(token);
    Ok((transport, ends))
}

impl Transport {
    /// A transport by itself and the far end of its connection, to test a protocol without a reactor. The test calls the
    /// protocol's methods as the event loop would, and the wire shows the output.
    ///
    /// Its reactor is a [simulated](Reactor::simulated) one: it uses no file descriptors, and its clock moves only by
    /// `transport.reactor().advance(…)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_transports::{Protocol, Transport};
    ///
    /// struct Echo;
    ///
    /// impl Protocol for Echo {
    ///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
    ///         transport.write(data);
    ///     }
    /// }
    ///
    /// let (transport, wire) = Transport::memory();
    /// let mut echo = Echo;
    /// echo.connection_made(&transport);
    /// echo.data_received(&transport, b"hello");
    /// assert_eq!(wire.sent(), b"hello");
    /// ```
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "it does not panic")]
    pub fn memory() -> (Self, Wire) {
        let reactor = Reactor::simulated(0);
        let (transport, ends) =
            join::<NoProtocol>(&reactor, StreamConfig::default(), None, Peer::Memory, None)
                .expect("a new reactor has room for a handler");
        let wire = Wire {
            ends,
            reactor: reactor.downgrade(),
            own_reactor: Some(reactor),
            transport: transport.clone(),
        };
        (transport, wire)
    }
}

impl Wire {
    fn new(reactor: &Reactor, ends: Rc<Ends>, transport: Transport) -> Self {
        Self { ends, reactor: reactor.downgrade(), own_reactor: None, transport }
    }

    /// Sends bytes to the stream.
    ///
    /// # Panics
    ///
    /// If the far end has ended its side or reset the connection before, after which no socket can send.
    #[track_caller]
    pub fn receive(&self, data: impl AsRef<[u8]>) {
        assert!(
            !self.ends.reset_by_peer.get(),
            "the far end sends after it has reset the connection"
        );
        assert!(!self.ends.inbound_ended.get(), "the far end sends after it has ended its side");
        self.ends.inbound.borrow_mut().extend(data.as_ref());
        self.reschedule();
    }

    /// Bytes sent to the stream that it has not read yet.
    #[must_use]
    pub fn unread_len(&self) -> usize {
        self.ends.inbound.borrow().len()
    }

    /// Ends the far end's side (FIN): the stream reads the end of stream after all data.
    pub fn close(&self) {
        self.ends.inbound_ended.set(true);
        self.reschedule();
    }

    /// Resets the connection from the far end.
    pub fn reset(&self) {
        self.ends.reset_by_peer.set(true);
        self.reschedule();
    }

    /// Takes the data that the stream has sent since the last call, which makes room for more.
    #[must_use]
    pub fn sent(&self) -> Vec<u8> {
        if let Some(reactor) = &self.own_reactor {
            // An engine failure, or a call from inside the event loop, changes nothing.
            let _ = reactor.turn(Some(std::time::Duration::ZERO));
        }
        self.take(usize::MAX)
    }

    /// Like [`sent`](Self::sent), but at most `max` bytes, and without a turn of the event loop before.
    #[must_use]
    pub fn take(&self, max: usize) -> Vec<u8> {
        let mut outbound = self.ends.outbound.borrow_mut();
        let len = max.min(outbound.len());
        let rest = outbound.split_off(len);
        let taken = std::mem::replace(&mut *outbound, rest);
        if !taken.is_empty() {
            self.reschedule();
        }
        taken
    }

    /// Whether the stream does not read now: it is paused, or above its high watermark.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        !self.is_closing() && !self.transport.is_reading()
    }

    /// Number of pending timers of the protocol ([`Transport::call_later`]).
    #[must_use]
    pub fn timers(&self) -> usize {
        self.transport.inner().timers_len()
    }

    /// When the next of the protocol's timers is due, its idle timeout included; `None` if none runs.
    #[must_use]
    pub fn next_timer(&self) -> Option<Instant> {
        let reactor = self.reactor.upgrade()?;
        self.transport.inner().next_callback_due(&reactor)
    }

    /// Number of bytes that `sent` would return now.
    #[must_use]
    pub fn sent_len(&self) -> usize {
        self.ends.outbound.borrow().len()
    }

    /// Capacity towards the far end, in bytes, after which a write would block. Default 256 KiB.
    pub fn set_capacity(&self, bytes: usize) {
        self.ends.capacity.set(bytes);
        self.reschedule();
    }

    /// Whether the stream is closing or closed.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.transport.is_closing()
    }

    /// Whether the stream has ended its output (FIN).
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ends.outbound_ended.get()
    }

    /// Whether the stream's socket is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.ends.closed.get()
    }

    /// Whether the stream has reset the connection.
    #[must_use]
    pub fn was_reset(&self) -> bool {
        self.ends.reset.get()
    }

    /// The stream's transport.
    #[must_use]
    pub fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Makes input and output separate, like two pipes: a failure of the output does not affect the input.
    pub fn set_separate_directions(&self) {
        self.ends.separate_directions.set(true);
    }

    // ---- for simulated networks, which may act on a connection that this end has closed ----

    /// Like [`receive`](Self::receive), but drops the data if the stream is closed or the connection was reset.
    pub fn receive_if_open(&self, data: &[u8]) {
        if !self.ends.closed.get() && !self.ends.reset_by_peer.get() {
            self.ends.inbound.borrow_mut().extend(data);
            self.reschedule();
        }
    }

    /// Like [`close`](Self::close). Returns `false` if the far end had ended its side before, or the stream is closed.
    pub fn close_if_open(&self) -> bool {
        let is_new = !self.ends.inbound_ended.replace(true) && !self.ends.closed.get();
        if is_new {
            self.reschedule();
        }
        is_new
    }

    /// Like [`reset`](Self::reset). Returns `false` if the far end had reset the connection before, or the stream is closed.
    pub fn reset_if_open(&self) -> bool {
        let is_new = !self.ends.reset_by_peer.replace(true) && !self.ends.closed.get();
        if is_new {
            self.reschedule();
        }
        is_new
    }

    /// Reschedules the stream.
    fn reschedule(&self) {
        if let Some(reactor) = self.reactor.upgrade() {
            reactor.reschedule(self.ends.token);
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("sent", &self.sent_len())
            .field("closing", &self.is_closing())
            .finish_non_exhaustive()
    }
}
