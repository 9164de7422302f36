//! Tests of lines, against the most naive decoders that could be thought of.

use proptest::prelude::*;

use super::Line;
use crate::basic::{
    Decoder, EncodeError, Encoder, FrameError,
    testing::{any_cut, check_any_cut, check_round_trip, decode, input_of, pieces, work},
};

/// What a line decoder must find, by the most naive means: the frames, and where the fault is.
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

/// The same for lines that end in LF or CRLF: cut at LF, take off one CR.
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

/// The same for lines that end in CRLF, in which neither stands alone.
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
    // Some overlap themselves, which is where searches go wrong.
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
    fn any_cut_gives_the_same_lines_of_either_kind(
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
    fn what_is_sent_comes_back(delimiter in delimiters(), payload in input_of(b"ab\r\n.", 12)) {
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
    fn what_is_sent_comes_back_and_holds_neither_cr_nor_lf(payload in input_of(b"aabb\r\n", 12)) {
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
        // Broken ends are so common in this input that few lines are whole: mend most of them.
        let input = String::from_utf8(input).unwrap().replace("a\n", "\r\n").replace("\ra", "\r\n");
        let line = Line::strict_crlf().len_max(max);
        let outcome = check_any_cut(&line, input.as_bytes(), &cut)?;
        let (frames, fault) = expected_strict(max, input.as_bytes());
        prop_assert_eq!(outcome.frames, frames);
        prop_assert_eq!(outcome.fault, fault);
    }
}

#[test]
fn limits_are_those_of_the_payload() {
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
fn a_delimiter_made_at_run_time() {
    let boundary = format!("--{}", 42).into_bytes();
    let outcome = decode(Line::new(boundary), &[b"one--4", b"2two--42"]);
    assert_eq!(outcome.frames, [b"one", b"two"]);
}

#[test]
#[should_panic(expected = "at least one byte")]
fn no_empty_delimiter() {
    let _ = Line::new(b"");
}

#[test]
fn a_limit_of_everything_does_not_overflow() {
    for line in [Line::default(), Line::lf_or_crlf(), Line::strict_crlf()] {
        let outcome = decode(line.len_max(usize::MAX), &pieces(b"hello\r\nworld\r\n", &[3]));
        assert_eq!(outcome.frames, [b"hello", b"world"]);
    }
}

#[test]
fn nothing_longer_than_the_limit_is_sent() {
    let line = Line::default().len_max(3);
    let sent = line.encode(b"abcd", |_| ());
    assert_eq!(sent, Err(EncodeError::FrameTooLong { len: 4, max: 3 }));
    assert_eq!(line.encode(b"abc", |parts| parts.concat()).unwrap(), b"abc\r\n");
}

/// Twisted searches the whole unfinished line again at every read, which makes this input cost half a million million.
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
fn many_lines_cost_what_they_are_long() {
    let input = b"one\r\ntwo \r three\r\n\r\n".repeat(5_000);
    for cut in [1, 7, 4096, usize::MAX] {
        crate::basic::scan_counter::take();
        let outcome = decode(Line::default(), &pieces(&input, &[cut]));
        assert_eq!(outcome.frames.len(), 15_000);
        assert_eq!(crate::basic::scan_counter::take(), (input.len(), 0), "{cut}");
    }
}
