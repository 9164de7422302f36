//! The framing of a body, from `Content-Length` and `Transfer-Encoding` (RFC 9112 6): [`Framing`]. Strict, because lenient parsing
//! allows request smuggling.

use std::str;

use super::{HeadError, fields::trim};

/// The length of a body, and how its end is recognised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Framing {
    /// There is no body.
    #[default]
    None,
    /// The body has this many bytes.
    Length(u64),
    /// The body is chunked (RFC 9112 7.1).
    Chunked,
    /// The body ends with the connection. Only responses may use this.
    UntilClose,
}

/// The framing fields, collected while the head is parsed.
#[derive(Default)]
pub(super) struct Gathered {
    length: Option<u64>,
    encoding: Encoding,
}

#[derive(Default)]
enum Encoding {
    #[default]
    None,
    Chunked,
    /// It ends with `chunked`, after another coding.
    Other,
    Invalid,
}

impl Gathered {
    /// Adds a `Content-Length`. Equal values count once; a list is rejected, since no client sends one.
    pub(super) fn length(&mut self, value: &[u8]) -> Result<(), HeadError> {
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let text = str::from_utf8(value).ok().filter(|_| is_number);
        // 2^63-1 is the largest length that all implementations can represent.
        let length =
            text.and_then(|text| text.parse().ok()).filter(|n: &u64| *n <= i64::MAX as u64);
        match (length, self.length) {
            (Some(length), None) => self.length = Some(length),
            (Some(length), Some(before)) if length == before => {}
            _ => return Err(HeadError::Length),
        }
        Ok(())
    }

    /// Adds a `Transfer-Encoding`.
    pub(super) fn encoding(&mut self, value: &[u8]) {
        let mut codings = value.split(|byte| *byte == b',').map(trim);
        let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
        let last = codings.next_back().unwrap_or_default();
        let before_is_other = codings.all(|coding| !is_chunked(coding) && !coding.is_empty());
        self.encoding = match &self.encoding {
            Encoding::None if is_chunked(value) => Encoding::Chunked,
            Encoding::None if is_chunked(last) && before_is_other => Encoding::Other,
            // Several fields are rejected, whatever they contain: honest clients send one.
            _ => Encoding::Invalid,
        };
    }

    /// The framing; `None` if there are no framing fields.
    pub(super) fn framing(&self, is_http_1_0: bool) -> Result<Option<Framing>, HeadError> {
        let chunked = match self.encoding {
            Encoding::None => return Ok(self.length.map(Framing::Length)),
            // RFC 9112 6.1: HTTP/1.0 has no transfer codings, so a proxy may have framed the message differently.
            _ if is_http_1_0 => return Err(HeadError::Encoding),
            _ if self.length.is_some() => return Err(HeadError::LengthAndEncoding),
            Encoding::Invalid => return Err(HeadError::Encoding),
            Encoding::Other => return Err(HeadError::UnknownEncoding),
            Encoding::Chunked => Framing::Chunked,
        };
        Ok(Some(chunked))
    }
}
