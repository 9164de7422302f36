//! Tests of netstrings against a naive model.

use proptest::prelude::*;

use super::Netstring;
use crate::basic::{
    EncodeError, FrameError,
    testing::{any_cut, check_any_cut, check_round_trip, decode, input_of, pieces, work},
};

/// Naive model of a netstring decoder: the frames, and the error with its offset.
fn expected(max: usize, input: &[u8]) -> (Vec<Vec<u8>>, Option<(FrameError, usize)>) {
    let mut frames = Vec::new();
    let mut start = 0;
    loop {
        let (mut len, mut at) = (0, start);
        loop {
            let Some(&byte) = input.get(at) else {
                return (frames, None);
            };
            let error = match byte {
                b'0'..=b'9' if at > start && input[start] == b'0' => FrameError::LeadingZero,
                b'0'..=b'9' => {
                    len = len * 10 + usize::from(byte - b'0');
                    at += 1;
                    if len <= max {
                        continue;
                    }
                    return (
                        frames,
                        Some((FrameError::FrameTooLong { len: len as u64, max }, at - 1)),
                    );
                }
                b':' if at > start => break,
                found => FrameError::LengthInvalid { found },
            };
            return (frames, Some((error, at)));
        }
        let payload = at + 1;
        match input.get(payload + len) {
            None => return (frames, None),
            Some(b',') => frames.push(input[payload..payload + len].to_vec()),
            Some(&found) => {
                return (frames, Some((FrameError::CommaMissing { found }, payload + len)));
            }
        }
        start = payload + len + 1;
    }
}

/// Netstrings, most of them valid.
fn netstrings() -> impl Strategy<Value = Vec<u8>> {
    let sound = input_of(b"0a,:", 14).prop_map(|payload| {
        let mut netstring = format!("{}:", payload.len()).into_bytes();
        netstring.extend(payload);
        netstring.push(b',');
        netstring
    });
    let any = input_of(b"0123:,a", 4);
    prop::collection::vec(prop_oneof![8 => sound, 1 => any], 0..8).prop_map(|all| all.concat())
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_frames(max in 0..15_usize, input in netstrings(), cut in any_cut()) {
        let outcome = check_any_cut(&Netstring::default().len_max(max), &input, &cut)?;
        let (frames, fault) = expected(max, &input);
        prop_assert_eq!(outcome.frames, frames);
        prop_assert_eq!(outcome.fault, fault);
    }

    #[test]
    fn encoded_frames_decode_as_the_same_frame(payload in prop::collection::vec(any::<u8>(), 0..300)) {
        let netstring = Netstring::default().len_max(200);
        let expected = if payload.len() > 200 {
            Err(EncodeError::FrameTooLong { len: payload.len(), max: 200 })
        } else {
            Ok(())
        };
        prop_assert_eq!(check_round_trip(&netstring, &payload), expected);
    }
}

#[test]
fn errors_are_found_before_the_payload() {
    let cases: [(&[u8], FrameError, usize); 9] = [
        (b":", FrameError::LengthInvalid { found: b':' }, 0),
        (b"a", FrameError::LengthInvalid { found: b'a' }, 0),
        (b"-1:", FrameError::LengthInvalid { found: b'-' }, 0),
        (b"1 :", FrameError::LengthInvalid { found: b' ' }, 1),
        (b"00:,", FrameError::LeadingZero, 1),
        (b"01:a,", FrameError::LeadingZero, 1),
        (b"100000:", FrameError::FrameTooLong { len: 100_000, max: 99_999 }, 5),
        (b"0:x", FrameError::CommaMissing { found: b'x' }, 2),
        (b"3:abcd", FrameError::CommaMissing { found: b'd' }, 5),
    ];
    for (input, error, at) in cases {
        let outcome = decode(Netstring::default(), &pieces(input, &[1]));
        assert_eq!(outcome.fault, Some((error, at)), "{input:?}");
    }
}

#[test]
fn the_longest_lengths_do_not_overflow() {
    let netstring = Netstring::default().len_max(usize::MAX);
    let digits = usize::MAX.to_string();
    let outcome = decode(netstring.clone(), &[digits.as_bytes(), b"0:"]);
    assert!(matches!(outcome.fault, Some((FrameError::FrameTooLong { .. }, 0))), "{outcome:?}");
    let digits = format!("{}:abc", isize::MAX);
    let outcome = decode(netstring, &[digits.as_bytes(), b"def"]);
    assert_eq!((outcome.frames.len(), outcome.fault), (0, None));
}

#[test]
fn only_the_head_is_scanned_and_each_byte_copied_once() {
    let len = 1 << 20;
    let mut input = format!("{len}:").into_bytes();
    let head = input.len();
    input.resize(head + len, b'x');
    let (scanned, copied) = work(Netstring::default().len_max(len), &input);
    assert_eq!((scanned, copied), (head, head + len));
}
