//! Length-prefixed frames: [`Int`]. Pure: knows no transport and keeps no buffer.

#[cfg(test)]
mod tests;

use super::{Decoded, Decoder, EncodeError, Encoder, FrameError, scan_counter};

/// A prefix of one byte: payloads of up to 255 bytes.
pub type Int8 = Int<1>;
/// A prefix of two bytes, in network order: payloads of up to 65,535 bytes.
pub type Int16 = Int<2>;
/// A prefix of four bytes, in network order.
pub type Int32 = Int<4>;

/// Frames with a length prefix: an unsigned big-endian integer of `WIDTH` bytes (1 to 8) that does not count itself.
///
/// A length greater than [`len_max`](Self::len_max) is rejected as soon as the prefix is complete. Empty frames are
/// valid.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{Decoded, Decoder, FrameError, Int16};
///
/// let mut dns_over_tcp = Int16::default().len_max(4096);
/// assert_eq!(dns_over_tcp.decode(b"\0\x03abc")?, Decoded::Frame { consumed: 5, payload: 2..5 });
/// assert_eq!(dns_over_tcp.decode(b"\xff\xff"), Err(FrameError::FrameTooLong { len: 65_535, max: 4096 }));
/// # Ok::<(), FrameError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Int<const WIDTH: usize> {
    len_max: usize,
    /// Bytes of the unfinished frame seen so far.
    seen: usize,
    /// The value of its prefix so far.
    len: u64,
}

impl<const WIDTH: usize> Int<WIDTH> {
    /// The default limit: 99,999 bytes of payload.
    pub const LEN_MAX: usize = 99_999;

    /// Longest payload accepted. Default [99,999 bytes](Self::LEN_MAX), or the largest value of the prefix if that is
    /// less; past it the connection ends with [`FrameError::FrameTooLong`].
    #[must_use]
    pub fn len_max(mut self, bytes: usize) -> Self {
        const { assert!(WIDTH >= 1 && WIDTH <= 8, "a prefix has 1 to 8 bytes") };
        // No slice is longer than `isize::MAX`, so sums of lengths cannot overflow.
        self.len_max = bytes.min(isize::MAX.unsigned_abs());
        self
    }
}

impl<const WIDTH: usize> Default for Int<WIDTH> {
    fn default() -> Self {
        let int = Self { len_max: 0, seen: 0, len: 0 };
        int.len_max(Self::LEN_MAX)
    }
}

impl<const WIDTH: usize> Decoder for Int<WIDTH> {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, FrameError> {
        let mut at = 0;
        while self.seen < WIDTH {
            let Some(&byte) = input.get(at) else {
                return Ok(Decoded::Incomplete);
            };
            scan_counter::scanned(1);
            self.len = self.len << 8 | u64::from(byte);
            self.seen += 1;
            at += 1;
        }
        let (len, max) = (self.len, self.len_max);
        let payload = match usize::try_from(len) {
            Ok(len) if len <= max => WIDTH..WIDTH + len,
            _ => return Err(FrameError::FrameTooLong { len, max }),
        };
        let missing = payload.end - self.seen;
        if input.len() - at < missing {
            self.seen += input.len() - at;
            return Ok(Decoded::Incomplete);
        }
        self.reset();
        Ok(Decoded::Frame { consumed: at + missing, payload })
    }

    fn reset(&mut self) {
        (self.seen, self.len) = (0, 0);
    }
}

impl<const WIDTH: usize> Encoder for Int<WIDTH> {
    fn encode<R>(
        &self,
        payload: &[u8],
        write: impl FnOnce(&[&[u8]]) -> R,
    ) -> Result<R, EncodeError> {
        let len = payload.len();
        let prefix_max = usize::try_from(u64::MAX >> (64 - 8 * WIDTH)).unwrap_or(usize::MAX);
        let max = self.len_max.min(prefix_max);
        if len > max {
            return Err(EncodeError::FrameTooLong { len, max });
        }
        let prefix = (len as u64).to_be_bytes();
        Ok(write(&[&prefix[8 - WIDTH..], payload]))
    }
}
