//! The seam between bytes and frames: [`Decoder`] and [`Encoder`]. Pure: knows no transport and keeps no buffer.

use std::ops::Range;

use super::{EncodeError, FrameError};

/// Finds where frames begin and end.
///
/// # Contract
///
/// A decoder is shown every byte of the stream once and in order, cut anywhere, and never the same byte again: what it
/// must remember of a frame that is not finished (a count, half a delimiter) it keeps itself, in a few words. So no
/// decoder can be slow in the way that decoders used to be, by searching the same unfinished line at every read. The
/// bytes of the frame it does not keep; they stay where they are, and whoever drives the decoder joins them when a frame
/// has come in pieces. [`Framed`](super::Framed) does.
///
/// - [`Decoded::Incomplete`]: all of `input` was taken in, and the frame goes on.
/// - [`Decoded::Frame`]: the frame ends in `input`. The decoder is ready for the next one and is shown what follows
///   `consumed`. A frame consumes at least one byte.
/// - An error is found at the earliest byte that makes it certain, wherever the input was cut, and is final: frame
///   boundaries are lost. After it a decoder may answer anything, but does not panic.
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
    /// Takes in bytes that were not shown before, up to the end of a frame at most.
    ///
    /// # Errors
    ///
    /// [`FrameError`] as soon as `input` holds a byte with which no acceptable frame can be made any more.
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, FrameError>;

    /// Forgets the unfinished frame: the next byte shown begins a new one.
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
        /// How many bytes of the input just shown belong to the frame, its delimiter included.
        consumed: usize,
        /// Where the payload lies, counted from the first byte of the frame, which may have come long before.
        payload: Range<usize>,
    },
}

/// Puts a payload into a frame.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot send frames",
    label = "not an encoder",
    note = "implement `Encoder` for the decoder to send what it receives; `write` sends bytes as they are"
)]
pub trait Encoder {
    /// Hands the parts of the frame to `write`, once and in order; the payload itself is one of them and is not copied.
    ///
    /// What an encoder lets pass, a decoder with the same settings gives back as the same single frame.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] if no such frame exists; then `write` is not called.
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
