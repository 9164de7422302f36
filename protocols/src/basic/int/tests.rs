//! Tests of length-prefixed frames against a naive model.

use proptest::prelude::*;

use super::{Int, Int8, Int16, Int32};
use crate::basic::{
    EncodeError, FrameError,
    testing::{any_cut, check_any_cut, check_round_trip, decode, input_of, pieces, work},
};

/// Naive model of the decoder: the frames, and the offset of the error.
fn expected<const WIDTH: usize>(
    max: usize,
    input: &[u8],
) -> (Vec<Vec<u8>>, Option<(FrameError, usize)>) {
    let mut frames = Vec::new();
    let mut start = 0;
    while let Some(prefix) = input.get(start..start + WIDTH) {
        let len = prefix.iter().fold(0, |len, &byte| len * 256 + u64::from(byte));
        if len > max as u64 {
            let error = FrameError::FrameTooLong { len, max };
            return (frames, Some((error, start + WIDTH - 1)));
        }
        let payload = start + WIDTH;
        let end = payload + usize::try_from(len).unwrap();
        let Some(payload) = input.get(payload..end) else {
            break;
        };
        frames.push(payload.to_vec());
        start = end;
    }
    (frames, None)
}

fn check<const WIDTH: usize>(max: usize, input: &[u8], cut: &[usize]) -> Result<(), TestCaseError> {
    let outcome = check_any_cut(&Int::<WIDTH>::default().len_max(max), input, cut)?;
    let (frames, fault) = expected::<WIDTH>(max, input);
    prop_assert_eq!(outcome.frames, frames);
    prop_assert_eq!(outcome.fault, fault);
    Ok(())
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_frames(
        max in 0..12_usize,
        // Mostly zeros, since wide prefixes mostly are.
        input in input_of(b"\0\0\0\0\0\x01\x02\x03\x09", 120),
        cut in any_cut(),
    ) {
        check::<1>(max, &input, &cut)?;
        check::<2>(max, &input, &cut)?;
        check::<3>(max, &input, &cut)?;
        check::<4>(max, &input, &cut)?;
        check::<8>(max, &input, &cut)?;
    }

    #[test]
    fn encoded_frames_decode_as_the_same_frame(payload in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(check_round_trip(&Int16::default(), &payload), Ok(()));
        prop_assert_eq!(check_round_trip(&Int32::default(), &payload), Ok(()));
        prop_assert_eq!(check_round_trip(&Int::<3>::default(), &payload), Ok(()));
        prop_assert_eq!(check_round_trip(&Int::<8>::default(), &payload), Ok(()));
        let (len, max) = (payload.len(), 255);
        let expected = if len > max { Err(EncodeError::FrameTooLong { len, max }) } else { Ok(()) };
        prop_assert_eq!(check_round_trip(&Int8::default(), &payload), expected);
    }
}

#[test]
fn an_overlong_frame_is_rejected_at_its_prefix() {
    let (len, max) = (100_000, Int32::LEN_MAX);
    let outcome = decode(Int32::default(), &pieces(b"\0\0\0\0\x00\x01\x86\xa0", &[1]));
    assert_eq!(outcome.frames, [b""]);
    assert_eq!(outcome.fault, Some((FrameError::FrameTooLong { len, max }, 7)));
}

#[test]
fn the_longest_lengths_do_not_overflow() {
    let outcome = decode(Int::<8>::default().len_max(usize::MAX), &[&[0xff; 8]]);
    assert!(matches!(outcome.fault, Some((FrameError::FrameTooLong { len: u64::MAX, .. }, 0))));
    let outcome = decode(Int::<8>::default().len_max(usize::MAX), &[&[0x7f], &[0xff; 30]]);
    assert_eq!((outcome.frames.len(), outcome.fault), (0, None));
}

#[test]
fn frames_beyond_the_prefix_or_the_limit_are_not_encoded() {
    let cases = [(70_000, 65_535, Int16::LEN_MAX), (65_536, 65_535, Int16::LEN_MAX), (11, 10, 10)];
    for (len, max, len_max) in cases {
        let sent = check_round_trip(&Int16::default().len_max(len_max), &vec![0; len]);
        assert_eq!(sent, Err(EncodeError::FrameTooLong { len, max }));
    }
    assert_eq!(check_round_trip(&Int16::default(), &[0; 65_535]), Ok(()));
}

#[test]
fn only_the_prefix_is_scanned_and_each_byte_copied_once() {
    let len = 1 << 20;
    let mut input = 0x10_0000_u32.to_be_bytes().to_vec();
    input.resize(4 + len - 1, b'x');
    let (scanned, copied) = work(Int32::default().len_max(len), &input);
    assert_eq!((scanned, copied), (4, 4 + len - 1));
}
