//! Parser and writer of PROXY protocol headers. Pure. The parser accepts input in pieces of any size: it says how many bytes
//! it needs, and never asks for a byte beyond the header.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use super::{ProxiedEnds, Tlvs, crc32c::crc32c, tlv};

/// Longest header of version 1 (section 2.1).
pub(super) const V1_LEN_MAX: usize = 107;

/// Shortest header: `PROXY UNKNOWN` and the line end. All headers of version 2 are longer.
const V1_LEN_MIN: usize = 15;

const V1_START: &[u8] = b"PROXY ";

/// The signature of version 2 (section 2.2).
const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Length of a header of version 2 up to its addresses.
const V2_FIXED_LEN: usize = 16;

/// Length of both addresses in version 2, by family.
const INET_LEN: usize = 12;
const INET6_LEN: usize = 36;
const UNIX_LEN: usize = 2 * PATH_LEN_MAX;

/// Longest path of a Unix socket.
pub(super) const PATH_LEN_MAX: usize = 108;

/// Type and length of a TLV.
const TLV_HEAD_LEN: usize = 3;

/// Length of a checksum TLV.
const CHECKSUM_LEN: usize = TLV_HEAD_LEN + 4;

/// Room for TLVs in the longest header, beside the longest addresses and a checksum.
pub(super) const TLVS_LEN_MAX: usize = u16::MAX as usize - UNIX_LEN - CHECKSUM_LEN;

/// An invalid header.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The data does not begin with the signature of a header.
    #[error("the received data is not a PROXY protocol header")]
    NotProxy,
    /// The header exceeds the limit.
    #[error("the header is longer than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// The header violates the specification.
    #[error("the header is malformed: {0}")]
    Malformed(&'static str),
    /// The header has a checksum, which does not match.
    #[error("the checksum of the header does not match")]
    BadChecksum,
}

sinew_reactor::error_debug!(ProxyError);

/// The content of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Header {
    /// The proxy connects for itself, as for a health check.
    Local,
    /// The proxy connects on behalf of a client.
    #[non_exhaustive]
    Proxied {
        /// The addresses of the client and of its destination.
        ends: ProxiedEnds,
        /// The TLVs: types and values, in order.
        tlvs: Vec<(u8, Box<[u8]>)>,
    },
}

/// A parser that accepts a header in pieces. Ports [configured](crate::ListenConfig::proxy) for the PROXY protocol use it; this is for
/// other input.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew_transports::proxy::{Header, HeaderReader};
///
/// let mut reader = HeaderReader::new(4096);
/// assert_eq!(reader.take(b"PROXY UNKN")?, (10, None));
/// // What follows the header is not consumed.
/// assert_eq!(reader.take(b"OWN\r\nhello")?, (5, Some(Header::Local)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct HeaderReader {
    bytes: Vec<u8>,
    len_max: usize,
}

impl HeaderReader {
    /// A parser for headers up to this length.
    #[must_use]
    pub const fn new(len_max: usize) -> Self {
        Self { bytes: Vec::new(), len_max }
    }

    /// Consumes bytes of the header. Returns how many, and the header once it is complete.
    ///
    /// # Errors
    ///
    /// [`ProxyError`]. Then parsing must not continue.
    pub fn take(&mut self, data: &[u8]) -> Result<(usize, Option<Header>), ProxyError> {
        let mut taken = 0;
        while taken < data.len() {
            let len = self.wanted().min(data.len() - taken);
            taken += len;
            if let Some(header) = self.received(&data[taken - len..taken])? {
                return Ok((taken, Some(header)));
            }
        }
        Ok((taken, None))
    }

    /// How many more bytes certainly belong to the header: at least one, until it is complete.
    pub(crate) fn wanted(&self) -> usize {
        let len = self.bytes.len();
        if len < V1_LEN_MIN {
            return V1_LEN_MIN - len;
        }
        if self.bytes.starts_with(V2_START) {
            return self.v2_len().unwrap_or(V2_FIXED_LEN) - len;
        }
        // The shortest header of this kind; after that, its end is one or two bytes away.
        let min = match &self.bytes[..11] {
            b"PROXY TCP4 " => b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n".len(),
            b"PROXY TCP6 " => b"PROXY TCP6 :: :: 1 1\r\n".len(),
            _ => 0,
        };
        let to_end = if self.bytes.ends_with(b"\r") { 1 } else { 2 };
        min.saturating_sub(len).max(to_end)
    }

    /// Consumes no more bytes than are [wanted](Self::wanted). `None` while the header is incomplete.
    pub(crate) fn received(&mut self, data: &[u8]) -> Result<Option<Header>, ProxyError> {
        debug_assert!(data.len() <= self.wanted(), "bytes beyond the header");
        self.bytes.extend_from_slice(data);
        let is_start = |start: &[u8]| {
            let len = start.len().min(self.bytes.len());
            self.bytes[..len] == start[..len]
        };
        if is_start(V1_START) {
            self.v1()
        } else if is_start(V2_START) {
            self.v2()
        } else {
            Err(ProxyError::NotProxy)
        }
    }

    fn v1(&self) -> Result<Option<Header>, ProxyError> {
        let is_whole = self.bytes.ends_with(b"\r\n");
        if !is_whole && self.bytes.contains(&b'\n') {
            return Err(ProxyError::Malformed("there is a line feed before the line end"));
        }
        if self.bytes.len() + usize::from(!is_whole) > V1_LEN_MAX {
            return Err(ProxyError::TooLong { max: V1_LEN_MAX });
        }
        if !is_whole {
            return Ok(None);
        }
        let line = &self.bytes[..self.bytes.len() - 2];
        v1_line(line).map(Some)
    }

    /// The length of a header of version 2, once its length field has been received.
    fn v2_len(&self) -> Option<usize> {
        let len: [u8; 2] = self.bytes.get(14..16)?.try_into().ok()?;
        Some(V2_FIXED_LEN + usize::from(u16::from_be_bytes(len)))
    }

    fn v2(&self) -> Result<Option<Header>, ProxyError> {
        if self.bytes.get(12).is_some_and(|byte| byte >> 4 != 2) {
            return Err(ProxyError::Malformed("the version is not 2"));
        }
        let Some(len) = self.v2_len() else { return Ok(None) };
        if len > self.len_max {
            return Err(ProxyError::TooLong { max: self.len_max });
        }
        if self.bytes.len() < len { Ok(None) } else { v2_header(&self.bytes).map(Some) }
    }
}

/// Parses a header of version 1 without its line end (section 2.1).
fn v1_line(line: &[u8]) -> Result<Header, ProxyError> {
    let line = std::str::from_utf8(line).map_err(|_| ProxyError::Malformed("it is not ASCII"))?;
    let words: Vec<_> = line.split(' ').collect();
    match words[..] {
        // The rest of the line must be ignored.
        ["PROXY", "UNKNOWN", ..] => Ok(Header::Local),
        ["PROXY", "TCP4", source, destination, from, to] => {
            v1_ends::<Ipv4Addr>([source, destination], [from, to])
        }
        ["PROXY", "TCP6", source, destination, from, to] => {
            v1_ends::<Ipv6Addr>([source, destination], [from, to])
        }
        _ => Err(ProxyError::Malformed("it is not TCP4, TCP6 or UNKNOWN with the right fields")),
    }
}

fn v1_ends<Ip: FromStr + Into<IpAddr>>(
    ips: [&str; 2],
    ports: [&str; 2],
) -> Result<Header, ProxyError> {
    let addr = |ip: &str, port: &str| -> Option<SocketAddr> {
        // No sign and no leading zeros.
        let is_canonical = port.bytes().all(|byte| byte.is_ascii_digit())
            && (port == "0" || !port.starts_with('0'));
        let ip: IpAddr = ip.parse::<Ip>().ok()?.into();
        is_canonical.then_some(())?;
        Some(SocketAddr::new(ip, port.parse().ok()?))
    };
    match (addr(ips[0], ports[0]), addr(ips[1], ports[1])) {
        (Some(source), Some(destination)) => {
            let ends = ProxiedEnds::Inet { source, destination };
            Ok(Header::Proxied { ends, tlvs: Vec::new() })
        }
        _ => Err(ProxyError::Malformed("an address or a port is invalid")),
    }
}

/// Parses a complete header of version 2 (section 2.2).
fn v2_header(header: &[u8]) -> Result<Header, ProxyError> {
    let rest = &header[V2_FIXED_LEN..];
    // The address family. Stream or datagram does not matter.
    let (ends, after) = match header[13] >> 4 {
        0 => (ProxiedEnds::Unspecified, 0),
        1 => (v2_ends::<4>(rest)?, INET_LEN),
        2 => (v2_ends::<16>(rest)?, INET6_LEN),
        3 => (v2_unix(rest)?, UNIX_LEN),
        _ => return Err(ProxyError::Malformed("unknown address family")),
    };
    match header[12] & 0xf {
        // LOCAL: the rest must be ignored, except for a wrong checksum.
        0 => {
            if let Ok(tlvs) = v2_tlvs(rest.get(after..).unwrap_or_default()) {
                verify_checksum(header, &tlvs)?;
            }
            Ok(Header::Local)
        }
        1 => {
            let tlvs = v2_tlvs(&rest[after..])?;
            verify_checksum(header, &tlvs)?;
            Ok(Header::Proxied { ends, tlvs })
        }
        _ => Err(ProxyError::Malformed("unknown command")),
    }
}

const TRUNCATED: ProxyError = ProxyError::Malformed("it ends within the addresses");

fn v2_ends<const LEN: usize>(rest: &[u8]) -> Result<ProxiedEnds, ProxyError>
where
    [u8; LEN]: Into<IpAddr>,
{
    let ip = |at: usize| -> Result<IpAddr, ProxyError> {
        let octets: Option<[u8; LEN]> =
            rest.get(at..at + LEN).and_then(|octets| octets.try_into().ok());
        octets.map(Into::into).ok_or(TRUNCATED)
    };
    let port = |at: usize| -> Result<u16, ProxyError> {
        let octets: Option<[u8; 2]> =
            rest.get(at..at + 2).and_then(|octets| octets.try_into().ok());
        octets.map(u16::from_be_bytes).ok_or(TRUNCATED)
    };
    Ok(ProxiedEnds::Inet {
        source: (ip(0)?, port(2 * LEN)?).into(),
        destination: (ip(LEN)?, port(2 * LEN + 2)?).into(),
    })
}

fn v2_unix(rest: &[u8]) -> Result<ProxiedEnds, ProxyError> {
    let path = |at: usize| -> Result<Box<[u8]>, ProxyError> {
        let path = rest.get(at..at + PATH_LEN_MAX).ok_or(TRUNCATED)?;
        Ok(path.split(|byte| *byte == 0).next().unwrap_or_default().into())
    };
    Ok(ProxiedEnds::Unix { source: path(0)?, destination: path(PATH_LEN_MAX)? })
}

pub(super) fn v2_tlvs(mut rest: &[u8]) -> Result<Tlvs, ProxyError> {
    let mut tlvs = Vec::new();
    while let [kind, high, low, after @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let Some((value, after)) = after.split_at_checked(len) else {
            return Err(ProxyError::Malformed("it ends within a TLV"));
        };
        tlvs.push((*kind, value.into()));
        rest = after;
    }
    if rest.is_empty() { Ok(tlvs) } else { Err(ProxyError::Malformed("it ends within a TLV")) }
}

/// Section 2.2.3: the checksum covers the whole header, with zeros in its own place.
fn verify_checksum(header: &[u8], tlvs: &[(u8, Box<[u8]>)]) -> Result<(), ProxyError> {
    let Some(at) = tlvs.iter().position(|(kind, _)| *kind == tlv::CRC32C) else { return Ok(()) };
    let Ok(expected) = <[u8; 4]>::try_from(&*tlvs[at].1) else {
        return Err(ProxyError::BadChecksum);
    };
    // TLVs extend to the end of the header.
    let value_at = header.len() - tlvs_len(&tlvs[at..]) + TLV_HEAD_LEN;
    let with_zeros = header
        .iter()
        .enumerate()
        .map(|(at, byte)| if (value_at..value_at + 4).contains(&at) { 0 } else { *byte });
    if crc32c(with_zeros) == u32::from_be_bytes(expected) {
        Ok(())
    } else {
        Err(ProxyError::BadChecksum)
    }
}

// ---- writing ----

/// Writes version 1 (section 2.1). Addresses that it cannot express become `UNKNOWN`; `None` means that the proxy connects for itself.
pub(super) fn write_v1(ends: Option<&ProxiedEnds>) -> Vec<u8> {
    let Some(ProxiedEnds::Inet { source, destination }) = ends else {
        return b"PROXY UNKNOWN\r\n".to_vec();
    };
    let (source, destination) = of_one_family(*source, *destination);
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (ips, ports) = ((source.ip(), destination.ip()), (source.port(), destination.port()));
    format!("PROXY {family} {} {} {} {}\r\n", ips.0, ips.1, ports.0, ports.1).into_bytes()
}

/// Writes version 2 (section 2.2). `None` means that the proxy connects for itself; then only a checksum is added. The TLVs take at most
/// [`TLVS_LEN_MAX`].
pub(super) fn write_v2(
    ends: Option<&ProxiedEnds>,
    tlvs: &[(u8, Box<[u8]>)],
    has_checksum: bool,
) -> Vec<u8> {
    const LOCAL: u8 = 0x20;
    const PROXY: u8 = 0x21;
    let mut bytes = V2_START.to_vec();
    bytes.extend(match ends {
        None => [LOCAL, 0, 0, 0],
        Some(ends) => [PROXY, family(ends), 0, 0],
    });
    if let Some(ends) = ends {
        write_ends(&mut bytes, ends);
    }
    let sum_at = has_checksum.then(|| {
        write_tlvs(&mut bytes, &[(tlv::CRC32C, Box::from([0; 4]))]);
        bytes.len() - 4
    });
    if ends.is_some() {
        write_tlvs(&mut bytes, tlvs);
    }
    let len = u16::try_from(bytes.len() - V2_FIXED_LEN).expect("TLVs are bounded by TLVS_LEN_MAX");
    bytes[V2_FIXED_LEN - 2..V2_FIXED_LEN].copy_from_slice(&len.to_be_bytes());
    if let Some(at) = sum_at {
        let sum = crc32c(bytes.iter().copied());
        bytes[at..at + 4].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

/// The byte for address family and stream protocol.
fn family(ends: &ProxiedEnds) -> u8 {
    match ends {
        ProxiedEnds::Unspecified => 0x00,
        ProxiedEnds::Inet { source, destination } => {
            if of_one_family(*source, *destination).0.is_ipv4() { 0x11 } else { 0x21 }
        }
        ProxiedEnds::Unix { .. } => 0x31,
    }
}

fn write_ends(bytes: &mut Vec<u8>, ends: &ProxiedEnds) {
    match ends {
        ProxiedEnds::Inet { source, destination } => {
            let (source, destination) = of_one_family(*source, *destination);
            for ip in [source.ip(), destination.ip()] {
                match ip {
                    IpAddr::V4(ip) => bytes.extend(ip.octets()),
                    IpAddr::V6(ip) => bytes.extend(ip.octets()),
                }
            }
            bytes.extend(source.port().to_be_bytes());
            bytes.extend(destination.port().to_be_bytes());
        }
        ProxiedEnds::Unix { source, destination } => {
            for path in [source, destination] {
                let end = bytes.len() + PATH_LEN_MAX;
                let path = if is_path(path) { path } else { &[][..] };
                bytes.extend(path);
                bytes.resize(end, 0);
            }
        }
        ProxiedEnds::Unspecified => {}
    }
}

/// Converts both addresses to one family: IPv4 if both can be, else IPv6.
fn of_one_family(source: SocketAddr, destination: SocketAddr) -> (SocketAddr, SocketAddr) {
    let ips = (source.ip().to_canonical(), destination.ip().to_canonical());
    let ips = match ips {
        (IpAddr::V4(_), IpAddr::V6(to)) => (mapped(source), to.into()),
        (IpAddr::V6(from), IpAddr::V4(_)) => (from.into(), mapped(destination)),
        same => same,
    };
    (SocketAddr::new(ips.0, source.port()), SocketAddr::new(ips.1, destination.port()))
}

/// The address as IPv6, mapped if need be.
fn mapped(addr: SocketAddr) -> IpAddr {
    match addr.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().into(),
        v6 => v6,
    }
}

/// Whether the bytes can be the path of a Unix socket. Empty for an unnamed one.
pub(super) fn is_path(path: &[u8]) -> bool {
    path.len() <= PATH_LEN_MAX && !path.contains(&0)
}

/// Length of TLVs, including their types and lengths.
pub(super) fn tlvs_len(tlvs: &[(u8, Box<[u8]>)]) -> usize {
    tlvs.iter().map(|(_, value)| TLV_HEAD_LEN + value.len()).sum()
}

/// Appends TLVs, whose lengths must fit into two bytes.
pub(super) fn write_tlvs(bytes: &mut Vec<u8>, tlvs: &[(u8, Box<[u8]>)]) {
    for (kind, value) in tlvs {
        let len = u16::try_from(value.len()).expect("TLVs are bounded by TLVS_LEN_MAX");
        bytes.push(*kind);
        bytes.extend(len.to_be_bytes());
        bytes.extend(value);
    }
}

#[cfg(test)]
mod tests;
