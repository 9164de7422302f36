//! The link of a stream: its socket, and who is at the other end. An idle connection is to be small, so that what most of them
//! are, TCP over IPv4, lies in two words; all else has a box.

use std::{
    cell::{Cell, RefCell},
    io::{self, IoSlice},
    mem,
    net::{SocketAddr, SocketAddrV4},
};

use super::{
    Stream,
    socket::{self, ByteStream, Closed, Socket, TcpStream},
};
use crate::Peer;

/// A TCP socket as [`receive`](socket::receive) and [`send`](socket::send) want it.
#[cfg(any(target_os = "linux", target_os = "android"))]
type Bare = std::os::fd::OwnedFd;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
type Bare = TcpStream;

/// See the head of this file.
pub(super) enum Link {
    Tcp4 {
        /// Taken out for the time of a system call. `None` once it is closed, or when something has been put around it: that is
        /// with what few connections have.
        socket: Cell<Option<Bare>>,
        peer: SocketAddrV4,
    },
    Other(Box<Other>),
}

pub(super) struct Other {
    /// `None` once it is closed.
    socket: RefCell<Option<Socket>>,
    peer: Peer,
}

impl Link {
    pub(super) fn new(socket: Socket, peer: Peer) -> Self {
        match (socket, peer) {
            (Socket::Tcp(socket), Peer::Inet(SocketAddr::V4(peer))) => {
                Self::Tcp4 { socket: Cell::new(Some(socket.into())), peer }
            }
            (socket, peer) => {
                let socket = RefCell::new(Some(socket));
                Self::Other(Box::new(Other { socket, peer }))
            }
        }
    }

    pub(super) fn peer(&self) -> Peer {
        match self {
            Self::Tcp4 { peer, .. } => Peer::Inet((*peer).into()),
            Self::Other(other) => other.peer.clone(),
        }
    }

    /// Calls the system, if this is a plain TCP socket over IPv4.
    #[inline(always)]
    fn call<R>(&self, call: impl FnOnce(&Bare) -> R) -> Option<R> {
        let Self::Tcp4 { socket: place, .. } = self else { return None };
        let socket = place.take()?;
        let result = call(&socket);
        // There is none in its place that would have to be dropped.
        mem::forget(place.replace(Some(socket)));
        Some(result)
    }
}

impl Stream {
    #[inline(always)]
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.link.call(|socket| socket::receive(socket, buffer)) {
            Some(result) => result,
            None => self.read_other(buffer),
        }
    }

    #[inline(never)]
    fn read_other(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &*self.other_socket().borrow() {
            Some(socket) => socket.read(buffer),
            None => Closed.read(buffer),
        }
    }

    #[inline(always)]
    pub(super) fn write(&self, data: &[u8]) -> io::Result<usize> {
        match self.link.call(|socket| socket::send(socket, data)) {
            Some(result) => result,
            None => self.write_other(data),
        }
    }

    #[inline(never)]
    fn write_other(&self, data: &[u8]) -> io::Result<usize> {
        match &*self.other_socket().borrow() {
            Some(socket) => socket.write(data),
            None => Closed.write_vectored(&[IoSlice::new(data)]),
        }
    }

    /// Writes what goes, where nothing but bytes does; how much that was.
    pub(super) fn write_directly(&self, data: &[u8]) -> Option<usize> {
        match self.link.call(|socket| socket::send(socket, data)) {
            Some(result) => result.ok(),
            None => match &*self.other_socket().borrow() {
                Some(socket @ Socket::Tcp(_)) => socket.write(data).ok(),
                _ => None,
            },
        }
    }

    pub(super) fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.with_socket(|socket| socket::uninterrupted(|| socket.write_vectored(slices)))
    }

    /// Whether descriptors can go with its bytes.
    #[cfg(unix)]
    pub(super) fn passes_descriptors(&self) -> bool {
        match &self.link {
            Link::Tcp4 { .. } => false,
            Link::Other(other) => {
                other.socket.borrow().as_ref().is_some_and(Socket::passes_descriptors)
            }
        }
    }

    /// Does something with the socket that is not to be done all the time. Not from inside of another such call.
    pub(super) fn with_socket<R>(&self, f: impl FnOnce(&dyn ByteStream) -> R) -> R {
        if let Link::Tcp4 { socket: place, .. } = &self.link
            && let Some(socket) = place.take()
        {
            let socket = TcpStream::from(socket);
            let result = f(&socket);
            place.set(Some(socket.into()));
            return result;
        }
        match &*self.other_socket().borrow() {
            Some(socket) => f(&**socket),
            None => f(&Closed),
        }
    }

    /// Where the socket is if it is not plainly TCP over IPv4.
    fn other_socket(&self) -> &RefCell<Option<Socket>> {
        match &self.link {
            Link::Tcp4 { .. } => &self.extras().wrapped,
            Link::Other(other) => &other.socket,
        }
    }

    /// Takes the socket, to be closed or to be put back with something around it. `None` if that has been done.
    pub(super) fn take_socket(&self) -> Option<Socket> {
        if let Link::Tcp4 { socket, .. } = &self.link
            && let Some(socket) = socket.take()
        {
            return Some(TcpStream::from(socket).into());
        }
        self.other_socket().take()
    }

    pub(super) fn put_socket(&self, socket: Socket) {
        self.other_socket().replace(Some(socket));
    }
}
