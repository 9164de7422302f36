//! What a server gets from its clients: [`Request`], a connection or a datagram. Nothing is read from it here.

use std::sync::Arc;

use sinew_reactor::PacketInfo;

use crate::{
    Address, Socket,
    family::{Datagram, Kind, Stream},
};

/// What [`get_request`](crate::Hooks::get_request) gives: a connection, or a datagram and the socket to answer on. Cheap to
/// clone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Request {
    /// A connection. Closed when the last clone goes.
    Stream(Socket),
    /// A datagram.
    Datagram(Packet),
}

/// A datagram and the socket that it came to: Python's `(data, socket)`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Packet {
    /// What it says.
    pub data: Arc<[u8]>,
    /// The server's socket, to answer on with [`sendto`](Socket::sendto).
    pub socket: Socket,
    /// Which of this machine's addresses it was sent to: of use to a server on one that stands for all of them, such as `0.0.0.0`. On
    /// Linux, over UDP; else `None`. (Python does not tell.)
    pub info: Option<PacketInfo>,
    /// There was more than [`max_packet_size`](crate::ServerConfig::max_packet_size); the rest is lost. (Python does not
    /// tell.)
    pub truncated: bool,
}

impl Request {
    /// The connection, or the socket to answer on.
    #[must_use]
    pub fn socket(&self) -> &Socket {
        match self {
            Self::Stream(socket) => socket,
            Self::Datagram(packet) => &packet.socket,
        }
    }

    /// The datagram's bytes; `None` for a connection, from which nothing has been read.
    #[must_use]
    pub fn data(&self) -> Option<&[u8]> {
        match self {
            Self::Stream(_) => None,
            Self::Datagram(packet) => Some(&packet.data),
        }
    }
}

/// What a handler can hold on to while it handles: Python's `self.request`, `self.client_address` and `self.server`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Context<K: Kind = Stream> {
    /// The connection (a [`Socket`]), or the datagram (a [`Packet`]).
    pub request: K::Request,
    /// Whose it is.
    pub client_address: Address,
    /// The server that got it.
    pub server: crate::BaseServer,
}

impl Kind for Stream {
    type Request = Socket;

    fn take(request: &Request) -> Option<Socket> {
        match request {
            Request::Stream(socket) => Some(socket.clone()),
            Request::Datagram(_) => None,
        }
    }
}

impl Kind for Datagram {
    type Request = Packet;

    fn take(request: &Request) -> Option<Packet> {
        match request {
            Request::Stream(_) => None,
            Request::Datagram(packet) => Some(packet.clone()),
        }
    }
}
