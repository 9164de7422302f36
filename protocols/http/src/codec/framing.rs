//! What frames a body: [`Framing`], out of `Content-Length` and `Transfer-Encoding` (RFC 9112 6). Strict, for this is where requests
//! are smuggled.

use std::str;

use super::{HeadError, fields::trim};

/// How long a body is, and how its end is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Framing {
    /// There is no body.
    #[default]
    None,
    /// So many bytes.
    Length(u64),
    /// In chunks (RFC 9112 7.1).
    Chunked,
    /// All that comes until the connection ends. Only responses may have it.
    UntilClose,
}

/// What the fields say about it, gathered as they are read.
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
    /// Ends in `chunked`, but there is another one before it.
    Other,
    Invalid,
}

impl Gathered {
    /// A `Content-Length`. Equal ones count once; a list of them is refused, for it is nothing that a client sends.
    pub(super) fn length(&mut self, value: &[u8]) -> Result<(), HeadError> {
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let text = str::from_utf8(value).ok().filter(|_| is_number);
        // 2^63-1 is the most that all others can count, too.
        let length =
            text.and_then(|text| text.parse().ok()).filter(|n: &u64| *n <= i64::MAX as u64);
        match (length, self.length) {
            (Some(length), None) => self.length = Some(length),
            (Some(length), Some(before)) if length == before => {}
            _ => return Err(HeadError::Length),
        }
        Ok(())
    }

    /// A `Transfer-Encoding`.
    pub(super) fn encoding(&mut self, value: &[u8]) {
        let mut codings = value.split(|byte| *byte == b',').map(trim);
        let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
        let last = codings.next_back().unwrap_or_default();
        let before_is_other = codings.all(|coding| !is_chunked(coding) && !coding.is_empty());
        self.encoding = match &self.encoding {
            Encoding::None if is_chunked(value) => Encoding::Chunked,
            Encoding::None if is_chunked(last) && before_is_other => Encoding::Other,
            // Several fields: whatever they come to, nobody honest sends them.
            _ => Encoding::Invalid,
        };
    }

    /// The framing; `None` if no field says anything.
    pub(super) fn framing(&self, is_http_1_0: bool) -> Result<Option<Framing>, HeadError> {
        let chunked = match self.encoding {
            Encoding::None => return Ok(self.length.map(Framing::Length)),
            // RFC 9112 6.1: HTTP/1.0 has none, so a proxy may have taken it for something else.
            _ if is_http_1_0 => return Err(HeadError::Encoding),
            _ if self.length.is_some() => return Err(HeadError::LengthAndEncoding),
            Encoding::Invalid => return Err(HeadError::Encoding),
            Encoding::Other => return Err(HeadError::UnknownEncoding),
            Encoding::Chunked => Framing::Chunked,
        };
        Ok(Some(chunked))
    }
}
