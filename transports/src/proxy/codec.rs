//! Reads headers of the PROXY protocol, in whatever pieces they come. Pure: it says how many bytes it wants, and never wants one
//! that is not the header's.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use super::{ProxiedEnds, Tlvs, crc32c::crc32c, tlv};

/// The longest header of version 1, section 2.1.
pub(super) const V1_LEN_MAX: usize = 107;

/// The shortest: `PROXY UNKNOWN` and its end. No header of version 2 is as short.
const V1_LEN_MIN: usize = 15;

const V1_START: &[u8] = b"PROXY ";

/// Section 2.2.
const V2_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Up to the addresses of version 2.
const V2_FIXED_LEN: usize = 16;

/// What is wrong with a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProxyError {
    #[error("what came is no header of the PROXY protocol")]
    NotProxy,
    #[error("the header is longer than {max} bytes")]
    TooLong { max: usize },
    #[error("the header is malformed: {0}")]
    Malformed(&'static str),
    #[error("the checksum of the header is wrong")]
    BadChecksum,
}

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// The proxy speaks for itself.
    Local,
    /// It speaks for another.
    Proxied { ends: ProxiedEnds, tlvs: Tlvs },
}

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct HeaderReader {
    bytes: Vec<u8>,
    len_max: usize,
}

impl HeaderReader {
    pub(crate) const fn new(len_max: usize) -> Self {
        Self { bytes: Vec::new(), len_max }
    }

    /// How many bytes more belong to the header for certain: at least one, until it is whole.
    pub(crate) fn wanted(&self) -> usize {
        let len = self.bytes.len();
        if len < V1_LEN_MIN {
            return V1_LEN_MIN - len;
        }
        if self.bytes.starts_with(V2_START) {
            return self.v2_len().unwrap_or(V2_FIXED_LEN) - len;
        }
        // The shortest that there can be of this kind; then its end is two bytes away, or one.
        let min = match &self.bytes[..11] {
            b"PROXY TCP4 " => b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\r\n".len(),
            b"PROXY TCP6 " => b"PROXY TCP6 :: :: 1 1\r\n".len(),
            _ => 0,
        };
        let to_end = if self.bytes.ends_with(b"\r") { 1 } else { 2 };
        min.saturating_sub(len).max(to_end)
    }

    /// Takes bytes, no more than are [wanted](Self::wanted). `None` while the header is not whole.
    pub(crate) fn received(&mut self, data: &[u8]) -> Result<Option<Header>, ProxyError> {
        debug_assert!(data.len() <= self.wanted(), "bytes that are not the header's");
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
            return Err(ProxyError::Malformed("it has a line end in the middle"));
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

    /// The length of a header of version 2, when its bytes are there.
    fn v2_len(&self) -> Option<usize> {
        let len: [u8; 2] = self.bytes.get(14..16)?.try_into().ok()?;
        Some(V2_FIXED_LEN + usize::from(u16::from_be_bytes(len)))
    }

    fn v2(&self) -> Result<Option<Header>, ProxyError> {
        if self.bytes.get(12).is_some_and(|byte| byte >> 4 != 2) {
            return Err(ProxyError::Malformed("its version is not 2"));
        }
        let Some(len) = self.v2_len() else { return Ok(None) };
        if len > self.len_max {
            return Err(ProxyError::TooLong { max: self.len_max });
        }
        if self.bytes.len() < len { Ok(None) } else { v2_header(&self.bytes).map(Some) }
    }
}

/// Section 2.1, without the end of the line.
fn v1_line(line: &[u8]) -> Result<Header, ProxyError> {
    let line =
        std::str::from_utf8(line).map_err(|_| ProxyError::Malformed("it is not in ASCII"))?;
    let words: Vec<_> = line.split(' ').collect();
    match words[..] {
        // What follows is to be ignored.
        ["PROXY", "UNKNOWN", ..] => Ok(Header::Local),
        ["PROXY", "TCP4", source, destination, from, to] => {
            v1_ends::<Ipv4Addr>([source, destination], [from, to])
        }
        ["PROXY", "TCP6", source, destination, from, to] => {
            v1_ends::<Ipv6Addr>([source, destination], [from, to])
        }
        _ => Err(ProxyError::Malformed("neither TCP4, TCP6 nor UNKNOWN with all that follows")),
    }
}

fn v1_ends<Ip: FromStr + Into<IpAddr>>(
    ips: [&str; 2],
    ports: [&str; 2],
) -> Result<Header, ProxyError> {
    let addr = |ip: &str, port: &str| -> Option<SocketAddr> {
        // Without a sign, and without zeros before it.
        let is_plain = port.bytes().all(|byte| byte.is_ascii_digit())
            && (port == "0" || !port.starts_with('0'));
        let ip: IpAddr = ip.parse::<Ip>().ok()?.into();
        is_plain.then_some(())?;
        Some(SocketAddr::new(ip, port.parse().ok()?))
    };
    match (addr(ips[0], ports[0]), addr(ips[1], ports[1])) {
        (Some(source), Some(destination)) => {
            let ends = ProxiedEnds::Inet { source, destination };
            Ok(Header::Proxied { ends, tlvs: Vec::new() })
        }
        _ => Err(ProxyError::Malformed("an address or a port is none")),
    }
}

/// Section 2.2, all of it.
fn v2_header(header: &[u8]) -> Result<Header, ProxyError> {
    let rest = &header[V2_FIXED_LEN..];
    // The family; whether it is a stream or datagrams does not matter.
    let (ends, after) = match header[13] >> 4 {
        0 => (ProxiedEnds::Unspecified, 0),
        1 => (v2_ends::<4>(rest)?, 12),
        2 => (v2_ends::<16>(rest)?, 36),
        3 => (v2_unix(rest)?, 216),
        _ => return Err(ProxyError::Malformed("nobody knows this family of addresses")),
    };
    match header[12] & 0xf {
        // The rest is to be ignored, but for a checksum that is wrong.
        0 => {
            if let Ok(tlvs) = v2_tlvs(rest.get(after..).unwrap_or_default()) {
                check(header, &tlvs)?;
            }
            Ok(Header::Local)
        }
        1 => {
            let tlvs = v2_tlvs(&rest[after..])?;
            check(header, &tlvs)?;
            Ok(Header::Proxied { ends, tlvs })
        }
        _ => Err(ProxyError::Malformed("nobody knows this command")),
    }
}

const TRUNCATED: ProxyError = ProxyError::Malformed("it ends within its addresses");

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
        let path = rest.get(at..at + 108).ok_or(TRUNCATED)?;
        Ok(path.split(|byte| *byte == 0).next().unwrap_or_default().into())
    };
    Ok(ProxiedEnds::Unix { source: path(0)?, destination: path(108)? })
}

fn v2_tlvs(mut rest: &[u8]) -> Result<Tlvs, ProxyError> {
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

/// Section 2.2.3: of all of the header, with zeros in the place of the checksum.
fn check(header: &[u8], tlvs: &[(u8, Box<[u8]>)]) -> Result<(), ProxyError> {
    let Some(at) = tlvs.iter().position(|(kind, _)| *kind == tlv::CRC32C) else { return Ok(()) };
    let Ok(given) = <[u8; 4]>::try_from(&*tlvs[at].1) else { return Err(ProxyError::BadChecksum) };
    // TLVs fill the header to its end.
    let behind: usize = tlvs[at..].iter().map(|(_, value)| 3 + value.len()).sum();
    let value_at = header.len() - behind + 3;
    let with_zeros = header
        .iter()
        .enumerate()
        .map(|(at, byte)| if (value_at..value_at + 4).contains(&at) { 0 } else { *byte });
    if crc32c(with_zeros) == u32::from_be_bytes(given) {
        Ok(())
    } else {
        Err(ProxyError::BadChecksum)
    }
}

#[cfg(test)]
mod tests;
