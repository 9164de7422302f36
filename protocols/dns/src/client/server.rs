//! A name server, and how it is asked: [`NameServer`]. A value; what is known of its behaviour is in `servers.rs`.

use std::{fmt, net::SocketAddr};

/// A server to ask: over UDP, with TCP for long responses; over TCP alone; or over TLS.
///
/// # Examples
///
/// ```
/// use std::net::SocketAddr;
/// use sinew_dns::client::NameServer;
///
/// let addr: SocketAddr = "192.0.2.53:53".parse()?;
/// assert_eq!(NameServer::new(addr).to_string(), "192.0.2.53:53");
/// assert_eq!(NameServer::tcp(addr).to_string(), "tcp:192.0.2.53:53");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameServer {
    addr: SocketAddr,
    pub(super) over: Over,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Over {
    Udp,
    Tcp,
    #[cfg(feature = "tls")]
    Tls(Box<str>),
}

impl NameServer {
    /// A server that is asked over UDP, and over TCP when a response does not fit into a datagram.
    #[must_use]
    pub fn new(addr: impl Into<SocketAddr>) -> Self {
        Self { addr: addr.into(), over: Over::Udp }
    }

    /// A server that is asked over TCP only.
    #[must_use]
    pub fn tcp(addr: impl Into<SocketAddr>) -> Self {
        Self { addr: addr.into(), over: Over::Tcp }
    }

    /// A server that is asked over TLS only (RFC 7858), usually at port 853. Its certificate must be for `name`, and issued by an
    /// authority that is trusted ([`DnsConfig::tls`](super::DnsConfig::tls)); nothing is sent without (RFC 8310, strict).
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(addr: impl Into<SocketAddr>, name: &str) -> Self {
        Self { addr: addr.into(), over: Over::Tls(name.into()) }
    }

    /// The address.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The same address in the scope of another (an interface).
    pub(super) fn with_scope_of(mut self, other: SocketAddr) -> Self {
        if let (SocketAddr::V6(addr), SocketAddr::V6(other)) = (&mut self.addr, other) {
            addr.set_scope_id(other.scope_id());
        }
        self
    }
}

impl From<SocketAddr> for NameServer {
    fn from(addr: SocketAddr) -> Self {
        Self::new(addr)
    }
}

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.over {
            Over::Udp => write!(f, "{}", self.addr),
            Over::Tcp => write!(f, "tcp:{}", self.addr),
            #[cfg(feature = "tls")]
            Over::Tls(name) => write!(f, "tls:{}#{name}", self.addr),
        }
    }
}
