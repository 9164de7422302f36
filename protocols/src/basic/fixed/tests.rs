//! Tests of fixed-size frames.

use proptest::prelude::*;

use super::Fixed;
use crate::basic::{
    EncodeError,
    testing::{any_cut, check_any_cut, check_round_trip, work},
};

proptest! {
    #[test]
    fn any_cut_gives_the_same_frames(
        size in 1..20_usize,
        input in prop::collection::vec(any::<u8>(), 0..120),
        cut in any_cut(),
    ) {
        let outcome = check_any_cut(&Fixed::new(size), &input, &cut)?;
        let frames: Vec<_> = input.chunks_exact(size).map(<[u8]>::to_vec).collect();
        prop_assert_eq!(outcome.frames, frames);
        prop_assert_eq!(outcome.fault, None);
    }
}

#[test]
fn only_frames_of_that_size_are_encoded() {
    assert_eq!(check_round_trip(&Fixed::new(3), b"abc"), Ok(()));
    for payload in [b"ab".as_slice(), b"abcd", b""] {
        let len = payload.len();
        assert_eq!(
            check_round_trip(&Fixed::new(3), payload),
            Err(EncodeError::WrongSize { len, size: 3 })
        );
    }
}

#[test]
#[should_panic(expected = "at least one byte")]
fn a_size_of_zero_panics() {
    let _ = Fixed::new(0);
}

#[test]
fn nothing_is_scanned_and_each_byte_copied_once() {
    let len = 1 << 20;
    assert_eq!(work(Fixed::new(len + 1), &vec![b'x'; len]), (0, len));
}
