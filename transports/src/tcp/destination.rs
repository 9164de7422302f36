//! Where to: [`Destination`]. Nothing is looked up here.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
};

use sinew_reactor::Excerpt;

#[cfg(unix)]
use crate::UnixAddr;
use crate::names::{host_port::host_port, literal::Literal};

/// Where to connect to, or to listen. Made from a `SocketAddr` or several, `"host:port"`, or a pair of host and port. In a
/// string, the port may be the name of a service, as in `"host:https"`: one of a table that is the same everywhere. An IPv6
/// address of a link is given with its interface, by number or by name: `"[fe80::1%2]:80"`, `("fe80::1%eth0", 80)`.
///
/// What its `Display` shows is the same destination when it is read, unless it is several addresses, a Unix socket or
/// [`Bad`](Self::Bad), or a name that no host can have: that is shown [shortened and escaped](Excerpt).
///
/// # Examples
///
/// ```
/// use sinew_transports::Destination;
///
/// assert_eq!(Destination::from(("::1", 80)), Destination::from("[::1]:http"));
/// let on_a_link = Destination::from("[fe80::1%eth0]:80");
/// assert_eq!(on_a_link, Destination::Name("fe80::1%eth0".to_owned(), 80));
/// assert_eq!(on_a_link.to_string(), "[fe80::1%eth0]:80");
/// assert_eq!(Destination::from("127.0.0.1:99999"), Destination::Bad("127.0.0.1:99999".to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Destination {
    /// An address.
    Addr(SocketAddr),
    /// Several addresses, of which the first is taken that will do.
    Any(Vec<SocketAddr>),
    /// A name to be resolved, and a port. Also an IPv6 address with the name of an interface, whose number is looked up when it is
    /// used.
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
        match Literal::parse(host) {
            Some(Literal::Addr(mut addr)) => {
                addr.set_port(port);
                Self::Addr(addr)
            }
            Some(on_interface) => Self::Name(on_interface.to_string(), port),
            None => Self::Name(host.to_owned(), port),
        }
    }
}

impl From<&str> for Destination {
    fn from(text: &str) -> Self {
        host_port(text).map_or_else(|_| Self::Bad(text.to_owned()), Self::from)
    }
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
            Self::Name(host, port) if host.contains(':') => {
                write!(f, "[{}]:{port}", Excerpt::new(host))
            }
            Self::Name(host, port) => write!(f, "{}:{port}", Excerpt::new(host)),
            #[cfg(unix)]
            Self::Unix(addr) => addr.fmt(f),
            Self::Bad(text) => Excerpt::new(text).fmt(f),
        }
    }
}

/// What is wrong with a text that has become [`Destination::Bad`].
pub(crate) fn why_bad(text: &str) -> String {
    host_port(text).err().map(|error| error.to_string()).unwrap_or_default()
}
