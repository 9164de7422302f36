//! Addresses to connect to or to listen on, as users write them: [`Destination`]. No name is looked up here.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
};

use sinew_reactor::Excerpt;

#[cfg(unix)]
use crate::UnixAddr;
use crate::names::{host_port::host_port, literal::Literal};

/// An address to connect to or to listen on. Made from one or several `SocketAddr`, `"host:port"`, or a pair of host and port. In
/// a string, the port may be a service name, as in `"host:https"`, from a built-in table. An IPv6 link-local address is given with
/// its interface, by index or by name: `"[fe80::1%2]:80"`, `("fe80::1%eth0", 80)`.
///
/// Its `Display` text parses to the same destination, unless it is several addresses, a Unix socket,
/// [`Bad`](Self::Bad), or a name that is not a valid host name, which is [shortened and escaped](Excerpt).
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
    /// Several addresses; the first that works is used.
    Any(Vec<SocketAddr>),
    /// A name to be resolved, and a port. Also an IPv6 address with an interface name, whose index is looked up on use.
    Name(String, u16),
    /// A Unix socket, as passed to [`connect_unix`](crate::ReactorUnix::connect_unix). `connect_tcp` accepts it, too;
    /// `listen_tcp` does not.
    #[cfg(unix)]
    Unix(UnixAddr),
    /// Text that could not be parsed. Connecting to it fails with [`ConnectError::BadDestination`](crate::ConnectError::BadDestination).
    Bad(String),
}

impl From<SocketAddr> for Destination {
    fn from(addr: SocketAddr) -> Self {
        Self::Addr(addr)
    }
}

/// Types that hold an address.
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

/// The parse error of a [`Destination::Bad`].
pub(crate) fn why_bad(text: &str) -> String {
    host_port(text).err().map(|error| error.to_string()).unwrap_or_default()
}
