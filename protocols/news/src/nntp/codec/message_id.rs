//! Message identifiers: [`MessageId`] (RFC 3977 3.6, RFC 5536 3.1.3).

use std::{fmt, str::FromStr, sync::Arc};

/// Longest identifier (RFC 3977 3.6).
const LEN_MAX: usize = 250;

/// The identifier of an article, as `<7fd3.1@news.example.org>`. Cheap to clone.
///
/// # Examples
///
/// ```
/// use sinew_news::nntp::codec::MessageId;
///
/// let id: MessageId = "<1@news.example.org>".parse()?;
/// assert_eq!(id.as_str(), "<1@news.example.org>");
/// assert!("<1@news.example.org>\r\nQUIT".parse::<MessageId>().is_err());
/// # Ok::<(), sinew_news::nntp::codec::MessageIdError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Arc<str>);

/// A text is no [`MessageId`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a message identifier has 3 to 250 printable characters, the first <, the last >, and no other of these"
)]
#[non_exhaustive]
pub struct MessageIdError;

sinew_transports::reactor::error_debug!(MessageIdError);

impl MessageId {
    /// The identifier, with its angle brackets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MessageId {
    type Err = MessageIdError;

    fn from_str(text: &str) -> Result<Self, MessageIdError> {
        let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
        let inner = inner.ok_or(MessageIdError)?;
        let is_plain = |byte: u8| (b'!'..=b'~').contains(&byte) && byte != b'<' && byte != b'>';
        match text.len() <= LEN_MAX && !inner.is_empty() && inner.bytes().all(is_plain) {
            true => Ok(Self(text.into())),
            false => Err(MessageIdError),
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
    fn only_identifiers_are_identifiers() {
        let long = |len: usize| format!("<{}>", "x".repeat(len - 2));
        for (text, is_right) in [
            ("<a@b>", true),
            ("<a>", true),
            ("<>", false),
            ("a@b", false),
            ("<a@b", false),
            ("<a b@c>", false),
            ("<a<b@c>", false),
            ("<a>b@c>", false),
            ("<a\tb>", false),
            ("<a\r\n>", false),
            ("<\u{e4}@b>", false),
            ("", false),
            ("<", false),
            (long(250).as_str(), true),
            (long(251).as_str(), false),
        ] {
            assert_eq!(text.parse::<MessageId>().is_ok(), is_right, "{text:?}");
        }
    }
}
