//! A message to be sent: [`MessageBuf`], which can only hold one message.

use std::fmt;

use bytes::Bytes;
use memchr::memchr3;

use super::{
    IrcText, escape_tag,
    irc_line::{CLIENT_TAGS_MAX, MESSAGE_MAX},
    message::PARAMETERS_MAX,
};

/// Why something cannot be a part of a message. Nothing is ever removed or replaced.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// CR, LF or NUL would end the message; a space, or a control character in a command or in the key of a tag, the part of it.
    #[error("byte {byte:#04x} at {at}, which would end the message or the part of it")]
    Forbidden {
        /// The byte.
        byte: u8,
        /// Its index.
        at: usize,
    },
    /// An empty parameter can only be the last one.
    #[error("an empty word")]
    Empty,
    /// Only the last parameter may begin with a colon.
    #[error("a colon at the beginning of a parameter which is not the last one")]
    Colon,
    /// A message has at most 15 parameters, and none behind a text.
    #[error("a parameter too many, or one behind the last")]
    TooManyParameters,
    /// The message is longer than 512 bytes with its line end, or its tags are too long.
    #[error("{len} bytes, of which at most {max} are allowed")]
    TooLong {
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
}

sinew_transports::reactor::error_debug!(BuildError);

/// A message that is checked part by part as it is put together, so that it is exactly one message.
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::codec::{BuildError, MessageBuf};
///
/// let topic = MessageBuf::new("TOPIC")?.param("#sinew")?.text("What is new?")?;
/// assert_eq!(topic.encode()?.as_ref(), b"TOPIC #sinew :What is new?\r\n");
/// let injected = MessageBuf::new("JOIN")?.param("#a\r\nQUIT");
/// assert_eq!(injected.unwrap_err(), BuildError::Forbidden { byte: b'\r', at: 2 });
/// # Ok::<(), BuildError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct MessageBuf {
    tags: Vec<u8>,
    body: Vec<u8>,
    params: usize,
    is_ended: bool,
}

impl MessageBuf {
    /// A message with this command: letters or digits.
    ///
    /// # Errors
    ///
    /// [`BuildError`].
    pub fn new(command: &str) -> Result<Self, BuildError> {
        word(command.as_bytes(), u8::is_ascii_alphanumeric)?;
        let body = command.as_bytes().to_vec();
        Ok(Self { tags: Vec::new(), body, params: 0, is_ended: false })
    }

    /// Adds a parameter: a word.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: it is empty, has a space, or begins with a colon.
    pub fn param(mut self, param: impl AsRef<[u8]>) -> Result<Self, BuildError> {
        let param = param.as_ref();
        word(param, |byte| !matches!(byte, 0 | b'\r' | b'\n' | b' '))?;
        if param[0] == b':' {
            return Err(BuildError::Colon);
        }
        self.count()?;
        self.body.push(b' ');
        self.body.extend_from_slice(param);
        Ok(self)
    }

    /// Adds the last parameter: any text, which may be empty.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: it has CR, LF or NUL.
    pub fn text(mut self, text: impl AsRef<[u8]>) -> Result<Self, BuildError> {
        let text = text.as_ref();
        check_line(text)?;
        self.count()?;
        self.is_ended = true;
        self.body.extend_from_slice(b" :");
        self.body.extend_from_slice(text);
        Ok(self)
    }

    /// Adds a tag, whose value is escaped as needed.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: the key has other characters than a key may have, or the value has NUL.
    pub fn tag(mut self, key: &str, value: impl AsRef<[u8]>) -> Result<Self, BuildError> {
        word(key.as_bytes(), |byte| byte.is_ascii_alphanumeric() || b"-./+".contains(byte))?;
        let value = value.as_ref();
        if let Some(at) = value.iter().position(|byte| *byte == 0) {
            return Err(BuildError::Forbidden { byte: 0, at });
        }
        self.tags.push(if self.tags.is_empty() { b'@' } else { b';' });
        self.tags.extend_from_slice(key.as_bytes());
        if !value.is_empty() {
            self.tags.push(b'=');
            self.tags.extend_from_slice(&escape_tag(value));
        }
        Ok(self)
    }

    /// The bytes, with CRLF.
    ///
    /// # Errors
    ///
    /// [`BuildError::TooLong`].
    pub fn encode(&self) -> Result<Bytes, BuildError> {
        let check =
            |len, max| if len > max { Err(BuildError::TooLong { len, max }) } else { Ok(()) };
        check(self.body.len(), MESSAGE_MAX)?;
        let mut encoded = Vec::with_capacity(self.tags.len() + self.body.len() + 3);
        if !self.tags.is_empty() {
            check(self.tags.len() + 1, CLIENT_TAGS_MAX)?;
            encoded.extend_from_slice(&self.tags);
            encoded.push(b' ');
        }
        encoded.extend_from_slice(&self.body);
        encoded.extend_from_slice(b"\r\n");
        Ok(encoded.into())
    }

    /// How many bytes are left for the rest of the message.
    #[must_use]
    pub fn room(&self) -> usize {
        MESSAGE_MAX.saturating_sub(self.body.len())
    }

    fn count(&mut self) -> Result<(), BuildError> {
        if self.is_ended || self.params == PARAMETERS_MAX {
            return Err(BuildError::TooManyParameters);
        }
        self.params += 1;
        Ok(())
    }
}

impl fmt::Debug for MessageBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MessageBuf").field(&IrcText::new(&self.body)).finish()
    }
}

fn word(word: &[u8], is_allowed: impl Fn(&u8) -> bool) -> Result<(), BuildError> {
    if word.is_empty() {
        return Err(BuildError::Empty);
    }
    match word.iter().position(|byte| !is_allowed(byte)) {
        Some(at) => Err(BuildError::Forbidden { byte: word[at], at }),
        None => Ok(()),
    }
}

/// Whether a text may stand in a message.
pub(crate) fn check_line(text: &[u8]) -> Result<(), BuildError> {
    match memchr3(0, b'\r', b'\n', text) {
        Some(at) => Err(BuildError::Forbidden { byte: text[at], at }),
        None => Ok(()),
    }
}
