//! An open connection between two processes: [`HandedConnection`]. Data only: `leaving.rs` sends it, and begins a stream with it.

use std::{
    fmt,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use bytes::Bytes;

use super::socket::{Socket, TcpStream, UnixStream};
use crate::{DescriptorKind, Peer, UnixPeer, sharing::SentSocket};

/// An open connection on its way from one process to another: its socket, what its protocol has saved
/// ([`Protocol::saved_state`](crate::Protocol::saved_state)), and the input that was received and not used. Dropping it closes
/// the connection. Unix only.
pub struct HandedConnection {
    socket: OwnedFd,
    state: Vec<u8>,
    unread: Bytes,
}

impl HandedConnection {
    /// The parts that have arrived.
    #[must_use]
    pub fn from_parts(socket: OwnedFd, state: Vec<u8>, unread: Bytes) -> Self {
        Self { socket, state, unread }
    }

    /// The parts to be sent: the socket, the state and the unread input.
    #[must_use]
    pub fn into_parts(self) -> (OwnedFd, Vec<u8>, Bytes) {
        (self.socket, self.state, self.unread)
    }

    pub(super) fn new(socket: SentSocket, state: Vec<u8>, unread: Bytes) -> Self {
        let socket = match socket {
            SentSocket::Tcp(socket) => socket.into(),
            SentSocket::Unix(socket) => socket.into(),
        };
        Self { socket, state, unread }
    }

    /// The socket, with its peer, if it is a connected stream socket that still has one.
    pub(crate) fn into_socket(self) -> Option<(Socket, Peer, Vec<u8>, Bytes)> {
        let Self { socket, state, unread } = self;
        let kind = DescriptorKind::of(&socket).ok()?;
        let (socket, peer) = match kind {
            DescriptorKind::TcpConnection => {
                let socket = TcpStream::from(socket);
                let peer = Peer::Inet(socket.peer_addr().ok()?);
                (Socket::from(socket), peer)
            }
            DescriptorKind::UnixConnection => {
                let socket = UnixStream::from(socket);
                let peer = Peer::Unix(UnixPeer::of(&socket));
                (Socket::from(socket), peer)
            }
            _ => return None,
        };
        Some((socket, peer, state, unread))
    }
}

impl AsFd for HandedConnection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl fmt::Debug for HandedConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandedConnection")
            .field("socket", &self.socket)
            .field("state_bytes", &self.state.len())
            .field("unread_bytes", &self.unread.len())
            .finish()
    }
}
