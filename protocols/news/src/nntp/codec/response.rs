//! Responses of a server: [`Response`], the first line (RFC 3977 3.2).

use std::fmt;

use sinew_protocols::basic::{ArgumentError, Text};

/// Most bytes of the text, so that the line fits into 512 with its code and CRLF (RFC 3977 3.1).
const TEXT_MAX: usize = 506;

/// What a server answers: a code of three digits, and text. Lines may follow; which code has them depends on the command.
///
/// # Examples
///
/// ```
/// use sinew_news::nntp::codec::Response;
///
/// let response = Response::new(411, "no such group")?;
/// assert_eq!(response.to_string(), "411 no such group");
/// assert!(Response::new(200, "hello\r\n200 and more").is_err());
/// # Ok::<(), sinew_news::nntp::codec::ResponseError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    code: u16,
    text: Text,
}

/// Why a line is not a [`Response`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// The code is not of three digits, the first between 1 and 5.
    #[error("a response must begin with a code between 100 and 599")]
    Code,
    /// The text has a CR, an LF or a NUL.
    #[error("the text of a response: {0}")]
    Text(#[from] ArgumentError),
    /// The text is too long.
    #[error("the text of a response longer than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// A number or an identifier is missing, or is none.
    #[error("a response without {what}")]
    Argument {
        /// What is missing.
        what: &'static str,
    },
}

sinew_transports::reactor::error_debug!(ResponseError);

impl Response {
    /// A response.
    ///
    /// # Errors
    ///
    /// The code is not between 100 and 599, or the text would not be a part of one line of 512 bytes.
    pub fn new(code: u16, text: impl Into<String>) -> Result<Self, ResponseError> {
        let text = text.into();
        match (100..=599).contains(&code) {
            false => Err(ResponseError::Code),
            true if text.len() > TEXT_MAX => Err(ResponseError::TooLong { max: TEXT_MAX }),
            true => Ok(Self { code, text: Text::try_from(text)? }),
        }
    }

    /// Reads a line, which is given without its line end. It may be longer than those that are made here.
    ///
    /// # Errors
    ///
    /// [`ResponseError`]: the line is not a response. What follows cannot be trusted.
    pub fn parse(line: &[u8]) -> Result<Self, ResponseError> {
        let (digits, text) = line.split_at_checked(3).ok_or(ResponseError::Code)?;
        let digits = str::from_utf8(digits).map_err(|_| ResponseError::Code)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let code = digits.parse().ok().filter(|code| is_number && (100..=599).contains(code));
        let text = match text.split_first() {
            None => text,
            Some((b' ', text)) => text,
            Some(_) => return Err(ResponseError::Code),
        };
        Ok(Self { code: code.ok_or(ResponseError::Code)?, text: Text::try_from(text)? })
    }

    /// A response that is written in the program.
    pub(crate) fn fixed(code: u16, text: &'static str) -> Self {
        Self { code, text: Text::from_static(text) }
    }

    /// A response whose text has no CR, LF or NUL by the way it was made. One that is too long is cut.
    pub(crate) fn of_checked(code: u16, text: impl Into<String>) -> Self {
        let mut text = text.into();
        let end = (0..=TEXT_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or_default());
        Self { code, text: Text::try_from(text).unwrap_or(Text::from_static("")) }
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// 4yz: it cannot be done now, or not as it was asked. 403 and 400 may succeed later; others mean that something is not there.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.code >= 400
    }

    /// The word of the text at this place.
    pub(crate) fn word(&self, at: usize) -> Option<&str> {
        self.text.as_str()?.split_ascii_whitespace().nth(at)
    }

    /// The number at this place.
    pub(crate) fn number(&self, at: usize, what: &'static str) -> Result<u64, ResponseError> {
        let word = self.word(at).filter(|word| word.len() <= 20);
        word.and_then(|word| word.parse().ok()).ok_or(ResponseError::Argument { what })
    }
}

impl fmt::Display for Response {
    /// Control characters are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if self.text.is_empty() {
            return Ok(());
        }
        f.write_str(" ")?;
        String::from_utf8_lossy(&self.text).chars().try_for_each(|char| match char.is_control() {
            true => write!(f, "{}", char.escape_default()),
            false => write!(f, "{char}"),
        })
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_lines() {
        for (line, expect) in [
            (&b"200 hello"[..], Some((200, &b"hello"[..]))),
            (b"223", Some((223, b""))),
            (b"211 3 1 5 a.b", Some((211, b"3 1 5 a.b"))),
            (b"", None),
            (b"20", None),
            (b"2000 x", None),
            (b"+20 x", None),
            (b"099 x", None),
            (b"600 x", None),
            (b"200 a\rb", None),
            (b"\xff\xff\xff", None),
        ] {
            let response = Response::parse(line).ok();
            let found = response.as_ref().map(|found| (found.code(), found.text().as_bytes()));
            assert_eq!(found, expect, "{}", line.escape_ascii());
        }
        let response = Response::parse(b"211 3 x 99999999999999999999999").unwrap();
        assert_eq!(response.number(0, "a number"), Ok(3));
        for at in 1..4 {
            assert!(response.number(at, "a number").is_err());
        }
    }

    #[test]
    fn nothing_that_is_passed_in_can_be_a_second_line() {
        for text in ["a\r\nb", "a\nb", "a\rb", "a\0b"] {
            assert!(matches!(Response::new(200, text), Err(ResponseError::Text(_))));
        }
        assert!(Response::new(200, "x".repeat(507)).is_err());
        assert_eq!(Response::of_checked(200, "\u{e4}".repeat(400)).text().len(), 506);
        assert_eq!(Response::parse(b"500 \x1b[31m").unwrap().to_string(), "500 \\u{1b}[31m");
    }
}
