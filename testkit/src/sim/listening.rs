//! A listening socket of a simulated host: [`Listening`]. Pure data: opening ports and accepting connections are in
//! `ports.rs`.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
};

use sinew_reactor::Token;

use super::id::{ConnId, HostId};

/// A listening socket, as its operating system sees it.
pub(super) struct Listening {
    pub(super) host: HostId,
    pub(super) addr: SocketAddr,
    pub(super) token: Option<Token>,
    pub(super) v6_only: bool,
    pub(super) reuse_port: bool,
    pub(super) backlog: usize,
    /// Connections in the middle of the handshake.
    pub(super) pending: usize,
    /// Connections waiting to be accepted.
    pub(super) queue: VecDeque<ConnId>,
}

impl Listening {
    pub(super) fn matches(&self, host: HostId, to: SocketAddr) -> bool {
        self.host == host && self.addr.port() == to.port() && self.covers(to.ip())
    }

    fn covers(&self, ip: IpAddr) -> bool {
        match (self.addr.ip(), ip) {
            (IpAddr::V6(own), IpAddr::V4(_)) => own.is_unspecified() && !self.v6_only,
            (own, ip) => own == ip || (own.is_unspecified() && own.is_ipv4() == ip.is_ipv4()),
        }
    }

    pub(super) fn conflicts_with(&self, other: SocketAddr) -> bool {
        self.addr.port() == other.port()
            && (self.covers(other.ip())
                || (other.ip().is_unspecified() && (other.is_ipv6() || self.addr.is_ipv4())))
    }
}
