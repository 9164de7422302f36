//! Replies of a server: [`Reply`], and [`ReplyDecoder`], which makes them of lines (RFC 5321 4.2, RFC 2034).

use std::fmt;

use sinew_protocols::basic::{ArgumentError, Text};
use sinew_transports::reactor::Failure;

/// Most bytes of the text of a line that is made here: RFC 5321 4.5.3.1.5 allows 512, with the code and the CRLF.
const TEXT_MAX: usize = 506;
/// Most lines of a reply.
const LINES_MAX: usize = 128;

/// What a server answers: a code of three digits, and text, which usually begins with an [`EnhancedCode`].
///
/// # Examples
///
/// ```
/// use sinew_mail::smtp::codec::Reply;
///
/// let reply = Reply::new(550, "5.1.1 there is no bob here")?;
/// assert_eq!(reply.to_string(), "550 5.1.1 there is no bob here");
/// assert!(reply.is_permanent());
/// assert!(Reply::new(250, "ok\r\n250 and more").is_err());
/// # Ok::<(), sinew_mail::smtp::codec::ReplyError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    lines: Vec<Text>,
}

/// A detailed status: class, subject and detail, as in `5.1.1` (RFC 3463).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnhancedCode {
    /// 2 for success, 4 for a temporary failure, 5 for a permanent one.
    pub class: u8,
    /// What it is about: 1 an address, 2 a mailbox, 3 the mail system, 4 the network, 5 the protocol, 6 the content, 7 policy.
    pub subject: u16,
    /// What exactly.
    pub detail: u16,
}

/// Why a text is not a [`Reply`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The code is not of three digits, the first between 2 and 5.
    #[error("a reply must begin with a code between 200 and 599")]
    Code,
    /// The text has a CR, an LF or a NUL.
    #[error("the text of a reply: {0}")]
    Text(#[from] ArgumentError),
    /// A line is too long.
    #[error("a line of a reply longer than {max} bytes")]
    LineTooLong {
        /// The limit.
        max: usize,
    },
    /// There are too many lines.
    #[error("a reply of more than {max} lines")]
    TooManyLines {
        /// The limit.
        max: usize,
    },
    /// A line has another code than the one before it.
    #[error("a line of a reply with another code than the line before it")]
    CodeChanged,
}

sinew_transports::reactor::error_debug!(ReplyError);

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl Reply {
    /// A reply of one line, with its enhanced code at the front of the text.
    ///
    /// # Errors
    ///
    /// The code is not between 200 and 599, or the text would not be one line of at most 506 bytes.
    pub fn new(code: u16, text: impl Into<String>) -> Result<Self, ReplyError> {
        let reply = Self { code, lines: Vec::with_capacity(1) };
        if !(200..=599).contains(&code) {
            return Err(ReplyError::Code);
        }
        reply.with_line(text)
    }

    /// The same with one more line.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and for more than 128 lines.
    pub fn with_line(mut self, text: impl Into<String>) -> Result<Self, ReplyError> {
        let text = Text::try_from(text.into())?;
        if text.len() > TEXT_MAX {
            return Err(ReplyError::LineTooLong { max: TEXT_MAX });
        }
        if self.lines.len() == LINES_MAX {
            return Err(ReplyError::TooManyLines { max: LINES_MAX });
        }
        self.lines.push(text);
        Ok(self)
    }

    /// 250: done.
    #[must_use]
    pub fn ok() -> Self {
        Self::fixed(250, "2.0.0 Ok")
    }

    /// 550 5.1.1: there is no such mailbox.
    #[must_use]
    pub fn no_such_mailbox() -> Self {
        Self::fixed(550, "5.1.1 No such mailbox here")
    }

    /// 550 5.7.1: refused by a rule.
    #[must_use]
    pub fn refused() -> Self {
        Self::fixed(550, "5.7.1 Refused")
    }

    /// 451 4.3.0: it may work later. For failures of this server.
    #[must_use]
    pub fn try_later() -> Self {
        Self::fixed(451, "4.3.0 Not now, try again later")
    }

    /// A reply that is written in the program.
    pub(crate) fn fixed(code: u16, text: &'static str) -> Self {
        Self { code, lines: vec![Text::from_static(text)] }
    }

    /// A reply whose text has no CR, LF or NUL by the way it was made.
    pub(crate) fn of_checked(code: u16, text: String) -> Self {
        Self::new(code, text).unwrap_or_else(|_| Self::fixed(code, ""))
    }

    /// The code, between 200 and 599.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The lines of its text, at least one.
    #[must_use]
    pub fn lines(&self) -> &[Text] {
        &self.lines
    }

    /// The enhanced code at the front of the text, if there is one, and if it says the same as the code.
    #[must_use]
    pub fn enhanced(&self) -> Option<EnhancedCode> {
        let text = self.lines.first()?.as_str()?;
        let mut parts = text.split(' ').next()?.split('.');
        let class: u8 = parts.next().filter(|part| is_number(part, 1))?.parse().ok()?;
        let subject = parts.next().filter(|part| is_number(part, 3))?.parse().ok()?;
        let detail = parts.next().filter(|part| is_number(part, 3))?.parse().ok()?;
        let is_right = parts.next().is_none() && u16::from(class) == self.code / 100;
        is_right.then_some(EnhancedCode { class, subject, detail })
    }

    /// 2yz: done.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.code / 100 == 2
    }

    /// 3yz: more is expected.
    #[must_use]
    pub fn is_intermediate(&self) -> bool {
        self.code / 100 == 3
    }

    /// 4yz: the same may succeed later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5yz: the same will fail again.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// Appends the reply as it is sent.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for (at, line) in self.lines.iter().enumerate() {
            out.extend_from_slice(self.code.to_string().as_bytes());
            out.push(if at + 1 == self.lines.len() { b' ' } else { b'-' });
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
    }
}

fn is_number(part: &str, digits_max: usize) -> bool {
    (1..=digits_max).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
}

impl From<Failure> for Reply {
    /// Work that was lost may succeed later.
    fn from(_: Failure) -> Self {
        Self::try_later()
    }
}

impl fmt::Display for Reply {
    /// The code, and the text as one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        for line in self.lines.iter().filter(|line| !line.is_empty()) {
            let text = String::from_utf8_lossy(line);
            f.write_str(" ")?;
            text.chars().try_for_each(|char| match char.is_control() {
                true => write!(f, "{}", char.escape_default()),
                false => write!(f, "{char}"),
            })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({self})")
    }
}

/// Makes replies of the lines that a client receives. Bounded: 128 lines, each as long as the caller accepts.
///
/// # Examples
///
/// ```
/// use sinew_mail::smtp::codec::ReplyDecoder;
///
/// let mut decoder = ReplyDecoder::default();
/// assert_eq!(decoder.decode(b"250-mail.example.org")?, None);
/// let reply = decoder.decode(b"250 SIZE 1000")?.expect("that was the last line");
/// assert_eq!((reply.code(), reply.lines().len()), (250, 2));
/// # Ok::<(), sinew_mail::smtp::codec::ReplyError>(())
/// ```
#[derive(Debug, Default)]
pub struct ReplyDecoder {
    unfinished: Option<Reply>,
}

impl ReplyDecoder {
    /// Takes a line, without its line end. Returns the reply once it is complete.
    ///
    /// # Errors
    ///
    /// [`ReplyError`]: the line is not one of a reply. What follows cannot be trusted.
    pub fn decode(&mut self, line: &[u8]) -> Result<Option<Reply>, ReplyError> {
        let (digits, rest) = line.split_at_checked(3).ok_or(ReplyError::Code)?;
        let code = str::from_utf8(digits).ok().filter(|digits| is_number(digits, 3));
        let code =
            code.and_then(|code| code.parse().ok()).filter(|code| (200..=599).contains(code));
        let code: u16 = code.ok_or(ReplyError::Code)?;
        // RFC 5321 4.2.1: a line of the code alone is accepted.
        let (is_last, text) = match rest.split_first() {
            None => (true, rest),
            Some((b' ', text)) => (true, text),
            Some((b'-', text)) => (false, text),
            Some(_) => return Err(ReplyError::Code),
        };
        let text = Text::try_from(text)?;
        let mut reply = self.unfinished.take().unwrap_or(Reply { code, lines: Vec::new() });
        if reply.code != code {
            return Err(ReplyError::CodeChanged);
        }
        if reply.lines.len() == LINES_MAX {
            return Err(ReplyError::TooManyLines { max: LINES_MAX });
        }
        reply.lines.push(text);
        if is_last {
            return Ok(Some(reply));
        }
        self.unfinished = Some(reply);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(lines: &[&[u8]]) -> Result<Option<Reply>, ReplyError> {
        let mut decoder = ReplyDecoder::default();
        lines.iter().try_fold(None, |_, line| decoder.decode(line))
    }

    #[test]
    fn replies_are_made_of_lines() {
        let reply = decode(&[b"250-one", b"250-", b"250 three"]).unwrap().unwrap();
        assert_eq!(reply.to_string(), "250 one three");
        assert_eq!(decode(&[b"220"]).unwrap().unwrap().lines().len(), 1);
        assert_eq!(decode(&[b"250-one"]), Ok(None));
        let mut out = Vec::new();
        reply.encode(&mut out);
        assert_eq!(out, b"250-one\r\n250-\r\n250 three\r\n");
    }

    #[test]
    fn other_lines_are_refused() {
        for line in
            [&b""[..], b"25", b"abc x", b"199 x", b"600 x", b"2500 x", b"250_x", b"+50 x", b" 250"]
        {
            assert_eq!(decode(&[line]), Err(ReplyError::Code), "{}", line.escape_ascii());
        }
        assert_eq!(decode(&[b"250-one", b"251 two"]), Err(ReplyError::CodeChanged));
        assert!(matches!(decode(&[b"250 a\rb"]), Err(ReplyError::Text(_))));
        assert_eq!(decode(&[&b"250-x"[..]; 129]), Err(ReplyError::TooManyLines { max: 128 }));
    }

    #[test]
    fn enhanced_codes_are_at_the_front_of_the_text() {
        let enhanced = |code, text| {
            let code = Reply::new(code, text).unwrap().enhanced()?;
            Some((code.class, code.subject, code.detail))
        };
        assert_eq!(enhanced(550, "5.1.1 no"), Some((5, 1, 1)));
        assert_eq!(enhanced(250, "2.999.999"), Some((2, 999, 999)));
        for text in ["4.1.1 no", "5.1", "5.1.1.1 no", "5.1.x no", "no 5.1.1", "5.1.1000 no", ""] {
            assert_eq!(enhanced(550, text), None, "{text}");
        }
    }

    #[test]
    fn nothing_that_is_passed_in_can_be_a_second_line() {
        for text in ["a\r\nb", "a\nb", "a\rb", "a\0b"] {
            assert!(matches!(Reply::new(250, text), Err(ReplyError::Text(_))));
            assert!(matches!(Reply::ok().with_line(text), Err(ReplyError::Text(_))));
        }
        assert_eq!(Reply::new(100, "x"), Err(ReplyError::Code));
        assert_eq!(Reply::new(250, "x".repeat(507)), Err(ReplyError::LineTooLong { max: 506 }));
        let escaped = decode(&[b"550 \x1b[31mred"]).unwrap().unwrap();
        assert_eq!(escaped.to_string(), "550 \\u{1b}[31mred");
    }
}
