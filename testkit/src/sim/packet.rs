//! What there is of datagrams: a [`Packet`] on its way, and the [`UdpSocket`] where it waits to be read. Pure: how they travel
//! is in `udp.rs`.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use sinew_reactor::Token;

use super::id::HostId;

/// What a socket is to its system.
pub(super) struct UdpSocket {
    pub(super) host: HostId,
    pub(super) addr: SocketAddr,
    pub(super) token: Option<Token>,
    pub(super) queue: VecDeque<Arrived>,
    pub(super) queued: usize,
}

/// A datagram that waits to be read.
pub(super) struct Arrived {
    pub(super) from: SocketAddr,
    /// The address of the host that it was sent to.
    pub(super) to: IpAddr,
    pub(super) payload: Rc<[u8]>,
}

/// A datagram on its way.
pub(super) struct Packet {
    pub(super) from: SocketAddr,
    pub(super) sender: HostId,
    pub(super) to: SocketAddr,
    pub(super) host: HostId,
    pub(super) payload: Rc<[u8]>,
}
