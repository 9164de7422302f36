//! The fields of a header that describe content (RFC 2045, 2183, 3282, 2557): [`ContentFields`]. Pure; reads anything.

use super::{
    address::{comment, delimited},
    header::fields,
};

/// A parameter, such as `charset=utf-8`. Values in pieces or with a charset (RFC 2231) are told as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parameter {
    /// The name, as the message spells it.
    pub name: Vec<u8>,
    /// The value, without quotes.
    pub value: Vec<u8>,
}

/// What a header tells of the content of its part.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContentFields {
    /// The type, such as `text`.
    pub media_type: Vec<u8>,
    /// The subtype, such as `plain`.
    pub subtype: Vec<u8>,
    /// The parameters of the type.
    pub parameters: Vec<Parameter>,
    /// `Content-ID`.
    pub id: Option<Vec<u8>>,
    /// `Content-Description`.
    pub description: Option<Vec<u8>>,
    /// `Content-Transfer-Encoding`.
    pub encoding: Option<Vec<u8>>,
    /// `Content-MD5`.
    pub md5: Option<Vec<u8>>,
    /// `Content-Disposition`.
    pub disposition: Option<(Vec<u8>, Vec<Parameter>)>,
    /// `Content-Language`.
    pub languages: Vec<Vec<u8>>,
    /// `Content-Location`.
    pub location: Option<Vec<u8>>,
}

impl ContentFields {
    /// Reads a header. Without a valid type the content is text (RFC 2045 5.2), in a digest a message (RFC 2046 5.1.5).
    #[must_use]
    pub fn of_header(header: &[u8], is_in_digest: bool) -> Self {
        let (media_type, subtype) = if is_in_digest {
            (&b"message"[..], &b"rfc822"[..])
        } else {
            (&b"text"[..], &b"plain"[..])
        };
        let mut content = Self {
            media_type: media_type.to_vec(),
            subtype: subtype.to_vec(),
            parameters: Vec::new(),
            id: None,
            description: None,
            encoding: None,
            md5: None,
            disposition: None,
            languages: Vec::new(),
            location: None,
        };
        let mut has_type = false;
        for field in fields(header) {
            let name = field.name().to_ascii_lowercase();
            let Some(kind) = name.strip_prefix(b"content-") else { continue };
            match kind {
                b"type" if !has_type => has_type = content.set_type(&field.text()),
                b"id" => first(&mut content.id, field.text()),
                b"description" => first(&mut content.description, field.text()),
                b"md5" => first(&mut content.md5, field.text()),
                b"location" => first(&mut content.location, field.text()),
                b"transfer-encoding" if content.encoding.is_none() => {
                    content.encoding = Words(&field.text()).word();
                }
                b"disposition" if content.disposition.is_none() => {
                    let text = field.text();
                    let mut words = Words(&text);
                    content.disposition = words.word().map(|kind| (kind, words.parameters()));
                }
                b"language" => content.add_languages(&field.text()),
                _ => {}
            }
        }
        content
    }

    /// Whether this is its type, and its subtype if one is given.
    #[must_use]
    pub fn is(&self, media_type: &str, subtype: Option<&str>) -> bool {
        self.media_type.eq_ignore_ascii_case(media_type.as_bytes())
            && subtype.is_none_or(|subtype| self.subtype.eq_ignore_ascii_case(subtype.as_bytes()))
    }

    /// The value of a parameter of the type.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&[u8]> {
        let mut found =
            self.parameters.iter().filter(|one| one.name.eq_ignore_ascii_case(name.as_bytes()));
        found.next().map(|one| &one.value[..])
    }

    /// Tells content that has parts, which are not known, as octets.
    pub(super) fn hide_parts(&mut self) {
        if self.is("multipart", None) || self.is("message", Some("rfc822")) {
            self.media_type = b"application".to_vec();
            self.subtype = b"octet-stream".to_vec();
        }
    }

    fn set_type(&mut self, text: &[u8]) -> bool {
        let mut words = Words(text);
        let Some(media_type) = words.word() else { return false };
        if !words.skip_special(b'/') {
            return false;
        }
        let Some(subtype) = words.word() else { return false };
        self.media_type = media_type;
        self.subtype = subtype;
        self.parameters = words.parameters();
        true
    }

    fn add_languages(&mut self, text: &[u8]) {
        let mut words = Words(text);
        while let Some(language) = words.word() {
            self.languages.push(language);
            words.skip_special(b',');
        }
    }
}

fn first(place: &mut Option<Vec<u8>>, text: Vec<u8>) {
    place.get_or_insert(text);
}

/// What is left of a structured field.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    /// Skips blanks and comments.
    fn skip_blanks(&mut self) {
        loop {
            self.0 = self.0.trim_ascii_start();
            let Some(text) = self.0.strip_prefix(b"(") else { return };
            self.0 = comment(text).1;
        }
    }

    fn skip_special(&mut self, special: u8) -> bool {
        self.skip_blanks();
        let is_there = self.0.first() == Some(&special);
        if is_there {
            self.0 = &self.0[1..];
        }
        is_there
    }

    /// A token (RFC 2045 5.1).
    fn word(&mut self) -> Option<Vec<u8>> {
        self.skip_blanks();
        let is_end = |byte: &u8| {
            byte.is_ascii_whitespace()
                || byte.is_ascii_control()
                || b"()<>@,;:\\\"/[]?=".contains(byte)
        };
        self.take(is_end)
    }

    /// A value: a quoted string, or all up to a blank or semicolon, as many programs forget the quotes.
    fn value(&mut self) -> Option<Vec<u8>> {
        self.skip_blanks();
        if let Some(text) = self.0.strip_prefix(b"\"") {
            let (value, rest) = delimited(text, b'"');
            self.0 = rest;
            return Some(value);
        }
        self.take(|byte| byte.is_ascii_whitespace() || *byte == b';')
    }

    fn take(&mut self, is_end: impl Fn(&u8) -> bool) -> Option<Vec<u8>> {
        let len = self.0.iter().position(is_end).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at(len);
        self.0 = rest;
        (!word.is_empty()).then(|| word.to_vec())
    }

    /// The parameters up to the end. What is no parameter is skipped to the next semicolon.
    fn parameters(&mut self) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        loop {
            self.skip_blanks();
            if self.0.is_empty() {
                return parameters;
            }
            if self.skip_special(b';') {
                if let Some(name) = self.word()
                    && self.skip_special(b'=')
                {
                    let value = self.value().unwrap_or_default();
                    parameters.push(Parameter { name, value });
                }
            } else {
                let next = memchr::memchr(b';', self.0);
                self.0 = &self.0[next.unwrap_or(self.0.len())..];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(header: &str) -> String {
        let content = ContentFields::of_header(header.as_bytes(), false);
        let mut out = format!(
            "{}/{}",
            String::from_utf8_lossy(&content.media_type),
            String::from_utf8_lossy(&content.subtype)
        );
        for Parameter { name, value } in &content.parameters {
            out +=
                &format!(" {}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        }
        out
    }

    #[test]
    fn types_and_parameters() {
        let cases = [
            ("", "text/plain"),
            ("Content-Type: text/html; charset=utf-8", "text/html charset=utf-8"),
            ("Content-Type: Text / HTML (c) ; (d) Charset = \"a b\" (e)", "Text/HTML Charset=a b"),
            (
                "content-type: multipart/mixed;\r\n boundary=----=_x:1;a=b",
                "multipart/mixed boundary=----=_x:1 a=b",
            ),
            ("Content-Type: text", "text/plain"),
            ("Content-Type: /plain; a=b", "text/plain"),
            ("Content-Type: text\r\nContent-Type: a/b\r\nContent-Type: c/d", "a/b"),
            ("Content-Type: a/b; x; =y; z=", "a/b z="),
            ("Content-Type: a/b junk; c=\"d", "a/b c=d"),
            ("Content-Type: a/b; filename*0*=utf-8''x%20", "a/b filename*0*=utf-8''x%20"),
        ];
        for (header, expected) in cases {
            assert_eq!(told(header), expected, "{header}");
        }
    }

    #[test]
    fn the_other_fields() {
        let header = b"Content-ID: <1>\r\nContent-Disposition: attachment; filename=x\r\nContent-Language: de, (c) en\r\n\
                       Content-MD5: Q2hlY2s=\r\nContent-Location: http://x/ y\r\nContent-Description: a  b\r\n\
                       Content-Transfer-Encoding: BASE64 (c)\r\n";
        let content = ContentFields::of_header(header, true);
        assert!(content.is("MESSAGE", Some("RFC822")));
        assert_eq!(content.id.as_deref(), Some(&b"<1>"[..]));
        assert_eq!(content.encoding.as_deref(), Some(&b"BASE64"[..]));
        assert_eq!(content.md5.as_deref(), Some(&b"Q2hlY2s="[..]));
        assert_eq!(content.location.as_deref(), Some(&b"http://x/ y"[..]));
        assert_eq!(content.description.as_deref(), Some(&b"a  b"[..]));
        assert_eq!(content.languages, [b"de", b"en"]);
        let (kind, parameters) = content.disposition.expect("there is one");
        assert_eq!((&kind[..], &parameters[0].value[..]), (&b"attachment"[..], &b"x"[..]));
    }
}
