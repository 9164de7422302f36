//! Arguments that are safe to place in a line (no line injection): [`Word`], [`Text`], and [`Command`], a line made
//! of them. They are validated once, on construction, so functions that accept them need no check of their own. Pure:
//! no I/O.

use std::{
    borrow::{Borrow, Cow},
    fmt,
    ops::Deref,
};

use bytes::Bytes;

/// Why a value is not a valid argument. Invalid bytes are never removed silently.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// A word must have at least one byte.
    #[error("an empty word")]
    Empty,
    /// The value contains a forbidden byte: CR, LF or NUL; in a word, also any control character or a space.
    #[error("byte {byte:#04x} at {at}, which would end the argument or the line")]
    Forbidden {
        /// The forbidden byte.
        byte: u8,
        /// Its index in the value.
        at: usize,
    },
}

sinew_transports::reactor::error_debug!(ArgumentError);

macro_rules! argument {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Bytes);

        impl $name {
            /// Creates one from a literal in the program. In a constant, the check runs at compile time.
            ///
            /// # Panics
            ///
            /// If `text` is not valid.
            #[must_use]
            pub const fn from_static(text: &'static str) -> Self {
                assert!($check(text.as_bytes()).is_none(), "no argument of this kind");
                Self(Bytes::from_static(text.as_bytes()))
            }

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

            fn checked(bytes: Bytes) -> Result<Self, ArgumentError> {
                match $check(&bytes) {
                    None => Ok(Self(bytes)),
                    Some(error) => Err(error),
                }
            }
        }

        argument!(@from $name, &str => |text| Bytes::copy_from_slice(text.as_bytes()));
        argument!(@from $name, &[u8] => |bytes| Bytes::copy_from_slice(bytes));
        argument!(@from $name, String => |text| text.into());
        argument!(@from $name, Vec<u8> => |bytes| bytes.into());
        argument!(@from $name, Cow<'_, str> => |text| text.into_owned().into());
        argument!(@from $name, Bytes => |bytes| bytes);

        impl Deref for $name {
            type Target = [u8];

            fn deref(&self) -> &[u8] {
                &self.0
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        /// Allows lookups by `&[u8]` in maps with such keys.
        impl Borrow<[u8]> for $name {
            fn borrow(&self) -> &[u8] {
                &self.0
            }
        }

        impl From<$name> for Bytes {
            fn from(argument: $name) -> Self {
                argument.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}(\"{}\")", stringify!($name), self.0.escape_ascii())
            }
        }

        /// Bytes that are not UTF-8 are replaced.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                String::from_utf8_lossy(&self.0).fmt(f)
            }
        }
    };
    (@from $name:ident, $from:ty => $make:expr) => {
        impl TryFrom<$from> for $name {
            type Error = ArgumentError;

            fn try_from(from: $from) -> Result<Self, ArgumentError> {
                let make: fn($from) -> Bytes = $make;
                Self::checked(make(from))
            }
        }
    };
}

argument! {
    /// One word of a line: at least one byte, with no space and no ASCII control character. Non-ASCII bytes are
    /// allowed in any encoding. Cheap to clone.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_protocols::basic::{ArgumentError, Word};
    ///
    /// const JOIN: Word = Word::from_static("JOIN");
    /// let channel = Word::try_from("#sinew")?;
    /// assert_eq!(Word::try_from("#a\r\nQUIT"), Err(ArgumentError::Forbidden { byte: b'\r', at: 2 }));
    /// # drop((JOIN, channel));
    /// # Ok::<(), ArgumentError>(())
    /// ```
    Word, fault_of_word
}

argument! {
    /// The rest of a line: any bytes except CR, LF and NUL; may be empty. Cheap to clone.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_protocols::basic::{ArgumentError, Text};
    ///
    /// let said = Text::try_from("two words, or more".to_owned())?;
    /// assert!(Text::try_from("one\ntwo").is_err());
    /// # drop(said);
    /// # Ok::<(), ArgumentError>(())
    /// ```
    Text, fault_of_text
}

const fn fault_of_word(bytes: &[u8]) -> Option<ArgumentError> {
    if bytes.is_empty() {
        return Some(ArgumentError::Empty);
    }
    let mut at = 0;
    while at < bytes.len() {
        if matches!(bytes[at], 0..=b' ' | 0x7f) {
            return Some(ArgumentError::Forbidden { byte: bytes[at], at });
        }
        at += 1;
    }
    None
}

const fn fault_of_text(bytes: &[u8]) -> Option<ArgumentError> {
    let mut at = 0;
    while at < bytes.len() {
        if matches!(bytes[at], b'\r' | b'\n' | 0) {
            return Some(ArgumentError::Forbidden { byte: bytes[at], at });
        }
        at += 1;
    }
    None
}

impl From<Word> for Text {
    fn from(word: Word) -> Self {
        Self(word.0)
    }
}

impl From<u64> for Word {
    /// In decimal digits.
    fn from(number: u64) -> Self {
        Self(number.to_string().into())
    }
}

/// A line made of a word, more words, and optionally a text, separated by single spaces. It is always exactly one
/// line: [`send_line`](super::FrameTransport::send_line) refuses it only if it is too long.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{ArgumentError, Command, Text, Word};
///
/// fn set(key: &str, value: &str) -> Result<Command, ArgumentError> {
///     let (key, value) = (Word::try_from(key)?, Text::try_from(value)?);
///     Ok(Command::new(&Word::from_static("SET")).word(&key).text(&value))
/// }
///
/// assert_eq!(set("colour", "light blue")?.as_ref(), b"SET colour light blue");
/// assert!(set("colour", "blue\r\nDEL colour").is_err());
/// # Ok::<(), ArgumentError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Command(Vec<u8>);

impl Command {
    /// Starts a line with its first word.
    #[must_use]
    pub fn new(verb: &Word) -> Self {
        Self(verb.to_vec())
    }

    /// Adds a word.
    #[must_use]
    pub fn word(self, word: &Word) -> Self {
        self.and(word)
    }

    /// Adds a text. A text may contain spaces, so it should come last.
    #[must_use]
    pub fn text(self, text: &Text) -> Self {
        self.and(text)
    }

    fn and(mut self, argument: &[u8]) -> Self {
        self.0.push(b' ');
        self.0.extend_from_slice(argument);
        self
    }
}

impl AsRef<[u8]> for Command {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Command> for Text {
    fn from(command: Command) -> Self {
        Self(command.0.into())
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command(\"{}\")", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sinew_transports::Transport;

    use super::*;
    use crate::basic::{Decoded, Decoder, Line, send_line};

    #[test]
    fn every_byte_is_classified() {
        for byte in 0..=u8::MAX {
            let is_text = !matches!(byte, b'\r' | b'\n' | 0);
            let is_word = byte > b' ' && byte != 0x7f;
            let forbidden = Some(ArgumentError::Forbidden { byte, at: 1 });
            let bytes = [b'a', byte];
            assert_eq!(Text::try_from(&bytes[..]).err(), forbidden.filter(|_| !is_text));
            assert_eq!(Word::try_from(&bytes[..]).err(), forbidden.filter(|_| !is_word));
        }
        assert_eq!(Word::try_from(""), Err(ArgumentError::Empty));
        assert!(Text::try_from("").is_ok());
    }

    #[test]
    fn words_convert_from_all_string_types() {
        let word = Word::from_static("wört");
        assert_eq!(Word::try_from("wört".to_owned()), Ok(word.clone()));
        assert_eq!(Word::try_from("wört".as_bytes().to_vec()), Ok(word.clone()));
        assert_eq!(Word::try_from(Cow::from("wört")), Ok(word.clone()));
        assert_eq!(Word::try_from(Bytes::from_static("wört".as_bytes())), Ok(word.clone()));
        assert_eq!((word.as_str(), word.to_string()), (Some("wört"), "wört".to_owned()));
        assert_eq!(format!("{word:?}"), "Word(\"w\\xc3\\xb6rt\")");
        assert_eq!(Word::from(4711).as_bytes(), b"4711");
        let map = std::collections::HashMap::from([(word.clone(), 7)]);
        assert_eq!(map.get("wört".as_bytes()), Some(&7));
        assert_eq!(Text::from(word).as_str(), Some("wört"));
    }

    #[test]
    #[should_panic(expected = "no argument of this kind")]
    fn from_static_panics_on_an_invalid_word() {
        let _ = Word::from_static("two words");
    }

    proptest! {
        /// A command that passes the checks is decoded as exactly one line, by lenient and strict peers alike.
        #[test]
        fn a_command_is_one_line(words in prop::collection::vec(any::<Vec<u8>>(), 1..4), text: Vec<u8>) {
            let words: Vec<_> = words.into_iter().filter_map(|word| Word::try_from(word).ok()).collect();
            let (Some((verb, words)), Ok(text)) = (words.split_first(), Text::try_from(text)) else {
                return Ok(());
            };
            let command = words.iter().fold(Command::new(verb), Command::word).text(&text);
            let (transport, wire) = Transport::memory();
            send_line(&transport, &command).unwrap();
            let sent = wire.sent();
            let len = command.as_ref().len();
            for mut line in [Line::default(), Line::lf_or_crlf(), Line::strict_crlf()] {
                let whole = Decoded::Frame { consumed: len + 2, payload: 0..len };
                prop_assert_eq!(line.decode(&sent), Ok(whole));
            }
            prop_assert_eq!(Line::new(b"\0").decode(&sent), Ok(Decoded::Incomplete));
        }
    }
}
