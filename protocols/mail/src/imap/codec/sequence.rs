//! Sets of numbers of messages: [`SequenceSet`].

use std::{fmt, str::FromStr};

use super::{
    ValueError,
    reader::{Parsed, Reader},
    writer::Writer,
};

/// A set of sequence numbers or of UIDs: `1:5,8,10:*`. It is never empty, and its numbers are not 0.
///
/// # Examples
///
/// ```
/// use sinew_mail::imap::codec::SequenceSet;
///
/// let set: SequenceSet = "5:3,8".parse()?;
/// assert_eq!(set.ranges(100).collect::<Vec<_>>(), [(3, 5), (8, 8)]);
/// assert_eq!(SequenceSet::of_sorted([1, 2, 3, 7]).expect("there are some").to_string(), "1:3,7");
/// let all: SequenceSet = "1:*".parse()?;
/// assert_eq!(all.ranges(12).collect::<Vec<_>>(), [(1, 12)]);
/// # Ok::<(), sinew_mail::imap::codec::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SequenceSet(Vec<(SequenceNumber, SequenceNumber)>);

/// A number in a [`SequenceSet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SequenceNumber {
    /// This one.
    Number(u32),
    /// `*`: the largest there is.
    Last,
}

impl SequenceNumber {
    /// The number, if the largest one is this.
    #[must_use]
    pub const fn value(self, last: u32) -> u32 {
        match self {
            Self::Number(number) => number,
            Self::Last => last,
        }
    }
}

impl SequenceSet {
    /// `1:*`.
    #[must_use]
    pub fn all() -> Self {
        Self(vec![(SequenceNumber::Number(1), SequenceNumber::Last)])
    }

    /// One number. `None` for 0.
    #[must_use]
    pub fn one(number: u32) -> Option<Self> {
        Self::range(number, number)
    }

    /// From one number to another one. `None` if one of them is 0.
    #[must_use]
    pub fn range(from: u32, to: u32) -> Option<Self> {
        let is_good = from != 0 && to != 0;
        is_good.then(|| Self(vec![(SequenceNumber::Number(from), SequenceNumber::Number(to))]))
    }

    /// From a number to the last one. `None` for 0.
    #[must_use]
    pub fn from(number: u32) -> Option<Self> {
        (number != 0).then(|| Self(vec![(SequenceNumber::Number(number), SequenceNumber::Last)]))
    }

    /// Numbers, which are best in ascending order, as ranges. `None` if there are none, or one is 0.
    #[must_use]
    pub fn of_sorted(numbers: impl IntoIterator<Item = u32>) -> Option<Self> {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for number in numbers {
            if number == 0 {
                return None;
            }
            match ranges.last_mut() {
                Some((_, to)) if to.checked_add(1) == Some(number) => *to = number,
                _ => ranges.push((number, number)),
            }
        }
        Self::of_ranges(ranges)
    }

    /// Ranges, from one number to another one. `None` if there are none, or a number is 0.
    #[must_use]
    pub fn of_ranges(ranges: impl IntoIterator<Item = (u32, u32)>) -> Option<Self> {
        let number = |number| (number != 0).then_some(SequenceNumber::Number(number));
        let ranges: Option<Vec<_>> =
            ranges.into_iter().map(|(from, to)| Some((number(from)?, number(to)?))).collect();
        ranges.filter(|ranges| !ranges.is_empty()).map(Self)
    }

    /// The ranges as they were written.
    #[must_use]
    pub fn parts(&self) -> &[(SequenceNumber, SequenceNumber)] {
        &self.0
    }

    /// The ranges, each in ascending order, where `*` is this number. They may overlap. Never expand a range of numbers that a peer
    /// has sent: it may have four billion.
    pub fn ranges(&self, last: u32) -> impl Iterator<Item = (u32, u32)> {
        self.0.iter().map(move |(from, to)| {
            let (from, to) = (from.value(last), to.value(last));
            (from.min(to), from.max(to))
        })
    }

    /// Whether a number is in it, where `*` is `last`.
    #[must_use]
    pub fn contains(&self, number: u32, last: u32) -> bool {
        self.ranges(last).any(|(from, to)| (from..=to).contains(&number))
    }

    /// How many numbers it has, where `*` is `last` and numbers that are there twice are counted twice.
    #[must_use]
    pub fn count(&self, last: u32) -> u64 {
        self.ranges(last).map(|(from, to)| u64::from(to - from) + 1).sum()
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let mut ranges = Vec::new();
        loop {
            let from = Self::parse_number(reader)?;
            let to = if reader.eat(b':') { Self::parse_number(reader)? } else { from };
            ranges.push((from, to));
            if !reader.eat(b',') {
                return Ok(Self(ranges));
            }
        }
    }

    fn parse_number(reader: &mut Reader<'_>) -> Parsed<SequenceNumber> {
        if reader.eat(b'*') {
            return Ok(SequenceNumber::Last);
        }
        reader.nz_number().map(SequenceNumber::Number)
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.raw(self.to_string());
    }
}

/// Sorted ranges that do not overlap: a client may send a million that do.
pub(crate) fn merged_ranges(ranges: impl Iterator<Item = (u32, u32)>) -> Vec<(u32, u32)> {
    let mut ranges: Vec<_> = ranges.collect();
    ranges.sort_unstable();
    ranges.dedup_by(|next, last| {
        let is_merged = next.0 <= last.1.saturating_add(1);
        if is_merged {
            last.1 = last.1.max(next.1);
        }
        is_merged
    });
    ranges
}

impl FromStr for SequenceSet {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let message = super::Message::new(text);
        let mut reader = Reader::of_command(&message, super::Dialect::default());
        let set = Self::parse(&mut reader).and_then(|set| reader.end().map(|()| set));
        set.map_err(|_| ValueError::Form { what: "a set of numbers" })
    }
}

impl fmt::Display for SequenceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (from, to)) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            from.fmt(f)?;
            if from != to {
                f.write_str(":")?;
                to.fmt(f)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Last => f.write_str("*"),
        }
    }
}

impl fmt::Debug for SequenceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SequenceSet({self})")
    }
}
