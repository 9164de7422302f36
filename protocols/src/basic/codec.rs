//! The codec traits: [`Decoder`] and [`Encoder`], and both as [`Codec`]. Pure: they know no transport and keep no buffer.

use std::ops::Range;

use super::{EncodeError, FrameError};

/// Finds where frames begin and end.
///
/// # Contract
///
/// A decoder receives every byte of the stream exactly once and in order, split at arbitrary points. It keeps what it
/// has to remember of an unfinished frame (a count, half a delimiter) in a few words of state, so it never rescans
/// the same unfinished frame on every read: decoding takes linear time. It does not store the bytes of the frame; the
/// caller keeps them and joins a frame that arrived in pieces, as [`Framed`](super::Framed) does.
///
/// - [`Decoded::Incomplete`]: all of `input` was consumed, and the frame continues.
/// - [`Decoded::Frame`]: the frame ends in `input`. The decoder is ready for the next frame; the next call passes the
///   input after `consumed`. A frame consumes at least one byte.
/// - An error is returned at the earliest byte that makes it certain, regardless of how the input was split. It is
///   final: frame boundaries are lost. After an error a decoder may return anything, but must not panic.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{Decoded, Decoder, Line};
///
/// let mut decoder = Line::default();
/// assert_eq!(decoder.decode(b"hel")?, Decoded::Incomplete);
/// // The line began in the first piece and ends four bytes into this one; its first five bytes are the payload.
/// assert_eq!(decoder.decode(b"lo\r\nnext")?, Decoded::Frame { consumed: 4, payload: 0..5 });
/// # Ok::<(), sinew_protocols::basic::FrameError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not find frames",
    label = "not a decoder",
    note = "the decoders are `Line`, `Netstring`, `Int8`, `Int16`, `Int32` and `Fixed`; one of your own implements `Decoder`, and `Encoder` to send",
    note = "the decoder comes first, then the handler: `Framed::with_decoder(Line::default(), handler)`"
)]
pub trait Decoder: 'static {
    /// Consumes new input, up to the end of one frame at most.
    ///
    /// # Errors
    ///
    /// [`FrameError`] as soon as `input` holds a byte after which no valid frame is possible.
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, FrameError>;

    /// Discards the unfinished frame: the next byte starts a new one.
    fn reset(&mut self);
}

impl<D: Decoder + ?Sized> Decoder for Box<D> {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, FrameError> {
        (**self).decode(input)
    }

    fn reset(&mut self) {
        (**self).reset();
    }
}

/// What a [`Decoder`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "it says where the frame is, and what of the input is used up"]
pub enum Decoded {
    /// The input belongs to a frame that is not finished.
    Incomplete,
    /// A frame ends here.
    Frame {
        /// How many bytes of this input belong to the frame, including its delimiter.
        consumed: usize,
        /// Where the payload lies, relative to the first byte of the frame, which may have arrived in earlier input.
        payload: Range<usize>,
    },
}

/// Encodes a payload as a frame.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot send frames",
    label = "not an encoder",
    note = "implement `Encoder` for the decoder to send what it receives; `write` sends bytes as they are"
)]
pub trait Encoder {
    /// Passes the parts of the frame to `write`, once and in order. The payload is one of the parts and is not
    /// copied.
    ///
    /// Whatever an encoder accepts, a decoder with the same settings decodes as the same single frame.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if the payload cannot be encoded; `write` is then not called.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_protocols::basic::{Encoder, Netstring};
    ///
    /// let frame = Netstring::default().encode(b"hello", |parts| parts.concat())?;
    /// assert_eq!(frame, b"5:hello,");
    /// # Ok::<(), sinew_protocols::basic::EncodeError>(())
    /// ```
    fn encode<R>(
        &self,
        payload: &[u8],
        write: impl FnOnce(&[&[u8]]) -> R,
    ) -> Result<R, EncodeError>;
}

/// A decoder that is also an encoder, and can be cloned, once for each connection.
pub trait Codec: Decoder + Encoder + Clone {}

impl<D: Decoder + Encoder + Clone> Codec for D {}
