//! Listening sockets: the kernel's, of which an engine may accept by itself, and those of a [`Net`](super::Net).

#[cfg(unix)]
use std::os::fd::{AsFd, OwnedFd};
use std::{cell::Cell, io, net::SocketAddr};

use mio::net::TcpListener;
#[cfg(unix)]
use sinew_reactor::Completion;
use sinew_reactor::{DeliveryMode, Interest, Reactor, RegisterError, Source, Token};

use super::{NetListener, Spare};
#[cfg(unix)]
use crate::{
    HandedPort,
    peer::UnixPeer,
    stream::socket::UnixStream,
    unix::{file::SocketFile, listening::UnixListening},
};
use crate::{
    peer::Peer,
    stream::socket::{Socket, TcpStream},
};

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
    /// Another reactor listens, and hands its connections over.
    Elsewhere,
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
            Self::Other(_) | Self::Elsewhere => {}
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
            Self::Elsewhere => reactor.reserve(),
        }
    }

    /// The address of the internet that it listens on.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Kernel(socket) => socket.listener.local_addr(),
            #[cfg(unix)]
            Self::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
            Self::Other(listener) => listener.local_addr(),
            Self::Elsewhere => Err(io::ErrorKind::Unsupported.into()),
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
            Self::Other(listener) => listener.accept().map(|(stream, peer)| (stream.into(), peer)),
            Self::Elsewhere => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// A connection that the engine has accepted already, if it does such things.
    #[cfg(unix)]
    pub(crate) fn take_accepted(&self, reactor: &Reactor, token: Token) -> Option<(Socket, Peer)> {
        match self {
            Self::Kernel(socket) => {
                let taken = socket.take_accepted(reactor, token)?.ok()?;
                let (socket, addr) = tcp_peer(taken).ok()?;
                Some((socket.into(), Peer::Inet(addr)))
            }
            Self::Unix(socket) => {
                let socket = UnixStream::from(socket.take_accepted(reactor, token)?.ok()?);
                let peer = Peer::Unix(UnixPeer::of(&socket));
                Some((socket.into(), peer))
            }
            _ => None,
        }
    }

    /// No engine accepts by itself here.
    #[cfg(not(unix))]
    pub(crate) fn take_accepted(&self, _: &Reactor, _: Token) -> Option<(Socket, Peer)> {
        None
    }

    /// What no engine tells of.
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Self::Kernel(_) => false,
            #[cfg(unix)]
            Self::Unix(_) => false,
            Self::Other(listener) => listener.is_ready(),
            Self::Elsewhere => false,
        }
    }

    /// Whether there will never be anybody to accept again.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Self::Other(listener) if listener.is_over())
    }

    /// A duplicate of the kernel's socket, with the lock of its file.
    #[cfg(unix)]
    pub(crate) fn to_hand_over(&self) -> io::Result<Option<HandedPort>> {
        let (socket, lock) = match self {
            Self::Kernel(socket) => (socket.listener.as_fd().try_clone_to_owned()?, None),
            Self::Unix(socket) => {
                let file = socket.listener.file();
                let lock = file.map_or(Ok(None), SocketFile::duplicate_lock)?;
                (socket.listener.as_fd().try_clone_to_owned()?, lock)
            }
            Self::Other(_) | Self::Elsewhere => return Ok(None),
        };
        Ok(Some(HandedPort::new(socket, lock)))
    }

    /// Leaves the file of a Unix socket to another process, or takes it over.
    #[cfg(unix)]
    pub(crate) fn leave_file(&self, leave: bool) {
        if let Self::Unix(socket) = self
            && let Some(file) = socket.listener.file()
        {
            file.leave(leave);
        }
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
            Self::Elsewhere => None,
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
