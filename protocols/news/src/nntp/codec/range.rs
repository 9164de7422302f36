//! Which articles a command is about: [`Range`] of numbers, [`ArticleRef`], [`Articles`].

use std::{fmt, str::FromStr};

use super::{MessageId, MessageIdError};

/// Most digits of a number (RFC 3977 6: 16).
const DIGITS_MAX: usize = 16;

/// Article numbers from one to another, both included: `5`, `5-7`, `5-`. It may be empty: `7-5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Range {
    /// The first number.
    pub first: u64,
    /// The last number; `None` without an end.
    pub last: Option<u64>,
}

/// One article: by its number in the selected group, or by its identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArticleRef {
    /// Its number.
    Number(u64),
    /// Its identifier.
    Id(MessageId),
}

/// Articles of OVER and HDR.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Articles {
    /// Those of these numbers in the selected group.
    Range(Range),
    /// That of this identifier.
    Id(MessageId),
}

/// A text is no [`Range`], [`ArticleRef`] or [`Articles`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RangeError {
    /// A number has other characters than digits, none, or more than 16.
    #[error("an article number has 1 to 16 digits")]
    Number,
    /// It begins as an identifier, and is none.
    #[error(transparent)]
    Id(#[from] MessageIdError),
}

sinew_transports::reactor::error_debug!(RangeError);

pub(super) fn number(text: &str) -> Result<u64, RangeError> {
    let is_number =
        (1..=DIGITS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or(RangeError::Number)
}

impl Range {
    /// All numbers.
    #[must_use]
    pub const fn all() -> Self {
        Self { first: 1, last: None }
    }

    /// One number.
    #[must_use]
    pub const fn one(number: u64) -> Self {
        Self { first: number, last: Some(number) }
    }

    /// From one number to another.
    #[must_use]
    pub const fn between(first: u64, last: u64) -> Self {
        Self { first, last: Some(last) }
    }

    /// From this number on.
    #[must_use]
    pub const fn from(first: u64) -> Self {
        Self { first, last: None }
    }

    /// The last number; the largest there is, without an end.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.last.unwrap_or(u64::MAX)
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        Ok(match text.split_once('-') {
            None => Self::one(number(text)?),
            Some((first, "")) => Self::from(number(first)?),
            Some((first, last)) => Self::between(number(first)?, number(last)?),
        })
    }
}

impl FromStr for ArticleRef {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        match text.starts_with('<') {
            true => Ok(Self::Id(text.parse()?)),
            false => Ok(Self::Number(number(text)?)),
        }
    }
}

impl FromStr for Articles {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        match text.starts_with('<') {
            true => Ok(Self::Id(text.parse()?)),
            false => Ok(Self::Range(text.parse()?)),
        }
    }
}

impl From<u64> for ArticleRef {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<MessageId> for ArticleRef {
    fn from(id: MessageId) -> Self {
        Self::Id(id)
    }
}

impl From<Range> for Articles {
    fn from(range: Range) -> Self {
        Self::Range(range)
    }
}

impl From<MessageId> for Articles {
    fn from(id: MessageId) -> Self {
        Self::Id(id)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last {
            Some(last) if last == self.first => write!(f, "{last}"),
            Some(last) => write!(f, "{}-{last}", self.first),
            None => write!(f, "{}-", self.first),
        }
    }
}

impl fmt::Display for ArticleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Id(id) => id.fmt(f),
        }
    }
}

impl fmt::Display for Articles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(range) => range.fmt(f),
            Self::Id(id) => id.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_written() {
        for text in ["5", "5-", "5-7", "0", "9999999999999999-"] {
            assert_eq!(text.parse::<Range>().unwrap().to_string(), text);
        }
        assert_eq!("7-7".parse(), Ok(Range::one(7)));
        for text in ["", "-", "-5", "5-7-9", "a", "+5", "5 ", "99999999999999999", "5--7"] {
            assert_eq!(text.parse::<Range>(), Err(RangeError::Number), "{text:?}");
        }
        assert!(matches!("<a@b>".parse(), Ok(Articles::Id(_))));
        assert!(matches!("<a".parse::<ArticleRef>(), Err(RangeError::Id(_))));
    }
}
