//! Checked words: [`Tag`], [`Atom`], [`AString`].

use std::fmt;

use bytes::Bytes;

use super::{
    ValueError,
    reader::{is_astring, is_atom},
};

macro_rules! checked {
    ($(#[$doc:meta])* $name:ident, $what:literal, $is_part:expr, $may_be_empty:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Bytes);

        impl $name {
            /// The bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }

            /// The text, if it is UTF-8.
            #[must_use]
            pub fn as_str(&self) -> Option<&str> {
                str::from_utf8(&self.0).ok()
            }

            /// Whether it is this text, in upper or lower case.
            #[must_use]
            pub fn is(&self, text: &str) -> bool {
                self.0.eq_ignore_ascii_case(text.as_bytes())
            }

            fn checked(bytes: Bytes) -> Result<Self, ValueError> {
                let is_part: fn(u8) -> bool = $is_part;
                if bytes.is_empty() && !$may_be_empty {
                    return Err(ValueError::Empty { what: $what });
                }
                match bytes.iter().position(|byte| !is_part(*byte)) {
                    Some(at) => Err(ValueError::Forbidden { what: $what, byte: bytes[at], at }),
                    None => Ok(Self(bytes)),
                }
            }
        }

        impl TryFrom<Bytes> for $name {
            type Error = ValueError;

            fn try_from(bytes: Bytes) -> Result<Self, ValueError> {
                Self::checked(bytes)
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = ValueError;

            fn try_from(bytes: &[u8]) -> Result<Self, ValueError> {
                Self::checked(Bytes::copy_from_slice(bytes))
            }
        }

        impl TryFrom<&str> for $name {
            type Error = ValueError;

            fn try_from(text: &str) -> Result<Self, ValueError> {
                Self::checked(Bytes::copy_from_slice(text.as_bytes()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = ValueError;

            fn try_from(text: String) -> Result<Self, ValueError> {
                Self::checked(text.into())
            }
        }

        impl std::str::FromStr for $name {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, ValueError> {
                Self::try_from(text)
            }
        }

        impl From<$name> for Bytes {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}(\"{}\")", stringify!($name), self.0.escape_ascii())
            }
        }

        /// As it is, if all of it is printable ASCII; else bytes are escaped.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let is_printable = self.0.iter().all(|byte| matches!(byte, b' '..=b'~'));
                match self.as_str() {
                    Some(text) if is_printable => f.write_str(text),
                    _ => self.0.escape_ascii().fmt(f),
                }
            }
        }
    };
}

checked! {
    /// What a client puts before a command, and a server before the answer to it.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_mail::imap::codec::Tag;
    ///
    /// let tag: Tag = "a001".parse()?;
    /// assert!("a+".parse::<Tag>().is_err() && "a b".parse::<Tag>().is_err());
    /// # drop(tag);
    /// # Ok::<(), sinew_mail::imap::codec::ValueError>(())
    /// ```
    Tag, "a tag", |byte| is_astring(byte) && byte != b'+', false
}

checked! {
    /// A word without spaces and quotes: the name of a capability, a keyword, a mechanism.
    Atom, "an atom", is_atom, false
}

checked! {
    /// A string in a command: any bytes but NUL. How it is written (as an atom, quoted, as a literal) depends on what is in it.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_mail::imap::codec::AString;
    ///
    /// let subject: AString = "two words\r\nand a line".parse()?; // becomes a literal
    /// assert!(AString::try_from("a\0b").is_err());
    /// # drop(subject);
    /// # Ok::<(), sinew_mail::imap::codec::ValueError>(())
    /// ```
    AString, "a string", |byte| byte != 0, true
}

impl Tag {
    /// The tag at the front of a line, if there is one: before the first space.
    #[must_use]
    pub fn at_front(line: &[u8]) -> Option<Self> {
        let end = line.iter().position(|byte| matches!(byte, b' ' | b'\r' | b'\n'));
        Self::try_from(&line[..end.unwrap_or(line.len())]).ok()
    }

    /// A tag of a letter and a number, as clients make them.
    #[must_use]
    pub fn numbered(letter: char, number: u64) -> Self {
        let letter = if letter.is_ascii_alphanumeric() { letter } else { 'a' };
        Self(format!("{letter}{number}").into())
    }
}

impl Atom {
    /// One that is written in the program.
    ///
    /// # Panics
    ///
    /// If it is not an atom.
    #[must_use]
    pub fn from_static(text: &'static str) -> Self {
        assert!(!text.is_empty() && text.bytes().all(is_atom), "{text:?} is no atom");
        Self(Bytes::from_static(text.as_bytes()))
    }

    pub(super) fn of_checked(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }
}

impl AString {
    /// The same without a check, of what a parser has read.
    pub(super) fn of_parsed(bytes: Bytes) -> Self {
        Self(bytes)
    }
}
