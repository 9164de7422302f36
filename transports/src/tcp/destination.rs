//! Where to: [`Destination`]. Nothing is looked up here.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
};

#[cfg(unix)]
use crate::UnixAddr;
use crate::names::services;

/// Where to connect to, or to listen. Made from a `SocketAddr` or several, `"host:port"`, or a pair of host and port. In a
/// string, the port may be the name of a service, as in `"host:https"`: one of a table that is the same everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Destination {
    /// An address.
    Addr(SocketAddr),
    /// Several addresses, of which the first is taken that will do.
    Any(Vec<SocketAddr>),
    /// A name to be resolved, and a port.
    Name(String, u16),
    /// A Unix socket: what [`connect_unix`](crate::ReactorUnix::connect_unix) is told. `connect_tcp` goes there, too;
    /// `listen_tcp` does not.
    #[cfg(unix)]
    Unix(UnixAddr),
    /// What could not be understood; connecting to it fails with [`ConnectError::BadDestination`](crate::ConnectError::BadDestination).
    Bad(String),
}

impl From<SocketAddr> for Destination {
    fn from(addr: SocketAddr) -> Self {
        Self::Addr(addr)
    }
}

/// What has an address in it.
macro_rules! from_addrs {
    ($($addr:ty),+) => {
        $(impl From<$addr> for Destination {
            fn from(addr: $addr) -> Self {
                Self::Addr(addr.into())
            }
        })+
    };
}

from_addrs!(SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl From<&[SocketAddr]> for Destination {
    fn from(addrs: &[SocketAddr]) -> Self {
        Self::Any(addrs.to_vec())
    }
}

impl From<(&str, u16)> for Destination {
    fn from((host, port): (&str, u16)) -> Self {
        match host.parse::<IpAddr>() {
            Ok(ip) => Self::Addr((ip, port).into()),
            Err(_) => Self::Name(host.to_owned(), port),
        }
    }
}

impl From<&str> for Destination {
    fn from(text: &str) -> Self {
        if let Ok(addr) = text.parse() {
            return Self::Addr(addr);
        }
        let parsed =
            text.rsplit_once(':').and_then(|(host, port)| Some((host, services::port(port)?)));
        match parsed {
            Some((host, port)) if !host.is_empty() && !host.contains(':') => (host, port).into(),
            Some((host, port)) => match unbracketed(host).map(str::parse::<Ipv6Addr>) {
                Some(Ok(ip)) => Self::Addr((ip, port).into()),
                _ => Self::Bad(text.to_owned()),
            },
            _ => Self::Bad(text.to_owned()),
        }
    }
}

/// What stands in brackets, as an IPv6 address does before a port.
fn unbracketed(host: &str) -> Option<&str> {
    host.strip_prefix('[')?.strip_suffix(']')
}

impl From<(String, u16)> for Destination {
    fn from((host, port): (String, u16)) -> Self {
        (host.as_str(), port).into()
    }
}

impl From<&String> for Destination {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Destination {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addr(addr) => addr.fmt(f),
            Self::Any(addrs) => {
                let addrs: Vec<_> = addrs.iter().map(ToString::to_string).collect();
                f.write_str(&addrs.join(", "))
            }
            Self::Name(host, port) => write!(f, "{host}:{port}"),
            #[cfg(unix)]
            Self::Unix(addr) => addr.fmt(f),
            Self::Bad(text) => f.write_str(text),
        }
    }
}
