//! The client-to-client protocol inside of messages: [`Ctcp`]. Pure.
//!
//! The whole text of a message is one CTCP message, between bytes 0x01. The quoting of low levels that was once proposed is not
//! undone, for no client of today does it.

use memchr::memchr;

use super::{
    IrcText,
    message_buf::{BuildError, check_line},
};

const DELIMITER: u8 = 1;

/// A CTCP message: `ACTION waves`.
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::codec::Ctcp;
///
/// let action = Ctcp::parse(b"\x01ACTION waves\x01").unwrap();
/// assert_eq!((action.command, action.text), ("ACTION".into(), "waves".into()));
/// assert_eq!(Ctcp::encode("PING", b"12 34")?, b"\x01PING 12 34\x01");
/// assert!(Ctcp::encode("PING", b"\x01").is_err());
/// # Ok::<(), sinew_chat::irc::codec::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ctcp<'a> {
    /// What is asked or told, as it was sent.
    pub command: IrcText<'a>,
    /// The rest.
    pub text: IrcText<'a>,
}

impl<'a> Ctcp<'a> {
    /// The CTCP message that a text is, if it is one. The delimiter at its end may be missing, for servers cut long texts.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let inside = text.strip_prefix(&[DELIMITER])?;
        let inside = inside.strip_suffix(&[DELIMITER]).unwrap_or(inside);
        let (command, text) = match memchr(b' ', inside) {
            Some(at) => (&inside[..at], &inside[at + 1..]),
            None => (inside, &b""[..]),
        };
        let is_valid = !command.is_empty() && memchr(DELIMITER, inside).is_none();
        is_valid.then_some(Self { command: IrcText::new(command), text: IrcText::new(text) })
    }

    /// Whether it is this command, in any case.
    #[must_use]
    pub fn is(&self, command: &str) -> bool {
        self.command.eq_ignore_ascii_case(command.as_bytes())
    }

    /// A text that is a CTCP message.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: the command is not a word, or either has CR, LF, NUL or a byte 0x01.
    pub fn encode(command: &str, text: &[u8]) -> Result<Vec<u8>, BuildError> {
        if command.is_empty() {
            return Err(BuildError::Empty);
        }
        if let Some(at) = command.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(BuildError::Forbidden { byte: command.as_bytes()[at], at });
        }
        check_line(text)?;
        if let Some(at) = memchr(DELIMITER, text) {
            return Err(BuildError::Forbidden { byte: DELIMITER, at });
        }
        let mut encoded = vec![DELIMITER];
        encoded.extend_from_slice(command.as_bytes());
        if !text.is_empty() {
            encoded.push(b' ');
            encoded.extend_from_slice(text);
        }
        encoded.push(DELIMITER);
        Ok(encoded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_ctcp_and_others() {
        for (text, expected) in [
            (&b"\x01VERSION\x01"[..], Some(("VERSION", ""))),
            (b"\x01ACTION  two  words \x01", Some(("ACTION", " two  words "))),
            (b"\x01ACTION cut", Some(("ACTION", "cut"))),
            (b"\x01\x01", None),
            (b"\x01 a\x01", None),
            (b"\x01A\x01B\x01", None),
            (b"hello \x01A\x01", None),
            (b"", None),
        ] {
            let found = Ctcp::parse(text);
            let found = found
                .as_ref()
                .map(|ctcp| (ctcp.command.to_str().unwrap(), ctcp.text.to_str().unwrap()));
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
