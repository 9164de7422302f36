//! What inputs are drawn with: [`Draw`].

use std::ops::{Bound, RangeBounds};

use fastrand::Rng;

/// Draws numbers, bytes and choices at random, the same ones from the same seed.
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
    /// Everything comes from the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// A number of the range, each as likely.
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
        assert!(range.contains(&least), "a number is drawn from a range that has one");
        self.0.usize(range)
    }

    /// One of them, each as likely.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[track_caller]
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.number(..from.len())]
    }

    /// Bytes, up to so many: any, or mostly such as texts and lengths are made of.
    pub fn bytes(&mut self, len_max: usize) -> Vec<u8> {
        let is_text = self.0.bool();
        (0..self.number(..=len_max))
            .map(|_| if is_text { *self.pick(b"aZ09 ,:\r\n\0\x01\xff") } else { self.0.u8(..) })
            .collect()
    }
}
