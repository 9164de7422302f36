//! Tests of the chunked coding: errors, every split of the input, and round trips.

use super::*;

/// The data, the trailers and the unread input, decoded in pieces of this length.
fn decode(input: &[u8], piece: usize) -> Result<Option<(Vec<u8>, Fields, usize)>, BodyError> {
    let mut decoder = ChunkedDecoder::new(ChunkLimits::default());
    let (mut data, mut shown) = (Vec::new(), 0);
    for piece in input.chunks(piece) {
        shown += piece.len();
        let mut rest = piece;
        loop {
            match decoder.decode(&mut rest)? {
                BodyEvent::Data(more) => data.extend_from_slice(more),
                BodyEvent::Incomplete => break assert!(rest.is_empty()),
                BodyEvent::End => {
                    let left = input.len() - shown + rest.len();
                    return Ok(Some((data, decoder.take_trailers(), left)));
                }
            }
        }
    }
    Ok(None)
}

#[test]
fn rejected_inputs() {
    let size = BodyError::ChunkSize;
    let long = "x".repeat(257);
    let cases: [(&[u8], BodyError); 20] = [
        (b"\r\n", size.clone()), // chunk_without_digits, ntex#944
        (b";\r\n", size.clone()),
        (b";a=b\r\n", size.clone()),
        (b"g\r\n", size.clone()),
        (b"-1\r\n", size.clone()),
        (b"+1\r\n", size.clone()),
        (b" 1\r\n", size.clone()),
        (b"0x1\r\n", size.clone()),
        (b"ffffffffffffffff\r\n", size.clone()),
        (b"8000000000000000\r\n", size.clone()),
        (b"00000000000000001\r\n", size.clone()),
        (b"1;a\n", BodyError::Chunk), // lf_in_extension, CVE-2025-55315
        (b"1\n", size),
        (b"1;\0\r\n", BodyError::Chunk),
        (b"1\r\r\n", BodyError::Chunk),
        (b"1\r\nabcd\r\n", BodyError::Chunk), // two bytes of data where one was announced
        (b"1\r\na\n", BodyError::Chunk),
        (b"0\r\nxy", BodyError::Trailers), // two_bytes_after_last_chunk, bun#29732
        (b"0\r\nA: b\n\r\n", BodyError::Trailers),
        (b"0\r\nA b\r\n\r\n", BodyError::Trailers),
    ];
    for (input, error) in cases {
        let input = if input == b"0\r\nxy" { &b"0\r\nxy\r\n\r\n"[..] } else { input };
        for piece in [1, 2, usize::MAX] {
            assert_eq!(decode(input, piece).unwrap_err(), error, "{}", input.escape_ascii());
        }
    }
    let too_long = BodyError::ExtensionTooLong { max: 256 };
    assert_eq!(decode(format!("1;{long}").as_bytes(), 7).unwrap_err(), too_long);
    let many = format!("1;{}\r\nx\r\n", &long[..200]).repeat(30);
    let too_many = BodyError::ExtensionTooLong { max: 4096 };
    assert_eq!(decode(many.as_bytes(), 7).unwrap_err(), too_many);
    let trailers = format!("0\r\nA: {}\r\n\r\n", "x".repeat(5_000));
    let too_long = BodyError::TrailersTooLong { max: 4096 };
    assert_eq!(decode(trailers.as_bytes(), 999).unwrap_err(), too_long);
}

#[test]
fn any_split_gives_the_same() {
    let input =
        b"3;a=\"b\"\r\nabc\r\n0A  \r\n0123456789\r\n000\r\nX-Sum: 1 \r\nY:2\r\n\r\nGET / HTTP/1.1";
    for piece in 1..=input.len() {
        let (data, trailers, left) = decode(input, piece).unwrap().unwrap();
        assert_eq!((data.as_slice(), left), (&b"abc0123456789"[..], 14));
        let trailers: Vec<_> = trailers.iter().collect();
        assert_eq!(trailers, [("X-Sum", &b"1"[..]), ("Y", b"2")]);
    }
    for len in 0..input.len() - 14 {
        assert!(decode(&input[..len], 3).unwrap().is_none(), "{len} bytes are not all");
    }
}

#[test]
fn largest_size() {
    let mut decoder = ChunkedDecoder::new(ChunkLimits::default());
    let event = decoder.decode(&mut &b"7fffffffffffffff\r\n"[..]);
    assert_eq!((event, decoder.announced()), (Ok(BodyEvent::Incomplete), i64::MAX as u64));
}

#[test]
fn there_and_back() {
    let body: Vec<u8> = (0..70_000_u32).map(|n| n as u8).collect();
    let mut trailers = Fields::new();
    trailers.append("X-Sum", "abc").unwrap();
    for len in [1, 15, 16, 17, 4_095, 65_536, 70_000] {
        let mut out = Vec::new();
        body.chunks(len).for_each(|piece| chunk(&mut out, piece));
        chunk(&mut out, b"");
        last_chunk(&mut out, &trailers);
        let (data, got, left) = decode(&out, 1_000).unwrap().unwrap();
        assert!(data == body && left == 0);
        assert_eq!(got.get("x-sum"), Some(&b"abc"[..]));
    }
}
