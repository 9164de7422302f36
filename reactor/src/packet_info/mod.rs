//! Local addresses of UDP datagrams: where a datagram was sent to, and the source address of a reply ([`PacketInfo`]),
//! with the calls on UDP sockets that carry it (`IP_PKTINFO`, ip(7); `IPV6_PKTINFO`, ipv6(7)). Both the transports and
//! the blocking servers use them.

use std::net::IpAddr;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod control;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod sys;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub use {
    control::{CONTROL_LEN, from_control},
    sys::{ask, receive, send, socket_addr},
};

/// The local address that a datagram was sent to, as the system reports it to a socket on which that is enabled.
///
/// Converted from an address ([`From`]), it sets the source address of a datagram to be sent.
///
/// # Examples
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
/// use sinew_reactor::PacketInfo;
///
/// let address = IpAddr::from(Ipv4Addr::new(127, 0, 0, 2));
/// let info = PacketInfo::from(address);
/// assert_eq!((info.to, info.local, info.interface), (address, Some(address), 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PacketInfo {
    /// The destination address of the datagram, which may be a multicast or a broadcast address. On an IPv6 socket IPv4
    /// addresses are mapped, `::ffff:192.0.2.7`, like the address of the sender.
    pub to: IpAddr,
    /// This machine's address to reply from; `None` leaves it to the system, as for an IPv6 multicast group.
    pub local: Option<IpAddr>,
    /// The index of the interface on which it arrived; 0 if that is not known. A reply leaves by the interface that the
    /// system chooses, unless `local` is a link-local address (`fe80::/10`).
    pub interface: u32,
}

impl From<IpAddr> for PacketInfo {
    fn from(address: IpAddr) -> Self {
        Self { to: address, local: Some(address), interface: 0 }
    }
}
