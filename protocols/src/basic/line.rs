//! Lines, found and made: [`Line`]. Pure: knows no transport and keeps no buffer.

mod delimiter;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use self::delimiter::{Delimiter, Scan};
use super::{Decoded, Decoder, EncodeError, Encoder, FrameError};

/// Frames that end in a delimiter: CRLF by default, or any other bytes.
///
/// Empty lines are frames. Nothing is sent in a line that ends in CRLF which holds a CR or an LF: many a peer takes one of them for
/// the end of a line. A line is refused at the first byte that makes it longer than
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
    /// The limit unless another is set: 16 KiB of payload.
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

    /// Lines that end in LF, a CR before it taken off as well; what is sent ends in CRLF.
    #[must_use]
    pub fn lf_or_crlf() -> Self {
        Self { delimiter: Delimiter::Crlf { is_strict: false }, ..Self::default() }
    }

    /// Lines that end in CRLF, in which neither CR nor LF stands alone: such a line is [`FrameError::BareLineEnd`]. For servers of
    /// protocols in which others may take a bare LF for the end of a line where this side does not, so that a message could be
    /// smuggled past one of them (RFC 5321 2.3.8).
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

    /// Reads it as the peer will: a delimiter may also begin in the payload and end in the true one ("a" + "aa"). Where lines end in
    /// CRLF, there is no telling what a peer makes of one of the two alone.
    #[cold]
    fn is_read_whole(&self, payload: &[u8]) -> bool {
        if self.delimiter.is_crlf() {
            return false;
        }
        let delimiter = self.delimiter();
        let mut peer = Scan::default();
        let whole = Decoded::Frame { consumed: delimiter.len(), payload: 0..payload.len() };
        self.delimiter.find(&mut peer, self.len_max, payload) == Ok(Decoded::Incomplete)
            && self.delimiter.find(&mut peer, self.len_max, delimiter) == Ok(whole)
    }

    /// What is put behind a line that is sent.
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
        if self.delimiter.is_absent_from(payload) || self.is_read_whole(payload) {
            Ok(write(&[payload, self.delimiter()]))
        } else {
            Err(EncodeError::DelimiterInside)
        }
    }
}
