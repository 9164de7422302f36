//! The link of a stream: its socket, and who is at the other end. An idle connection is to be small, so that what most of them
//! are, TCP over IPv4, lies in less than three words; all else has a box.

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

/// Who is at the other end, and the socket unless that is plainly TCP over IPv4: such a one has a place of its own, [`InlineSocket`], in
/// which there is none once it is closed, or when something has been put around it. Then it is with what few connections have.
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
            (socket, peer) => {
                let socket = RefCell::new(Some(socket));
                (InlineSocket::new(None), Self::Other(Box::new(Other { socket, peer })))
            }
        }
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
        match &*self.other_socket().borrow() {
            Some(socket) => socket.read(buffer),
            None => Closed.read(buffer),
        }
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
        match &*self.other_socket().borrow() {
            Some(socket) => socket.write(data),
            None => Closed.write_vectored(&[IoSlice::new(data)]),
        }
    }

    /// Writes what goes, where nothing but bytes does.
    pub(super) fn write_directly(&self, data: &[u8]) -> Option<io::Result<usize>> {
        match self.inline.send(data) {
            Some(result) => Some(result.map_err(socket::not_yet)),
            None => match &*self.other_socket().borrow() {
                Some(socket @ Socket::Tcp(_)) => Some(socket.write(data)),
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
        match &self.socket_and_peer {
            SocketAndPeer::Tcp4(_) => false,
            SocketAndPeer::Other(other) => {
                other.socket.borrow().as_ref().is_some_and(Socket::passes_descriptors)
            }
        }
    }

    /// Does something with the socket that is not to be done all the time. Not from inside of another such call.
    pub(super) fn with_socket<R>(&self, f: impl FnOnce(&dyn StreamSocket) -> R) -> R {
        if let Some(socket) = self.inline.take() {
            let result = f(&socket);
            self.inline.put(socket);
            return result;
        }
        match &*self.other_socket().borrow() {
            Some(socket) => f(&**socket),
            None => f(&Closed),
        }
    }

    /// Where the socket is if it is not plainly TCP over IPv4.
    fn other_socket(&self) -> &RefCell<Option<Socket>> {
        match &self.socket_and_peer {
            SocketAndPeer::Tcp4(_) => &self.cold().wrapped,
            SocketAndPeer::Other(other) => &other.socket,
        }
    }

    /// Takes the socket, to be closed or to be put back with something around it. `None` if that has been done.
    pub(super) fn take_socket(&self) -> Option<Socket> {
        match self.inline.take() {
            Some(socket) => Some(socket.into()),
            None => self.other_socket().take(),
        }
    }

    pub(super) fn put_socket(&self, socket: Socket) {
        self.other_socket().replace(Some(socket));
    }
}
