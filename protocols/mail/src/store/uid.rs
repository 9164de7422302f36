//! The numbers of IMAP: [`Uid`], [`UidValidity`] and [`ModSeq`].

use std::{fmt, num::NonZeroU32};

/// The number of a message in its mailbox (RFC 9051 2.3.1.1): never used again, and ascending in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(NonZeroU32);

/// Says whether the UIDs of a mailbox are still those that were seen before (RFC 9051 2.3.1.1). If it changes, they are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UidValidity(NonZeroU32);

/// The number of the last change of a message, or of a mailbox (RFC 7162). Ascending; at most 2⁶³ − 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModSeq(u64);

impl Uid {
    /// The first.
    pub const MIN: Self = Self(NonZeroU32::MIN);

    /// The largest. No message gets it, so that there is always a next one.
    pub const MAX: Self = Self(NonZeroU32::MAX);

    /// `None` for zero.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The next, unless this is the largest.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(next) => Some(Self(next)),
            None => None,
        }
    }
}

impl UidValidity {
    /// `None` for zero.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// One for a new mailbox: the seconds since 1970, or one more than the last that was given out, if that is larger. So none is given
    /// out twice as long as `last` is remembered, and hardly one if it was lost.
    #[must_use]
    pub fn after(last: Option<Self>, seconds: u64) -> Self {
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        let next = last.map_or(1, |last| last.get().saturating_add(1));
        Self(NonZeroU32::new(seconds.max(next)).unwrap_or(NonZeroU32::MIN))
    }
}

impl ModSeq {
    /// That of a mailbox in which nothing has happened yet. It is never that of a message, and zero is none at all (RFC 7162 3.1.2.1).
    pub const MIN: Self = Self(1);

    /// Of no message: a mark.
    pub(super) const ZERO: Self = Self(0);

    /// The largest.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// `None` if it is larger than [`MAX`](Self::MAX).
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        if number <= Self::MAX.0 { Some(Self(number)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The next. It stays at the largest, which no mailbox lives to see.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 < Self::MAX.0 { Self(self.0 + 1) } else { self }
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for UidValidity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ModSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validity_is_larger_than_the_last() {
        let number = |last, seconds| UidValidity::after(last, seconds).get();
        assert_eq!(number(None, 1_700_000_000), 1_700_000_000);
        assert_eq!(number(UidValidity::new(1_700_000_000), 1_700_000_000), 1_700_000_001);
        assert_eq!(number(UidValidity::new(7), 0), 8);
        assert_eq!(number(None, 0), 1);
        assert_eq!(number(None, u64::MAX), u32::MAX);
    }

    #[test]
    fn numbers_end() {
        assert_eq!(Uid::MAX.next(), None);
        assert_eq!(Uid::new(0), None);
        assert_eq!(ModSeq::new(1 << 63), None);
        assert_eq!(ModSeq::MAX.next(), ModSeq::MAX);
    }
}
