//! Headers of both versions: those of the specification, and what is wrong with others.

use proptest::prelude::*;

use super::*;

/// Reads a header out of a stream, in pieces of these lengths at most; what follows is left. How much was taken comes with it.
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

/// Good headers, and what they say.
fn good() -> Vec<(Vec<u8>, Header)> {
    let says = |ends: ProxiedEnds| Header::Proxied { ends, tlvs: Vec::new() };
    let v4 = inet("192.0.2.1:56324", "198.51.100.2:443");
    let mut v6 = [0; 36];
    (v6[15], v6[31], v6[33], v6[35]) = (1, 2, 7, 8);
    let mut unix = [0; 216];
    unix[108..113].copy_from_slice(b"/sock");
    let text = |text: &str| text.as_bytes().to_vec();
    let tlvs = [tlv_of(tlv::ALPN, b"h2"), tlv_of(tlv::NOOP, &[0; 5]), tlv_of(tlv::AUTHORITY, b"")];
    let mut summed = v2(1, 1, &[&V4[..], &tlv_of(tlv::CRC32C, &[0; 4]), &tlvs[0]].concat());
    let sum = crc32c(summed.iter().copied()).to_be_bytes();
    summed[31..35].copy_from_slice(&sum);
    vec![
        (text("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"), says(v4.clone())),
        (text("PROXY TCP4 1.1.1.1 1.1.1.1 0 0\r\n"), says(inet("1.1.1.1:0", "1.1.1.1:0"))),
        (
            text("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
            says(inet("255.255.255.255:65535", "255.255.255.255:65535")),
        ),
        (text("PROXY TCP6 :: ::1 1 2\r\n"), says(inet("[::]:1", "[::1]:2"))),
        (
            text(
                "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff \
                 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            ),
            says(inet(
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
                "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
            )),
        ),
        (text("PROXY UNKNOWN\r\n"), Header::Local),
        (text(&format!("PROXY UNKNOWN {}\r\n", "x".repeat(91))), Header::Local),
        (v2(1, 1, &V4), says(v4.clone())),
        (v2(1, 2, &v6), says(inet("[::1]:7", "[::2]:8"))),
        (
            v2(1, 3, &unix),
            says(ProxiedEnds::Unix { source: [].into(), destination: b"/sock"[..].into() }),
        ),
        (v2(1, 0, &[]), says(ProxiedEnds::Unspecified)),
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
            summed,
            Header::Proxied {
                ends: v4,
                tlvs: vec![(tlv::CRC32C, sum.into()), (tlv::ALPN, b"h2"[..].into())],
            },
        ),
    ]
}

#[test]
fn what_headers_say() {
    for (header, says) in good() {
        // What follows is not touched, though it looks like more of the same.
        let stream = [&header[..], b"\r\nPROXY "].concat();
        for pieces in [&[usize::MAX][..], &[1], &[2], &[3, 1], &[16]] {
            let (read, taken) = read(&stream, pieces);
            assert_eq!(read, Ok(Some(says.clone())), "{}", header.escape_ascii());
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
fn what_is_no_header() {
    let mut wrong_sum = v2(1, 1, &[&V4[..], &tlv_of(tlv::CRC32C, &[1; 4])].concat());
    let mut version = v2(1, 1, &V4);
    version[12] = 0x11;
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "no header"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), "no header"),
        (b"PROXX".to_vec(), "no header"),
        (b"\r\n\r\n\0\r\nQUIT\r".to_vec(), "no header"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 443\r\n".to_vec(), "neither TCP4"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n".to_vec(), "neither TCP4"),
        (b"PROXY TCP4 192.0.2.1  198.51.100.2 1\r\n".to_vec(), "an address or a port"),
        (b"PROXY TCP4 192.0.2.1 ::1 443 56324\r\n".to_vec(), "an address or a port"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.01 443 563\r\n".to_vec(), "an address or a port"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 65536 1\r\n".to_vec(), "an address or a port"),
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 +1 00001\r\n".to_vec(), "an address or a port"),
        (b"PROXY UDP4 192.0.2.1 198.51.100.2 443 1\r\n".to_vec(), "neither TCP4"),
        (b"PROXY TCP4\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), "malformed"),
        (b"PROXY UNKNOWN and\nno carriage return".to_vec(), "line end in the middle"),
        ([&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat(), "longer than 107"),
        ([&b"PROXY UNKNOWN "[..], &[b'x'; 92], b"\r\n"].concat(), "longer than 107"),
        (v2(1, 1, &V4[..11]), "within its addresses"),
        (v2(1, 2, &V4), "within its addresses"),
        (v2(1, 3, &V4), "within its addresses"),
        (v2(1, 4, &V4), "this family"),
        (v2(2, 1, &V4), "this command"),
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
    /// However it is cut, a header says the same and ends at the same place; and no input is too much.
    #[test]
    fn any_split_says_the_same(
        which in any::<prop::sample::Index>(),
        change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        tail in prop::collection::vec(any::<u8>(), 0..40),
        pieces in prop::collection::vec(1_usize..40, 1..8),
    ) {
        let headers = good();
        let mut stream = which.get(&headers).0.clone();
        if let Some((at, byte)) = change {
            *at.get_mut(&mut stream) = byte;
        }
        stream.extend(tail);
        let (cut, whole) = (read(&stream, &pieces), read(&stream, &[usize::MAX]));
        // What is wrong may be found earlier, or told by another name.
        prop_assert!(cut == whole || cut.0.is_err() && whole.0.is_err(), "{:?}, {:?}", cut, whole);
    }
}
