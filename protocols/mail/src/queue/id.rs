//! The name of a message in the queue: [`MessageId`].

use std::{fmt, str::FromStr};

/// Most bytes of a name.
const LEN_MAX: usize = 48;

/// The name of a message in a queue: lower-case letters, digits and dashes, so it is also the name of a file, and safe in any line.
///
/// Names sort by the time at which the messages were accepted.
///
/// # Examples
///
/// ```
/// use sinew_mail::queue::MessageId;
///
/// let id: MessageId = "019ad3c5f2e1-0badcafe".parse()?;
/// assert_eq!(id.to_string(), "019ad3c5f2e1-0badcafe");
/// assert!("../etc/passwd".parse::<MessageId>().is_err());
/// # Ok::<(), sinew_mail::queue::NotAMessageId>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Box<str>);

/// The text is not the name of a message.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a message: it has 1 to 48 lower-case letters, digits and dashes")]
pub struct NotAMessageId;

sinew_transports::reactor::error_debug!(NotAMessageId);

impl MessageId {
    /// A new name, of the time in milliseconds since 1970 and a random number.
    pub(crate) fn new(millis: u64, random: u64) -> Self {
        Self(format!("{millis:012x}-{random:016x}").into())
    }

    /// The name of the report of this number about the message: always the same, so that it is not made twice.
    pub(crate) fn of_report(&self, number: u32) -> Self {
        let stem = &self.0[..self.0.len().min(LEN_MAX - 11)];
        Self(format!("{stem}-{number:x}").into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MessageId {
    type Err = NotAMessageId;

    fn from_str(text: &str) -> Result<Self, NotAMessageId> {
        let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        match (1..=LEN_MAX).contains(&text.len()) && text.bytes().all(is_plain) {
            true => Ok(Self(text.into())),
            false => Err(NotAMessageId),
        }
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_names_of_files_and_sort_by_time() {
        let (early, late) = (MessageId::new(1, u64::MAX), MessageId::new(1 << 40, 0));
        assert!(early < late);
        for id in [early.of_report(u32::MAX), late.of_report(0), late, early] {
            assert_eq!(id.as_str().parse(), Ok(id));
        }
        for text in ["", ".", "a/b", "a.mail", "A", "a\0", "a\n", &"x".repeat(49)] {
            assert_eq!(text.parse::<MessageId>(), Err(NotAMessageId), "{text:?}");
        }
    }
}
