//! Who is at the other end: [`Peer`].

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

#[cfg(unix)]
use crate::UnixAddr;
use crate::proxy::Proxied;

/// The other end of a connection. Given to [`Factory::build_protocol`](crate::Factory::build_protocol).
///
/// # Examples
///
/// Only who is on this machine may come in:
///
/// ```
/// use sinew_transports::{Factory, Peer, Protocol, Transport};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// struct Local;
///
/// impl Factory for Local {
///     type Protocol = Echo;
///
///     fn build_protocol(&mut self, peer: &Peer) -> Option<Echo> {
///         peer.ip().is_none_or(|ip| ip.is_loopback()).then_some(Echo)
///     }
/// }
///
/// let far = Peer::Inet("192.0.2.7:4711".parse().unwrap());
/// assert!(Local.build_protocol(&far).is_none());
/// assert_eq!(far.to_string(), "192.0.2.7:4711");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Peer {
    /// An address of the internet, over TCP.
    Inet(SocketAddr),
    /// A process of this system, over a Unix socket.
    #[cfg(unix)]
    Unix(UnixPeer),
    /// The other end is in this process.
    Memory,
    /// Whoever is at the other end of standard input and output.
    Stdio,
    /// Whoever is at the other end of a pipe.
    Pipe,
    /// Somebody behind a proxy, who has said so by the [PROXY protocol](crate::proxy).
    Proxied(Arc<Proxied>),
}

impl Peer {
    /// The address and port, if the peer has one.
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Inet(addr) => Some(*addr),
            #[cfg(unix)]
            Self::Unix(_) => None,
            Self::Memory | Self::Stdio | Self::Pipe => None,
            Self::Proxied(proxied) => proxied.source(),
        }
    }

    /// What a proxy has said of it, if it is behind one.
    #[must_use]
    pub fn proxied(&self) -> Option<&Proxied> {
        match self {
            Self::Proxied(proxied) => Some(proxied),
            _ => None,
        }
    }

    /// The address without the port; an IPv4 address that came through a dual-stack socket is given as IPv4.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.socket_addr().map(|addr| addr.ip().to_canonical())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(addr) => addr.fmt(f),
            #[cfg(unix)]
            Self::Unix(peer) => peer.fmt(f),
            Self::Memory => f.write_str("memory"),
            Self::Stdio => f.write_str("standard input and output"),
            Self::Pipe => f.write_str("a pipe"),
            Self::Proxied(proxied) => proxied.fmt(f),
        }
    }
}

/// Who is at the other end of a Unix socket.
#[cfg(unix)]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct UnixPeer {
    /// Its address; clients usually have none.
    pub addr: UnixAddr,
    /// Whose process it was when it connected or began to listen, where the system tells (Linux, `SO_PEERCRED`).
    pub credentials: Option<Credentials>,
}

/// The user, the group and the process at the other end of a Unix socket, as the system vouches for them.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Credentials {
    /// The effective user.
    pub uid: u32,
    /// The effective group.
    pub gid: u32,
    /// The process; `None` if it has no number here, as one of another container.
    pub pid: Option<u32>,
}

#[cfg(unix)]
impl fmt::Display for UnixPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addr.fmt(f)?;
        match &self.credentials {
            Some(Credentials { uid, pid: Some(pid), .. }) => {
                write!(f, " (process {pid} of user {uid})")
            }
            Some(Credentials { uid, pid: None, .. }) => write!(f, " (user {uid})"),
            None => Ok(()),
        }
    }
}
