//! An address of whatever kind: [`Address`].

use std::{fmt, net::SocketAddr};

#[cfg(unix)]
use crate::UnixAddr;

/// Where something listens: for those who keep ports of several kinds side by side.
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
    /// An address of the internet.
    Inet(SocketAddr),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(UnixAddr),
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
            Self::Unix(addr) => addr.fmt(f),
        }
    }
}
