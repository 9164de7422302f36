//! A decoder for use without a transport: [`Frames`]. Pure: the caller supplies the bytes.

use super::{Decoded, Decoder, FrameError, TypedDecoder};

/// Splits a stream into frames for code that does not read from a sinew connection: a blocking thread, a file, a
/// test.
///
/// A frame that lies whole in the input is returned without a copy; the pieces of a fragmented frame are kept and
/// joined. At most one unfinished frame is buffered, as long as the decoder allows. On a connection, use
/// [`Framed`](super::Framed), which does this and more.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{FrameError, Frames, Line};
///
/// let mut frames = Frames::new(Line::default());
/// let mut input = &b"one\r\ntw"[..]; // from any source
/// assert_eq!(frames.next(&mut input)?, Some(&b"one"[..]));
/// assert_eq!(frames.next(&mut input)?, None);
///
/// let mut input = &b"o\r\n"[..];
/// assert_eq!(frames.next(&mut input)?, Some(&b"two"[..]));
/// # Ok::<(), FrameError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Frames<D> {
    decoder: D,
    /// The bytes of the current frame received so far; the whole frame once it has been returned.
    kept: Vec<u8>,
    was_returned: bool,
}

impl<D> Frames<D> {
    /// Frames decoded by `decoder`.
    pub const fn new(decoder: D) -> Self {
        Self { decoder, kept: Vec::new(), was_returned: false }
    }

    /// The decoder.
    pub const fn decoder(&self) -> &D {
        &self.decoder
    }

    /// The bytes of the unfinished frame received so far; empty between two frames.
    pub fn unfinished(&self) -> &[u8] {
        if self.was_returned { &[] } else { &self.kept }
    }
}

impl<D: Decoder> Frames<D> {
    /// Decodes the next frame from the front of `input` and returns its payload. `None` if the input is used up: the
    /// bytes of an unfinished frame are kept.
    ///
    /// # Errors
    ///
    /// As [`Decoder::decode`]. Kept bytes are dropped, and `input` is left unchanged: it starts inside the invalid
    /// frame.
    pub fn next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<&'a [u8]>, FrameError> {
        match self.advance(input)? {
            None => Ok(None),
            Some(Found::Whole(frame)) => Ok(Some(frame)),
            Some(Found::Joined(payload)) => Ok(Some(&self.kept[payload])),
        }
    }

    /// Starts over: drops the bytes of an unfinished frame.
    pub fn reset(&mut self) {
        self.kept = Vec::new();
        self.decoder.reset();
    }

    fn advance<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Found<'i>>, FrameError> {
        if std::mem::take(&mut self.was_returned) {
            // Between two frames, no buffer is kept.
            self.kept = Vec::new();
        }
        if input.is_empty() {
            return Ok(None);
        }
        match self.decoder.decode(input) {
            Ok(Decoded::Incomplete) => {
                self.kept.extend_from_slice(input);
                *input = &[];
                Ok(None)
            }
            Ok(Decoded::Frame { consumed, payload }) => {
                let (frame, rest) = input.split_at(consumed);
                *input = rest;
                if self.kept.is_empty() {
                    return Ok(Some(Found::Whole(&frame[payload])));
                }
                self.kept.extend_from_slice(frame);
                self.was_returned = true;
                Ok(Some(Found::Joined(payload)))
            }
            Err(error) => {
                self.reset();
                Err(error)
            }
        }
    }
}

/// Where the payload of a frame is.
enum Found<'i> {
    /// In the input.
    Whole(&'i [u8]),
    /// In the kept bytes.
    Joined(std::ops::Range<usize>),
}

impl<D: TypedDecoder> Frames<D> {
    /// Like [`next`](Self::next), but returns the parsed frame.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next). A frame that cannot be parsed is the inner error; decoding can continue after it.
    #[allow(clippy::type_complexity, reason = "two kinds of errors, of which one is final")]
    pub fn next_typed<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<Result<D::Frame<'a>, D::Error>>, FrameError> {
        let payload: &'a [u8] = match self.advance(input)? {
            None => return Ok(None),
            Some(Found::Whole(frame)) => frame,
            Some(Found::Joined(payload)) => &self.kept[payload],
        };
        Ok(Some(self.decoder.parse(payload)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::basic::{
        Line, Netstring,
        testing::{any_cut, decode, input_of, pieces},
    };

    /// Checks that `Frames` finds the same frames and errors as the decoder alone.
    fn check(decoder: impl Decoder + Clone, input: &[u8], cut: &[usize]) {
        let pieces = pieces(input, cut);
        let expected = decode(decoder.clone(), &pieces);
        let mut frames = Frames::new(decoder);
        let (mut found, mut fault) = (Vec::new(), None);
        'all: for piece in pieces {
            let mut input = piece;
            loop {
                match frames.next(&mut input) {
                    Ok(Some(frame)) => found.push(frame.to_vec()),
                    Ok(None) => break assert!(input.is_empty()),
                    Err(error) => {
                        fault = Some(error);
                        assert!(frames.unfinished().is_empty());
                        break 'all;
                    }
                }
            }
        }
        assert_eq!(found, expected.frames);
        assert_eq!(fault, expected.fault.map(|(error, _)| error));
    }

    proptest! {
        #[test]
        fn frames_are_those_of_the_decoder(
            lines in input_of(b"aab\r\r\n\n", 60),
            netstrings in input_of(b"0123::,,", 60),
            cut in any_cut(),
        ) {
            check(Line::strict_crlf().len_max(9), &lines, &cut);
            check(Line::lf_or_crlf().len_max(9), &lines, &cut);
            check(Netstring::default().len_max(20), &netstrings, &cut);
        }
    }

    #[test]
    fn no_buffer_is_kept_between_two_frames() {
        let mut frames = Frames::new(Line::default());
        let mut input = &b"on"[..];
        assert_eq!(frames.next(&mut input), Ok(None));
        assert_eq!(frames.unfinished(), b"on");
        let mut input = &b"e\r\n"[..];
        assert_eq!(frames.next(&mut input), Ok(Some(&b"one"[..])));
        assert_eq!(frames.unfinished(), b"");
        assert_eq!(frames.next(&mut input), Ok(None));
        assert_eq!(frames.kept.capacity(), 0);
    }
}
