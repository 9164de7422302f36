//! Fixed-size frames: [`Fixed`]. Pure: knows no transport and keeps no buffer.

#[cfg(test)]
mod tests;

use super::{Decoded, Decoder, EncodeError, Encoder, FrameError};

/// Frames of a fixed size, without prefix or delimiter.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{Decoded, Decoder, Fixed};
///
/// let mut mpeg = Fixed::new(188);
/// assert_eq!(mpeg.decode(&[0x47; 100])?, Decoded::Incomplete);
/// assert_eq!(mpeg.decode(&[0x47; 100])?, Decoded::Frame { consumed: 88, payload: 0..188 });
/// # Ok::<(), sinew_protocols::basic::FrameError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Fixed {
    size: usize,
    /// Bytes of the unfinished frame seen so far.
    seen: usize,
}

impl Fixed {
    /// Frames of `size` bytes. At most one such frame is buffered.
    ///
    /// # Panics
    ///
    /// If `size` is zero.
    #[must_use]
    #[track_caller]
    pub const fn new(size: usize) -> Self {
        assert!(size > 0, "a frame has at least one byte");
        Self { size, seen: 0 }
    }

    /// The size of every frame.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }
}

impl Decoder for Fixed {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, FrameError> {
        let missing = self.size - self.seen;
        if input.len() < missing {
            self.seen += input.len();
            return Ok(Decoded::Incomplete);
        }
        self.reset();
        Ok(Decoded::Frame { consumed: missing, payload: 0..self.size })
    }

    fn reset(&mut self) {
        self.seen = 0;
    }
}

impl Encoder for Fixed {
    fn encode<R>(
        &self,
        payload: &[u8],
        write: impl FnOnce(&[&[u8]]) -> R,
    ) -> Result<R, EncodeError> {
        let (len, size) = (payload.len(), self.size);
        if len != size {
            return Err(EncodeError::WrongSize { len, size });
        }
        Ok(write(&[payload]))
    }
}
