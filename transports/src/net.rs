//! Where sockets come from: the kernel or, on a reactor whose host is part of a simulation, that. The rest of this crate
//! does not care which.
//!
//! A network that takes the kernel's place is told the token of whatever wants to hear of it, and says "come by" with
//! [`Reactor::reschedule`]. Its errors are the kernel's.

#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::{
    any::Any,
    cell::{Cell, OnceCell},
    collections::VecDeque,
    io,
    net::{SocketAddr, ToSocketAddrs},
    rc::Rc,
};

use mio::net::{TcpListener, UdpSocket};
#[cfg(unix)]
use sinew_reactor::Completion;
use sinew_reactor::{
    Deferred, DeliveryMode, Engine, Interest, PacketInfo, Reactor, RegisterError, Source, Token,
};

use crate::{
    ConnectConfig, ListenConfig, Peer,
    names::{self, literal::Literal},
    stream::socket::{ByteStream, Socket, TcpStream},
};
#[cfg(unix)]
use crate::{UnixPeer, stream::socket::UnixStream, unix::UnixListening};

/// A network in the kernel's place.
pub(crate) trait Net {
    fn listen(&self, addr: SocketAddr, config: &ListenConfig) -> io::Result<Box<dyn NetListener>>;
    /// Begins to connect.
    fn dial(&self, addr: SocketAddr, config: &ConnectConfig) -> io::Result<Box<dyn NetDial>>;
    /// A bound socket for datagrams, which hears of nobody but `peer` if there is one.
    fn datagrams(
        &self,
        addr: SocketAddr,
        peer: Option<SocketAddr>,
    ) -> io::Result<Box<dyn DatagramSocket<SocketAddr>>>;
    fn resolve(&self, host: &str) -> Found;
    /// On the spot.
    fn resolve_now(&self, host: &str, port: u16) -> io::Result<VecDeque<SocketAddr>>;
}

/// The addresses of a name, when they are there; their ports mean nothing.
pub(crate) type Found = Deferred<io::Result<Vec<SocketAddr>>>;

/// A listening socket.
pub(crate) trait NetListener {
    fn register(&self, token: Token);
    /// The address of the internet that it listens on.
    fn local_addr(&self) -> io::Result<SocketAddr>;
    fn accept(&self) -> io::Result<(Box<dyn ByteStream>, Peer)>;
    /// Whether `accept` is worth trying.
    fn is_ready(&self) -> bool;
    /// Whether there will never be anybody to accept again.
    fn is_over(&self) -> bool {
        false
    }
    /// A descriptor that is good for nothing else but to be given back.
    fn spare(&self) -> Option<Spare>;
}

/// A socket for datagrams that never blocks.
pub(crate) trait DatagramSocket<A> {
    fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError>;
    /// As `recvfrom(2)`: what does not fit is cut off.
    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received<A>>;
    /// As `sendto(2)`; `None` is the peer of a connected socket. `from` says which of the host's addresses it is to leave from.
    fn send(&self, data: &[u8], to: Option<&A>, from: Option<&PacketInfo>) -> io::Result<()>;
    fn local(&self) -> io::Result<A>;
    /// Who the socket is connected to, as the system has it.
    fn peer(&self) -> io::Result<A> {
        Err(io::ErrorKind::NotConnected.into())
    }
    /// Whether no engine tells of it.
    fn is_unwatched(&self) -> bool {
        false
    }
    /// Whether the engine tells when there is room to send again. Linux says of Unix sockets that are not connected that there
    /// always is, for it knows no peer whose queue might be full.
    fn tells_of_room(&self) -> bool {
        true
    }
    /// The kernel's socket, where options can be set.
    fn as_udp(&self) -> Option<&UdpSocket> {
        None
    }
}

/// A datagram that was received.
pub(crate) struct Received<A> {
    pub(crate) len: usize,
    pub(crate) from: A,
    /// Where it was sent to, from sockets that tell.
    pub(crate) info: Option<PacketInfo>,
}

/// A socket that is connecting.
pub(crate) trait NetDial {
    fn register(&self, token: Token);
    /// `None` while it goes on.
    fn outcome(&self) -> Option<io::Result<()>>;
    /// The socket, once it is connected.
    fn into_stream(self: Box<Self>) -> io::Result<Box<dyn ByteStream>>;
}

/// A descriptor, held by whoever owns this.
pub(crate) type Spare = Box<dyn Any>;

/// The network of a reactor, where it is not the kernel's.
#[derive(Default)]
struct Installed(OnceCell<Rc<dyn Net>>);

/// Puts a network in the kernel's place, before anything else happens on the reactor.
pub(crate) fn install(reactor: &Reactor, net: Rc<dyn Net>) {
    // A second one would be a mistake of the simulation's; the first stays.
    let _ = reactor.local::<Installed>().0.set(net);
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

/// Looks up a name.
pub(crate) fn resolve(reactor: &Reactor, host: String) -> Found {
    match installed(reactor) {
        Ok(Some(net)) => net.resolve(&host),
        Ok(None) => names::look_up(reactor, host),
        Err(error) => Deferred::ready_on(reactor, Err(error)),
    }
}

/// Looks up a name on the spot, which may take its time.
pub(crate) fn resolve_now(
    reactor: &Reactor,
    host: &str,
    port: u16,
) -> io::Result<VecDeque<SocketAddr>> {
    if let Some(literal) = Literal::parse(host) {
        return literal_addr(reactor, &literal, port).map(|addr| [addr].into());
    }
    names::check_len(host).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    match installed(reactor)? {
        Some(net) => net.resolve_now(host, port),
        None => (host, port).to_socket_addrs().map(Iterator::collect),
    }
}

/// An address that was given as text, with the number of its interface. No name server is asked.
pub(crate) fn literal_addr(
    reactor: &Reactor,
    literal: &Literal,
    port: u16,
) -> io::Result<SocketAddr> {
    let mut addr = match literal {
        Literal::Addr(addr) => *addr,
        Literal::OnInterface(..) if installed(reactor)?.is_some() => {
            let why = "the hosts of a simulation have no interfaces";
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
        Literal::OnInterface(..) => kernels_addr(literal)?,
    };
    addr.set_port(port);
    Ok(addr)
}

/// An address that was given as text, with the number that the kernel has for its interface. The port is 0.
///
/// # Errors
///
/// [`io::ErrorKind::NotFound`] if there is no such interface.
pub(crate) fn kernels_addr(literal: &Literal) -> io::Result<SocketAddr> {
    match literal {
        Literal::Addr(addr) => Ok(*addr),
        // getaddrinfo(3) reads an address by itself, and asks nobody but the kernel for the interface.
        Literal::OnInterface(_, interface) => {
            let found = (literal.to_string().as_str(), 0).to_socket_addrs().ok();
            found.and_then(|mut addrs| addrs.next()).ok_or_else(|| {
                let why = format!("there is no interface {interface} for this address");
                io::Error::new(io::ErrorKind::NotFound, why)
            })
        }
    }
}

/// What the kernel says of an address that it cannot use, in words where it has but a number: of a link-local one
/// (RFC 4291, section 2.5.6) without its interface.
pub(crate) fn unusable(addr: SocketAddr, error: io::Error) -> io::Error {
    match addr {
        SocketAddr::V6(v6)
            if error.kind() == io::ErrorKind::InvalidInput
                && v6.ip().is_unicast_link_local()
                && v6.scope_id() == 0 =>
        {
            let why = format!("a link-local address needs its interface, as in {}%eth0", v6.ip());
            io::Error::new(error.kind(), why)
        }
        _ => error,
    }
}

/// Who accepts from a socket of the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accepts {
    /// We do, when the engine says that it is worth trying.
    We,
    /// The engine does.
    Engine,
    /// We do, until that goes well again: the engine was refused.
    WeForNow,
}

/// A listening socket of either kind.
pub(crate) enum Listener {
    Kernel(Accepting<TcpListener>),
    #[cfg(unix)]
    Unix(Accepting<UnixListening>),
    Other(Box<dyn NetListener>),
}

/// A listening socket of the kernel's, and who accepts from it.
pub(crate) struct Accepting<L> {
    listener: L,
    accepts: Cell<Accepts>,
    /// Others may have it, too.
    is_shared: bool,
}

/// What an engine that accepts by itself hands on.
#[cfg(unix)]
type Taken = OwnedFd;
#[cfg(not(unix))]
type Taken = TcpStream;

impl Listener {
    pub(crate) const fn kernel(listener: TcpListener) -> Self {
        Self::Kernel(Accepting::new(listener))
    }

    #[cfg(unix)]
    pub(crate) const fn unix(listener: UnixListening) -> Self {
        Self::Unix(Accepting::new(listener))
    }

    /// The same listener, which somebody else has opened and may still have.
    pub(crate) fn shared(mut self) -> Self {
        match &mut self {
            Self::Kernel(socket) => socket.is_shared = true,
            #[cfg(unix)]
            Self::Unix(socket) => socket.is_shared = true,
            Self::Other(_) => {}
        }
        self
    }

    pub(crate) fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError> {
        match self {
            Self::Kernel(socket) => socket.register(reactor),
            #[cfg(unix)]
            Self::Unix(socket) => socket.register(reactor),
            Self::Other(listener) => {
                let token = reactor.reserve()?;
                listener.register(token);
                Ok(token)
            }
        }
    }

    /// The address of the internet that it listens on.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Kernel(socket) => socket.listener.local_addr(),
            #[cfg(unix)]
            Self::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
            Self::Other(listener) => listener.local_addr(),
        }
    }

    pub(crate) fn accept(&self, reactor: &Reactor, token: Token) -> io::Result<(Socket, Peer)> {
        match self {
            Self::Kernel(socket) => {
                let plainly = |listener: &TcpListener| {
                    listener.accept().map(|(socket, addr)| (TcpStream::from(socket), addr))
                };
                let (socket, addr) = socket.accept(reactor, token, plainly, tcp_peer)?;
                Ok((socket.into(), Peer::Inet(addr)))
            }
            #[cfg(unix)]
            Self::Unix(socket) => {
                let taken = |taken| Ok(UnixStream::from(taken));
                let socket = socket.accept(reactor, token, UnixListening::accept, taken)?;
                let peer = Peer::Unix(UnixPeer::of(&socket));
                Ok((socket.into(), peer))
            }
            Self::Other(listener) => {
                listener.accept().map(|(stream, peer)| (Socket::Other(stream), peer))
            }
        }
    }

    /// What no engine tells of.
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Self::Kernel(_) => false,
            #[cfg(unix)]
            Self::Unix(_) => false,
            Self::Other(listener) => listener.is_ready(),
        }
    }

    /// Whether there will never be anybody to accept again.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Self::Other(listener) if listener.is_over())
    }

    pub(crate) fn spare(&self) -> Option<Spare> {
        match self {
            #[cfg(unix)]
            Self::Kernel(_) | Self::Unix(_) => {
                Some(Box::new(std::fs::File::open("/dev/null").ok()?))
            }
            #[cfg(not(unix))]
            Self::Kernel(_) => None,
            Self::Other(listener) => listener.spare(),
        }
    }
}

impl<L> Accepting<L> {
    const fn new(listener: L) -> Self {
        Self { listener, accepts: Cell::new(Accepts::We), is_shared: false }
    }

    fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError>
    where
        L: Source,
    {
        let token = reactor.register_source(&mut self.listener, Interest::READ)?;
        if self.is_shared {
            reactor.mark_shared(token);
        }
        self.leave_to_engine(reactor, token);
        Ok(token)
    }

    /// The next connection: what the engine has accepted, made what it is by `taken`, or else what `plainly` accepts.
    fn accept<S>(
        &self,
        reactor: &Reactor,
        token: Token,
        plainly: impl FnOnce(&L) -> io::Result<S>,
        taken: impl FnOnce(Taken) -> io::Result<S>,
    ) -> io::Result<S> {
        let accepted = match self.accepts.get() {
            Accepts::Engine => match self.take_accepted(reactor, token) {
                Some(accepted) => accepted.and_then(taken),
                // The engine accepts one at a time; who else is there, is accepted here.
                None => plainly(&self.listener),
            },
            Accepts::We | Accepts::WeForNow => plainly(&self.listener),
        };
        if accepted.is_ok() && self.accepts.get() == Accepts::WeForNow {
            self.leave_to_engine(reactor, token);
        }
        accepted
    }

    /// What the engine has accepted. If it cannot go on, the listener is for a while one as on any other engine: what to do when
    /// the system is out of something is known there.
    #[cfg(unix)]
    fn take_accepted(&self, reactor: &Reactor, token: Token) -> Option<io::Result<Taken>> {
        match reactor.take_completion(token)? {
            Completion::Accepted(socket) => Some(Ok(socket)),
            Completion::Failed(error) => {
                self.accepts.set(Accepts::WeForNow);
                reactor.set_delivery_mode(token, DeliveryMode::Readiness);
                Some(Err(error))
            }
            _ => None,
        }
    }

    /// No engine accepts by itself here.
    #[cfg(not(unix))]
    fn take_accepted(&self, _: &Reactor, _: Token) -> Option<io::Result<Taken>> {
        None
    }

    /// Has the engine accept, if it does such things.
    fn leave_to_engine(&self, reactor: &Reactor, token: Token) {
        if reactor.set_delivery_mode(token, DeliveryMode::Accept) {
            self.accepts.set(Accepts::Engine);
        }
    }
}

/// Who has connected.
fn tcp_peer(socket: impl Into<TcpStream>) -> io::Result<(TcpStream, SocketAddr)> {
    let socket = socket.into();
    // One that is gone already has no peer.
    let addr = socket.peer_addr().map_err(|_| io::ErrorKind::ConnectionAborted)?;
    Ok((socket, addr))
}

/// A connecting socket of either kind.
pub(crate) enum Dialling {
    Kernel(TcpStream),
    /// Connects with the first write.
    FastOpen(TcpStream),
    /// Connected from the start.
    #[cfg(unix)]
    Unix(UnixStream),
    Other(Box<dyn NetDial>),
}

impl Dialling {
    pub(crate) fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError> {
        match self {
            Self::Kernel(socket) | Self::FastOpen(socket) => {
                reactor.register_source(socket, Interest::WRITE)
            }
            #[cfg(unix)]
            Self::Unix(socket) => reactor.register_source(socket, Interest::WRITE),
            Self::Other(dial) => {
                let token = reactor.reserve()?;
                dial.register(token);
                Ok(token)
            }
        }
    }

    /// What the system says of the attempt; `None` while it goes on.
    pub(crate) fn outcome(&self) -> Option<io::Result<()>> {
        match self {
            Self::Kernel(socket) => match socket.take_error() {
                Ok(Some(error)) | Err(error) => Some(Err(error)),
                Ok(None) => match socket.peer_addr() {
                    // With nobody listening, the system may give the socket the very port that it connects to, and then
                    // connect it to itself (RFC 9293 3.5, simultaneous open). Nobody was there.
                    Ok(peer) if socket.local_addr().is_ok_and(|local| local == peer) => {
                        Some(Err(io::ErrorKind::ConnectionRefused.into()))
                    }
                    Ok(_) => Some(Ok(())),
                    Err(error) if error.kind() == io::ErrorKind::NotConnected => None,
                    Err(error) => Some(Err(error)),
                },
            },
            Self::FastOpen(_) => Some(Ok(())),
            #[cfg(unix)]
            Self::Unix(_) => Some(Ok(())),
            Self::Other(dial) => dial.outcome(),
        }
    }

    /// The socket, once it is connected.
    pub(crate) fn into_socket(self) -> io::Result<Socket> {
        match self {
            Self::Kernel(socket) | Self::FastOpen(socket) => Ok(socket.into()),
            #[cfg(unix)]
            Self::Unix(socket) => Ok(socket.into()),
            Self::Other(dial) => dial.into_stream().map(Socket::Other),
        }
    }
}
