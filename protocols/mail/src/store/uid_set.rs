//! A set of UIDs as ranges: [`UidSet`]. Pure.

use std::{fmt, ops::RangeInclusive};

use super::Uid;

/// A set of UIDs, kept as ranges: `2,4:7,9` (RFC 9051, `uid-set`). In ascending order; ranges that touch are one.
///
/// Its memory grows with the ranges, not with the UIDs: `1:4294967295` is one range. What a peer sends is therefore bounded by the
/// number of ranges, see [`parse`](Self::parse).
///
/// # Examples
///
/// ```
/// use sinew_mail::store::{Uid, UidSet};
///
/// # fn main() -> Result<(), sinew_mail::store::UidSetError> {
/// let mut uids = UidSet::parse("7:4,2,3", 1_000)?;
/// assert_eq!(uids.to_string(), "2:7");
/// uids.insert(Uid::MIN);
/// assert_eq!((uids.len(), uids.to_string().as_str()), (7, "1:7"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UidSet {
    /// Ascending, with a gap between each two.
    ranges: Vec<(u32, u32)>,
}

/// Why text is no set of UIDs.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UidSetError {
    /// Not numbers and ranges of numbers. `*` is not known here: what it means depends on the mailbox.
    #[error("a set of UIDs is numbers from 1 on, and ranges such as 4:7, with commas between them")]
    Malformed,
    /// It has more ranges than the limit.
    #[error("a set of UIDs has more than {max} ranges")]
    TooLong {
        /// The limit.
        max: usize,
    },
}

sinew_transports::reactor::error_debug!(UidSetError);

impl UidSet {
    /// An empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// All UIDs that there can be.
    #[must_use]
    pub fn all() -> Self {
        Self::from(Uid::MIN..=Uid::MAX)
    }

    /// Reads one, of at most so many ranges. A range may be written either way round.
    ///
    /// # Errors
    ///
    /// [`UidSetError`].
    pub fn parse(text: &str, ranges_max: usize) -> Result<Self, UidSetError> {
        let mut ranges = Vec::new();
        for part in text.split(',') {
            if ranges.len() >= ranges_max {
                return Err(UidSetError::TooLong { max: ranges_max });
            }
            let (from, to) = part.split_once(':').unwrap_or((part, part));
            let (from, to) = (number(from)?, number(to)?);
            ranges.push((from.min(to), from.max(to)));
        }
        Ok(Self::merged(ranges))
    }

    fn merged(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (from, to) in ranges {
            match merged.last_mut() {
                Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        Self { ranges: merged }
    }

    /// Adds a UID. Fast at the end, so collect in ascending order.
    pub fn insert(&mut self, uid: Uid) {
        self.insert_range(uid..=uid);
    }

    /// Adds all of a range; nothing if it is empty.
    pub fn insert_range(&mut self, range: RangeInclusive<Uid>) {
        let (mut from, mut to) = (range.start().get(), range.end().get());
        if from > to {
            return;
        }
        // The ranges that touch the new one become one with it.
        let first = self.ranges.partition_point(|range| range.1.saturating_add(1) < from);
        let end = self.ranges.partition_point(|range| range.0 <= to.saturating_add(1));
        if let Some(touched) = self.ranges.get(first..end)
            && let (Some(lowest), Some(highest)) = (touched.first(), touched.last())
        {
            (from, to) = (from.min(lowest.0), to.max(highest.1));
        }
        self.ranges.splice(first..end.max(first), [(from, to)]);
    }

    /// Whether it has this UID.
    #[must_use]
    pub fn contains(&self, uid: Uid) -> bool {
        let uid = uid.get();
        let at = self.ranges.partition_point(|range| range.1 < uid);
        self.ranges.get(at).is_some_and(|range| range.0 <= uid)
    }

    /// The ranges, ascending, with a gap between each two.
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = RangeInclusive<Uid>> + '_ {
        let uid = |number| Uid::new(number).unwrap_or(Uid::MIN);
        self.ranges.iter().map(move |(from, to)| uid(*from)..=uid(*to))
    }

    /// The UIDs, ascending. There may be four thousand million of them, if a peer has sent the set.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + Clone + '_ {
        self.ranges.iter().flat_map(|(from, to)| (*from..=*to).filter_map(Uid::new))
    }

    /// How many UIDs it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|(from, to)| u64::from(to - from) + 1).sum()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

fn number(text: &str) -> Result<u32, UidSetError> {
    // The standard library would accept a sign.
    if !text.starts_with(|c: char| matches!(c, '1'..='9')) {
        return Err(UidSetError::Malformed);
    }
    text.parse().map_err(|_| UidSetError::Malformed)
}

impl From<Uid> for UidSet {
    fn from(uid: Uid) -> Self {
        Self { ranges: vec![(uid.get(), uid.get())] }
    }
}

impl From<RangeInclusive<Uid>> for UidSet {
    fn from(range: RangeInclusive<Uid>) -> Self {
        let mut set = Self::new();
        set.insert_range(range);
        set
    }
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> Self {
        let mut set = Self::new();
        uids.into_iter().for_each(|uid| set.insert(uid));
        set
    }
}

impl Extend<Uid> for UidSet {
    fn extend<I: IntoIterator<Item = Uid>>(&mut self, uids: I) {
        uids.into_iter().for_each(|uid| self.insert(uid));
    }
}

impl fmt::Display for UidSet {
    /// As IMAP writes it. An empty set, which IMAP cannot write, is empty text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (from, to)) in self.ranges.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match from == to {
                true => write!(f, "{comma}{from}")?,
                false => write!(f, "{comma}{from}:{to}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_and_back() {
        for (text, again, len) in [
            ("1", "1", 1),
            ("1,2,3", "1:3", 3),
            ("5:3,1", "1,3:5", 4),
            ("4294967295,1:4294967295", "1:4294967295", 4_294_967_295),
            ("9,1:2,4:5,3", "1:5,9", 6),
        ] {
            let set = UidSet::parse(text, 10).unwrap();
            assert_eq!((set.to_string().as_str(), set.len()), (again, len));
        }
        for text in ["", ",", "1,", "0", "+1", "1:", "1:2:3", "*", "4294967296", " 1", "1:0"] {
            assert_eq!(UidSet::parse(text, 10), Err(UidSetError::Malformed), "{text}");
        }
        assert_eq!(UidSet::parse("1,3,5", 2), Err(UidSetError::TooLong { max: 2 }));
    }

    proptest! {
        #[test]
        fn it_is_a_set(ranges in prop::collection::vec((1u32..40, 0u32..6), 0..12)) {
            let (mut set, mut model) = (UidSet::new(), BTreeSet::new());
            for (from, len) in ranges {
                let uid = |number| Uid::new(number).unwrap();
                set.insert_range(uid(from)..=uid(from + len));
                model.extend((from..=from + len).map(uid));
                prop_assert_eq!(set.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            }
            prop_assert_eq!(set.len(), model.len() as u64);
            for number in 1..50 {
                let uid = Uid::new(number).unwrap();
                prop_assert_eq!(set.contains(uid), model.contains(&uid));
            }
            if !set.is_empty() {
                prop_assert_eq!(UidSet::parse(&set.to_string(), 100), Ok(set));
            }
        }
    }
}
