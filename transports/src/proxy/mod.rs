//! The PROXY protocol, by which a proxy says for whom it connects. Both versions of
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, which are told apart by their first bytes.
//!
//! For a port, [`ProxyConfig`] turns it on, and [`Proxied`] is what was said. For a client, [`ProxyHeader`] is what is to be said, and
//! [`ConnectConfig::proxy_header`](crate::ConnectConfig::proxy_header) has it sent before all else.
//!
//! A protocol is built when the header is there; what fails before that builds none. Then
//! [`Transport::peer`](crate::Transport::peer) is [`Peer::Proxied`], the one whom the proxy speaks for. A proxy that speaks for
//! itself, as in a health check (`LOCAL`, `UNKNOWN`), is [`Peer::Inet`] as ever.
//!
//! Not one byte past the header is read with it, so what follows may be of any kind.

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

/// Whose headers a port believes, and how long it waits for them.
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
    /// Where proxies connect from. Default: this machine. Whoever comes from elsewhere is turned away, for he could say what he
    /// likes. Peers in memory are of this program and always trusted; so is whoever can connect to a Unix socket, which the mode of
    /// its file decides.
    pub fn trust(mut self, subnets: impl IntoIterator<Item = Subnet>) -> Self {
        self.trusted = subnets.into_iter().collect();
        self
    }

    /// How long the header may take. Default 5 s; past it the connection is closed.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The longest header that is accepted, TLVs and all. Default 4 KiB, and not less than the 107 bytes that version 1 may
    /// take; past it the connection is closed.
    pub fn header_len_max(mut self, bytes: usize) -> Self {
        self.header_len_max = bytes.max(codec::V1_LEN_MAX);
        self
    }

    /// Whether what this peer says of others is believed.
    pub(crate) fn trusts(&self, peer: &Peer) -> bool {
        peer.ip().is_none_or(|ip| self.trusted.iter().any(|subnet| subnet.contains(ip)))
    }
}

/// What a proxy has said of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proxied {
    pub(crate) via: Peer,
    pub(crate) ends: ProxiedEnds,
    pub(crate) tlvs: Tlvs,
}

/// Types and values, in the order of the header.
pub(crate) type Tlvs = Vec<(u8, Box<[u8]>)>;

/// Both ends of a connection to a proxy.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxiedEnds {
    /// Over TCP, or over UDP.
    Inet {
        /// The client.
        source: SocketAddr,
        /// Where it connected to.
        destination: SocketAddr,
    },
    /// Over a Unix socket: the paths, up to their first zero byte.
    Unix {
        /// The client's, which is seldom there.
        source: Box<[u8]>,
        /// Where it connected to.
        destination: Box<[u8]>,
    },
    /// The proxy does not say.
    Unspecified,
}

impl Proxied {
    /// The proxy.
    #[must_use]
    pub const fn via(&self) -> &Peer {
        &self.via
    }

    /// The client, and where it connected to.
    #[must_use]
    pub const fn ends(&self) -> &ProxiedEnds {
        &self.ends
    }

    /// The client's address, if it has one.
    #[must_use]
    pub const fn source(&self) -> Option<SocketAddr> {
        match &self.ends {
            ProxiedEnds::Inet { source, .. } => Some(*source),
            _ => None,
        }
    }

    /// Where the client connected to, if that is an address.
    #[must_use]
    pub const fn destination(&self) -> Option<SocketAddr> {
        match &self.ends {
            ProxiedEnds::Inet { destination, .. } => Some(*destination),
            _ => None,
        }
    }

    /// What else version 2 tells: types and values, in the order of the header.
    pub fn tlvs(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.tlvs.iter().map(|(kind, value)| (*kind, &**value))
    }

    /// How the client speaks TLS with the proxy, if the proxy tells ([`tlv::SSL`]).
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

/// Types of what version 2 tells beside the addresses.
pub mod tlv {
    /// The protocol that was negotiated, as by ALPN.
    pub const ALPN: u8 = 0x01;
    /// The name that the client asked for, as by SNI. UTF-8.
    pub const AUTHORITY: u8 = 0x02;
    /// A checksum of the header, which was right.
    pub const CRC32C: u8 = 0x03;
    /// Nothing.
    pub const NOOP: u8 = 0x04;
    /// What names the connection, up to 128 bytes.
    pub const UNIQUE_ID: u8 = 0x05;
    /// The client's TLS: flags, a word that is 0 if its certificate was verified, and TLVs of their own.
    pub const SSL: u8 = 0x20;
    /// The name of a namespace of the network.
    pub const NETNS: u8 = 0x30;
}

impl fmt::Display for Proxied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ends {
            ProxiedEnds::Inet { source, .. } => source.fmt(f),
            ProxiedEnds::Unix { .. } => write!(f, "a Unix socket by {}", self.via),
            ProxiedEnds::Unspecified => write!(f, "somebody by {}", self.via),
        }
    }
}
