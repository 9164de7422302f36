//! Headers to be sent: [`ProxyHeader`]. `codec.rs` encodes them.

use std::{fmt, net::SocketAddr, str::FromStr};

use sinew_reactor::Excerpt;

use super::{ProxiedEnds, ProxySsl, Tlvs, codec, tlv};
#[cfg(unix)]
use crate::UnixAddr;
use crate::{Peer, Transport};

/// A PROXY protocol header to be sent, for clients that connect on behalf of others, such as a proxy or a load balancer.
/// [`ConnectConfig::proxy_header`](crate::ConnectConfig::proxy_header) sends it.
///
/// By default it has the addresses of the connection that it is sent on. Version 1 is a line of text with TCP
/// addresses only: a Unix socket is sent as `UNKNOWN`, and TLVs and the checksum are left out. Both addresses of a header are of one
/// family: if one is IPv4 and the other IPv6, both are sent as IPv6 (RFC 4291, section 2.5.5.2). Scopes are not sent, since they are
/// meaningless on another machine.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew_transports::{ConnectConfig, proxy::ProxyHeader};
///
/// let header = ProxyHeader::v2()
///     .addresses("192.0.2.1:56324".parse()?, "198.51.100.2:443".parse()?)
///     .authority("example.org")?;
/// let config = ConnectConfig::default().proxy_header(header);
/// # drop(config);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct ProxyHeader {
    version: ProxyVersion,
    addresses: Addresses,
    tlvs: Tlvs,
    has_checksum: bool,
}

/// The source of a header's addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Addresses {
    /// The addresses of the connection that it is sent on.
    OfConnection,
    /// None: the proxy connects for itself, as for a health check.
    Local,
    Given(ProxiedEnds),
}

/// A version of the PROXY protocol: `v1` or `v2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// The text is not a version of the PROXY protocol.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{:?} is neither v1 nor v2", Excerpt::new(.0))]
pub struct BadProxyVersion(String);

sinew_reactor::error_debug!(BadProxyVersion);

/// Invalid content of a header.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyHeaderError {
    /// The TLVs do not fit into a header.
    #[error("the TLVs take {len} bytes; a header has room for {max}")]
    TooLong {
        /// Their total length.
        len: usize,
        /// The maximum.
        max: usize,
    },
    /// The unique id is longer than the specification allows.
    #[error("the unique id has {len} bytes; the maximum is {max}")]
    IdTooLong {
        /// Its length.
        len: usize,
        /// The maximum.
        max: usize,
    },
    /// The checksum cannot be added as a TLV; use [`ProxyHeader::checksum`].
    #[error("the checksum is computed, and cannot be added as a TLV")]
    Checksum,
    /// The path of a Unix socket is too long, or has a zero byte.
    #[error("{:?} is not a valid Unix socket path: at most {max} bytes without zero bytes", Excerpt::new(.path))]
    BadPath {
        /// The path.
        path: Vec<u8>,
        /// The maximum length.
        max: usize,
    },
}

sinew_reactor::error_debug!(ProxyHeaderError);

/// Longest [`tlv::UNIQUE_ID`] (section 2.2.5 of the specification).
const UNIQUE_ID_LEN_MAX: usize = 128;

impl ProxyHeader {
    /// Maximum length of all TLVs in bytes, with 3 more bytes for each: 65,312.
    pub const TLVS_LEN_MAX: usize = codec::TLVS_LEN_MAX;

    /// A header of version 1, with the addresses of the connection itself.
    pub const fn v1() -> Self {
        Self::new(ProxyVersion::V1)
    }

    /// A header of version 2, with the addresses of the connection itself.
    pub const fn v2() -> Self {
        Self::new(ProxyVersion::V2)
    }

    /// A header with the addresses of the connection itself.
    pub const fn new(version: ProxyVersion) -> Self {
        Self { version, addresses: Addresses::OfConnection, tlvs: Vec::new(), has_checksum: false }
    }

    /// The same in another version.
    pub const fn in_version(mut self, version: ProxyVersion) -> Self {
        self.version = version;
        self
    }

    /// A header for a connection of the proxy itself, as for a health check: `LOCAL`, or `UNKNOWN` in version 1.
    pub fn local(mut self) -> Self {
        self.addresses = Addresses::Local;
        self
    }

    /// Sets the address of the client, and the address that it connected to.
    pub fn addresses(mut self, source: SocketAddr, destination: SocketAddr) -> Self {
        self.addresses = Addresses::Given(ProxiedEnds::Inet { source, destination });
        self
    }

    /// Sets the path of the client's Unix socket, usually empty, and the path that it connected to.
    ///
    /// # Errors
    ///
    /// [`ProxyHeaderError::BadPath`].
    pub fn unix(mut self, source: &[u8], destination: &[u8]) -> Result<Self, ProxyHeaderError> {
        let path = |path: &[u8]| match codec::is_path(path) {
            true => Ok(path.into()),
            false => Err(ProxyHeaderError::BadPath { path: path.into(), max: codec::PATH_LEN_MAX }),
        };
        let (source, destination) = (path(source)?, path(destination)?);
        self.addresses = Addresses::Given(ProxiedEnds::Unix { source, destination });
        Ok(self)
    }

    /// Sets the addresses of a client's connection to this program; if it came through another proxy, those in its header.
    /// TLVs are not passed on.
    pub fn on_behalf_of(mut self, client: &Transport) -> Self {
        self.addresses = Addresses::Given(match (client.peer(), client.local()) {
            (Peer::Proxied(proxied), _) => proxied.ends().clone(),
            (Peer::Inet(source), Some(destination)) => ProxiedEnds::Inet { source, destination },
            #[cfg(unix)]
            (Peer::Unix(peer), _) => {
                ProxiedEnds::Unix { source: path_of(&peer.addr), destination: Box::default() }
            }
            _ => ProxiedEnds::Unspecified,
        });
        self
    }

    /// Adds a TLV of a type such as those in [`tlv`]. A type may occur more than once.
    ///
    /// # Errors
    ///
    /// [`ProxyHeaderError::TooLong`], if the TLVs do not fit any more, and [`ProxyHeaderError::Checksum`].
    pub fn tlv(mut self, kind: u8, value: impl Into<Box<[u8]>>) -> Result<Self, ProxyHeaderError> {
        if kind == tlv::CRC32C {
            return Err(ProxyHeaderError::Checksum);
        }
        self.tlvs.push((kind, value.into()));
        let (len, max) = (codec::tlvs_len(&self.tlvs), codec::TLVS_LEN_MAX);
        if len > max { Err(ProxyHeaderError::TooLong { len, max }) } else { Ok(self) }
    }

    /// Adds the server name that the client asked for, as by SNI ([`tlv::AUTHORITY`]).
    ///
    /// # Errors
    ///
    /// As [`tlv`](Self::tlv).
    pub fn authority(self, name: &str) -> Result<Self, ProxyHeaderError> {
        self.tlv(tlv::AUTHORITY, name.as_bytes())
    }

    /// Adds the application protocol negotiated with the client ([`tlv::ALPN`]).
    ///
    /// # Errors
    ///
    /// As [`tlv`](Self::tlv).
    pub fn alpn(self, protocol: &[u8]) -> Result<Self, ProxyHeaderError> {
        self.tlv(tlv::ALPN, protocol)
    }

    /// Adds a unique id of the connection, up to 128 bytes ([`tlv::UNIQUE_ID`]).
    ///
    /// # Errors
    ///
    /// [`ProxyHeaderError::IdTooLong`], else as [`tlv`](Self::tlv).
    pub fn unique_id(self, id: &[u8]) -> Result<Self, ProxyHeaderError> {
        let (len, max) = (id.len(), UNIQUE_ID_LEN_MAX);
        if len > max {
            Err(ProxyHeaderError::IdTooLong { len, max })
        } else {
            self.tlv(tlv::UNIQUE_ID, id)
        }
    }

    /// Adds the parameters of the client's TLS session with the proxy ([`tlv::SSL`]).
    ///
    /// # Errors
    ///
    /// As [`tlv`](Self::tlv).
    pub fn ssl(self, ssl: &ProxySsl) -> Result<Self, ProxyHeaderError> {
        let (len, max) = (ssl.len(), codec::TLVS_LEN_MAX);
        if len > max {
            Err(ProxyHeaderError::TooLong { len, max })
        } else {
            self.tlv(tlv::SSL, ssl.to_bytes())
        }
    }

    /// Adds a CRC-32C over the header ([`tlv::CRC32C`], version 2). Default: none.
    pub const fn checksum(mut self) -> Self {
        self.has_checksum = true;
        self
    }

    /// Encodes the header. `own` are the addresses of the connection that it is sent on: this end as the source, the other as the
    /// destination.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use sinew_transports::proxy::{ProxiedEnds, ProxyHeader};
    ///
    /// let (source, destination) = ("192.0.2.1:56324".parse()?, "198.51.100.2:443".parse()?);
    /// let own = ProxiedEnds::Inet { source, destination };
    /// let bytes = ProxyHeader::v1().to_bytes(&own);
    /// assert_eq!(bytes, b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n");
    /// assert_eq!(ProxyHeader::v1().local().to_bytes(&own), b"PROXY UNKNOWN\r\n");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn to_bytes(&self, own: &ProxiedEnds) -> Vec<u8> {
        let ends = match &self.addresses {
            Addresses::OfConnection => Some(own),
            Addresses::Local => None,
            Addresses::Given(ends) => Some(ends),
        };
        match self.version {
            ProxyVersion::V1 => codec::write_v1(ends),
            ProxyVersion::V2 => codec::write_v2(ends, &self.tlvs, self.has_checksum),
        }
    }
}

impl ProxiedEnds {
    /// The addresses of an outgoing connection.
    pub(crate) fn own(local: Option<SocketAddr>, peer: &Peer) -> Self {
        match (local, peer) {
            (Some(source), Peer::Inet(destination)) => {
                Self::Inet { source, destination: *destination }
            }
            #[cfg(unix)]
            (_, Peer::Unix(peer)) => {
                Self::Unix { source: Box::default(), destination: path_of(&peer.addr) }
            }
            _ => Self::Unspecified,
        }
    }
}

/// The path of a Unix socket. Headers cannot express abstract names.
#[cfg(unix)]
fn path_of(addr: &UnixAddr) -> Box<[u8]> {
    use std::os::unix::ffi::OsStrExt;
    addr.path().map(|path| path.as_os_str().as_bytes().into()).unwrap_or_default()
}

impl fmt::Display for ProxyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        })
    }
}

impl FromStr for ProxyVersion {
    type Err = BadProxyVersion;

    fn from_str(text: &str) -> Result<Self, BadProxyVersion> {
        match text {
            "v1" => Ok(Self::V1),
            "v2" => Ok(Self::V2),
            _ => Err(BadProxyVersion(text.to_owned())),
        }
    }
}
