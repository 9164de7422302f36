//! Simulated datagrams: a [`Packet`] in flight, and the [`UdpSocket`] that queues received ones. Pure data: the rules
//! of delivery are in `udp.rs`.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use sinew_reactor::Token;

use super::id::HostId;

/// A datagram socket, as its operating system sees it.
pub(super) struct UdpSocket {
    pub(super) host: HostId,
    pub(super) addr: SocketAddr,
    pub(super) token: Option<Token>,
    pub(super) queue: VecDeque<Arrived>,
    pub(super) queued: usize,
}

/// A received datagram.
pub(super) struct Arrived {
    pub(super) from: SocketAddr,
    /// The local address that it was sent to.
    pub(super) to: IpAddr,
    pub(super) payload: Rc<[u8]>,
}

/// A datagram in flight.
pub(super) struct Packet {
    pub(super) from: SocketAddr,
    pub(super) sender: HostId,
    pub(super) to: SocketAddr,
    pub(super) host: HostId,
    pub(super) payload: Rc<[u8]>,
}
