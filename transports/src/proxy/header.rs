//! A header that is to be written: [`ProxyHeader`]. How it is written is in `codec.rs`.

use std::{fmt, net::SocketAddr, str::FromStr};

use sinew_reactor::Excerpt;

use super::{ProxiedEnds, ProxySsl, Tlvs, codec, tlv};
#[cfg(unix)]
use crate::UnixAddr;
use crate::{Peer, Transport};

/// What a connection says first of all, and for whom: for clients that connect on behalf of others, such as a proxy or a balancer.
/// [`ConnectConfig::proxy_header`](crate::ConnectConfig::proxy_header) has it sent.
///
/// Unless it is said for whom, the connection speaks for its own two ends. Version 1 is a line of text: it has no words for Unix
/// sockets (`UNKNOWN` is said of them) nor for TLVs, which are left out. IPv4 and IPv6 are not mixed in a header: where an address
/// of one meets one of the other, both are sent as IPv6 (RFC 4291, section 2.5.5.2). Scopes of addresses are not sent, for they mean
/// nothing elsewhere.
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
    whom: Whom,
    tlvs: Tlvs,
    has_checksum: bool,
}

/// For whom a connection speaks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Whom {
    /// For its own ends.
    Own,
    /// For the one who connects, as in a health check.
    Local,
    Others(ProxiedEnds),
}

/// A version of the PROXY protocol: `v1` or `v2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// A text is no version of the PROXY protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{:?} is neither v1 nor v2", Excerpt::new(.0))]
pub struct BadProxyVersion(String);

/// A header cannot say this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyHeaderError {
    /// The TLVs are longer than a header has room for.
    #[error("TLVs of {len} bytes, at most {max} in a header")]
    TooLong {
        /// Their length together.
        len: usize,
        /// The most that there is room for.
        max: usize,
    },
    /// What names the connection is longer than the specification allows.
    #[error("a unique id of {len} bytes, at most {max} allowed")]
    IdTooLong {
        /// Its length.
        len: usize,
        /// The longest that is allowed.
        max: usize,
    },
    /// The checksum is made when the header is: [`ProxyHeader::checksum`].
    #[error("the checksum is not given, but made")]
    Checksum,
    /// A path of a Unix socket is longer than the header has room for, or has a zero byte in it.
    #[error("{:?} is no path of a Unix socket: at most {max} bytes, and none of them zero", Excerpt::new(.path))]
    BadPath {
        /// The path.
        path: Vec<u8>,
        /// The longest that there is room for.
        max: usize,
    },
}

/// The longest [`tlv::UNIQUE_ID`], by the specification, section 2.2.5.
const UNIQUE_ID_LEN_MAX: usize = 128;

impl ProxyHeader {
    /// The most bytes of TLVs that a header has room for, with 3 bytes more for each: 65,312.
    pub const TLVS_LEN_MAX: usize = codec::TLVS_LEN_MAX;

    /// A header of version 1 for the ends of the connection itself.
    pub const fn v1() -> Self {
        Self::new(ProxyVersion::V1)
    }

    /// A header of version 2 for the ends of the connection itself.
    pub const fn v2() -> Self {
        Self::new(ProxyVersion::V2)
    }

    /// A header for the ends of the connection itself.
    pub const fn new(version: ProxyVersion) -> Self {
        Self { version, whom: Whom::Own, tlvs: Vec::new(), has_checksum: false }
    }

    /// The same in another version.
    pub const fn in_version(mut self, version: ProxyVersion) -> Self {
        self.version = version;
        self
    }

    /// The one who connects speaks for itself, as in a health check: `LOCAL`, or `UNKNOWN` in version 1.
    pub fn local(mut self) -> Self {
        self.whom = Whom::Local;
        self
    }

    /// For a client at `source`, who has connected to `destination`.
    pub fn addresses(mut self, source: SocketAddr, destination: SocketAddr) -> Self {
        self.whom = Whom::Others(ProxiedEnds::Inet { source, destination });
        self
    }

    /// For a client of a Unix socket: the path of its own socket, which is most often empty, and the one that it has connected to.
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
        self.whom = Whom::Others(ProxiedEnds::Unix { source, destination });
        Ok(self)
    }

    /// For the client at the other end of a connection, who may have come through another proxy: then it is the one whom that spoke
    /// for. TLVs are not passed on by this.
    pub fn on_behalf_of(mut self, client: &Transport) -> Self {
        self.whom = Whom::Others(match (client.peer(), client.local()) {
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

    /// Says something else beside the addresses, by a type such as those of [`tlv`]. Several of a type are several.
    ///
    /// # Errors
    ///
    /// [`ProxyHeaderError::TooLong`], if there is no room for it beside the others, and [`ProxyHeaderError::Checksum`].
    pub fn tlv(mut self, kind: u8, value: impl Into<Box<[u8]>>) -> Result<Self, ProxyHeaderError> {
        if kind == tlv::CRC32C {
            return Err(ProxyHeaderError::Checksum);
        }
        self.tlvs.push((kind, value.into()));
        let (len, max) = (codec::tlvs_len(&self.tlvs), codec::TLVS_LEN_MAX);
        if len > max { Err(ProxyHeaderError::TooLong { len, max }) } else { Ok(self) }
    }

    /// The name that the client asked for, as by SNI ([`tlv::AUTHORITY`]).
    ///
    /// # Errors
    ///
    /// As [`tlv`](Self::tlv).
    pub fn authority(self, name: &str) -> Result<Self, ProxyHeaderError> {
        self.tlv(tlv::AUTHORITY, name.as_bytes())
    }

    /// The application protocol that was settled with the client ([`tlv::ALPN`]).
    ///
    /// # Errors
    ///
    /// As [`tlv`](Self::tlv).
    pub fn alpn(self, protocol: &[u8]) -> Result<Self, ProxyHeaderError> {
        self.tlv(tlv::ALPN, protocol)
    }

    /// What names the connection, up to 128 bytes ([`tlv::UNIQUE_ID`]).
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

    /// How the client speaks TLS with the one who connects ([`tlv::SSL`]).
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

    /// With a checksum over all of it (version 2). Default: without.
    pub const fn checksum(mut self) -> Self {
        self.has_checksum = true;
        self
    }

    /// Its bytes. `own` are the ends of the connection that it is for: from whom it is made, and to whom.
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
        let ends = match &self.whom {
            Whom::Own => Some(own),
            Whom::Local => None,
            Whom::Others(ends) => Some(ends),
        };
        match self.version {
            ProxyVersion::V1 => codec::write_v1(ends),
            ProxyVersion::V2 => codec::write_v2(ends, &self.tlvs, self.has_checksum),
        }
    }
}

impl ProxiedEnds {
    /// Those of a connection that was made from here.
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

/// The path of a Unix socket. A header has no words for abstract names.
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
