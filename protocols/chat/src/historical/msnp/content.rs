//! What is in the payload of a message: [`Content`]; and the answer to the challenge of a server. Pure.

use std::borrow::Cow;

use data_encoding::HEXLOWER;
use md5::{Digest, Md5};

/// The text of a message with its header.
///
/// # Examples
///
/// ```
/// use sinew_chat::historical::msnp::Content;
///
/// let text = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\nhello";
/// let content = Content::parse(text).expect("it has a header");
/// assert_eq!(content.field("content-type"), Some("text/plain; charset=UTF-8"));
/// assert_eq!(content.text(), "hello");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content<'a> {
    fields: Vec<(&'a str, &'a str)>,
    body: &'a [u8],
}

impl<'a> Content<'a> {
    /// The content of a payload. `None` if it has no header, or a line of that is no field.
    #[must_use]
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        let end = memchr::memmem::find(payload, b"\r\n\r\n")?;
        let header = std::str::from_utf8(&payload[..end]).ok()?;
        let field = |line: &'a str| line.split_once(':').map(|(name, value)| (name, value.trim()));
        let fields = header.split("\r\n").map(field).collect::<Option<_>>()?;
        Some(Self { fields, body: &payload[end + 4..] })
    }

    /// The first field of this name, whatever its case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'a str> {
        let mut fields = self.fields.iter();
        fields.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// What follows the header.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// What follows the header, as UTF-8; other bytes are replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.body)
    }
}

/// The payload of the answer (`QRY`) to a challenge (`CHL`) of a server until MSNP10: the MD5 of the challenge and the key of the client.
#[must_use]
pub fn answer_to_challenge(challenge: &str, key: &str) -> String {
    let mut md5 = Md5::new();
    md5.update(challenge);
    md5.update(key);
    HEXLOWER.encode(&md5.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        let content = Content::parse(b"A: 1\r\nb:2\r\n\r\nx\r\n\r\ny").unwrap();
        assert_eq!(
            (content.field("a"), content.field("B"), content.field("c")),
            (Some("1"), Some("2"), None)
        );
        assert_eq!(content.body(), b"x\r\n\r\ny");
        for bad in [&b"hello"[..], b"a\r\n\r\n", b"\xff: 1\r\n\r\n"] {
            assert_eq!(Content::parse(bad), None);
        }
    }

    /// As in the published description of the protocol.
    #[test]
    fn challenges_are_answered() {
        let answer = answer_to_challenge("15570131571988941333", "Q1P7W2E4J9R8U3S5");
        assert_eq!(answer, "8f2f5a91b72102cd28355e9fc9000d6e");
    }
}
