//! Which of this machine's addresses a datagram was sent to, and which one an answer is to leave from: [`PacketInfo`], and the calls
//! on UDP sockets that carry it (`IP_PKTINFO`, ip(7); `IPV6_PKTINFO`, ipv6(7)). They are here because the transports and the servers
//! whose handlers block both make them.

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

/// Where a datagram was sent to, as the system tells it to a socket that asks.
///
/// An address makes one ([`From`]), to send from.
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
    /// The address that it was sent to, which may be that of a group, or a broadcast address. IPv4 comes to an IPv6 socket in the
    /// form of IPv6, `::ffff:192.0.2.7`, like the address of its sender.
    pub to: IpAddr,
    /// This machine's address to answer from; `None` leaves it to the system, as for a group of IPv6.
    pub local: Option<IpAddr>,
    /// The number of the interface that it came in by; 0 if that is not known. An answer leaves by the interface that the system
    /// chooses, unless `local` is an address that means something on that interface only (`fe80::/10`).
    pub interface: u32,
}

impl From<IpAddr> for PacketInfo {
    fn from(address: IpAddr) -> Self {
        Self { to: address, local: Some(address), interface: 0 }
    }
}
