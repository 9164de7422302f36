//! Storage of a stream's socket and its peer's address. TCP over IPv4, which most connections are, takes less than three words,
//! so that an idle connection is small; everything else is boxed.

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    net::{SocketAddr, SocketAddrV4},
};

use super::{
    Stream,
    inline_socket::InlineSocket,
    socket::{self, Closed, Socket, StreamSocket},
};
use crate::{net::ByteStream, peer::Peer};

/// The peer, and the socket unless it is plain TCP over IPv4. A plain IPv4 TCP socket is in [`InlineSocket`], which is empty
/// after the socket is closed or wrapped; one that is wrapped after the stream was made is in the cold state.
pub(super) enum SocketAndPeer {
    Tcp4(SocketAddrV4),
    Other(Box<Other>),
}

pub(super) struct Other {
    /// `None` once it is closed.
    socket: RefCell<Option<Socket>>,
    peer: Peer,
}

impl SocketAndPeer {
    pub(super) fn new(socket: Socket, peer: Peer) -> (InlineSocket, Self) {
        match (socket, peer) {
            (Socket::Tcp(socket), Peer::Inet(SocketAddr::V4(peer))) => {
                (InlineSocket::new(Some(socket)), Self::Tcp4(peer))
            }
            (socket, peer) => Self::new_boxed(socket, peer),
        }
    }

    /// For a socket that is about to be wrapped in a layer.
    pub(super) fn new_boxed(socket: Socket, peer: Peer) -> (InlineSocket, Self) {
        let socket = RefCell::new(Some(socket));
        (InlineSocket::new(None), Self::Other(Box::new(Other { socket, peer })))
    }

    pub(super) fn peer(&self) -> Peer {
        match self {
            Self::Tcp4(peer) => Peer::Inet((*peer).into()),
            Self::Other(other) => other.peer.clone(),
        }
    }
}

impl Stream {
    #[inline(always)]
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inline.receive(buffer) {
            Some(result) => result,
            None => self.read_other(buffer),
        }
    }

    #[inline(never)]
    fn read_other(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.with_other_socket(|socket| match &*socket.borrow() {
            Some(socket) => socket.read(buffer),
            None => Closed.read(buffer),
        })
    }

    #[inline(always)]
    pub(super) fn write(&self, data: &[u8]) -> io::Result<usize> {
        match self.inline.send(data) {
            Some(result) => result,
            None => self.write_other(data),
        }
    }

    #[inline(never)]
    fn write_other(&self, data: &[u8]) -> io::Result<usize> {
        self.with_other_socket(|socket| match &*socket.borrow() {
            Some(socket) => socket.write(data),
            None => Closed.write_vectored(&[IoSlice::new(data)]),
        })
    }

    /// Writes past the queue. Returns `None` if the socket is not plain TCP.
    pub(super) fn write_directly(&self, data: &[u8]) -> Option<io::Result<usize>> {
        match self.inline.send(data) {
            Some(result) => Some(result.map_err(socket::map_in_progress)),
            None => self.with_other_socket(|socket| match &*socket.borrow() {
                Some(socket @ Socket::Tcp(_)) => Some(socket.write(data)),
                _ => None,
            }),
        }
    }

    pub(super) fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.with_socket(|socket| socket::retry_interrupted(|| socket.write_vectored(slices)))
    }

    /// Whether file descriptors can be sent with its bytes.
    #[cfg(unix)]
    pub(super) fn passes_descriptors(&self) -> bool {
        match &self.socket_and_peer {
            SocketAndPeer::Tcp4(_) => false,
            SocketAndPeer::Other(other) => {
                other.socket.borrow().as_ref().is_some_and(Socket::passes_descriptors)
            }
        }
    }

    /// Runs an infrequent operation on the socket. Must not be nested.
    pub(super) fn with_socket<R>(&self, f: impl FnOnce(&dyn StreamSocket) -> R) -> R {
        if let Some(socket) = self.inline.take() {
            let result = f(&socket);
            self.inline.put(socket);
            return result;
        }
        self.with_other_socket(|socket| match &*socket.borrow() {
            Some(socket) => f(&**socket),
            None => f(&Closed),
        })
    }

    /// Calls `f` with the place of a socket that is not in [`InlineSocket`].
    fn with_other_socket<R>(&self, f: impl FnOnce(&RefCell<Option<Socket>>) -> R) -> R {
        match &self.socket_and_peer {
            SocketAndPeer::Tcp4(_) => match self.cold_if_any() {
                Some(cold) => f(&cold.wrapped),
                None => f(&RefCell::new(None)),
            },
            SocketAndPeer::Other(other) => f(&other.socket),
        }
    }

    /// Takes the socket, to close it or to put it back wrapped. Returns `None` if it is closed.
    pub(super) fn take_socket(&self) -> Option<Socket> {
        match self.inline.take() {
            Some(socket) => Some(socket.into()),
            None => self.with_other_socket(RefCell::take),
        }
    }

    pub(super) fn put_socket(&self, socket: Socket) {
        let old = match &self.socket_and_peer {
            SocketAndPeer::Tcp4(_) => self.cold().wrapped.replace(Some(socket)),
            SocketAndPeer::Other(other) => other.socket.replace(Some(socket)),
        };
        debug_assert!(old.is_none(), "it was taken out before");
    }
}
