//! What was said about a recipient at the last attempt: [`Status`].

use std::fmt;

use crate::smtp::codec::{EnhancedCode, Reply};

/// Most bytes of the text that is kept.
const TEXT_MAX: usize = 500;

/// Why a recipient has the message, or has not: a code of RFC 3463, the host that said so, and its words.
///
/// # Examples
///
/// ```
/// use sinew_mail::{queue::Status, smtp::codec::Reply};
///
/// let status = Status::of_reply(&Reply::no_such_mailbox()).said_by("mail.example.org");
/// assert_eq!(status.to_string(), "5.1.1 (mail.example.org: 550 5.1.1 No such mailbox here)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub(crate) code: EnhancedCode,
    pub(crate) remote: Option<Box<str>>,
    /// Without control characters.
    pub(crate) text: Box<str>,
    /// The text is a reply of SMTP.
    pub(crate) is_reply: bool,
}

impl Status {
    /// A status with a text of this host's. Control characters of the text are escaped, and a long one is cut.
    #[must_use]
    pub fn new(class: u8, subject: u16, detail: u16, text: impl fmt::Display) -> Self {
        let code = EnhancedCode { class, subject, detail };
        Self { code, remote: None, text: one_line(&text.to_string()), is_reply: false }
    }

    /// What a server has replied. Without an enhanced code in the reply, it is `2.0.0`, `4.0.0` or `5.0.0`.
    #[must_use]
    pub fn of_reply(reply: &Reply) -> Self {
        let class = match reply {
            _ if reply.is_success() => 2,
            _ if reply.is_permanent() => 5,
            _ => 4,
        };
        let code = reply.enhanced().unwrap_or(EnhancedCode { class, subject: 0, detail: 0 });
        let text = one_line(&reply.to_string());
        Self { code, remote: None, text, is_reply: true }
    }

    /// Names the host that has said so.
    #[must_use]
    pub fn said_by(mut self, host: &str) -> Self {
        self.remote = Some(one_line(host));
        self
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> EnhancedCode {
        self.code
    }

    /// The host that has said so; `None` for this one.
    #[must_use]
    pub fn remote(&self) -> Option<&str> {
        self.remote.as_deref()
    }

    /// The words: a reply of SMTP, or a text of this host's.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As a refusal of SMTP.
    pub(crate) fn reply(&self) -> Reply {
        let code = if self.code.class == 4 { 450 } else { 550 };
        let reply = Reply::new(code, &format!("{} {}", self.code, self.text));
        reply.unwrap_or_else(|_| Reply::refused())
    }

    /// The same as a failure for now.
    pub(crate) fn temporary(mut self) -> Self {
        self.code.class = 4;
        self
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.code)?;
        if let Some(remote) = &self.remote {
            write!(f, "{remote}: ")?;
        }
        write!(f, "{})", self.text)
    }
}

/// The front of a text, without control characters.
fn one_line(text: &str) -> Box<str> {
    let mut line = String::with_capacity(text.len().min(TEXT_MAX));
    for char in text.chars() {
        if line.len() >= TEXT_MAX {
            line.push('…');
            break;
        }
        match char.is_control() || matches!(char, '\u{2028}' | '\u{2029}') {
            true => line.extend(char.escape_default()),
            false => line.push(char),
        }
    }
    line.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_be_a_second_line() {
        let status = Status::new(4, 4, 1, "one\r\nTo: eve\0").said_by("mail\n.example");
        assert_eq!(status.to_string(), r"4.4.1 (mail\n.example: one\r\nTo: eve\u{0})");
        let long = Status::new(5, 0, 0, "ä".repeat(10_000));
        assert!(long.text().len() < 510, "{}", long.text().len());
    }

    #[test]
    fn a_reply_without_an_enhanced_code_has_its_class() {
        for (code, text, expected) in
            [(250, "ok", "2.0.0"), (451, "5.1.1 odd", "4.0.0"), (550, "5.7.26 no", "5.7.26")]
        {
            let status = Status::of_reply(&Reply::new(code, text).unwrap());
            assert_eq!(status.code().to_string(), expected);
        }
    }
}
