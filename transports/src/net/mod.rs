//! The contract between transports and a network: what the author of a transport writes, so that `listen_tcp`, `connect_tcp`,
//! UDP and lookups run over something else than the kernel's sockets.
//!
//! A [`Net`] is [installed](install) on a [simulated](Reactor::simulated) reactor before anything else happens there. From then on
//! the reactor asks it, and the protocols notice no difference:
//!
//! | the user calls | the network is asked for |
//! |---|---|
//! | `listen_tcp` | [`Net::resolve_now`] if a name is given, then [`Net::listen`]: a [`NetListener`] |
//! | `connect_tcp` | [`Net::resolve`], then [`Net::dial`] for each address that is tried: a [`NetDial`] |
//! | `listen_udp`, `connect_udp` | [`Net::datagrams`]: a [`DatagramSocket`] |
//! | `ReactorNames::resolve` | [`Net::resolve`] |
//!
//! Accepted and connected sockets are [`ByteStream`]s.
//!
//! # The contract
//!
//! In this order, of every socket:
//!
//! 1. `register` is called once, with the [`Token`] of the socket's handler, before any other method but `local_addr` and `local`.
//!    (A stream from [`NetDial::into_stream`] goes on under the token of its dial, and is not registered again.)
//! 2. No call blocks. What cannot be done now fails with [`io::ErrorKind::WouldBlock`].
//! 3. When something may have become possible, the network calls [`Reactor::reschedule`] with the token, from the reactor's thread.
//!    To call it once too often is harmless. The loop then asks for the readiness ([`ByteStream::readiness`],
//!    [`NetListener::is_ready`], [`NetDial::outcome`]) and makes the calls until they would block.
//! 4. Dropping a socket closes it. No method is called after that, and the token means nothing any more.
//!
//! No method is called while another one of the same socket runs, and none may run the loop.
//!
//! # Errors
//!
//! They are the kernel's: an [`io::Error`] with the kind, or better the number, that the man page of the system call names.
//! Transports act by them (`EMFILE` rests a port, `ECONNREFUSED` ends an attempt) and hand them to users as they are.

use std::{any::Any, cell::OnceCell, collections::VecDeque, io, net::SocketAddr, rc::Rc};

use sinew_reactor::{Deferred, Engine, PacketInfo, Reactor, Token};

use crate::peer::Peer;

mod byte_stream;
pub(crate) mod dialling;
pub(crate) mod listener;
mod observer;

pub use crate::buffers::READ_BUFFER;
pub use byte_stream::ByteStream;
pub use observer::StreamObserver;

/// A network in the kernel's place. See the [module](self) for who calls what.
pub trait Net {
    /// Opens a listening socket, as `bind(2)` and `listen(2)` do. Port 0 is any free one.
    ///
    /// # Errors
    ///
    /// Those of `bind(2)`: `EADDRINUSE`, `EADDRNOTAVAIL`, `EMFILE`.
    fn listen(&self, addr: SocketAddr, options: &ListenOptions)
    -> io::Result<Box<dyn NetListener>>;

    /// Begins to connect, as `connect(2)` of a non-blocking socket. What cannot be known at once is told by
    /// [`NetDial::outcome`].
    ///
    /// # Errors
    ///
    /// Those of `socket(2)`, `bind(2)` and `connect(2)` that are there at once: `EMFILE`, `EADDRNOTAVAIL`, `EINVAL`.
    fn dial(&self, addr: SocketAddr, options: &DialOptions) -> io::Result<Box<dyn NetDial>>;

    /// Opens a bound socket for datagrams. With a `peer` it is connected: it sends to that, and receives from nobody else.
    ///
    /// # Errors
    ///
    /// Those of `bind(2)` and `connect(2)`.
    fn datagrams(
        &self,
        addr: SocketAddr,
        peer: Option<SocketAddr>,
    ) -> io::Result<Box<dyn DatagramSocket>>;

    /// Looks up a name, which is in ASCII and no address. A value of `Err` with [`io::ErrorKind::NotFound`] says that there is no
    /// such name.
    fn resolve(&self, host: &str) -> Found;

    /// Looks up a name on the spot, for [`listen`](Self::listen). The addresses bear this port.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::NotFound`] if there is no such name.
    fn resolve_now(&self, host: &str, port: u16) -> io::Result<VecDeque<SocketAddr>>;
}

/// The addresses of a name, when they are there; their ports mean nothing.
pub type Found = Deferred<io::Result<Vec<SocketAddr>>>;

/// How a listening socket is to be opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListenOptions {
    /// How many connections may wait to be accepted; at least 1.
    pub backlog: usize,
    /// Whether others may listen on the same port (`SO_REUSEPORT`).
    pub reuse_port: bool,
    /// Whether an IPv6 socket takes no IPv4 (`IPV6_V6ONLY`).
    pub v6_only: bool,
}

/// How a socket is to be opened that connects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DialOptions {
    /// The address to connect from; port 0 is any free one. `None` leaves both to the network.
    pub bind: Option<SocketAddr>,
}

/// A listening socket.
pub trait NetListener {
    /// The token to [reschedule](Reactor::reschedule) when somebody can be accepted.
    fn register(&self, token: Token);

    /// The address of the internet that it listens on.
    ///
    /// # Errors
    ///
    /// If it has none.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Accepts, as `accept(2)`: the connection, and who is at its other end.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nobody waits, and the others of `accept(2)`: `ECONNABORTED` costs that connection, `EMFILE` and its like rest
    /// the port for a while.
    fn accept(&self) -> io::Result<(Box<dyn ByteStream>, Peer)>;

    /// Whether `accept` is worth trying.
    fn is_ready(&self) -> bool;

    /// Whether there will never be anybody to accept again. The port then closes. Default `false`.
    fn is_over(&self) -> bool {
        false
    }

    /// A descriptor that is good for nothing else but to be given back: a port that runs out of them gives it up to accept and close
    /// one connection. `None` where descriptors are not counted, which is the default.
    fn spare(&self) -> Option<Spare> {
        None
    }
}

/// A socket that is connecting.
pub trait NetDial {
    /// The token to [reschedule](Reactor::reschedule) when the outcome is known, and later when there is news of the stream.
    fn register(&self, token: Token);

    /// How it went, with the error of `connect(2)` if it failed. `None` while it goes on.
    fn outcome(&self) -> Option<io::Result<()>>;

    /// The socket, once it is connected.
    ///
    /// # Errors
    ///
    /// If the connection has ended in the meantime.
    fn into_stream(self: Box<Self>) -> io::Result<Box<dyn ByteStream>>;
}

/// A socket for datagrams.
pub trait DatagramSocket {
    /// The token to [reschedule](Reactor::reschedule) when a datagram has arrived, or there is room to send again.
    fn register(&self, token: Token);

    /// Receives, as `recvfrom(2)`: what does not fit is cut off.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing has arrived. Any other error is told to the protocol.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received<SocketAddr>>;

    /// Sends, as `sendto(2)`; `None` is the peer of a connected socket. `from` says which of the host's addresses it is to leave
    /// from.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room now; it is tried again when the token is rescheduled. `EMSGSIZE` for what is too long.
    fn send(
        &self,
        data: &[u8],
        to: Option<&SocketAddr>,
        from: Option<&PacketInfo>,
    ) -> io::Result<()>;

    /// The address that it is bound to.
    ///
    /// # Errors
    ///
    /// If it is closed.
    fn local(&self) -> io::Result<SocketAddr>;
}

/// A datagram that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received<A> {
    /// How many bytes of the buffer it fills.
    pub len: usize,
    /// Who has sent it.
    pub from: A,
    /// Where it was sent to, from sockets that tell.
    pub info: Option<PacketInfo>,
}

impl<A> Received<A> {
    /// So many bytes from there, by a socket that does not tell where they were sent to.
    pub const fn new(len: usize, from: A) -> Self {
        Self { len, from, info: None }
    }

    /// With where it was sent to.
    #[must_use]
    pub fn with_info(self, info: PacketInfo) -> Self {
        Self { info: Some(info), ..self }
    }
}

/// A file descriptor, closed when this is dropped.
pub type Spare = Box<dyn Any>;

/// The network of a reactor, where it is not the kernel's.
#[derive(Default)]
struct Installed(OnceCell<Rc<dyn Net>>);

/// A network was not put in the kernel's place.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// The reactor's sockets are the kernel's.
    #[error("only a simulated reactor takes a network in the kernel's place")]
    NotSimulated,
    /// It has one.
    #[error("the reactor has a network already")]
    Installed,
}

sinew_reactor::error_debug!(InstallError);

/// Puts a network in the kernel's place, before anything else happens on the reactor. It stays until the reactor ends.
///
/// # Errors
///
/// If the reactor is not a [simulated](Reactor::simulated) one, or has a network already.
pub fn install(reactor: &Reactor, net: Rc<dyn Net>) -> Result<(), InstallError> {
    if reactor.engine() != Engine::Simulated {
        return Err(InstallError::NotSimulated);
    }
    reactor.local::<Installed>().0.set(net).map_err(|_| InstallError::Installed)
}

/// The network of a reactor; `None` for the kernel's.
pub(crate) fn installed(reactor: &Reactor) -> io::Result<Option<Rc<dyn Net>>> {
    if reactor.engine() != Engine::Simulated {
        return Ok(None);
    }
    match reactor.local::<Installed>().0.get() {
        Some(net) => Ok(Some(net.clone())),
        None => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a simulated reactor by itself has no network; use that of a host of sim::Network",
        )),
    }
}
