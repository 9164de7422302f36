//! Bytes that are most likely a text: [`IrcText`].

use std::{borrow::Cow, fmt, ops::Deref};

use sinew_transports::reactor::Excerpt;

/// A part of a message: bytes in an encoding that nobody has said, most likely UTF-8. They stay as they are; only where they are
/// displayed, what is not UTF-8 is replaced.
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::codec::IrcText;
///
/// let latin1 = IrcText::new(b"caf\xe9");
/// assert_eq!(latin1.to_string(), "caf\u{fffd}");
/// assert_eq!(latin1.as_bytes(), b"caf\xe9");
/// assert_eq!(IrcText::from("#sinew"), "#sinew");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct IrcText<'a>(&'a [u8]);

impl<'a> IrcText<'a> {
    /// These bytes as a text.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The text, if it is UTF-8.
    #[must_use]
    pub fn to_str(self) -> Option<&'a str> {
        str::from_utf8(self.0).ok()
    }

    /// The text, with what is not UTF-8 replaced.
    #[must_use]
    pub fn to_str_lossy(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.0)
    }
}

impl Deref for IrcText<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0
    }
}

impl AsRef<[u8]> for IrcText<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0
    }
}

impl<'a> From<&'a str> for IrcText<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

impl PartialEq<str> for IrcText<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for IrcText<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

/// What is not UTF-8 is replaced.
impl fmt::Display for IrcText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_str_lossy())
    }
}

impl fmt::Debug for IrcText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Excerpt::new(self.0), f)
    }
}
