//! Random input generation for tests: [`Draw`], a seeded generator.

use std::ops::{Bound, RangeBounds};

use fastrand::Rng;

/// Draws random numbers, bytes and choices, reproducibly from a seed.
///
/// # Examples
///
/// ```
/// use sinew_testkit::testing::Draw;
///
/// /// Some lines of a protocol.
/// fn lines(draw: &mut Draw) -> Vec<u8> {
///     let mut input = Vec::new();
///     for _ in 0..draw.number(1..5) {
///         input.extend_from_slice(draw.pick(&["HELP", "LIST", "JOIN #a"]).as_bytes());
///         input.extend_from_slice(b"\r\n");
///     }
///     input
/// }
///
/// assert_eq!(lines(&mut Draw::new(7)), lines(&mut Draw::new(7)));
/// ```
#[derive(Clone, Debug)]
pub struct Draw(Rng);

impl Draw {
    /// A generator with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// A uniformly distributed number of the range.
    ///
    /// # Panics
    ///
    /// If the range is empty.
    #[track_caller]
    pub fn number(&mut self, range: impl RangeBounds<usize>) -> usize {
        let least = match range.start_bound() {
            Bound::Included(first) => *first,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        assert!(range.contains(&least), "cannot draw a number from an empty range");
        self.0.usize(range)
    }

    /// One of the items, uniformly distributed.
    ///
    /// # Panics
    ///
    /// If `from` is empty.
    #[track_caller]
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.number(..from.len())]
    }

    /// Up to `len_max` bytes: half of the time arbitrary, otherwise mostly from an alphabet of text and length bytes.
    pub fn bytes(&mut self, len_max: usize) -> Vec<u8> {
        let is_text = self.0.bool();
        (0..self.number(..=len_max))
            .map(|_| if is_text { *self.pick(b"aZ09 ,:\r\n\0\x01\xff") } else { self.0.u8(..) })
            .collect()
    }
}
