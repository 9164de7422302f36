//! Names of mailboxes: [`MailboxName`].

use std::fmt;

use bytes::Bytes;

use super::{
    ParseError, ValueError,
    reader::{Parsed, Reader},
    writer::Writer,
};
use crate::utf7;

/// The name of a mailbox, as text. How it is sent, in modified UTF-7 or in UTF-8, depends on what both ends have agreed on.
///
/// `INBOX` is the same in upper and lower case (RFC 9051 5.1), and is `INBOX` here. A name that a server sends in a form of its own
/// (some send bytes of other character sets) is kept in that form, so that it can be sent back: its text has replacement characters.
///
/// # Examples
///
/// ```
/// use sinew_mail::imap::codec::MailboxName;
///
/// let inbox: MailboxName = "inbox".parse()?;
/// assert!(inbox.is_inbox() && inbox.as_str() == "INBOX");
/// assert!("a\r\nb".parse::<MailboxName>().is_err());
/// # Ok::<(), sinew_mail::imap::codec::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxName {
    text: String,
    /// What a server has sent, if the text would be sent otherwise.
    wire: Option<Bytes>,
}

const WHAT: &str = "the name of a mailbox";

impl MailboxName {
    /// The mailbox that everybody has.
    #[must_use]
    pub fn inbox() -> Self {
        Self { text: "INBOX".to_owned(), wire: None }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is the inbox.
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        self.text == "INBOX"
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Parsed<Self> {
        let at = reader.at;
        let wire = reader.astring()?;
        let error = ParseError { expected: WHAT, at };
        let text = Self::decoded(&wire, reader.dialect.is_utf8());
        match text.and_then(|text| Self::try_from(text).ok()) {
            Some(name) => Ok(name),
            None if reader.is_lenient() && !wire.contains(&0) => {
                Ok(Self { text: String::from_utf8_lossy(&wire).into_owned(), wire: Some(wire) })
            }
            None => Err(error),
        }
    }

    /// The text of a name as it was sent. Bytes from 128 on are UTF-8 in any case.
    pub(super) fn decoded(wire: &[u8], is_utf8: bool) -> Option<String> {
        let text = str::from_utf8(wire).ok()?;
        match is_utf8 || !text.is_ascii() {
            true => Some(text.to_owned()),
            false => utf7::decode(text.as_bytes()).ok(),
        }
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        match &self.wire {
            Some(wire) => writer.astring(wire),
            None if writer.dialect.is_utf8() => writer.astring(self.text.as_bytes()),
            None => writer.astring(utf7::encode(&self.text).as_bytes()),
        }
    }
}

impl TryFrom<String> for MailboxName {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        // RFC 9051 5.1: no control characters, which would be seen as line ends by some.
        let forbidden = text.bytes().position(|byte| byte < b' ' || byte == 0x7f);
        match forbidden {
            _ if text.is_empty() => Err(ValueError::Empty { what: WHAT }),
            Some(at) => Err(ValueError::Forbidden { what: WHAT, byte: text.as_bytes()[at], at }),
            None if text.eq_ignore_ascii_case("INBOX") => Ok(Self::inbox()),
            None => Ok(Self { text, wire: None }),
        }
    }
}

impl TryFrom<&str> for MailboxName {
    type Error = ValueError;

    fn try_from(text: &str) -> Result<Self, ValueError> {
        Self::try_from(text.to_owned())
    }
}

impl std::str::FromStr for MailboxName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::try_from(text)
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailboxName({:?})", self.text)
    }
}
