//! Round trips in all formats with any split; decompression bombs; truncated and corrupt streams; trailing data.

use proptest::prelude::*;

use super::*;

const FORMATS: [Format; 3] = [Format::Gzip, Format::Zlib, Format::Raw];

fn deflate(format: Format, pieces: &[&[u8]], flush: Flush) -> Vec<u8> {
    let mut deflate = Deflate::new(format, 6);
    let mut output = Vec::new();
    let mut put = |deflate: &mut Deflate, mut input: &[u8], flush| {
        while let Some(piece) = deflate.deflate(&mut input, flush) {
            assert!(!piece.is_empty() && piece.len() <= STEP);
            output.extend_from_slice(piece);
        }
        assert!(input.is_empty());
    };
    for piece in pieces {
        put(&mut deflate, piece, flush);
    }
    put(&mut deflate, b"", Flush::Finish);
    let mut more = &b"more"[..];
    assert_eq!((deflate.deflate(&mut more, Flush::Finish), more.len()), (None, 4));
    output
}

fn whole(format: Format, input: &[u8]) -> Vec<u8> {
    deflate(format, &[input], Flush::None)
}

/// The output, how the stream ended, and how many bytes follow its end.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    output: Vec<u8>,
    end: Result<usize, InflateError>,
}

fn inflate<'a>(mut inflate: Inflate, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut output = Vec::new();
    let mut behind = 0;
    for piece in pieces {
        let mut input = piece;
        loop {
            match inflate.inflate(&mut input) {
                Ok(Inflated::Output(piece)) => {
                    assert!(!piece.is_empty() && piece.len() <= STEP);
                    output.extend_from_slice(piece);
                }
                Ok(Inflated::Incomplete) => break assert!(input.is_empty()),
                Ok(Inflated::End) => {
                    behind += input.len();
                    break;
                }
                Err(error) => return Outcome { output, end: Err(error) },
            }
        }
    }
    Outcome { output, end: inflate.finish().map(|()| behind) }
}

fn of(format: Format, input: &[u8]) -> Outcome {
    inflate(Inflate::new(format), [input])
}

fn fine(output: &[u8], behind: usize) -> Outcome {
    Outcome { output: output.to_vec(), end: Ok(behind) }
}

/// Text that compresses moderately.
fn text(len: usize) -> Vec<u8> {
    (0..len as u64).map(|n| (n.wrapping_mul(n) / 7 % 26) as u8 + b'a').collect()
}

proptest! {
    #[test]
    fn any_cut_gives_the_same(
        input in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..5),
        behind in prop::collection::vec(0..0x1e_u8, 0..5),
        cut in 1..40_usize,
        flush in any::<bool>(),
    ) {
        let pieces: Vec<&[u8]> = input.iter().map(Vec::as_slice).collect();
        let plain = input.concat();
        for format in FORMATS {
            let flush = if flush { Flush::Sync } else { Flush::None };
            let mut sent = deflate(format, &pieces, flush);
            prop_assert!(sent.len() <= plain.len() + 64 + 16 * pieces.len());
            sent.extend_from_slice(&behind);
            let expected = fine(&plain, behind.len());
            prop_assert_eq!(&of(format, &sent), &expected);
            prop_assert_eq!(&inflate(Inflate::new(format), sent.chunks(cut)), &expected);
            prop_assert_eq!(&inflate(Inflate::new(format), sent.chunks(1)), &expected);
        }
    }

    /// Arbitrary input terminates within the limits, with the same result for any split.
    #[test]
    fn arbitrary_input_fails_or_stays_within_limits(
        mut input in prop::collection::vec(any::<u8>(), 0..200),
        header in 0..3_usize,
        cut in 1..20_usize,
    ) {
        // After a valid header the decompressor gets further into the input.
        let headers: [&[u8]; 3] = [b"", b"\x1f\x8b\x08\0\0\0\0\0\0\x03", b"\x78\x9c"];
        input.splice(0..0, headers[header].iter().copied());
        for format in FORMATS {
            let limited = || Inflate::new(format).output_max(1_000);
            let outcome = inflate(limited(), [&input[..]]);
            prop_assert!(outcome.output.len() <= 1_000);
            let other = inflate(limited(), input.chunks(cut));
            prop_assert_eq!(&other.output, &outcome.output);
            // The error text depends on where the error was found.
            let corrupt = |end: &Result<usize, InflateError>| matches!(end, Err(InflateError::Corrupt { .. }));
            prop_assert!(other.end == outcome.end || corrupt(&other.end) && corrupt(&outcome.end));
        }
    }
}

#[test]
fn large_streams_go_through_in_steps() {
    let plain = text(1 << 20);
    for format in FORMATS {
        let sent = deflate(format, &plain.chunks(10_000).collect::<Vec<_>>(), Flush::None);
        assert!(sent.len() < plain.len());
        assert!(inflate(Inflate::new(format), sent.chunks(1_000)) == fine(&plain, 0));
    }
}

/// A gibibyte of zeros in about a megabyte: exactly the allowed output is produced, after little input.
#[test]
fn a_bomb_stops_at_its_budget() {
    let zeros = vec![0; 1 << 20];
    let one = deflate(Format::Raw, &[&zeros], Flush::Sync);
    let two = deflate(Format::Raw, &[&zeros, &zeros], Flush::Sync);
    // The bytes that the second mebibyte adds are repeated for each further one.
    let end = one.len() - one.iter().zip(&two).take_while(|(one, two)| one == two).count();
    let (more, at) = (two.len() - one.len(), one.len() - end);
    let bomb = [&two[..at], &two[at..at + more].repeat(1 << 10)].concat();
    assert!(bomb.len() < 1_300_000, "{} bytes", bomb.len());
    for max in [0, 1, 1_000, STEP as u64, 1 << 20] {
        let outcome = inflate(Inflate::new(Format::Raw).output_max(max), [&bomb[..]]);
        assert_eq!(outcome.end, Err(InflateError::TooLong { max }));
        assert_eq!(outcome.output.len() as u64, max);
    }
    let mut rest = &bomb[..];
    let mut limited = Inflate::new(Format::Raw).output_max(1 << 20);
    while limited.inflate(&mut rest).is_ok() {}
    assert!(bomb.len() - rest.len() < 20_000, "{} bytes were looked at", bomb.len() - rest.len());
}

#[test]
fn output_of_exactly_the_limit_is_allowed() {
    let plain = text(100_000);
    for format in FORMATS {
        let sent = whole(format, &plain);
        let limited = |max| inflate(Inflate::new(format).output_max(max), sent.chunks(777));
        assert_eq!(limited(100_000), fine(&plain, 0));
        assert_eq!(limited(99_999).end, Err(InflateError::TooLong { max: 99_999 }));
        assert_eq!(of(format, &whole(format, b"")), fine(b"", 0));
        let none = inflate(Inflate::new(format).output_max(0), [&whole(format, b"")[..]]);
        assert_eq!(none, fine(b"", 0));
    }
}

#[test]
fn the_ratio_can_be_limited() {
    let bomb = whole(Format::Zlib, &vec![0; 1 << 20]);
    let outcome = inflate(Inflate::new(Format::Zlib).ratio_max(100), bomb.chunks(100));
    assert_eq!(outcome.end, Err(InflateError::RatioTooHigh { max: 100 }));
    assert!(outcome.output.len() < 200_000, "{}", outcome.output.len());
    // Short output is exempt from the ratio, and ordinary text stays below it.
    let short = whole(Format::Zlib, &[0; 60_000]);
    assert!(inflate(Inflate::new(Format::Zlib).ratio_max(1), [&short[..]]).end.is_ok());
    let plain = text(1 << 18);
    let ordinary = whole(Format::Zlib, &plain);
    assert_eq!(
        inflate(Inflate::new(Format::Zlib).ratio_max(1_000), [&ordinary[..]]),
        fine(&plain, 0)
    );
}

#[test]
fn truncated_streams_are_an_error() {
    let plain = text(1_000);
    for format in FORMATS {
        let sent = whole(format, &plain);
        for len in 0..sent.len() {
            assert_eq!(of(format, &sent[..len]).end, Err(InflateError::Truncated), "{len}");
        }
    }
}

#[test]
fn corrupt_streams_are_an_error() {
    let plain = text(1_000);
    for format in [Format::Gzip, Format::Zlib] {
        let mut sent = whole(format, &plain);
        // The checksum. In gzip, the length follows it.
        let at = sent.len() - if format == Format::Gzip { 5 } else { 1 };
        sent[at] ^= 1;
        assert!(matches!(of(format, &sent).end, Err(InflateError::Corrupt { .. })), "{format:?}");
        assert!(matches!(of(format, b"hello, world").end, Err(InflateError::Corrupt { .. })));
    }
    // Zlib with a preset dictionary (RFC 1950 2.2), which is not supported.
    let outcome = of(Format::Zlib, b"\x78\xbb\0\0\0\x01abc");
    let expected = InflateError::Corrupt { reason: "a dictionary is needed".to_owned() };
    assert_eq!(outcome.end, Err(expected));
}

/// As created by `gzip -c a b` or `bgzip`.
#[test]
fn concatenated_gzip_members() {
    let files: Vec<Vec<u8>> = (0..50).map(|n| text(n * 100)).collect();
    let sent: Vec<u8> = files.iter().flat_map(|file| whole(Format::Gzip, file)).collect();
    let expected = fine(&files.concat(), 0);
    assert_eq!(of(Format::Gzip, &sent), expected);
    assert_eq!(inflate(Inflate::new(Format::Gzip), sent.chunks(1)), expected);
    // The budget applies to all members together.
    let len = files.concat().len() as u64;
    let limited = inflate(Inflate::new(Format::Gzip).output_max(len - 1), sent.chunks(99));
    assert_eq!(limited.end, Err(InflateError::TooLong { max: len - 1 }));
    // Half a member is truncated; anything else is trailing data.
    let cut = [&sent[..], &sent[..5]].concat();
    assert_eq!(of(Format::Gzip, &cut).end, Err(InflateError::Truncated));
    let padded = [&sent[..], b"\0\0\0"].concat();
    assert_eq!(of(Format::Gzip, &padded), fine(&files.concat(), 3));
    // The other formats consist of one stream.
    let twice = [whole(Format::Zlib, b"one"), whole(Format::Zlib, b"two")].concat();
    assert_eq!(of(Format::Zlib, &twice), fine(b"one", twice.len() / 2));
}

/// As in `permessage-deflate`: each message may refer to earlier ones, and has its own budget.
#[test]
fn messages_with_a_shared_context() {
    let mut deflate = Deflate::new(Format::Raw, 6);
    let mut inflate = Inflate::new(Format::Raw).output_max(1_000);
    let plain = text(1_000);
    let mut lens = Vec::new();
    for round in 0..5 {
        let (mut input, mut sent) = (&plain[..], Vec::new());
        while let Some(piece) = deflate.deflate(&mut input, Flush::Sync) {
            sent.extend_from_slice(piece);
        }
        assert!(sent.ends_with(b"\0\0\xff\xff"));
        lens.push(sent.len());
        let (mut input, mut output) = (&sent[..], Vec::new());
        while let Inflated::Output(piece) = inflate.inflate(&mut input).expect("it is whole") {
            output.extend_from_slice(piece);
        }
        assert_eq!(output, plain);
        if round == 3 {
            // Without context takeover.
            deflate.reset();
            inflate.reset();
        } else {
            inflate.renew_budget();
        }
    }
    assert!(lens[1] < lens[0] / 2, "a message refers to earlier ones: {lens:?}");
    assert_eq!(lens[0], lens[4]);
}

#[test]
fn reset_starts_the_next_stream() {
    for format in FORMATS {
        let mut inflate = Inflate::new(format).output_max(5);
        let mut deflate = Deflate::new(format, 9);
        for text in [&b"hello"[..], b"world"] {
            let (mut input, mut sent) = (text, Vec::new());
            while let Some(piece) = deflate.deflate(&mut input, Flush::Finish) {
                sent.extend_from_slice(piece);
            }
            let mut input = &sent[..];
            assert_eq!(inflate.inflate(&mut input), Ok(Inflated::Output(text)), "{format:?}");
            inflate.finish().expect("it has ended");
            deflate.reset();
            inflate.reset();
        }
    }
}

/// What is appended to a buffer of the caller is the same, in pieces of any size, within the same budget.
#[test]
fn into_a_buffer_of_the_caller() {
    for format in FORMATS {
        for len in [0, 1, 100, 5_000, 300_000] {
            let plain = text(len);
            let mut sent = Vec::new();
            let mut deflate = Deflate::new(format, 6);
            for piece in plain.chunks(70_000) {
                deflate.deflate_into(piece, Flush::Sync, &mut sent);
                assert!(sent.ends_with(b"\0\0\xff\xff"));
            }
            deflate.deflate_into(b"", Flush::Finish, &mut sent);
            assert_eq!(of(format, &sent), fine(&plain, 0), "{format:?} {len}");
            for piece in [1, 7, usize::MAX] {
                for short in [0, 1] {
                    let max = (len as u64).saturating_sub(short);
                    let mut inflate = Inflate::new(format).output_max(max);
                    let mut output = b"before".to_vec();
                    let mut into = |mut piece: &[u8]| loop {
                        match inflate.inflate_into(&mut piece, &mut output) {
                            Ok(Inflated::Output(piece)) => assert!(piece.len() <= STEP),
                            Ok(_) => return Ok(()),
                            Err(error) => return Err(error),
                        }
                    };
                    let end = sent.chunks(piece).try_for_each(&mut into);
                    let kept = usize::try_from(max).unwrap();
                    assert!(output == [b"before", &plain[..kept]].concat());
                    assert_eq!(end.is_err(), kept < len, "{end:?}");
                }
            }
        }
    }
}

/// A sender with a small window refers back no further.
#[test]
fn small_windows() {
    let noise = |n: u64| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 37) as u8;
    let block: Vec<u8> = (1..5_000).map(|n| noise(n * n)).collect();
    let plain = [&block[..], &block].concat();
    let sent = |bits| {
        let mut sent = Vec::new();
        let mut deflate = Deflate::with_window_bits(Format::Raw, 9, bits);
        deflate.deflate_into(&plain, Flush::Finish, &mut sent);
        assert_eq!(of(Format::Raw, &sent), fine(&plain, 0));
        sent.len()
    };
    assert!(sent(15) < 6_000 && sent(12) > 9_000 && sent(9) > 9_000);
    assert_eq!(
        (sent(0), sent(99)),
        (sent(9), sent(15)),
        "what is out of range counts as the nearest"
    );
}
