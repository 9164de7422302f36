//! Requests: [`Request`], a connection or a datagram. Nothing is read from it here.

use std::sync::Arc;

use sinew_reactor::PacketInfo;

use crate::{
    Address, Socket,
    family::{Datagram, Kind, Stream},
};

/// The result of [`get_request`](crate::Hooks::get_request): a connection, or a datagram and the socket for the reply.
/// Cheap to clone.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Request {
    /// A connection. Closed when the last clone is dropped.
    Stream(Socket),
    /// A datagram.
    Datagram(Packet),
}

/// A datagram and the socket that received it: Python's `(data, socket)`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Packet {
    /// The content.
    pub data: Arc<[u8]>,
    /// The server's socket, for the reply with [`sendto`](Socket::sendto).
    pub socket: Socket,
    /// This machine's address that the datagram was sent to: useful for a server on a wildcard address such as
    /// `0.0.0.0`. On Linux, over UDP; else `None`. (Python does not provide it.)
    pub info: Option<PacketInfo>,
    /// Whether the datagram was longer than [`max_packet_size`](crate::ServerConfig::max_packet_size) and was
    /// truncated. (Python does not provide it.)
    pub truncated: bool,
}

impl Request {
    /// The connection, or the socket for the reply.
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

/// What a handler works with: Python's `self.request`, `self.client_address` and `self.server`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Context<K: Kind = Stream> {
    /// The connection (a [`Socket`]), or the datagram (a [`Packet`]).
    pub request: K::Request,
    /// The client's address.
    pub client_address: Address,
    /// The server that accepted it.
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
