//! Lines ended by a delimiter: [`Line`], decoder and encoder. Pure: knows no transport and keeps no buffer.

mod delimiter;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use self::delimiter::{Delimiter, Scan};
use super::{Decoded, Decoder, EncodeError, Encoder, FrameError};

/// Frames that end in a delimiter: CRLF by default, or any other bytes.
///
/// Empty lines are frames. A payload that contains a CR or an LF is not sent where lines end in CRLF, since many
/// peers treat either one as the end of a line. An overlong line is rejected at the first byte past
/// [`len_max`](Self::len_max), without waiting for its end.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::Line;
///
/// let smtp = Line::default().len_max(510); // RFC 5321 4.5.3.1.4, which counts the CRLF too
/// let records = Line::new(b"\0");
/// let people_with_netcat = Line::lf_or_crlf();
/// ```
#[derive(Debug, Clone)]
pub struct Line {
    delimiter: Delimiter,
    len_max: usize,
    scan: Scan,
}

impl Line {
    /// The default limit: 16 KiB of payload.
    pub const LEN_MAX: usize = 16 * 1024;

    /// Lines that end in `delimiter`.
    ///
    /// # Panics
    ///
    /// If `delimiter` is empty.
    #[must_use]
    #[track_caller]
    pub fn new(delimiter: impl Into<Cow<'static, [u8]>>) -> Self {
        let delimiter = delimiter.into();
        assert!(!delimiter.is_empty(), "a delimiter has at least one byte");
        Self {
            delimiter: Delimiter::Exactly(delimiter),
            len_max: Self::LEN_MAX,
            scan: Scan::default(),
        }
    }

    /// Accepts lines that end in LF or CRLF; sends CRLF.
    #[must_use]
    pub fn lf_or_crlf() -> Self {
        Self { delimiter: Delimiter::Crlf { is_strict: false }, ..Self::default() }
    }

    /// Lines that end in CRLF; a bare CR or LF is rejected with [`FrameError::BareLineEnd`]. For servers whose peers
    /// may treat a bare LF as the end of a line while this side does not, which would allow message smuggling (RFC
    /// 5321 2.3.8).
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_protocols::basic::{Decoder, FrameError, Line};
    ///
    /// let mut smtp = Line::strict_crlf().len_max(2048);
    /// assert_eq!(smtp.decode(b"QUIT\n"), Err(FrameError::BareLineEnd { found: b'\n' }));
    /// ```
    #[must_use]
    pub fn strict_crlf() -> Self {
        Self { delimiter: Delimiter::Crlf { is_strict: true }, ..Self::default() }
    }

    /// Longest line accepted, in bytes without the delimiter. Default [16 KiB](Self::LEN_MAX); past it the connection
    /// ends with [`FrameError::LineTooLong`].
    #[must_use]
    pub fn len_max(mut self, bytes: usize) -> Self {
        self.len_max = bytes;
        self
    }

    /// Decodes the line as the peer will: a delimiter may begin in the payload and end in the appended one ("a" +
    /// "aa"). Where lines end in CRLF, always false, since peers differ in how they treat a bare CR or LF.
    #[cold]
    fn decodes_as_one_line(&self, payload: &[u8]) -> bool {
        if self.delimiter.is_crlf() {
            return false;
        }
        let delimiter = self.delimiter();
        let mut peer = Scan::default();
        let whole = Decoded::Frame { consumed: delimiter.len(), payload: 0..payload.len() };
        self.delimiter.find(&mut peer, self.len_max, payload) == Ok(Decoded::Incomplete)
            && self.delimiter.find(&mut peer, self.len_max, delimiter) == Ok(whole)
    }

    /// The delimiter that is appended to each line sent.
    #[must_use]
    pub fn delimiter(&self) -> &[u8] {
        self.delimiter.bytes()
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new(b"\r\n")
    }
}

impl Decoder for Line {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, FrameError> {
        self.delimiter.find(&mut self.scan, self.len_max, input)
    }

    fn reset(&mut self) {
        self.scan = Scan::default();
    }
}

impl Encoder for Line {
    fn encode<R>(
        &self,
        payload: &[u8],
        write: impl FnOnce(&[&[u8]]) -> R,
    ) -> Result<R, EncodeError> {
        let (len, max) = (payload.len(), self.len_max);
        if len > max {
            return Err(EncodeError::FrameTooLong { len, max });
        }
        if self.delimiter.is_absent_from(payload) || self.decodes_as_one_line(payload) {
            Ok(write(&[payload, self.delimiter()]))
        } else {
            Err(EncodeError::DelimiterInside)
        }
    }
}
