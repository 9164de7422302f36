//! Tests of dot-stuffed text, encoder and decoder, against a naive model that looks at whole lines.

use proptest::prelude::*;

use super::{DotStuffed, DotStuffing, Unstuffed};
use crate::basic::{
    EncodeError, FrameError,
    testing::{any_cut, input_of, pieces},
};

/// The result of decoding a stream: the text, and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    text: Vec<u8>,
    end: End,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The text ended, with this many input bytes after it.
    Ended(usize),
    Incomplete,
    Fault(FrameError),
}

fn decode(mut decoder: DotStuffed, pieces: &[&[u8]]) -> Outcome {
    let mut text = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        let mut input = *piece;
        loop {
            match decoder.decode(&mut input) {
                Ok(Unstuffed::Text(piece)) => {
                    assert!(!piece.is_empty());
                    text.extend_from_slice(piece);
                }
                Ok(Unstuffed::Incomplete) => break assert!(input.is_empty()),
                Ok(Unstuffed::End) => {
                    let behind: usize = pieces[number + 1..].iter().map(|piece| piece.len()).sum();
                    return Outcome { text, end: End::Ended(input.len() + behind) };
                }
                Err(error) => return Outcome { text, end: End::Fault(error) },
            }
        }
    }
    Outcome { text, end: End::Incomplete }
}

/// Model of the decoder, following the RFC byte by byte over the whole input.
fn expected(is_lenient: bool, input: &[u8]) -> Outcome {
    let mut text = Vec::new();
    let mut line_start = 0;
    for at in 0..input.len() {
        let line = &input[line_start..=at];
        let before = if line.len() > 1 { line[line.len() - 2] } else { 0 };
        let fault = match (before, input[at]) {
            _ if is_lenient => None,
            (b'\r', b'\n') => None,
            (b'\r', _) => Some(b'\r'),
            (_, b'\n') => Some(b'\n'),
            _ => None,
        };
        if let Some(found) = fault {
            // The line before the fault is text, without its leading dot.
            let line = &line[..line.len() - 1];
            // A dot and a CR may have been the end, and are not returned as text.
            let line = if line == b".\r" { b"." } else { line };
            text.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            return Outcome { text, end: End::Fault(FrameError::BareLineEnd { found }) };
        }
        if input[at] == b'\n' {
            if line == b".\r\n" || is_lenient && line == b".\n" {
                return Outcome { text, end: End::Ended(input.len() - at - 1) };
            }
            text.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            line_start = at + 1;
        }
    }
    let line = &input[line_start..];
    let line = if line == b".\r" { b"." } else { line };
    text.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    Outcome { text, end: End::Incomplete }
}

fn encode(mut stuffing: DotStuffing, pieces: &[&[u8]]) -> Result<Vec<u8>, EncodeError> {
    let mut sent = Vec::new();
    for piece in pieces {
        stuffing.encode(piece, |piece| sent.extend_from_slice(piece))?;
    }
    stuffing.finish(|piece| sent.extend_from_slice(piece))?;
    Ok(sent)
}

/// The text with all line ends replaced by CRLF, including the last.
fn with_crlf_ends(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(text.to_vec()).expect("it is ASCII");
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let ended = if lines.is_empty() || lines.ends_with('\n') { lines } else { lines + "\n" };
    ended.replace('\n', "\r\n").into_bytes()
}

/// The first bare CR or LF.
fn first_bare(text: &[u8]) -> u8 {
    let is_bare = |at: usize| match text[at] {
        b'\r' => text.get(at + 1) != Some(&b'\n'),
        b'\n' => at == 0 || text[at - 1] != b'\r',
        _ => false,
    };
    text[(0..text.len()).find(|at| is_bare(*at)).expect("the text has a bare CR or LF")]
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_text(input in input_of(b"a...\r\r\n\n", 40), cut in any_cut(), ends in any::<bool>()) {
        // Random input rarely has proper line ends: in half of the cases, all are made proper.
        let input = match ends {
            true => with_crlf_ends(&input),
            false => input,
        };
        for (decoder, is_lenient) in [(DotStuffed::strict(), false), (DotStuffed::lenient(), true)] {
            let expected = expected(is_lenient, &input);
            for cut in [&cut[..], &[1], &[usize::MAX]] {
                prop_assert_eq!(&decode(decoder.clone(), &pieces(&input, cut)), &expected);
            }
        }
    }

    #[test]
    fn encoded_text_decodes_as_the_same_text(text in input_of(b"a..\r\n", 40), cut in any_cut(), behind in input_of(b"a.\r\n", 10)) {
        let pieces = pieces(&text, &cut);
        let whole = with_crlf_ends(&text);
        let mut sent = encode(DotStuffing::normalizing(), &pieces).unwrap();
        sent.extend_from_slice(&behind);
        let back = Outcome { text: whole.clone(), end: End::Ended(behind.len()) };
        prop_assert_eq!(decode(DotStuffed::strict(), &[&sent]), back);
        // The strict encoder gives the same, or an error that names the first bare byte.
        let strict = encode(DotStuffing::strict(), &pieces);
        let ended = [&text[..], b"\r\n"].concat();
        if whole == text || whole == ended {
            sent.truncate(sent.len() - behind.len());
            prop_assert_eq!(strict, Ok(sent));
        } else {
            prop_assert_eq!(strict, Err(EncodeError::BareLineEnd { found: first_bare(&text) }));
        }
    }
}

/// Sequences that some servers accept as the end of a message, so that the rest is read as commands (SMTP smuggling).
#[test]
fn only_crlf_dot_crlf_ends_data() {
    let lf = End::Fault(FrameError::BareLineEnd { found: b'\n' });
    let cr = End::Fault(FrameError::BareLineEnd { found: b'\r' });
    let cases: [(&[u8], End, &[u8]); 12] = [
        (b"\r\n.\r\n", End::Ended(4), b"hi\r\n"),
        (b"\n.\n", lf, b"hi"),
        (b"\r\n.\n", End::Fault(FrameError::BareLineEnd { found: b'\n' }), b"hi\r\n"),
        (b"\n.\r\n", End::Fault(FrameError::BareLineEnd { found: b'\n' }), b"hi"),
        (b"\r.\r", cr, b"hi\r"),
        (b"\r\n.\r", End::Fault(FrameError::BareLineEnd { found: b'\r' }), b"hi\r\n"),
        (b"\r\n.\r\r\n", End::Fault(FrameError::BareLineEnd { found: b'\r' }), b"hi\r\n"),
        (b"\r\n.\r\r\r\n", End::Fault(FrameError::BareLineEnd { found: b'\r' }), b"hi\r\n"),
        (b"\r\n\0.\r\n", End::Incomplete, b"hi\r\n\0.\r\nMORE"),
        (b"\r\n.\0\r\n", End::Incomplete, b"hi\r\n\0\r\nMORE"),
        (b"\r.\r\n", End::Fault(FrameError::BareLineEnd { found: b'\r' }), b"hi\r"),
        (b"\r\n..\r\n", End::Incomplete, b"hi\r\n.\r\nMORE"),
    ];
    for (sequence, end, text) in cases {
        let input = [b"hi", sequence, b"MORE"].concat();
        let outcome = decode(DotStuffed::strict(), &[&input]);
        assert_eq!(outcome, Outcome { text: text.to_vec(), end }, "{}", sequence.escape_ascii());
    }
}

#[test]
fn the_lenient_decoder_accepts_bare_lf() {
    for (input, text) in [
        (&b"one\n..two\n.\n"[..], &b"one\n.two\n"[..]),
        (b"one\r\n..two\n.\r\n", b"one\r\n.two\n"),
        (b".\n", b""),
        (b"a\rb\n.\r\n", b"a\rb\n"),
        (b"a\r\n.\r\rb\r\n.\r\n", b"a\r\n\r\rb\r\n"),
    ] {
        let outcome = decode(DotStuffed::lenient(), &[input, b"+OK"]);
        assert_eq!(outcome, Outcome { text: text.to_vec(), end: End::Ended(3) });
    }
}

/// Several lines are returned as one slice, without a copy: a slice ends only at a dot or at an error.
#[test]
fn slices_are_as_long_as_possible() {
    let mut input = &b"one\r\ntwo\r\n\r\nthree\r\n..four\r\n.\r\nQUIT\r\n"[..];
    let whole = input;
    let mut decoder = DotStuffed::strict();
    let Ok(Unstuffed::Text(first)) = decoder.decode(&mut input) else { panic!("no text") };
    assert_eq!(
        first.as_ptr_range(),
        whole[..19].as_ptr_range(),
        "the text is borrowed from the input"
    );
    assert_eq!(decoder.decode(&mut input), Ok(Unstuffed::Text(b".four\r\n")));
    assert_eq!(decoder.decode(&mut input), Ok(Unstuffed::End));
    assert_eq!(input, b"QUIT\r\n");
}

#[test]
fn one_encoder_and_one_decoder_for_several_texts() {
    let (mut stuffing, mut sent) = (DotStuffing::strict(), Vec::new());
    for text in [&b".\r\n"[..], b"", b"a"] {
        stuffing.encode(text, |piece| sent.extend_from_slice(piece)).unwrap();
        stuffing.finish(|piece| sent.extend_from_slice(piece)).unwrap();
    }
    assert_eq!(sent, b"..\r\n.\r\n.\r\na\r\n.\r\n");
    let mut input = &sent[..];
    let mut decoder = DotStuffed::strict();
    let found: Vec<_> = std::iter::from_fn(|| Some(decoder.decode(&mut input).unwrap()))
        .take_while(|found| *found != Unstuffed::Incomplete)
        .collect();
    let text = Unstuffed::Text;
    let end = Unstuffed::End;
    assert_eq!(found, [text(b".\r\n"), end, end, text(b"a\r\n"), end]);
}

/// What is sent with CRs as they are, however it is cut. One in front of a dot ends its line: for a peer that ends lines there anyway,
/// the text must not end.
#[test]
fn bare_crs_that_are_kept() {
    let cases: [(&[u8], &[u8]); 9] = [
        (b"", b".\r\n"),
        (b"a\rb\nc\r\n", b"a\rb\r\nc\r\n.\r\n"),
        (b"a\r\r\nb\r\r", b"a\r\r\nb\r\r\r\n.\r\n"),
        (b"\r.\r\nQUIT\r\n", b"\r\n..\r\nQUIT\r\n.\r\n"),
        (b"a\r\r.b", b"a\r\r\n..b\r\n.\r\n"),
        (b"a\n.\n", b"a\r\n..\r\n.\r\n"),
        (b"\r", b"\r\r\n.\r\n"),
        (b"\n\r\n", b"\r\n\r\n.\r\n"),
        (b".\r", b"..\r\r\n.\r\n"),
    ];
    for (text, expected) in cases {
        for len in 1..=text.len().max(1) {
            let pieces: Vec<_> = text.chunks(len).collect();
            let sent = encode(DotStuffing::keeping_bare_crs(), &pieces);
            assert_eq!(sent.as_deref(), Ok(expected), "{:?}", String::from_utf8_lossy(text));
        }
    }
}
