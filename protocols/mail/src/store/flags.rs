//! Flags of messages: [`SystemFlag`], [`Keyword`], and sets of both, [`Flags`]. Pure.

use std::{fmt, str::FromStr, sync::Arc};

/// A flag that IMAP defines (RFC 9051 2.3.2). `\Recent` is not among them: nobody can set it, see
/// [`claim_recent`](super::Mailbox::claim_recent).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SystemFlag {
    /// It was read.
    Seen,
    /// It was answered.
    Answered,
    /// It is marked for attention.
    Flagged,
    /// The next EXPUNGE removes it.
    Deleted,
    /// It is not finished.
    Draft,
}

/// A flag that users make up, or that is registered (`$Forwarded`): an atom of IMAP of at most [`Keyword::LEN_MAX`] bytes, which does
/// not begin with `\`. Letters of either case are the same (RFC 5788 2).
#[derive(Clone)]
pub struct Keyword(Arc<str>);

/// Why text is no keyword.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeywordError {
    /// It is empty, or has a character that an atom of IMAP cannot have.
    #[error("a keyword is printable ASCII without spaces and any of ( ) {{ % * \" \\ ]")]
    Malformed,
    /// It is too long.
    #[error("a keyword has at most {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
}

sinew_transports::reactor::error_debug!(KeywordError);

/// The flags of a message: of the system, and keywords.
///
/// # Examples
///
/// ```
/// use sinew_mail::store::{Flags, SystemFlag};
///
/// # fn main() -> Result<(), sinew_mail::store::KeywordError> {
/// let flags = Flags::from(SystemFlag::Seen).with_keyword("$Forwarded".parse()?);
/// assert!(flags.contains(SystemFlag::Seen) && flags.has_keyword(&"$FORWARDED".parse()?));
/// assert_eq!(flags.to_string(), r"\Seen $Forwarded");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    system: u8,
    /// Ascending without regard to case.
    keywords: Vec<Keyword>,
}

/// What to do with the flags of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlagChange {
    /// They have these and no others.
    Replace(Flags),
    /// They have these, too.
    Add(Flags),
    /// They do not have these.
    Remove(Flags),
}

impl SystemFlag {
    /// All, in the order of their bits.
    pub const ALL: [Self; 5] =
        [Self::Seen, Self::Answered, Self::Flagged, Self::Deleted, Self::Draft];

    /// As IMAP writes it, with the `\`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seen => r"\Seen",
            Self::Answered => r"\Answered",
            Self::Flagged => r"\Flagged",
            Self::Deleted => r"\Deleted",
            Self::Draft => r"\Draft",
        }
    }

    pub(super) const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for SystemFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Keyword {
    /// Most bytes of a keyword.
    pub const LEN_MAX: usize = 64;

    /// As it was first written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Keyword {
    type Err = KeywordError;

    fn from_str(text: &str) -> Result<Self, KeywordError> {
        if text.len() > Self::LEN_MAX {
            return Err(KeywordError::TooLong { max: Self::LEN_MAX });
        }
        // RFC 9051, ATOM-CHAR.
        let is_atom_char =
            |byte: u8| byte.is_ascii_graphic() && memchr::memchr(byte, b"(){%*\"\\]").is_none();
        if text.is_empty() || !text.bytes().all(is_atom_char) {
            return Err(KeywordError::Malformed);
        }
        Ok(Self(text.into()))
    }
}

impl PartialEq for Keyword {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Keyword {}

impl PartialOrd for Keyword {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Keyword {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let lower = |keyword: &Self| keyword.0.to_ascii_lowercase();
        lower(self).cmp(&lower(other))
    }
}

impl fmt::Debug for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Flags {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { system: 0, keywords: Vec::new() }
    }

    /// With this one, too.
    #[must_use]
    pub fn with(mut self, flag: SystemFlag) -> Self {
        self.system |= flag.bit();
        self
    }

    /// With this one, too.
    #[must_use]
    pub fn with_keyword(mut self, keyword: Keyword) -> Self {
        if let Err(at) = self.keywords.binary_search(&keyword) {
            self.keywords.insert(at, keyword);
        }
        self
    }

    /// Whether this one is among them.
    #[must_use]
    pub const fn contains(&self, flag: SystemFlag) -> bool {
        self.system & flag.bit() != 0
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn has_keyword(&self, keyword: &Keyword) -> bool {
        self.keywords.binary_search(keyword).is_ok()
    }

    /// Those of the system.
    pub fn system(&self) -> impl Iterator<Item = SystemFlag> + '_ {
        SystemFlag::ALL.into_iter().filter(|flag| self.contains(*flag))
    }

    /// The keywords, ascending.
    #[must_use]
    pub fn keywords(&self) -> &[Keyword] {
        &self.keywords
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.system == 0 && self.keywords.is_empty()
    }

    pub(super) const fn bits(&self) -> u8 {
        self.system
    }

    pub(super) fn from_bits(system: u8, mut keywords: Vec<Keyword>) -> Self {
        keywords.sort_unstable();
        Self { system, keywords }
    }
}

impl From<SystemFlag> for Flags {
    fn from(flag: SystemFlag) -> Self {
        Self::new().with(flag)
    }
}

impl FromIterator<SystemFlag> for Flags {
    fn from_iter<I: IntoIterator<Item = SystemFlag>>(flags: I) -> Self {
        flags.into_iter().fold(Self::new(), Self::with)
    }
}

impl fmt::Display for Flags {
    /// As IMAP writes them, without the parentheses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        for flag in self.system() {
            write!(f, "{space}{flag}")?;
            space = " ";
        }
        for keyword in &self.keywords {
            write!(f, "{space}{keyword}")?;
            space = " ";
        }
        Ok(())
    }
}

impl FlagChange {
    /// The flags that it names.
    #[must_use]
    pub const fn flags(&self) -> &Flags {
        match self {
            Self::Replace(flags) | Self::Add(flags) | Self::Remove(flags) => flags,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_cannot_break_out() {
        for text in ["", "a b", "a\r\n", "\\Seen", "a(", "a]", "ä", "a\0", "%", "*", "\"", "{"] {
            assert_eq!(text.parse::<Keyword>(), Err(KeywordError::Malformed), "{text:?}");
        }
        let long = "k".repeat(65);
        assert_eq!(long.parse::<Keyword>(), Err(KeywordError::TooLong { max: 64 }));
        for text in ["$Forwarded", "a", "NonJunk", "[", "}", "~+-'"] {
            assert_eq!(text.parse::<Keyword>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn keywords_are_the_same_in_either_case() {
        let keyword = |text: &str| text.parse::<Keyword>().unwrap();
        let flags = Flags::new().with_keyword(keyword("b")).with_keyword(keyword("A"));
        let flags = flags.with_keyword(keyword("B")).with(SystemFlag::Draft);
        assert_eq!(flags.to_string(), r"\Draft A b");
        assert!(flags.has_keyword(&keyword("a")) && !flags.has_keyword(&keyword("c")));
    }
}
