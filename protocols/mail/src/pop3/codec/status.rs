//! The first line of a response: [`Status`], `+OK` or `-ERR`, with its [`ResponseCode`] (RFC 1939 3, RFC 2449 8, RFC 3206).

use std::fmt;

use sinew_protocols::basic::Text;

/// Longest text that is written, so that a line has at most 512 bytes (RFC 2449 4).
const TEXT_MAX: usize = 480;

/// How a server has taken a command.
///
/// # Examples
///
/// ```
/// use sinew_mail::pop3::codec::{ResponseCode, Status};
///
/// let status = Status::parse(b"-ERR [IN-USE] the mailbox is open elsewhere")?;
/// assert!(!status.is_ok());
/// assert_eq!(status.code(), Some(&ResponseCode::InUse));
/// assert_eq!(status.text(), "the mailbox is open elsewhere");
/// # Ok::<(), sinew_mail::pop3::codec::StatusError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    is_ok: bool,
    code: Option<ResponseCode>,
    text: Text,
}

/// Why a command was refused, for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseCode {
    /// `[IN-USE]`: another session has the maildrop.
    InUse,
    /// `[LOGIN-DELAY]`: the last login was too short a time ago.
    LoginDelay,
    /// `[AUTH]`: the credentials are wrong.
    Auth,
    /// `[SYS/TEMP]`: it may work later.
    SysTemp,
    /// `[SYS/PERM]`: somebody has to repair something first.
    SysPerm,
    /// `[UTF8]`: the maildrop needs the UTF8 command (RFC 6856 5).
    Utf8,
    /// Another one, as it was written.
    Other(Text),
}

/// Why a line is not a [`Status`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// It begins with neither `+OK` nor `-ERR`.
    #[error("a response must begin with +OK or -ERR")]
    Indicator,
    /// The text has a CR, an LF or a NUL.
    #[error("a byte in a response that is not text")]
    NotText,
}

sinew_transports::reactor::error_debug!(StatusError);

impl Status {
    /// Reads the first line of a response, which is given without its line end.
    ///
    /// # Errors
    ///
    /// [`StatusError`].
    pub fn parse(line: &[u8]) -> Result<Self, StatusError> {
        let (is_ok, rest) = match line {
            [b'+', o, k, rest @ ..]
                if o.eq_ignore_ascii_case(&b'O') && k.eq_ignore_ascii_case(&b'K') =>
            {
                (true, rest)
            }
            [b'-', err @ ..] if err.len() >= 3 && err[..3].eq_ignore_ascii_case(b"ERR") => {
                (false, &err[3..])
            }
            _ => return Err(StatusError::Indicator),
        };
        let rest = match rest {
            [] => rest,
            [b' ' | b'\t', rest @ ..] => rest,
            _ => return Err(StatusError::Indicator),
        };
        let text = |bytes: &[u8]| Text::try_from(bytes).map_err(|_| StatusError::NotText);
        let (code, rest) = match split_code(rest) {
            Some((code, rest)) => (Some(ResponseCode::from_name(text(code)?)), rest),
            None => (None, rest),
        };
        Ok(Self { is_ok, code, text: text(rest)? })
    }

    /// Whether it is `+OK`.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.is_ok
    }

    /// The response code.
    #[must_use]
    pub fn code(&self) -> Option<&ResponseCode> {
        self.code.as_ref()
    }

    /// The text behind the code. Bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        self.text.to_string()
    }

    /// The text as it was sent.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// `+OK` with this text, which is one of the program.
    pub(crate) fn ok(text: impl Into<String>) -> Self {
        Self::of_checked(true, None, text.into())
    }

    /// `-ERR` with this text, which is one of the program.
    pub(crate) fn err(text: impl Into<String>) -> Self {
        Self::of_checked(false, None, text.into())
    }

    /// `-ERR` with a code.
    pub(crate) fn err_with(code: ResponseCode, text: impl Into<String>) -> Self {
        Self::of_checked(false, Some(code), text.into())
    }

    fn of_checked(is_ok: bool, code: Option<ResponseCode>, mut text: String) -> Self {
        while text.len() > TEXT_MAX {
            text.pop();
        }
        let text = Text::try_from(text).unwrap_or(Text::from_static("what it is cannot be said"));
        Self { is_ok, code, text }
    }
}

/// A response code at the front of a text, and what follows it.
fn split_code(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = text.strip_prefix(b"[")?;
    let len = memchr::memchr(b']', rest)?;
    // RFC 2449 3: printable characters, and no brackets.
    let is_code =
        len > 0 && rest[..len].iter().all(|byte| byte.is_ascii_graphic() && *byte != b'[');
    let after = &rest[len + 1..];
    is_code.then(|| (&rest[..len], after.strip_prefix(b" ").unwrap_or(after)))
}

impl ResponseCode {
    fn from_name(name: Text) -> Self {
        match name.to_ascii_uppercase().as_slice() {
            b"IN-USE" => Self::InUse,
            b"LOGIN-DELAY" => Self::LoginDelay,
            b"AUTH" => Self::Auth,
            b"SYS/TEMP" => Self::SysTemp,
            b"SYS/PERM" => Self::SysPerm,
            b"UTF8" => Self::Utf8,
            _ => Self::Other(name),
        }
    }

    /// Whether the same may succeed later, without a change. False for those that are not known.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::InUse | Self::LoginDelay | Self::SysTemp)
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str("IN-USE"),
            Self::LoginDelay => f.write_str("LOGIN-DELAY"),
            Self::Auth => f.write_str("AUTH"),
            Self::SysTemp => f.write_str("SYS/TEMP"),
            Self::SysPerm => f.write_str("SYS/PERM"),
            Self::Utf8 => f.write_str("UTF8"),
            Self::Other(name) => write!(f, "{name}"),
        }
    }
}

impl fmt::Display for Status {
    /// The line, without its CRLF. It is always exactly one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_ok { "+OK" } else { "-ERR" })?;
        if let Some(code) = &self.code {
            write!(f, " [{code}]")?;
        }
        if self.text.is_empty() { Ok(()) } else { write!(f, " {}", self.text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_lines() {
        for (line, expected) in [
            ("+OK", Ok((true, None, ""))),
            ("+ok", Ok((true, None, ""))),
            ("+OK 2 messages", Ok((true, None, "2 messages"))),
            ("-ERR", Ok((false, None, ""))),
            ("-err no", Ok((false, None, "no"))),
            ("-ERR [AUTH] no", Ok((false, Some("AUTH"), "no"))),
            ("-ERR [sys/temp]no", Ok((false, Some("SYS/TEMP"), "no"))),
            ("-ERR [X-MINE] no", Ok((false, Some("X-MINE"), "no"))),
            ("-ERR [IN-USE]", Ok((false, Some("IN-USE"), ""))),
            ("-ERR [] no", Ok((false, None, "[] no"))),
            ("-ERR [a b] no", Ok((false, None, "[a b] no"))),
            ("-ERR [IN-USE", Ok((false, None, "[IN-USE"))),
            ("+OK\tx", Ok((true, None, "x"))),
            ("", Err(StatusError::Indicator)),
            ("+", Err(StatusError::Indicator)),
            ("-ER", Err(StatusError::Indicator)),
            ("+OKAY", Err(StatusError::Indicator)),
            ("-ERROR", Err(StatusError::Indicator)),
            ("OK", Err(StatusError::Indicator)),
            ("+ ", Err(StatusError::Indicator)),
            ("+OK a\0b", Err(StatusError::NotText)),
            ("+OK a\rb", Err(StatusError::NotText)),
        ] {
            let status = Status::parse(line.as_bytes());
            let found = status.as_ref().map_err(|error| *error).map(|status| {
                (status.is_ok(), status.code().map(ToString::to_string), status.text())
            });
            let expected = expected.map(|(is_ok, code, text): (_, Option<&str>, &str)| {
                (is_ok, code.map(str::to_owned), text.to_owned())
            });
            assert_eq!(found, expected, "{line:?}");
            if let Ok(status) = status {
                assert_eq!(Status::parse(status.to_string().as_bytes()), Ok(status), "{line:?}");
            }
        }
    }

    #[test]
    fn texts_of_the_program_fit_into_a_line() {
        let status = Status::err("\u{e4}".repeat(400));
        assert!(status.to_string().len() <= 510);
        assert_eq!(Status::ok("a\r\nb").to_string(), "+OK what it is cannot be said");
    }
}
