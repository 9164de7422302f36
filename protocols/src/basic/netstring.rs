//! Netstrings: [`Netstring`], decoder and encoder. Pure: knows no transport and keeps no buffer.

#[cfg(test)]
mod tests;

use std::io::Write;

use super::{Decoded, Decoder, EncodeError, Encoder, FrameError, scan_counter};

/// Frames in D. J. Bernstein's netstring format: `5:hello,`.
///
/// The length is `0` or decimal digits without a leading zero. It is rejected at the first byte that makes it invalid
/// or greater than [`len_max`](Self::len_max), before any payload is read.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{Decoded, Decoder, FrameError, Netstring};
///
/// let mut netstring = Netstring::default().len_max(500);
/// assert_eq!(netstring.decode(b"5:hello,")?, Decoded::Frame { consumed: 8, payload: 2..7 });
/// assert_eq!(netstring.decode(b"501"), Err(FrameError::FrameTooLong { len: 501, max: 500 }));
/// # Ok::<(), FrameError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Netstring {
    len_max: usize,
    /// Bytes of the unfinished frame seen so far.
    seen: usize,
    /// The value of its length digits so far.
    len: usize,
    /// Offset of its payload; zero until the colon was seen.
    payload: usize,
}

impl Netstring {
    /// The default limit: five digits, 99,999 bytes of payload.
    pub const LEN_MAX: usize = 99_999;

    /// Longest payload accepted. Default [99,999 bytes](Self::LEN_MAX); past it the connection ends with
    /// [`FrameError::FrameTooLong`].
    #[must_use]
    pub fn len_max(mut self, bytes: usize) -> Self {
        // No slice is longer than `isize::MAX`, so sums of lengths cannot overflow.
        self.len_max = bytes.min(isize::MAX.unsigned_abs());
        self
    }

    /// Consumes one byte of the length, or the colon after it.
    fn head(&mut self, byte: u8) -> Result<(), FrameError> {
        match byte {
            b'0'..=b'9' if self.seen == 1 && self.len == 0 => return Err(FrameError::LeadingZero),
            b'0'..=b'9' => {
                let digit = usize::from(byte - b'0');
                let len = self.len.saturating_mul(10).saturating_add(digit);
                if len > self.len_max {
                    return Err(FrameError::FrameTooLong { len: len as u64, max: self.len_max });
                }
                self.len = len;
            }
            b':' if self.seen > 0 => self.payload = self.seen + 1,
            found => return Err(FrameError::LengthInvalid { found }),
        }
        self.seen += 1;
        Ok(())
    }
}

impl Default for Netstring {
    fn default() -> Self {
        Self { len_max: Self::LEN_MAX, seen: 0, len: 0, payload: 0 }
    }
}

impl Decoder for Netstring {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, FrameError> {
        let mut at = 0;
        while self.payload == 0 {
            let Some(&byte) = input.get(at) else {
                return Ok(Decoded::Incomplete);
            };
            scan_counter::scanned(1);
            self.head(byte)?;
            at += 1;
        }
        let payload = self.payload..self.payload + self.len;
        let comma = at + (payload.end - self.seen);
        match input.get(comma) {
            None => {
                self.seen += input.len() - at;
                Ok(Decoded::Incomplete)
            }
            Some(b',') => {
                self.reset();
                Ok(Decoded::Frame { consumed: comma + 1, payload })
            }
            Some(&found) => Err(FrameError::CommaMissing { found }),
        }
    }

    fn reset(&mut self) {
        *self = Self::default().len_max(self.len_max);
    }
}

impl Encoder for Netstring {
    fn encode<R>(
        &self,
        payload: &[u8],
        write: impl FnOnce(&[&[u8]]) -> R,
    ) -> Result<R, EncodeError> {
        let (len, max) = (payload.len(), self.len_max);
        if len > max {
            return Err(EncodeError::FrameTooLong { len, max });
        }
        let mut buffer = [0; 21];
        let mut free = &mut buffer[..];
        write!(free, "{len}:").expect("20 digits, as many as 64 bits can have, and a colon fit");
        let head = 21 - free.len();
        Ok(write(&[&buffer[..head], payload, b","]))
    }
}
