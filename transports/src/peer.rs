//! The other end of a connection: [`Peer`].

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

#[cfg(unix)]
use crate::UnixAddr;
use crate::proxy::Proxied;

/// The other end of a connection. Passed to [`Factory::build_protocol`](crate::Factory::build_protocol).
///
/// # Examples
///
/// Accepts only clients on this machine:
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
    /// An IP address and port, over TCP.
    Inet(SocketAddr),
    /// A process on this machine, over a Unix socket.
    #[cfg(unix)]
    Unix(UnixPeer),
    /// The other end is in this process.
    Memory,
    /// The other end of standard input and output.
    Stdio,
    /// The other end of a pipe.
    Pipe,
    /// A client behind a proxy, which has given its address by the [PROXY protocol](crate::proxy).
    Proxied(Arc<Proxied>),
}

impl Peer {
    /// The IP address and port, if the peer has them.
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

    /// What a proxy has reported about the client, if there is a proxy.
    #[must_use]
    pub fn proxied(&self) -> Option<&Proxied> {
        match self {
            Self::Proxied(proxied) => Some(proxied),
            _ => None,
        }
    }

    /// The IP address without the port. An IPv4-mapped address of a dual-stack socket is returned as IPv4.
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

/// The other end of a Unix socket.
#[cfg(unix)]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct UnixPeer {
    /// Its address; clients usually have none.
    pub addr: UnixAddr,
    /// Credentials of the process that connected or began to listen, where the kernel reports them (Linux, `SO_PEERCRED`).
    pub credentials: Option<Credentials>,
}

/// User, group and process at the other end of a Unix socket, as reported by the kernel.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Credentials {
    /// The effective user ID.
    pub uid: u32,
    /// The effective group ID.
    pub gid: u32,
    /// The process ID; `None` if it has none in this PID namespace, such as a process of another container.
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
