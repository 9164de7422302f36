//! An address of any kind: [`Address`].

use std::{fmt, net::SocketAddr, sync::Arc};

use crate::endpoint::quote;
#[cfg(unix)]
use crate::{UnixAddr, endpoint::unix_value};

/// The address of a listening port of any kind, for programs that keep ports of several kinds in one list. Its `Display` is an
/// [endpoint](crate::endpoint) string for clients.
///
/// # Examples
///
/// ```
/// use sinew_transports::{Address, ListeningPort};
///
/// fn announce(ports: &[ListeningPort<Address>]) {
///     for port in ports {
///         println!("listening on {}", port.local());
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// An IP address and port.
    Inet(SocketAddr),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(UnixAddr),
    /// A name within the reactor, in memory.
    Memory(Arc<str>),
    /// The process's standard input and output.
    Stdio,
}

impl Address {
    /// The IP address and port, if it has them.
    #[must_use]
    pub const fn socket_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(addr) => Some(*addr),
            _ => None,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(addr: SocketAddr) -> Self {
        Self::Inet(addr)
    }
}

#[cfg(unix)]
impl From<UnixAddr> for Address {
    fn from(addr: UnixAddr) -> Self {
        Self::Unix(addr)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(addr) => addr.fmt(f),
            #[cfg(unix)]
            Self::Unix(addr) => write!(f, "unix:{}", quote(&unix_value(addr))),
            Self::Memory(name) => write!(f, "memory:{}", quote(name)),
            Self::Stdio => f.write_str("stdio:"),
        }
    }
}
