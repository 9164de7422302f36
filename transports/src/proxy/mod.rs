//! The PROXY protocol, by which a proxy or load balancer passes on the client's address. Versions 1 and 2 of
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, detected by their first bytes.
//!
//! For servers, [`ProxyConfig`] enables it on a port, and [`Proxied`] holds the received data. For clients, [`ProxyHeader`] is a header
//! that [`ConnectConfig::proxy_header`](crate::ConnectConfig::proxy_header) sends before any other data.
//!
//! A protocol is built when the header is complete; no protocol is built if it fails. Then
//! [`Transport::peer`](crate::Transport::peer) is [`Peer::Proxied`], with the client's address. If the proxy connects for
//! itself, as for a health check (`LOCAL`, `UNKNOWN`), it is [`Peer::Inet`] as usual.
//!
//! Exactly the bytes of the header are read, so any protocol may follow.

use std::{fmt, net::SocketAddr, time::Duration};

use crate::Peer;

mod codec;
mod crc32c;
mod header;
mod ssl;
mod subnet;

pub use {
    codec::{Header, HeaderReader, ProxyError},
    header::{BadProxyVersion, ProxyHeader, ProxyHeaderError, ProxyVersion},
    ssl::ProxySsl,
    subnet::{BadSubnet, Subnet},
};

/// The PROXY protocol on a port: trusted proxies, timeout and limits.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew_transports::{ListenConfig, proxy::ProxyConfig};
///
/// let proxies = ProxyConfig::default().trust(["10.0.0.0/8".parse()?]);
/// let config = ListenConfig::default().proxy(proxies);
/// # drop(config);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ProxyConfig {
    pub(crate) trusted: Vec<Subnet>,
    pub(crate) timeout: Duration,
    pub(crate) header_len_max: usize,
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self {
            trusted: vec![Subnet::LOOPBACK_V4, Subnet::LOOPBACK_V6],
            timeout: Duration::from_secs(5),
            header_len_max: 4096,
        }
    }
}

impl ProxyConfig {
    /// The addresses of trusted proxies. Default: loopback addresses. Connections from elsewhere are refused, since they could claim any
    /// client address. In-memory peers are always trusted, and so is any process that can connect to a Unix socket, as governed by the
    /// mode of its file.
    pub fn trust(mut self, subnets: impl IntoIterator<Item = Subnet>) -> Self {
        self.trusted = subnets.into_iter().collect();
        self
    }

    /// Timeout for the header. Default 5 s; then the connection is closed.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Longest header accepted, TLVs included. Default 4 KiB, and at least the 107 bytes of version 1;
    /// beyond it the connection is closed.
    pub fn header_len_max(mut self, bytes: usize) -> Self {
        self.header_len_max = bytes.max(codec::V1_LEN_MAX);
        self
    }

    /// Whether a peer is a trusted proxy.
    pub(crate) fn trusts(&self, peer: &Peer) -> bool {
        peer.ip().is_none_or(|ip| self.trusted.iter().any(|subnet| subnet.contains(ip)))
    }
}

/// The data of a received header.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proxied {
    pub(crate) via: Peer,
    pub(crate) ends: ProxiedEnds,
    pub(crate) tlvs: Tlvs,
}

/// Types and values, in the order of the header.
pub(crate) type Tlvs = Vec<(u8, Box<[u8]>)>;

/// Both addresses of a client's connection to the proxy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxiedEnds {
    /// TCP or UDP.
    Inet {
        /// The client.
        source: SocketAddr,
        /// The address that it connected to.
        destination: SocketAddr,
    },
    /// Unix socket: the paths, up to their first zero byte.
    Unix {
        /// The client's path, usually empty.
        source: Box<[u8]>,
        /// The path that it connected to.
        destination: Box<[u8]>,
    },
    /// Not given by the proxy.
    Unspecified,
}

impl Proxied {
    /// The proxy.
    #[must_use]
    pub const fn via(&self) -> &Peer {
        &self.via
    }

    /// The addresses of the client and of its destination.
    #[must_use]
    pub const fn ends(&self) -> &ProxiedEnds {
        &self.ends
    }

    /// The client's address, unless it used a Unix socket or is unspecified.
    #[must_use]
    pub const fn source(&self) -> Option<SocketAddr> {
        match &self.ends {
            ProxiedEnds::Inet { source, .. } => Some(*source),
            _ => None,
        }
    }

    /// The address that the client connected to, unless it used a Unix socket or is unspecified.
    #[must_use]
    pub const fn destination(&self) -> Option<SocketAddr> {
        match &self.ends {
            ProxiedEnds::Inet { destination, .. } => Some(*destination),
            _ => None,
        }
    }

    /// All TLVs (version 2): types and values, in the order of the header.
    pub fn tlvs(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.tlvs.iter().map(|(kind, value)| (*kind, &**value))
    }

    /// The parameters of the client's TLS session with the proxy, if the header has them ([`tlv::SSL`]).
    #[must_use]
    pub fn ssl(&self) -> Option<ProxySsl> {
        self.tlv(tlv::SSL).and_then(ProxySsl::read)
    }

    /// The first value of a type, such as [`tlv::AUTHORITY`].
    #[must_use]
    pub fn tlv(&self, kind: u8) -> Option<&[u8]> {
        self.tlvs().find(|(other, _)| *other == kind).map(|(_, value)| value)
    }
}

/// Types of TLVs.
pub mod tlv {
    /// The negotiated application protocol, as by ALPN.
    pub const ALPN: u8 = 0x01;
    /// The server name that the client asked for, as by SNI. UTF-8.
    pub const AUTHORITY: u8 = 0x02;
    /// The checksum of the header, which has been verified.
    pub const CRC32C: u8 = 0x03;
    /// Padding.
    pub const NOOP: u8 = 0x04;
    /// A unique id of the connection, up to 128 bytes.
    pub const UNIQUE_ID: u8 = 0x05;
    /// The client's TLS session: flags, a word that is 0 if its certificate was verified, and nested TLVs.
    pub const SSL: u8 = 0x20;
    /// The name of a network namespace.
    pub const NETNS: u8 = 0x30;
}

impl fmt::Display for Proxied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ends {
            ProxiedEnds::Inet { source, .. } => source.fmt(f),
            ProxiedEnds::Unix { .. } => write!(f, "a Unix socket via {}", self.via),
            ProxiedEnds::Unspecified => write!(f, "an unspecified client via {}", self.via),
        }
    }
}
