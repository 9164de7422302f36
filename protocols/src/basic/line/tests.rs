//! Tests of the line codec against naive models.

use proptest::prelude::*;

use super::Line;
use crate::basic::{
    Decoder, EncodeError, Encoder, FrameError,
    testing::{any_cut, check_any_cut, check_round_trip, decode, input_of, pieces, work},
};

/// Naive model of a line decoder: the frames, and the offset of the error.
fn expected(delimiter: &[u8], max: usize, input: &[u8]) -> (Vec<Vec<u8>>, Option<usize>) {
    let mut frames = Vec::new();
    let mut start = 0;
    for end in 1..=input.len() {
        let line = &input[start..end];
        if let Some(payload) = line.strip_suffix(delimiter) {
            frames.push(payload.to_vec());
            start = end;
            continue;
        }
        let begun = (0..delimiter.len()).rev().find(|&len| line.ends_with(&delimiter[..len]));
        if line.len() - begun.unwrap_or(0) > max {
            return (frames, Some(end - 1));
        }
    }
    (frames, None)
}

/// The same for lines that end in LF or CRLF: split at LF, strip one CR.
fn expected_lf_or_crlf(max: usize, input: &[u8]) -> (Vec<Vec<u8>>, Option<usize>) {
    let mut frames = Vec::new();
    let mut start = 0;
    for end in 1..=input.len() {
        let line = &input[start..end];
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.len() > max {
            return (frames, Some(end - 1));
        }
        if line.ends_with(b"\n") {
            frames.push(text.to_vec());
            start = end;
        }
    }
    (frames, None)
}

/// The same for strict CRLF lines.
fn expected_strict(max: usize, input: &[u8]) -> (Vec<Vec<u8>>, Option<(FrameError, usize)>) {
    let mut frames = Vec::new();
    let mut start = 0;
    for end in 1..=input.len() {
        let line = &input[start..end];
        let (before, last) = (&line[..line.len() - 1], line[line.len() - 1]);
        let fault = match (before.last(), last) {
            (Some(b'\r'), b'\n') => {
                frames.push(before[..before.len() - 1].to_vec());
                start = end;
                continue;
            }
            (Some(b'\r'), _) => FrameError::BareLineEnd { found: b'\r' },
            (_, b'\n') => FrameError::BareLineEnd { found: b'\n' },
            (_, b'\r') if before.len() <= max => continue,
            _ if line.len() <= max => continue,
            _ => FrameError::LineTooLong { max },
        };
        return (frames, Some((fault, end - 1)));
    }
    (frames, None)
}

fn delimiters() -> impl Strategy<Value = &'static [u8]> {
    // Some delimiters overlap themselves, a common source of bugs in searches.
    prop::sample::select(vec![
        b"\r\n".as_slice(),
        b"\n",
        b"a",
        b"aa",
        b"aab",
        b"aba",
        b"abab",
        b"\r\n.\r\n",
    ])
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_lines(
        delimiter in delimiters(),
        max in 0..9_usize,
        input in input_of(b"ab\r\n.", 120),
        cut in any_cut(),
    ) {
        let line = Line::new(delimiter).len_max(max);
        let outcome = check_any_cut(&line, &input, &cut)?;
        let (frames, fault) = expected(delimiter, max, &input);
        prop_assert_eq!(outcome.frames, frames);
        prop_assert_eq!(outcome.fault, fault.map(|at| (FrameError::LineTooLong { max }, at)));
    }

    #[test]
    fn any_cut_gives_the_same_lf_or_crlf_lines(
        max in 0..9_usize,
        input in input_of(b"aab\r\n", 120),
        cut in any_cut(),
    ) {
        let line = Line::lf_or_crlf().len_max(max);
        let outcome = check_any_cut(&line, &input, &cut)?;
        let (frames, fault) = expected_lf_or_crlf(max, &input);
        prop_assert_eq!(outcome.frames, frames);
        prop_assert_eq!(outcome.fault, fault.map(|at| (FrameError::LineTooLong { max }, at)));
    }

    #[test]
    fn encoded_lines_decode_as_the_same_line(delimiter in delimiters(), payload in input_of(b"ab\r\n.", 12)) {
        let whole = [&payload, delimiter].concat();
        let first = whole.windows(delimiter.len()).position(|window| window == delimiter);
        let result = check_round_trip(&Line::new(delimiter), &payload);
        let holds_either = payload.contains(&b'\r') || payload.contains(&b'\n');
        if first == Some(payload.len()) && !(delimiter == b"\r\n" && holds_either) {
            prop_assert_eq!(result, Ok(()));
        } else {
            prop_assert_eq!(result, Err(EncodeError::DelimiterInside));
        }
    }

    #[test]
    fn encoded_crlf_lines_contain_no_cr_or_lf(payload in input_of(b"aabb\r\n", 12)) {
        let holds_either = payload.contains(&b'\r') || payload.contains(&b'\n');
        let expected = if holds_either { Err(EncodeError::DelimiterInside) } else { Ok(()) };
        for line in [Line::default(), Line::lf_or_crlf(), Line::strict_crlf()] {
            prop_assert_eq!(check_round_trip(&line, &payload), expected);
        }
    }

    #[test]
    fn any_cut_gives_the_same_strict_lines(
        max in 0..9_usize,
        input in input_of(b"aaab\r\n", 120),
        cut in any_cut(),
    ) {
        // Random input has few proper line ends: repair most of them.
        let input = String::from_utf8(input).unwrap().replace("a\n", "\r\n").replace("\ra", "\r\n");
        let line = Line::strict_crlf().len_max(max);
        let outcome = check_any_cut(&line, input.as_bytes(), &cut)?;
        let (frames, fault) = expected_strict(max, input.as_bytes());
        prop_assert_eq!(outcome.frames, frames);
        prop_assert_eq!(outcome.fault, fault);
    }
}

#[test]
fn the_limit_applies_to_the_payload() {
    let too_long = Some(FrameError::LineTooLong { max: 3 });
    let cases: [(&[u8], &[&str], Option<FrameError>); 8] = [
        (b"", &[], None),
        (b"\r\n\r\n", &["", ""], None),
        (b"abc\r\nd", &["abc"], None),
        (b"abc\r", &[], None),
        (b"abcd", &[], too_long),
        (b"abc\r\r", &[], too_long),
        (b"x\r\nabcd\r\ny\r\n", &["x"], too_long),
        (b"a\nb\r\n", &["a\nb"], None),
    ];
    for (input, frames, fault) in cases {
        let outcome = decode(Line::default().len_max(3), &[input]);
        let got: Vec<_> =
            outcome.frames.iter().map(|frame| str::from_utf8(frame).unwrap()).collect();
        assert_eq!(got, frames, "{input:?}");
        assert_eq!(outcome.fault.map(|(error, _)| error), fault, "{input:?}");
    }
}

#[test]
fn a_delimiter_created_at_run_time() {
    let boundary = format!("--{}", 42).into_bytes();
    let outcome = decode(Line::new(boundary), &[b"one--4", b"2two--42"]);
    assert_eq!(outcome.frames, [b"one", b"two"]);
}

#[test]
#[should_panic(expected = "at least one byte")]
fn an_empty_delimiter_panics() {
    let _ = Line::new(b"");
}

#[test]
fn the_largest_limit_does_not_overflow() {
    for line in [Line::default(), Line::lf_or_crlf(), Line::strict_crlf()] {
        let outcome = decode(line.len_max(usize::MAX), &pieces(b"hello\r\nworld\r\n", &[3]));
        assert_eq!(outcome.frames, [b"hello", b"world"]);
    }
}

#[test]
fn lines_longer_than_the_limit_are_not_encoded() {
    let line = Line::default().len_max(3);
    let sent = line.encode(b"abcd", |_| ());
    assert_eq!(sent, Err(EncodeError::FrameTooLong { len: 4, max: 3 }));
    assert_eq!(line.encode(b"abc", |parts| parts.concat()).unwrap(), b"abc\r\n");
}

/// Twisted searches the whole unfinished line again on every read, which costs 5 * 10^11 steps for this input.
#[test]
fn each_byte_is_scanned_once_and_copied_once() {
    let len = 1 << 18;
    let strict = Line::strict_crlf();
    for line in [Line::default(), Line::new(b"\n"), Line::new(b"aab"), Line::lf_or_crlf(), strict] {
        for filler in [b'a', b'\r', b'x'] {
            if line.clone().decode(&[filler; 2]).is_err() {
                continue;
            }
            let (scanned, copied) = work(line.clone().len_max(len), &vec![filler; len]);
            assert_eq!((scanned, copied), (len, len), "{line:?}, {filler:#x}");
        }
    }
}

#[test]
fn many_lines_take_linear_time() {
    let input = b"one\r\ntwo \r three\r\n\r\n".repeat(5_000);
    for cut in [1, 7, 4096, usize::MAX] {
        crate::basic::scan_counter::take();
        let outcome = decode(Line::default(), &pieces(&input, &[cut]));
        assert_eq!(outcome.frames.len(), 15_000);
        assert_eq!(crate::basic::scan_counter::take(), (input.len(), 0), "{cut}");
    }
}
