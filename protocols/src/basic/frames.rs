//! A decoder and what it needs to be used without a transport: [`Frames`]. Pure: it is fed by whoever has the bytes.

use super::{Decoded, Decoder, FrameError, TypedDecoder};

/// Cuts a stream into frames for whoever reads it by other means than a connection here: a thread that blocks, a file, a test.
///
/// A frame that lies whole in the input is given where it lies; of one that comes in pieces, the pieces are kept and joined. The most
/// that is kept is one unfinished frame, as long as the decoder allows. On a connection, [`Framed`](super::Framed) does this and more.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{FrameError, Frames, Line};
///
/// let mut frames = Frames::new(Line::default());
/// let mut input = &b"one\r\ntw"[..]; // from wherever
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
    /// What has come of the frame; all of it, once it was given.
    kept: Vec<u8>,
    was_given: bool,
}

impl<D> Frames<D> {
    /// Frames found by `decoder`.
    pub const fn new(decoder: D) -> Self {
        Self { decoder, kept: Vec::new(), was_given: false }
    }

    /// The decoder.
    pub const fn decoder(&self) -> &D {
        &self.decoder
    }

    /// What has come of the frame that is not finished: nothing between two frames.
    pub fn unfinished(&self) -> &[u8] {
        if self.was_given { &[] } else { &self.kept }
    }
}

impl<D: Decoder> Frames<D> {
    /// Takes the next frame off the front of `input`; its payload. `None` if the input is used up: what it had of another frame is
    /// kept.
    ///
    /// # Errors
    ///
    /// As [`Decoder::decode`]. What was kept is dropped, and the input is left as it was: it begins inside of the frame that is wrong.
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

    /// Begins anew: what has come of a frame is dropped.
    pub fn reset(&mut self) {
        self.kept = Vec::new();
        self.decoder.reset();
    }

    fn advance<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Found<'i>>, FrameError> {
        if std::mem::take(&mut self.was_given) {
            // Whoever is between two frames owns no buffer.
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
                self.was_given = true;
                Ok(Some(Found::Joined(payload)))
            }
            Err(error) => {
                self.reset();
                Err(error)
            }
        }
    }
}

/// Where the payload of a frame lies.
enum Found<'i> {
    /// In the input.
    Whole(&'i [u8]),
    /// Here, in what was kept.
    Joined(std::ops::Range<usize>),
}

impl<D: TypedDecoder> Frames<D> {
    /// The same, and what the frame means.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next). A frame that means nothing is an error inside, and the next may follow.
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

    /// What `Framed` and the decoder by itself find, this finds, too.
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
    fn nothing_is_kept_between_two_frames() {
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
