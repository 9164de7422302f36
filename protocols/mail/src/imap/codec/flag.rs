//! Flags of messages: [`Flag`].

use std::{fmt, str::FromStr};

use super::{
    Atom, ValueError,
    reader::{Parsed, Reader},
    writer::Writer,
};

/// A flag of a message (RFC 9051 2.3.2). Flags are the same in upper and lower case; keywords are compared as they are written.
///
/// # Examples
///
/// ```
/// use sinew_mail::imap::codec::Flag;
///
/// assert_eq!("\\seen".parse::<Flag>()?, Flag::Seen);
/// assert_eq!(Flag::keyword("$Junk")?.to_string(), "$Junk");
/// assert!(Flag::keyword("two words").is_err());
/// # Ok::<(), sinew_mail::imap::codec::ValueError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Flag {
    /// `\Answered`.
    Answered,
    /// `\Flagged`.
    Flagged,
    /// `\Deleted`: expunged when the client asks for it.
    Deleted,
    /// `\Seen`.
    Seen,
    /// `\Draft`.
    Draft,
    /// `\Recent`: set by the server, for the first session that sees the message.
    Recent,
    /// Another one that a server sets: `\Forwarded`, without the backslash.
    Extension(Atom),
    /// A word of users: `$Forwarded`, `Junk`.
    Keyword(Atom),
    /// `\*`, among the permanent flags: new keywords may be made.
    AnyKeyword,
}

impl Flag {
    /// A keyword.
    ///
    /// # Errors
    ///
    /// [`ValueError`]: it is not an atom.
    pub fn keyword(word: &str) -> Result<Self, ValueError> {
        Atom::try_from(word).map(Self::Keyword)
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        if !reader.eat(b'\\') {
            return reader.atom("a flag").map(|word| Self::Keyword(Atom::of_checked(word)));
        }
        if reader.eat(b'*') {
            return Ok(Self::AnyKeyword);
        }
        let word = reader.atom("a flag")?;
        Ok(Self::system(word).unwrap_or_else(|| Self::Extension(Atom::of_checked(word))))
    }

    fn system(word: &[u8]) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_slice() {
            b"answered" => Self::Answered,
            b"flagged" => Self::Flagged,
            b"deleted" => Self::Deleted,
            b"seen" => Self::Seen,
            b"draft" => Self::Draft,
            b"recent" => Self::Recent,
            _ => return None,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Keyword(word) => writer.raw(word),
            Self::Extension(word) => {
                writer.raw("\\");
                writer.raw(word);
            }
            other => writer.raw(other.name()),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Answered => "\\Answered",
            Self::Flagged => "\\Flagged",
            Self::Deleted => "\\Deleted",
            Self::Seen => "\\Seen",
            Self::Draft => "\\Draft",
            Self::Recent => "\\Recent",
            Self::AnyKeyword => "\\*",
            Self::Extension(_) | Self::Keyword(_) => "",
        }
    }

    /// Flags in parentheses.
    pub(super) fn parse_list(reader: &mut Reader<'_>) -> Parsed<Vec<Self>> {
        reader.list(Self::parse)
    }

    pub(super) fn encode_list(flags: &[Self], writer: &mut Writer) {
        writer.list(flags, |writer, flag| flag.encode(writer));
    }
}

impl FromStr for Flag {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.strip_prefix('\\') {
            Some("*") => Ok(Self::AnyKeyword),
            Some(word) => match Self::system(word.as_bytes()) {
                Some(flag) => Ok(flag),
                None => Atom::try_from(word).map(Self::Extension),
            },
            None => Self::keyword(text),
        }
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyword(word) => word.fmt(f),
            Self::Extension(word) => write!(f, "\\{word}"),
            other => f.write_str(other.name()),
        }
    }
}
