//! Who is at the other end: [`Peer`].

use std::{
    fmt,
    net::{IpAddr, SocketAddr, SocketAddrV4},
    sync::Arc,
};

use crate::proxy::Proxied;

/// The other end of a connection. Given to [`Factory::build_protocol`](crate::Factory::build_protocol).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Peer {
    /// An address of the internet, over TCP.
    Inet(SocketAddr),
    /// The other end is in this process.
    Memory,
    /// Somebody behind a proxy, who has said so by the [PROXY protocol](crate::proxy).
    Proxied(Arc<Proxied>),
}

impl Peer {
    /// The address and port, if the peer has one.
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(addr) => Some(*addr),
            Self::Memory => None,
            Self::Proxied(proxied) => proxied.source(),
        }
    }

    /// What a proxy has said of it, if it is behind one.
    #[must_use]
    pub fn proxied(&self) -> Option<&Proxied> {
        match self {
            Self::Proxied(proxied) => Some(proxied),
            _ => None,
        }
    }

    /// The address without the port; an IPv4 address that came through a dual-stack socket is given as IPv4.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.socket_addr().map(|addr| addr.ip().to_canonical())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(addr) => addr.fmt(f),
            Self::Memory => f.write_str("memory"),
            Self::Proxied(proxied) => proxied.fmt(f),
        }
    }
}

/// A [`Peer`] in half the room: every connection keeps one.
#[derive(Debug)]
pub(crate) enum PackedPeer {
    V4(SocketAddrV4),
    Other(Box<Peer>),
}

impl PackedPeer {
    pub(crate) fn peer(&self) -> Peer {
        match self {
            Self::V4(addr) => Peer::Inet((*addr).into()),
            Self::Other(peer) => (**peer).clone(),
        }
    }
}

impl From<Peer> for PackedPeer {
    fn from(peer: Peer) -> Self {
        match peer {
            Peer::Inet(SocketAddr::V4(addr)) => Self::V4(addr),
            other => Self::Other(Box::new(other)),
        }
    }
}
