//! A message of IRC as it was received: [`Message`]. Pure: it borrows the line, and allocates nothing.

use std::{borrow::Cow, fmt};

use memchr::memchr;

use super::{IrcText, Source, tags};

/// Most parameters of a message. The last of them takes the rest of the line (RFC 2812 2.3.1).
pub const PARAMETERS_MAX: usize = 15;

/// Why a line is no message.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// There is no command.
    #[error("the line has no command")]
    NoCommand,
    /// A command is a word of visible ASCII. Those that exist have letters and digits only.
    #[error("the command has the byte {byte:#04x}")]
    Command {
        /// The first byte that it cannot have.
        byte: u8,
    },
    /// A line cannot hold NUL.
    #[error("the line holds NUL")]
    Nul,
}

sinew_transports::reactor::error_debug!(MessageError);

/// A message: its tags, its source, its command and up to 15 parameters.
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::codec::Message;
///
/// let message = Message::parse(b"@time=2026-01-01T00:00:00Z :ann!a@example.net PRIVMSG #sinew :Hello, all")?;
/// assert!(message.is("privmsg"));
/// assert_eq!(message.source().unwrap().nick(), "ann");
/// assert_eq!(message.param(0), Some("#sinew".into()));
/// assert_eq!(message.last(), Some("Hello, all".into()));
/// assert_eq!(message.tag("time").as_deref(), Some(&b"2026-01-01T00:00:00Z"[..]));
/// # Ok::<(), sinew_chat::irc::codec::MessageError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    tags: &'a [u8],
    source: Option<&'a [u8]>,
    command: &'a [u8],
    params: [&'a [u8]; PARAMETERS_MAX],
    count: usize,
}

impl<'a> Message<'a> {
    /// Parses a line, without its line end. Several spaces are as one.
    ///
    /// # Errors
    ///
    /// [`MessageError`].
    pub fn parse(line: &'a [u8]) -> Result<Self, MessageError> {
        if memchr(0, line).is_some() {
            return Err(MessageError::Nul);
        }
        let mut rest = line;
        let mut tags: &[u8] = b"";
        if let Some(tagged) = rest.strip_prefix(b"@") {
            (tags, rest) = word(tagged);
        }
        let mut source = None;
        rest = without_spaces(rest);
        if let Some(sourced) = rest.strip_prefix(b":") {
            let (name, behind) = word(sourced);
            source = Some(name);
            rest = without_spaces(behind);
        }
        let (command, mut rest) = word(rest);
        if command.is_empty() {
            return Err(MessageError::NoCommand);
        }
        if let Some(&byte) = command.iter().find(|byte| !byte.is_ascii_graphic()) {
            return Err(MessageError::Command { byte });
        }
        let mut params: [&[u8]; PARAMETERS_MAX] = [b""; PARAMETERS_MAX];
        let mut count = 0;
        while count < PARAMETERS_MAX {
            rest = without_spaces(rest);
            if rest.is_empty() {
                break;
            }
            let (param, behind) = match rest.strip_prefix(b":") {
                Some(trailing) => (trailing, &b""[..]),
                None if count + 1 == PARAMETERS_MAX => (rest, &b""[..]),
                None => word(rest),
            };
            params[count] = param;
            count += 1;
            rest = behind;
        }
        Ok(Self { tags, source, command, params, count })
    }

    /// The command, as it was sent: `PRIVMSG`, `001`.
    #[must_use]
    pub fn command(&self) -> &'a str {
        // The parser has checked that it is ASCII.
        str::from_utf8(self.command).unwrap_or_default()
    }

    /// Whether it is this command, in any case.
    #[must_use]
    pub fn is(&self, command: &str) -> bool {
        self.command.eq_ignore_ascii_case(command.as_bytes())
    }

    /// The number of a numeric reply: three digits.
    #[must_use]
    pub fn numeric(&self) -> Option<u16> {
        match *self.command {
            [a, b, c] if self.command.iter().all(u8::is_ascii_digit) => {
                Some(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'))
            }
            _ => None,
        }
    }

    /// Where it comes from, if it says so.
    #[must_use]
    pub fn source(&self) -> Option<Source<'a>> {
        self.source.map(Source::new)
    }

    /// A parameter, counted from 0.
    #[must_use]
    pub fn param(&self, index: usize) -> Option<IrcText<'a>> {
        self.params().get(index).copied().map(IrcText::new)
    }

    /// The last parameter.
    #[must_use]
    pub fn last(&self) -> Option<IrcText<'a>> {
        self.params().last().copied().map(IrcText::new)
    }

    /// All parameters, as bytes.
    #[must_use]
    pub fn params(&self) -> &[&'a [u8]] {
        &self.params[..self.count]
    }

    /// The value of a tag, without its escapes; empty for a tag without a value. Of several with this key, the last one counts.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<Cow<'a, [u8]>> {
        self.tags().filter(|(found, _)| *found == key.as_bytes()).last().map(|(_, value)| value)
    }

    /// All tags: keys, and values without their escapes.
    pub fn tags(&self) -> impl Iterator<Item = (&'a [u8], Cow<'a, [u8]>)> + use<'a> {
        tags::iter(self.tags)
    }

    /// The tags as they were sent, without `@`; empty without tags.
    #[must_use]
    pub fn raw_tags(&self) -> &'a [u8] {
        self.tags
    }
}

/// The first word, and what follows it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(memchr(b' ', text).unwrap_or(text.len()))
}

fn without_spaces(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|byte| **byte == b' ').count();
    &text[spaces..]
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params: Vec<_> = self.params().iter().map(|param| IrcText::new(param)).collect();
        f.debug_struct("Message")
            .field("tags", &IrcText::new(self.tags))
            .field("source", &self.source.map(IrcText::new))
            .field("command", &self.command())
            .field("params", &params)
            .finish()
    }
}
