//! Multicast and options of UDP sockets: groups, interfaces, TTL and broadcast.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr},
};

use mio::net::UdpSocket;
use socket2::{InterfaceIndexOrAddress, SockRef};

use crate::DatagramTransport;

/// A network interface of this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Interface {
    /// Chosen by the system.
    #[default]
    Any,
    /// By index.
    Index(u32),
    /// By name, as in `eth0`, on Linux.
    Name(String),
    /// By one of its IPv4 addresses; for IPv4 groups only.
    Addr(Ipv4Addr),
}

impl From<u32> for Interface {
    fn from(index: u32) -> Self {
        Self::Index(index)
    }
}

impl From<&str> for Interface {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<Ipv4Addr> for Interface {
    fn from(addr: Ipv4Addr) -> Self {
        if addr.is_unspecified() { Self::Any } else { Self::Addr(addr) }
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any interface"),
            Self::Index(index) => write!(f, "interface {index}"),
            Self::Name(name) => write!(f, "interface {name}"),
            Self::Addr(addr) => write!(f, "the interface of {addr}"),
        }
    }
}

/// The system refused an option of a UDP socket.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum DatagramOptionError {
    /// There is no such interface, or it cannot be given in this form here.
    #[error("no {interface}: {source}")]
    NoInterface {
        /// The interface.
        interface: Interface,
        /// The cause.
        source: io::Error,
    },
    /// A group could not be joined or left: the address is not multicast, or of the other family, or the group was not joined.
    #[error("could not join or leave group {group} on {interface}: {source}")]
    Group {
        /// The group.
        group: IpAddr,
        /// The interface.
        interface: Interface,
        /// The cause.
        source: io::Error,
    },
    /// An option could not be set.
    #[error("could not set {option}: {source}")]
    Option {
        /// Its name.
        option: &'static str,
        /// The cause.
        source: io::Error,
    },
}

sinew_reactor::error_debug!(DatagramOptionError);

/// UDP only: multicast and options. Unsupported in simulated networks.
impl DatagramTransport {
    /// Joins a multicast group on an interface. Bind to the group's
    /// port, with [`reuse_address`](crate::DatagramConfig::reuse_address) to share it with other sockets.
    ///
    /// # Errors
    ///
    /// [`DatagramOptionError`], with the group and the interface.
    pub fn join_multicast(
        &self,
        group: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> Result<(), DatagramOptionError> {
        self.change_membership(group.into(), interface.into(), true)
    }

    /// Leaves a multicast group. Closing the socket leaves all.
    ///
    /// # Errors
    ///
    /// [`DatagramOptionError`], with the group and the interface.
    pub fn leave_multicast(
        &self,
        group: impl Into<IpAddr>,
        interface: impl Into<Interface>,
    ) -> Result<(), DatagramOptionError> {
        self.change_membership(group.into(), interface.into(), false)
    }

    fn change_membership(
        &self,
        group: IpAddr,
        interface: Interface,
        join: bool,
    ) -> Result<(), DatagramOptionError> {
        let changed = self.with_udp(|socket| {
            let index = match &interface {
                Interface::Name(name) => index_of(socket, name).map_err(Change::NoInterface)?,
                Interface::Index(index) => *index,
                Interface::Any | Interface::Addr(_) => 0,
            };
            let socket = SockRef::from(socket);
            let changed = match (group, &interface) {
                (IpAddr::V4(group), Interface::Addr(addr)) if join => {
                    socket.join_multicast_v4(&group, addr)
                }
                (IpAddr::V4(group), Interface::Addr(addr)) => {
                    socket.leave_multicast_v4(&group, addr)
                }
                (IpAddr::V4(group), _) => change_v4(&socket, &group, index, join),
                (IpAddr::V6(_), Interface::Addr(_)) => Err(io::ErrorKind::InvalidInput.into()),
                (IpAddr::V6(group), _) if join => socket.join_multicast_v6(&group, index),
                (IpAddr::V6(group), _) => socket.leave_multicast_v6(&group, index),
            };
            changed.map_err(|error| {
                if is_no_device(&error) {
                    Change::NoInterface(error)
                } else {
                    Change::Refused(error)
                }
            })
        });
        changed.map_err(|change| match change {
            Change::NoInterface(source) => DatagramOptionError::NoInterface { interface, source },
            Change::Refused(source) => DatagramOptionError::Group { group, interface, source },
        })
    }

    /// The outgoing interface for multicast.
    ///
    /// # Errors
    ///
    /// [`DatagramOptionError::NoInterface`].
    pub fn set_multicast_interface(
        &self,
        interface: impl Into<Interface>,
    ) -> Result<(), DatagramOptionError> {
        let interface = interface.into();
        let is_v4 = self.local().is_ipv4();
        let set = self.with_udp(|socket| {
            let index = match &interface {
                Interface::Name(name) => index_of(socket, name).map_err(Change::NoInterface)?,
                Interface::Index(index) => *index,
                Interface::Any | Interface::Addr(_) => 0,
            };
            let set = match &interface {
                Interface::Addr(addr) if is_v4 => SockRef::from(socket).set_multicast_if_v4(addr),
                Interface::Addr(_) => Err(io::ErrorKind::InvalidInput.into()),
                _ if is_v4 => set_interface_v4(socket, index),
                _ => SockRef::from(socket).set_multicast_if_v6(index),
            };
            set.map_err(Change::NoInterface)
        });
        set.map_err(|change| DatagramOptionError::NoInterface {
            interface,
            source: change.into_source(),
        })
    }

    /// Multicast TTL or hop limit: 1, the system's default, stays in the local network.
    ///
    /// # Errors
    ///
    /// [`DatagramOptionError::Option`].
    pub fn set_multicast_ttl(&self, ttl: u8) -> Result<(), DatagramOptionError> {
        let is_v4 = self.local().is_ipv4();
        self.set_option("the multicast TTL", |socket| match is_v4 {
            true => socket.set_multicast_ttl_v4(ttl.into()),
            false => socket.set_multicast_hops_v6(ttl.into()),
        })
    }

    /// Multicast loopback: whether members on this machine receive datagrams sent from here. The system's default is `true`.
    ///
    /// # Errors
    ///
    /// [`DatagramOptionError::Option`].
    pub fn set_multicast_loop(&self, on: bool) -> Result<(), DatagramOptionError> {
        let is_v4 = self.local().is_ipv4();
        self.set_option("the multicast loop", |socket| match is_v4 {
            true => socket.set_multicast_loop_v4(on),
            false => socket.set_multicast_loop_v6(on),
        })
    }

    /// Whether sending to broadcast addresses is allowed.
    ///
    /// # Errors
    ///
    /// [`DatagramOptionError::Option`].
    pub fn set_broadcast(&self, on: bool) -> Result<(), DatagramOptionError> {
        self.set_option("broadcast", |socket| socket.set_broadcast(on))
    }

    /// Unicast TTL or hop limit.
    ///
    /// # Errors
    ///
    /// [`DatagramOptionError::Option`].
    pub fn set_ttl(&self, ttl: u8) -> Result<(), DatagramOptionError> {
        let is_v4 = self.local().is_ipv4();
        self.set_option("the TTL", |socket| match is_v4 {
            true => socket.set_ttl_v4(ttl.into()),
            false => socket.set_unicast_hops_v6(ttl.into()),
        })
    }

    fn set_option(
        &self,
        option: &'static str,
        set: impl FnOnce(&socket2::Socket) -> io::Result<()>,
    ) -> Result<(), DatagramOptionError> {
        let done = self.with_udp(|socket| set(&SockRef::from(socket)).map_err(Change::Refused));
        done.map_err(|change| DatagramOptionError::Option { option, source: change.into_source() })
    }

    fn with_udp<R>(&self, f: impl FnOnce(&UdpSocket) -> Result<R, Change>) -> Result<R, Change> {
        match self.0.socket.borrow().as_ref() {
            None => Err(Change::Refused(io::ErrorKind::NotConnected.into())),
            Some(socket) => match socket.as_udp() {
                None => Err(Change::Refused(io::ErrorKind::Unsupported.into())),
                Some(socket) => f(socket),
            },
        }
    }
}

/// An error before the group or interface is attached to it.
enum Change {
    NoInterface(io::Error),
    Refused(io::Error),
}

impl Change {
    fn into_source(self) -> io::Error {
        match self {
            Self::NoInterface(source) | Self::Refused(source) => source,
        }
    }
}

fn change_v4(socket: &socket2::Socket, group: &Ipv4Addr, index: u32, join: bool) -> io::Result<()> {
    let interface = match index {
        0 => InterfaceIndexOrAddress::Address(Ipv4Addr::UNSPECIFIED),
        index => InterfaceIndexOrAddress::Index(index),
    };
    match join {
        true => socket.join_multicast_v4_n(group, &interface),
        false => socket.leave_multicast_v4_n(group, &interface),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_interface_v4(socket: &UdpSocket, index: u32) -> io::Result<()> {
    use rustix::net::sockopt::set_ip_multicast_if_with_ifindex;
    let any = Ipv4Addr::UNSPECIFIED;
    Ok(set_ip_multicast_if_with_ifindex(socket, &any, &any, index)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_interface_v4(socket: &UdpSocket, index: u32) -> io::Result<()> {
    match index {
        0 => SockRef::from(socket).set_multicast_if_v4(&Ipv4Addr::UNSPECIFIED),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn index_of(socket: &UdpSocket, name: &str) -> io::Result<u32> {
    Ok(rustix::net::netdevice::name_to_index(socket, name)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn index_of(_: &UdpSocket, _: &str) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}

/// `ENODEV`.
fn is_no_device(error: &io::Error) -> bool {
    #[cfg(unix)]
    return error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error());
    #[cfg(not(unix))]
    return error.kind() == io::ErrorKind::AddrNotAvailable;
}
