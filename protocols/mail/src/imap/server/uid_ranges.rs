//! Sets of UIDs as clients send them, and what two sets have in common. Pure, and linear in the number of ranges.

use crate::store::{Uid, UidSet};

/// The UIDs in ranges, up to the last one that may be.
pub(super) fn uid_set(ranges: impl Iterator<Item = (u32, u32)>, last: u32) -> UidSet {
    let mut ranges: Vec<_> = ranges.map(|(from, to)| (from, to.min(last))).collect();
    ranges.sort_unstable();
    let mut uids = UidSet::new();
    for (from, to) in ranges {
        if let (Some(from), Some(to)) = (Uid::new(from), Uid::new(to)) {
            uids.insert_range(from..=to);
        }
    }
    uids
}

/// The first of the ranges of a set.
pub(super) fn first_ranges(set: &UidSet, max: usize) -> UidSet {
    let mut first = UidSet::new();
    set.ranges().take(max).for_each(|range| first.insert_range(range));
    first
}

/// What is in both sets.
pub(super) fn intersection(one: &UidSet, other: &UidSet) -> UidSet {
    let mut both = UidSet::new();
    let mut others = other.ranges().peekable();
    for range in one.ranges() {
        while let Some(other) = others.peek() {
            let (from, to) = (*range.start().max(other.start()), *range.end().min(other.end()));
            if from <= to {
                both.insert_range(from..=to);
            }
            // This one may go on in the next range.
            if other.end() > range.end() {
                break;
            }
            others.next();
        }
    }
    both
}

/// What is in `set` and not in `taken`.
pub(super) fn difference(set: &UidSet, taken: &UidSet) -> UidSet {
    let mut left = UidSet::new();
    let mut add = |from: u32, to: u32| {
        if let (Some(from), Some(to)) = (Uid::new(from), Uid::new(to)) {
            left.insert_range(from..=to);
        }
    };
    let both = intersection(set, taken);
    let mut both = both.ranges().peekable();
    for range in set.ranges() {
        let (mut from, end) = (u64::from(range.start().get()), range.end().get());
        while let Some(taken) = both.next_if(|taken| taken.start() <= range.end()) {
            let before = taken.start().get() - 1;
            add(u32::try_from(from).unwrap_or(u32::MAX), before);
            from = u64::from(taken.end().get()) + 1;
        }
        if let Ok(from) = u32::try_from(from) {
            add(from, end);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_and_intersections() {
        let set = |text: &str| {
            if text.is_empty() { UidSet::new() } else { UidSet::parse(text, 100).unwrap() }
        };
        for (from, taken, left) in [
            ("1:10", "3:4", "1:2,5:10"),
            ("1:10", "", "1:10"),
            ("1:10", "1:10", ""),
            ("1:10", "5:4294967295", "1:4"),
            ("1:4294967295", "4294967295", "1:4294967294"),
            ("1:2,5:6", "2,5", "1,6"),
            ("3", "1:2,4", "3"),
        ] {
            let both = intersection(&set(from), &set(taken));
            assert_eq!(difference(&set(from), &both).to_string(), left, "{from} without {taken}");
            assert_eq!(
                difference(&set(from), &set(taken)).to_string(),
                left,
                "{from} without {taken}"
            );
        }
    }
}
