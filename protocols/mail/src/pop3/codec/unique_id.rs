//! The identity of a message in its maildrop: [`UniqueId`] (RFC 1939 7, UIDL).

use std::{fmt, str::FromStr};

use sinew_protocols::basic::Word;

/// Most characters of one (RFC 1939 7).
const LEN_MAX: usize = 70;

/// What identifies a message of a maildrop across sessions: 1 to 70 printable ASCII characters. Cheap to clone.
///
/// A server never gives the same one to two messages of a maildrop, also if the first is gone.
///
/// # Examples
///
/// ```
/// use sinew_mail::pop3::codec::UniqueId;
///
/// let id: UniqueId = "QhdPYR:00WBw1Ph7x7".parse()?;
/// assert_eq!(id.as_str(), "QhdPYR:00WBw1Ph7x7");
/// assert!("two words".parse::<UniqueId>().is_err());
/// # Ok::<(), sinew_mail::pop3::codec::UniqueIdError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniqueId(Word);

/// Why a text is not a [`UniqueId`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a unique id of a message has 1 to 70 printable ASCII characters")]
#[non_exhaustive]
pub struct UniqueIdError;

sinew_transports::reactor::error_debug!(UniqueIdError);

impl UniqueId {
    /// Two numbers, with a dot between them.
    pub(crate) fn of_numbers(first: u32, second: u32) -> Self {
        Self(Word::try_from(format!("{first}.{second}")).expect("digits and a dot are a word"))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // It was checked to be ASCII.
        self.0.as_str().unwrap_or_default()
    }
}

impl FromStr for UniqueId {
    type Err = UniqueIdError;

    fn from_str(text: &str) -> Result<Self, UniqueIdError> {
        if text.len() > LEN_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UniqueIdError);
        }
        Word::try_from(text).map(Self).map_err(|_| UniqueIdError)
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UniqueId({})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unique_ids_have_the_form_of_the_rfc() {
        let longest = "x".repeat(70);
        for (text, is_valid) in [
            ("a", true),
            ("!~", true),
            (longest.as_str(), true),
            ("", false),
            ("a b", false),
            ("a\r\n", false),
            ("\u{e4}", false),
            (&format!("{longest}x"), false),
        ] {
            assert_eq!(text.parse::<UniqueId>().is_ok(), is_valid, "{text:?}");
        }
    }
}
