//! Headers of both versions: valid ones from the specification, and errors of invalid ones.

use proptest::prelude::*;

use super::*;
use crate::proxy::{ProxyHeader, ProxyHeaderError, ProxySsl, ProxyVersion};

/// Parses a stream in pieces of at most these lengths. Returns the result and the number of bytes consumed.
fn read(stream: &[u8], pieces: &[usize]) -> (Result<Option<Header>, ProxyError>, usize) {
    let mut reader = HeaderReader::new(4096);
    let (mut at, mut pieces) = (0, pieces.iter().cycle());
    loop {
        let left = &stream[at..];
        let len = reader.wanted().min(left.len()).min(*pieces.next().unwrap_or(&usize::MAX)).max(1);
        let Some(piece) = left.get(..len) else { return (Ok(None), at) };
        at += len;
        match reader.received(piece) {
            Ok(None) => {}
            done => return (done, at),
        }
    }
}

fn inet(source: &str, destination: &str) -> ProxiedEnds {
    let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
    ProxiedEnds::Inet { source, destination }
}

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let len = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [V2_START, &[0x20 | command, family << 4 | 1], &len, rest].concat()
}

fn tlv_of(kind: u8, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind], &len[..], value].concat()
}

const V4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb];

/// Valid headers and their content.
fn valid_headers() -> Vec<(Vec<u8>, Header)> {
    let content = |ends: ProxiedEnds| Header::Proxied { ends, tlvs: Vec::new() };
    let v4 = inet("192.0.2.1:56324", "198.51.100.2:443");
    let mut v6 = [0; 36];
    (v6[15], v6[31], v6[33], v6[35]) = (1, 2, 7, 8);
    let mut unix = [0; 216];
    unix[108..113].copy_from_slice(b"/sock");
    let text = |text: &str| text.as_bytes().to_vec();
    let tlvs = [tlv_of(tlv::ALPN, b"h2"), tlv_of(tlv::NOOP, &[0; 5]), tlv_of(tlv::AUTHORITY, b"")];
    let mut with_checksum = v2(1, 1, &[&V4[..], &tlv_of(tlv::CRC32C, &[0; 4]), &tlvs[0]].concat());
    let sum = crc32c(with_checksum.iter().copied()).to_be_bytes();
    with_checksum[31..35].copy_from_slice(&sum);
    vec![
        (text("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"), content(v4.clone())),
        (text("PROXY TCP4 1.1.1.1 1.1.1.1 0 0\r\n"), content(inet("1.1.1.1:0", "1.1.1.1:0"))),
        (
            text("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
            content(inet("255.255.255.255:65535", "255.255.255.255:65535")),
        ),
        (text("PROXY TCP6 :: ::1 1 2\r\n"), content(inet("[::]:1", "[::1]:2"))),
        (
            text(
                "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
                 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            ),
            content(inet(
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
            )),
        ),
        (text("PROXY UNKNOWN\r\n"), Header::Local),
        (text(&format!("PROXY UNKNOWN {}\r\n", "x".repeat(91))), Header::Local),
        (v2(1, 1, &V4), content(v4.clone())),
        (v2(1, 2, &v6), content(inet("[::1]:7", "[::2]:8"))),
        (
            v2(1, 3, &unix),
            content(ProxiedEnds::Unix { source: [].into(), destination: b"/sock"[..].into() }),
        ),
        (v2(1, 0, &[]), content(ProxiedEnds::Unspecified)),
        (v2(0, 0, &[]), Header::Local),
        (v2(0, 1, &V4), Header::Local),
        (
            v2(1, 1, &[&V4[..], &tlvs.concat()].concat()),
            Header::Proxied {
                ends: v4.clone(),
                tlvs: vec![
                    (tlv::ALPN, b"h2"[..].into()),
                    (tlv::NOOP, [0; 5].into()),
                    (tlv::AUTHORITY, [].into()),
                ],
            },
        ),
        (
            with_checksum,
            Header::Proxied {
                ends: v4,
                tlvs: vec![(tlv::CRC32C, sum.into()), (tlv::ALPN, b"h2"[..].into())],
            },
        ),
    ]
}

#[test]
fn valid_headers_are_parsed() {
    for (header, content) in valid_headers() {
        // Data after the header is not consumed, even if it looks like another header.
        let stream = [&header[..], b"\r\nPROXY "].concat();
        for pieces in [&[usize::MAX][..], &[1], &[2], &[3, 1], &[16]] {
            let (read, taken) = read(&stream, pieces);
            assert_eq!(read, Ok(Some(content.clone())), "{}", header.escape_ascii());
            assert_eq!(taken, header.len(), "{}", header.escape_ascii());
        }
        for len in 0..header.len() {
            assert_eq!(
                read(&header[..len], &[7]).0,
                Ok(None),
                "{len} of {}",
                header.escape_ascii()
            );
        }
    }
}

#[test]
fn invalid_headers_are_rejected() {
    let mut wrong_sum = v2(1, 1, &[&V4[..], &tlv_of(tlv::CRC32C, &[1; 4])].concat());
    let mut version = v2(1, 1, &V4);
    version[12] = 0x11;
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "not a PROXY"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), "not a PROXY"),
        (b"PROXX".to_vec(), "not a PROXY"),
        (b"\r\n\r\n\0\r\nQUIT\r".to_vec(), "not a PROXY"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 443\r\n".to_vec(), "not TCP4"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n".to_vec(), "not TCP4"),
        (b"PROXY TCP4 192.0.2.1  198.51.100.2 1\r\n".to_vec(), "an address or a port"),
        (b"PROXY TCP4 192.0.2.1 ::1 443 56324\r\n".to_vec(), "an address or a port"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.01 443 563\r\n".to_vec(), "an address or a port"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 1\r\n".to_vec(), "an address or a port"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 +1 00001\r\n".to_vec(), "an address or a port"),
        (b"PROXY UDP4 192.0.2.1 198.51.100.2 443 1\r\n".to_vec(), "not TCP4"),
        (b"PROXY TCP4\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), "malformed"),
        (b"PROXY UNKNOWN and\nno carriage return".to_vec(), "line feed before"),
        ([&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat(), "longer than 107"),
        ([&b"PROXY UNKNOWN "[..], &[b'x'; 92], b"\r\n"].concat(), "longer than 107"),
        (v2(1, 1, &V4[..11]), "within the addresses"),
        (v2(1, 2, &V4), "within the addresses"),
        (v2(1, 3, &V4), "within the addresses"),
        (v2(1, 4, &V4), "address family"),
        (v2(2, 1, &V4), "unknown command"),
        (version, "version is not 2"),
        (v2(1, 1, &[&V4[..], &[1, 0]].concat()), "within a TLV"),
        (v2(1, 1, &[&V4[..], &[1, 0, 9, 1]].concat()), "within a TLV"),
        (v2(1, 1, &[0; 5000]), "longer than 4096"),
        (std::mem::take(&mut wrong_sum), "checksum"),
        (v2(1, 1, &[&V4[..], &tlv_of(tlv::CRC32C, &[1; 3])].concat()), "checksum"),
    ];
    for (stream, part) in cases {
        for pieces in [&[usize::MAX][..], &[1], &[5]] {
            let error = read(&stream, pieces).0.expect_err(&stream.escape_ascii().to_string());
            assert!(error.to_string().contains(part), "{}: {error}", stream.escape_ascii());
        }
    }
}

proptest! {
    /// However the input is split, the result and the length consumed are the same; and no input panics.
    #[test]
    fn splits_do_not_change_the_result(
        which in any::<prop::sample::Index>(),
        change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        tail in prop::collection::vec(any::<u8>(), 0..40),
        pieces in prop::collection::vec(1_usize..40, 1..8),
    ) {
        let headers = valid_headers();
        let mut stream = which.get(&headers).0.clone();
        if let Some((at, byte)) = change {
            *at.get_mut(&mut stream) = byte;
        }
        stream.extend(tail);
        let (cut, whole) = (read(&stream, &pieces), read(&stream, &[usize::MAX]));
        // A split may find another error, or find it earlier.
        prop_assert!(cut == whole || cut.0.is_err() && whole.0.is_err(), "{:?}, {:?}", cut, whole);
    }
}

/// Headers to be written, the connection's own addresses, and the expected bytes.
#[test]
fn headers_are_written_as_specified() {
    let own = inet("192.0.2.1:56324", "198.51.100.2:443");
    let v6 = inet("[2001:db8::1]:1", "[2001:db8::2]:2");
    let mixed = inet("192.0.2.1:1", "[2001:db8::2]:2");
    let mapped = inet("[::ffff:192.0.2.1]:1", "[::ffff:198.51.100.2]:2");
    let scoped = inet("[fe80::1%3]:1", "[fe80::2%3]:2");
    let mut v6_bytes = [0; 36];
    v6_bytes[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    v6_bytes[16..20].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    (v6_bytes[15], v6_bytes[31], v6_bytes[33], v6_bytes[35]) = (1, 2, 1, 2);
    let mut unix = [0; 216];
    unix[108..113].copy_from_slice(b"/sock");
    let (v1, v2_header) = (ProxyHeader::v1, ProxyHeader::v2);
    let text = |text: &str| text.as_bytes().to_vec();
    let at_unix = |header: ProxyHeader| header.unix(b"", b"/sock").unwrap();
    let cases: Vec<(ProxyHeader, &ProxiedEnds, Vec<u8>)> = vec![
        (v1(), &own, text("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n")),
        (v1(), &v6, text("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n")),
        (v1(), &mixed, text("PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n")),
        (v1(), &mapped, text("PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\n")),
        (v1(), &scoped, text("PROXY TCP6 fe80::1 fe80::2 1 2\r\n")),
        (v1(), &ProxiedEnds::Unspecified, text("PROXY UNKNOWN\r\n")),
        (at_unix(v1()), &own, text("PROXY UNKNOWN\r\n")),
        (v1().local(), &own, text("PROXY UNKNOWN\r\n")),
        (v1().authority("left.out").unwrap().checksum(), &own, {
            text("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n")
        }),
        (v2_header(), &own, v2(1, 1, &V4)),
        (v2_header(), &v6, v2(1, 2, &v6_bytes)),
        (at_unix(v2_header()), &own, v2(1, 3, &unix)),
        (v2_header(), &ProxiedEnds::Unspecified, [V2_START, &[0x21, 0, 0, 0]].concat()),
        (v2_header().local(), &own, [V2_START, &[0x20, 0, 0, 0]].concat()),
        (
            v2_header()
                .addresses("192.0.2.1:56324".parse().unwrap(), "198.51.100.2:443".parse().unwrap())
                .alpn(b"h2")
                .unwrap()
                .authority("example.org")
                .unwrap(),
            &v6,
            v2(1, 1, &[&V4[..], &tlv_of(1, b"h2"), &tlv_of(2, b"example.org")].concat()),
        ),
        (v1().in_version(ProxyVersion::V2), &own, v2(1, 1, &V4)),
    ];
    for (header, own, expected) in cases {
        let bytes = header.to_bytes(own);
        assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }
}

#[test]
fn invalid_content_is_refused() {
    let v2 = ProxyHeader::v2;
    let too_long = |len| ProxyHeaderError::TooLong { len, max: TLVS_LEN_MAX };
    let cases = [
        (v2().tlv(tlv::CRC32C, [0; 4]), ProxyHeaderError::Checksum),
        (v2().unique_id(&[0; 129]), ProxyHeaderError::IdTooLong { len: 129, max: 128 }),
        (v2().tlv(7, vec![0; TLVS_LEN_MAX - 2]), too_long(TLVS_LEN_MAX + 1)),
        (v2().tlv(7, vec![0; TLVS_LEN_MAX - 3]).unwrap().tlv(8, []), too_long(TLVS_LEN_MAX + 3)),
        (v2().ssl(&ProxySsl::new().cipher(&"x".repeat(70_000))), too_long(70_008)),
        (
            v2().unix(&[b'x'; 109], b""),
            ProxyHeaderError::BadPath { path: vec![b'x'; 109], max: 108 },
        ),
        (v2().unix(b"", b"\0x"), ProxyHeaderError::BadPath { path: b"\0x".to_vec(), max: 108 }),
    ];
    for (header, expected) in cases {
        assert_eq!(header, Err(expected));
    }
    // The longest possible header.
    let longest = v2()
        .unix(&[b'x'; 108], &[b'y'; 108])
        .and_then(|header| header.tlv(7, vec![9; TLVS_LEN_MAX - 3]))
        .unwrap()
        .checksum()
        .to_bytes(&ProxiedEnds::Unspecified);
    assert_eq!(longest.len(), V2_FIXED_LEN + usize::from(u16::MAX));
    let mut reader = HeaderReader::new(usize::MAX);
    assert!(matches!(reader.take(&longest), Ok((_, Some(Header::Proxied { .. })))));
}

fn any_addr() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        (any::<[u8; 4]>(), any::<u16>()).prop_map(SocketAddr::from),
        (any::<[u8; 16]>(), any::<u16>()).prop_map(SocketAddr::from),
        (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| (
            Ipv4Addr::from(ip).to_ipv6_mapped(),
            port
        )
            .into()),
    ]
}

fn any_ends() -> impl Strategy<Value = ProxiedEnds> {
    let path = || prop::collection::vec(1_u8.., 0..=PATH_LEN_MAX).prop_map(Box::<[u8]>::from);
    prop_oneof![
        (any_addr(), any_addr())
            .prop_map(|(source, destination)| ProxiedEnds::Inet { source, destination }),
        (path(), path())
            .prop_map(|(source, destination)| ProxiedEnds::Unix { source, destination }),
        Just(ProxiedEnds::Unspecified),
    ]
}

/// The addresses after conversion to one family.
fn as_written(ends: ProxiedEnds) -> ProxiedEnds {
    match ends {
        ProxiedEnds::Inet { source, destination } => {
            let (source, destination) = of_one_family(source, destination);
            ProxiedEnds::Inet { source, destination }
        }
        other => other,
    }
}

proptest! {
    /// Round trip: addresses and TLVs are unchanged, and data after the header is not consumed.
    #[test]
    fn written_headers_are_parsed_unchanged(
        own in any_ends(),
        is_local in any::<bool>(),
        is_v1 in any::<bool>(),
        has_checksum in any::<bool>(),
        tlvs in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..5),
        tail in prop::collection::vec(any::<u8>(), 0..20),
        pieces in prop::collection::vec(1_usize..40, 1..8),
    ) {
        let mut header = if is_v1 { ProxyHeader::v1() } else { ProxyHeader::v2() };
        let tlvs: Vec<_> = tlvs.into_iter().filter(|(kind, _)| *kind != tlv::CRC32C).collect();
        for (kind, value) in &tlvs {
            header = header.tlv(*kind, &**value).unwrap();
        }
        if is_local {
            header = header.local();
        }
        if has_checksum {
            header = header.checksum();
        }
        let bytes = header.to_bytes(&own);
        let (parsed, taken) = read(&[&bytes[..], &tail].concat(), &pieces);
        prop_assert_eq!(taken, bytes.len());
        // Version 1 has TCP addresses only.
        let is_unknown = is_v1 && !matches!(own, ProxiedEnds::Inet { .. });
        let parsed = match parsed {
            Ok(Some(Header::Local)) => {
                prop_assert!(is_local || is_unknown);
                return Ok(());
            }
            Ok(Some(Header::Proxied { ends, tlvs })) => (ends, tlvs),
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        prop_assert!(!is_local && !is_unknown);
        prop_assert_eq!(parsed.0, as_written(own));
        let mut received_tlvs = parsed.1;
        if has_checksum && !is_v1 {
            prop_assert_eq!(received_tlvs.remove(0).0, tlv::CRC32C);
        }
        let expected = if is_v1 { Vec::new() } else { tlvs };
        let expected: Vec<_> = expected.into_iter().map(|(kind, value)| (kind, value.into())).collect();
        prop_assert_eq!(received_tlvs, expected);
    }
}
