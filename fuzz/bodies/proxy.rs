//! Headers of the PROXY protocol: for any split, the parser finds the header that a simple reference implementation
//! finds, and printed headers parse as the same header.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use sinew::transports::proxy::{Header, HeaderReader, ProxiedEnds, ProxyHeader, tlv};

use super::input::Input;

/// The longest header accepted here.
const LEN_MAX: usize = 2048;

type Tlvs = Vec<(u8, Box<[u8]>)>;

/// The content of a header without its checksum; `None` is a connection of the proxy itself (LOCAL).
type Parsed = Option<(ProxiedEnds, Tlvs)>;

/// The lengths of pieces and a stream; or a header to be written.
pub(crate) fn check(data: &[u8]) {
    let mut data = Input::new(data);
    if data.byte() % 2 == 1 {
        return check_writing(&mut data);
    }
    let cut = data.piece_lens(5);
    let stream = data.rest();
    let expected = by_reference(stream);
    for cut in [&[1][..], &cut, &[usize::MAX]] {
        let found = read(stream, cut);
        assert_eq!(found, expected, "cut {cut:?}: {}", stream.escape_ascii());
    }
    // It can be written again.
    if let Some((_, Some((ends, tlvs)))) = expected {
        let header = tlvs
            .iter()
            .filter(|(kind, _)| *kind != tlv::CRC32C)
            .fold(ProxyHeader::v2().checksum(), |header, (kind, value)| {
                header.tlv(*kind, value.clone()).expect("it fitted")
            });
        let parsed = parsed(&header.to_bytes(&ends)).expect("what was read can be written");
        let is_sum = |(kind, _): &&(u8, Box<[u8]>)| *kind != tlv::CRC32C;
        assert!(parsed.1.iter().filter(is_sum).eq(tlvs.iter().filter(is_sum)));
        assert_eq!(parsed.0, of_one_family(ends));
    }
}

/// What the parser finds, and where it ends. `None` if the header is incomplete or invalid.
fn read(stream: &[u8], cut: &[usize]) -> Option<(usize, Parsed)> {
    let mut reader = HeaderReader::new(LEN_MAX);
    let mut at = 0;
    for len in cut.iter().cycle() {
        let piece = &stream[at..][..(*len).min(stream.len() - at)];
        let (taken, header) = reader.take(piece).ok()?;
        at += taken;
        match header {
            Some(Header::Proxied { ends, tlvs, .. }) => return Some((at, Some((ends, tlvs)))),
            Some(_) => return Some((at, None)),
            None => assert_eq!(taken, piece.len(), "an incomplete header consumes all input"),
        }
        if at == stream.len() {
            return None;
        }
    }
    None
}

fn parsed(header: &[u8]) -> Parsed {
    let (len, parsed) = read(header, &[usize::MAX]).expect("a header");
    assert_eq!(len, header.len());
    parsed
}

/// The header at the start of the stream.
fn by_reference(stream: &[u8]) -> Option<(usize, Parsed)> {
    if stream.starts_with(b"\r\n\r\n\0\r\nQUIT\n") { v2(stream) } else { v1(stream) }
}

/// Section 2.1.
fn v1(stream: &[u8]) -> Option<(usize, Parsed)> {
    let end = stream.iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&stream[..=end]).ok()?.strip_suffix("\r\n")?;
    if end >= 107 {
        return None;
    }
    let mut words = line.split(' ');
    let mut next = || words.next();
    if next()? != "PROXY" {
        return None;
    }
    let family = next()?;
    if family == "UNKNOWN" {
        return Some((end + 1, None));
    }
    let ips = (next()?, next()?);
    let (from, to) = (port(next()?)?, port(next()?)?);
    let (source, destination): (SocketAddr, SocketAddr) = match family {
        "TCP4" => {
            let ips = (ips.0.parse::<Ipv4Addr>().ok()?, ips.1.parse::<Ipv4Addr>().ok()?);
            ((ips.0, from).into(), (ips.1, to).into())
        }
        "TCP6" => {
            let ips = (ips.0.parse::<Ipv6Addr>().ok()?, ips.1.parse::<Ipv6Addr>().ok()?);
            ((ips.0, from).into(), (ips.1, to).into())
        }
        _ => return None,
    };
    let is_all = next().is_none();
    is_all.then_some((end + 1, Some((ProxiedEnds::Inet { source, destination }, Tlvs::new()))))
}

fn port(word: &str) -> Option<u16> {
    let port: u16 = word.parse().ok()?;
    (port.to_string() == word).then_some(port)
}

/// Section 2.2.
fn v2(stream: &[u8]) -> Option<(usize, Parsed)> {
    let head = stream.get(12..16)?;
    let len = 16 + usize::from(u16::from_be_bytes([head[2], head[3]]));
    let rest = stream.get(16..len)?;
    if head[0] >> 4 != 2 || len > LEN_MAX {
        return None;
    }
    let number = |at: usize| Some(u16::from_be_bytes(rest.get(at..at + 2)?.try_into().ok()?));
    let (ends, behind) = match head[1] >> 4 {
        0 => (ProxiedEnds::Unspecified, 0),
        1 => {
            let ip = |at: usize| <[u8; 4]>::try_from(rest.get(at..at + 4)?).ok();
            let source = SocketAddr::from((ip(0)?, number(8)?));
            (ProxiedEnds::Inet { source, destination: (ip(4)?, number(10)?).into() }, 12)
        }
        2 => {
            let ip = |at: usize| <[u8; 16]>::try_from(rest.get(at..at + 16)?).ok();
            let source = SocketAddr::from((ip(0)?, number(32)?));
            (ProxiedEnds::Inet { source, destination: (ip(16)?, number(34)?).into() }, 36)
        }
        3 => {
            let path = |at: usize| {
                let path = rest.get(at..at + 108)?;
                let len = path.iter().position(|byte| *byte == 0).unwrap_or(108);
                Some(Box::from(&path[..len]))
            };
            (ProxiedEnds::Unix { source: path(0)?, destination: path(108)? }, 216)
        }
        _ => return None,
    };
    let is_local = match head[0] & 15 {
        0 => true,
        1 => false,
        _ => return None,
    };
    let (mut tlvs, mut left, mut at) =
        (Tlvs::new(), rest.get(behind..).unwrap_or_default(), 16 + behind);
    while !left.is_empty() {
        let whole = left.get(1..3).and_then(|len| {
            let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
            left.get(3..3 + len)
        });
        let Some(value) = whole else {
            // Only a valid checksum is required of a LOCAL header.
            return is_local.then_some((len, None));
        };
        tlvs.push((left[0], value.into()));
        left = &left[3 + value.len()..];
    }
    for (kind, value) in &tlvs {
        at += 3;
        if *kind == tlv::CRC32C {
            let given = <[u8; 4]>::try_from(&**value).ok()?;
            let mut header = stream[..len].to_vec();
            header[at..at + 4].fill(0);
            if crc32c(&header) != u32::from_be_bytes(given) {
                return None;
            }
            break;
        }
        at += value.len();
    }
    Some((len, if is_local { None } else { Some((ends, tlvs)) }))
}

/// Computed bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// Creates a header from the data, writes it in both versions, and parses it.
fn check_writing(data: &mut Input<'_>) {
    let options = data.byte();
    let own = ends(data);
    let mut header = ProxyHeader::v2();
    if options & 1 == 1 {
        header = header.local();
    }
    if options & 2 == 2 {
        header = header.checksum();
    }
    let mut tlvs = Tlvs::new();
    while !data.is_empty() {
        let (kind, value) = (data.byte(), data.few_bytes());
        match header.clone().tlv(kind, value) {
            Ok(longer) if tlvs.len() < 40 => header = longer,
            Ok(_) => break,
            Err(_) => {
                assert_eq!(kind, tlv::CRC32C);
                continue;
            }
        }
        tlvs.push((kind, value.into()));
    }
    let is_local = options & 1 == 1;
    match parsed(&header.to_bytes(&own)) {
        None => assert!(is_local),
        Some((ends, mut tlvs_read)) => {
            if options & 2 == 2 {
                assert_eq!(tlvs_read.remove(0).0, tlv::CRC32C);
            }
            assert_eq!((is_local, ends, tlvs_read), (false, of_one_family(own.clone()), tlvs));
        }
    }
    let line = header.in_version("v1".parse().expect("there is a version 1")).to_bytes(&own);
    match parsed(&line) {
        None => assert!(is_local || !matches!(own, ProxiedEnds::Inet { .. })),
        Some((ends, tlvs_read)) => {
            assert_eq!((is_local, ends, tlvs_read), (false, of_one_family(own), Tlvs::new()));
        }
    }
}

fn ends(data: &mut Input<'_>) -> ProxiedEnds {
    let kind = data.byte();
    let addr = |data: &mut Input<'_>, is_v4: bool| -> SocketAddr {
        let mut bytes = [0; 18];
        let given = data.bytes(if is_v4 { 6 } else { 18 });
        bytes[..given.len()].copy_from_slice(given);
        let [a, b, c, d, e, f, ..] = bytes;
        if is_v4 {
            return ([a, b, c, d], u16::from_be_bytes([e, f])).into();
        }
        let ip = <[u8; 16]>::try_from(&bytes[..16]).expect("there are 18");
        (ip, u16::from_be_bytes([bytes[16], bytes[17]])).into()
    };
    let path = |data: &mut Input<'_>| -> Box<[u8]> {
        data.few_bytes().iter().copied().filter(|byte| *byte != 0).collect()
    };
    match kind % 8 {
        0 => ProxiedEnds::Unspecified,
        1 => ProxiedEnds::Unix { source: path(data), destination: path(data) },
        kind => {
            let source = addr(data, kind & 2 == 2);
            ProxiedEnds::Inet { source, destination: addr(data, kind & 4 == 4) }
        }
    }
}

/// Both IPv4 where possible, otherwise both IPv6.
fn of_one_family(ends: ProxiedEnds) -> ProxiedEnds {
    let ProxiedEnds::Inet { source, destination } = ends else { return ends };
    let plain = |addr: SocketAddr| SocketAddr::new(addr.ip().to_canonical(), addr.port());
    let long = |addr: SocketAddr| match addr {
        SocketAddr::V4(v4) => SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port())),
        v6 => v6,
    };
    let (source, destination) = (plain(source), plain(destination));
    if source.is_ipv4() == destination.is_ipv4() {
        return ProxiedEnds::Inet { source, destination };
    }
    ProxiedEnds::Inet { source: long(source), destination: long(destination) }
}
