//! Dot-stuffed text, compared with a byte-by-byte model of RFC 5321 4.5.2.

use sinew::protocols::basic::{DotStuffed, DotStuffing, FrameError, Unstuffed};

use super::{input::Input, pieces::pieces};

/// The longest text: the model re-examines the line after each byte.
const LEN_MAX: usize = 4 * 1024;

/// The text, and whether it has ended, with the number of bytes after it.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    text: Vec<u8>,
    end: Result<Option<usize>, FrameError>,
}

/// `data` holds the mode, the lengths of pieces, and the stream.
pub(crate) fn check(data: &mut Input<'_>) {
    let is_lenient = data.byte() & 1 == 1;
    let decoder = if is_lenient { DotStuffed::lenient() } else { DotStuffed::strict() };
    let cut = data.piece_lens(7);
    let stream = data.bytes(LEN_MAX);
    let expected = by_reference(is_lenient, stream);
    for cut in [&[1][..], &cut, &[usize::MAX]] {
        assert_eq!(decode(decoder.clone(), stream, cut), expected, "{cut:?}");
    }
    // Encode the stream as a text: it must decode as the same text, and trailing data are not part of it.
    let with_crlf_ends = with_crlf_ends(stream);
    for (stuffing, may_fail) in [(DotStuffing::normalizing(), false), (DotStuffing::strict(), true)]
    {
        let Some(mut sent) = encode(stuffing, stream, &cut) else {
            assert!(may_fail && with_crlf_ends != stream, "nothing is wrong with it");
            continue;
        };
        sent.extend_from_slice(b".\r\nQUIT\r\n");
        let whole = Outcome { text: with_crlf_ends.clone(), end: Ok(Some(9)) };
        assert_eq!(decode(DotStuffed::strict(), &sent, &cut), whole);
    }
    let mut sent =
        encode(DotStuffing::keeping_bare_crs(), stream, &cut).expect("nothing is an error");
    sent.extend_from_slice(b".\r\nQUIT\r\n");
    let whole = Outcome { text: with_bare_crs(stream), end: Ok(Some(9)) };
    assert_eq!(decode(DotStuffed::lenient(), &sent, &cut), whole);
    // For a peer that also ends a line at a bare CR, the text does not end before.
    assert!(!sent.windows(2).any(|two| two == b"\r."));
}

fn decode(mut decoder: DotStuffed, stream: &[u8], cut: &[usize]) -> Outcome {
    let (mut text, mut shown) = (Vec::new(), 0);
    for piece in pieces(stream, cut) {
        shown += piece.len();
        let mut input = piece;
        loop {
            match decoder.decode(&mut input) {
                Ok(Unstuffed::Text(more)) => {
                    assert!(!more.is_empty());
                    text.extend_from_slice(more);
                }
                Ok(Unstuffed::Incomplete) => break assert!(input.is_empty()),
                Ok(Unstuffed::End) => {
                    let trailing = stream.len() - shown + input.len();
                    return Outcome { text, end: Ok(Some(trailing)) };
                }
                Err(error) => return Outcome { text, end: Err(error) },
            }
        }
    }
    Outcome { text, end: Ok(None) }
}

fn by_reference(is_lenient: bool, stream: &[u8]) -> Outcome {
    let (mut text, mut line) = (Vec::new(), Vec::new());
    let end = 'end: {
        for (at, byte) in stream.iter().enumerate() {
            let alone = match (line.last(), byte) {
                _ if is_lenient => None,
                (Some(b'\r'), b'\n') => None,
                (Some(b'\r'), _) => Some(b'\r'),
                (_, b'\n') => Some(b'\n'),
                _ => None,
            };
            if let Some(found) = alone {
                break 'end Err(FrameError::BareLineEnd { found });
            }
            line.push(*byte);
            if *byte == b'\n' {
                if line == b".\r\n" || is_lenient && line == b".\n" {
                    return Outcome { text, end: Ok(Some(stream.len() - at - 1)) };
                }
                text.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
                line.clear();
            }
        }
        Ok(None)
    };
    // A dot and a CR may still be the end.
    if line != b".\r" {
        text.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
    Outcome { text, end }
}

/// `None` if there is a bare CR or LF.
fn encode(mut stuffing: DotStuffing, text: &[u8], cut: &[usize]) -> Option<Vec<u8>> {
    let mut sent = Vec::new();
    for piece in pieces(text, cut) {
        stuffing.encode(piece, |piece| sent.extend_from_slice(piece)).ok()?;
    }
    stuffing.finish(|piece| sent.extend_from_slice(piece)).ok()?;
    Some(sent)
}

/// The text with all line ends as CRLF, including the last.
fn with_crlf_ends(text: &[u8]) -> Vec<u8> {
    let mut with_crlf_ends = Vec::new();
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'\r' => with_crlf_ends.extend_from_slice(b"\r\n"),
            b'\n' if at > 0 && text[at - 1] == b'\r' => {}
            b'\n' => with_crlf_ends.extend_from_slice(b"\r\n"),
            _ => with_crlf_ends.push(*byte),
        }
    }
    if !with_crlf_ends.is_empty() && !with_crlf_ends.ends_with(b"\n") {
        with_crlf_ends.extend_from_slice(b"\r\n");
    }
    with_crlf_ends
}

/// The text with its LFs as CRLF, and its CRs as they are, unless a dot follows. The last line ends in CRLF.
fn with_bare_crs(text: &[u8]) -> Vec<u8> {
    let mut with_bare_crs = Vec::new();
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'\n' if at == 0 || text[at - 1] != b'\r' => with_bare_crs.extend_from_slice(b"\r\n"),
            b'\r' if text.get(at + 1) == Some(&b'.') => with_bare_crs.extend_from_slice(b"\r\n"),
            byte => with_bare_crs.push(*byte),
        }
    }
    if !with_bare_crs.is_empty() && !with_bare_crs.ends_with(b"\n") {
        with_bare_crs.extend_from_slice(b"\r\n");
    }
    with_bare_crs
}
