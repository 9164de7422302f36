//! How much of a name the servers of a zone are shown (RFC 9156): [`Minimiser`]. Pure.
//!
//! A name is asked for label by label, so that the servers of upper zones learn no more than they need to point down. The number of
//! such questions is bounded. Servers that get them wrong, or of which none answers them, are asked for the whole name: some do not answer
//! for names that have no records but names below them.

use std::ops::Range;

/// Maximum questions with a part of the name (RFC 9156, section 2.3, `MAX_MINIMISE_COUNT`).
const COUNT_MAX: usize = 10;

/// How many of them add one label each; the others share the rest (`MINIMISE_ONE_LAB`).
const ONE_LABEL: usize = 4;

/// Where a name is.
#[derive(Debug)]
pub(super) struct Minimiser {
    /// Labels of the whole name.
    total: usize,
    /// Questions that were asked with a part of it.
    count: usize,
    is_wanted: bool,
    is_on: bool,
    /// Whether no server of the zone has answered a part of the name.
    has_failed: bool,
}

impl Minimiser {
    pub(super) const fn new(total: usize, is_wanted: bool) -> Self {
        Self { total, count: 0, is_wanted, is_on: is_wanted, has_failed: false }
    }

    /// How many labels, from the right, to ask for; `known` of them are known to exist.
    pub(super) fn labels(&self, known: usize) -> usize {
        let rest = self.total.saturating_sub(known);
        if !self.is_on || rest <= 1 || self.count >= COUNT_MAX {
            return self.total;
        }
        let step = if self.count < ONE_LABEL { 1 } else { rest.div_ceil(COUNT_MAX - self.count) };
        known + step
    }

    /// A question with a part of the name was asked.
    pub(super) const fn asked(&mut self) {
        self.count += 1;
    }

    /// A server got it wrong: the servers of this zone are asked for the whole name.
    pub(super) const fn give_up(&mut self) {
        self.is_on = false;
    }

    /// No server has answered a part of the name: the servers of this zone are asked for the whole name, for the attempts that are left.
    pub(super) const fn fail(&mut self) {
        self.is_on = false;
        self.has_failed = true;
    }

    /// Which of the attempts to ask each server are for this many labels. Parts have the first; the others are left for the whole name.
    pub(super) fn rounds(&self, labels: usize, attempts: u32) -> Range<u32> {
        if labels < self.total {
            0..1
        } else if self.has_failed && attempts > 1 {
            1..attempts
        } else {
            0..attempts
        }
    }

    /// The servers of another zone are asked.
    pub(super) const fn change_zone(&mut self) {
        self.is_on = self.is_wanted;
        self.has_failed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The labels of each question, if every one is answered.
    fn all(total: usize, mut known: usize) -> Vec<usize> {
        let mut minimiser = Minimiser::new(total, true);
        let mut all = Vec::new();
        loop {
            let labels = minimiser.labels(known);
            all.push(labels);
            if labels == total {
                return all;
            }
            minimiser.asked();
            known = labels;
        }
    }

    #[test]
    fn label_by_label() {
        assert_eq!(all(3, 0), [1, 2, 3]);
        assert_eq!(all(3, 2), [3]);
        assert_eq!(all(0, 0), [0]);
        assert_eq!(all(1, 0), [1]);
    }

    #[test]
    fn at_most_ten() {
        // The name of RFC 9156, section 2.3, has 18 labels.
        assert_eq!(all(18, 0), [1, 2, 3, 4, 7, 10, 12, 14, 16, 18]);
        for total in 0..=127 {
            assert!(all(total, 0).len() <= COUNT_MAX + 1, "{total}");
        }
    }

    #[test]
    fn the_whole_name_after_an_error() {
        let mut minimiser = Minimiser::new(5, true);
        minimiser.give_up();
        assert_eq!(minimiser.labels(1), 5);
        minimiser.change_zone();
        assert_eq!(minimiser.labels(1), 2);
        assert_eq!(Minimiser::new(5, false).labels(0), 5);
    }

    #[test]
    fn the_whole_name_with_the_attempts_that_are_left() {
        for (attempts, of_rest) in [(1, 0..1), (2, 1..2), (5, 1..5)] {
            let mut minimiser = Minimiser::new(5, true);
            assert_eq!(minimiser.rounds(2, attempts), 0..1);
            assert_eq!(minimiser.rounds(5, attempts), 0..attempts);
            minimiser.fail();
            assert_eq!((minimiser.labels(1), minimiser.rounds(5, attempts)), (5, of_rest));
            minimiser.change_zone();
            assert_eq!((minimiser.labels(1), minimiser.rounds(5, attempts)), (2, 0..attempts));
        }
    }
}
