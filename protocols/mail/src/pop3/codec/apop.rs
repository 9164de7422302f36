//! APOP (RFC 1939 7): the [`Timestamp`] of a greeting, and the digest that answers it. Pure.

use std::fmt;

use data_encoding::HEXLOWER;
use md5::{Digest, Md5};

/// Longest timestamp that is taken.
const LEN_MAX: usize = 200;

/// What a server greets with if it knows APOP: a message identifier that no two greetings share.
///
/// APOP is MD5 over the timestamp and the password. Somebody who can choose timestamps finds parts of the password by collisions of MD5
/// (CVE-2007-1558), and the server has to store the password itself. So it is off by default at both ends, and a timestamp must have the
/// form of a message identifier.
///
/// # Examples
///
/// ```
/// use sinew_mail::pop3::codec::Timestamp;
///
/// // The example of RFC 1939 7.
/// let greeting = "POP3 server ready <1896.697170952@dbc.mtview.ca.us>";
/// let timestamp = Timestamp::find(greeting).ok_or("no timestamp")?;
/// assert_eq!(timestamp.digest(b"tanstaaf"), "c4c9334bac560ecc979e58001b3e22fb");
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp(String);

impl Timestamp {
    /// The timestamp of a greeting, if there is one.
    #[must_use]
    pub fn find(greeting: &str) -> Option<Self> {
        let at = greeting.find('<')?;
        let len = greeting[at..].find('>')?;
        Self::new(&greeting[at..=at + len])
    }

    /// One of this text, with its angle brackets; `None` if it has not the form of a message identifier.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let inner = text.strip_prefix('<')?.strip_suffix('>')?;
        let (local, domain) = inner.split_once('@')?;
        let is_part = |part: &str| {
            let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"<>@".contains(&byte);
            !part.is_empty() && part.bytes().all(is_plain)
        };
        let is_valid = text.len() <= LEN_MAX && is_part(local) && is_part(domain);
        is_valid.then(|| Self(text.to_owned()))
    }

    /// What a client shows in place of the password, in hexadecimal.
    #[must_use]
    pub fn digest(&self, password: &[u8]) -> String {
        let digest = Md5::new().chain_update(self.0.as_bytes()).chain_update(password).finalize();
        HEXLOWER.encode(&digest)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_message_identifiers_are_timestamps() {
        for (greeting, expected) in [
            ("ready <1.2@host>", Some("<1.2@host>")),
            ("<a@b> <c@d>", Some("<a@b>")),
            ("ready", None),
            ("<>", None),
            ("<@>", None),
            ("<a@>", None),
            ("<a b@c>", None),
            ("<a@b@c>", None),
            ("<\u{e4}@b>", None),
            ("> <a", None),
        ] {
            let found = Timestamp::find(greeting).map(|found| found.to_string());
            assert_eq!(found.as_deref(), expected, "{greeting}");
        }
        assert_eq!(Timestamp::new(&format!("<{}@b>", "a".repeat(200))), None);
    }
}
