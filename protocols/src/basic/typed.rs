//! Frames with a meaning: [`TypedDecoder`] gives a frame as a value, [`Parsed`] is one made of a decoder and a [`Parse`]. Pure: knows no
//! transport. Who is handed the values is in `typed_handler.rs`.

#[cfg(test)]
mod tests;

use std::error::Error;

use super::{Decoded, Decoder, EncodeError, Encoder, FrameError};

/// A [`Decoder`] that also says what its frames mean, so that a message is parsed once, and its handler is given a value: a command, a
/// packet, in whatever form, borrowed from the frame or not.
///
/// What [`decode`](Decoder::decode) had to read already to find the end (a type, flags, lengths) it keeps for
/// [`parse`](Self::parse), which follows before anything else is decoded. Where the end is found without regard to the meaning, as with
/// lines, [`Parsed`] takes any decoder and a [`Parse`].
pub trait TypedDecoder: Decoder {
    /// What a frame means.
    type Frame<'a>;
    /// Why it means nothing. Unlike a [`FrameError`] it is not final: where the next frame begins is known.
    type Error: Error + 'static;

    /// The meaning of the frame that was just decoded, of which this is the payload.
    ///
    /// # Errors
    ///
    /// If it has none.
    fn parse<'a>(&mut self, payload: &'a [u8]) -> Result<Self::Frame<'a>, Self::Error>;
}

/// What the payload of a frame means, however frames are cut.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{Frames, Line, Parse, Parsed};
///
/// #[derive(Debug, PartialEq)]
/// enum Command<'a> {
///     Get { key: &'a str },
///     Quit,
/// }
///
/// #[derive(Debug, PartialEq, thiserror::Error)]
/// #[error("that is no command")]
/// struct NoCommand;
///
/// struct Commands;
///
/// impl Parse for Commands {
///     type Frame<'a> = Command<'a>;
///     type Error = NoCommand;
///
///     fn parse<'a>(&mut self, line: &'a [u8]) -> Result<Command<'a>, NoCommand> {
///         let mut words = str::from_utf8(line).map_err(|_| NoCommand)?.split(' ');
///         match (words.next(), words.next(), words.next()) {
///             (Some("GET"), Some(key), None) => Ok(Command::Get { key }),
///             (Some("QUIT"), None, _) => Ok(Command::Quit),
///             _ => Err(NoCommand),
///         }
///     }
/// }
///
/// let mut frames = Frames::new(Parsed::new(Line::strict_crlf(), Commands));
/// let mut input = &b"GET colour\r\nQUIT\r\n"[..];
/// assert_eq!(frames.next_typed(&mut input)?, Some(Ok(Command::Get { key: "colour" })));
/// assert_eq!(frames.next_typed(&mut input)?, Some(Ok(Command::Quit)));
/// assert_eq!(frames.next_typed(&mut input)?, None);
/// # Ok::<(), sinew_protocols::basic::FrameError>(())
/// ```
pub trait Parse: 'static {
    /// What a frame means.
    type Frame<'a>;
    /// Why it means nothing.
    type Error: Error + 'static;

    /// The meaning of a payload.
    ///
    /// # Errors
    ///
    /// If it has none.
    fn parse<'a>(&mut self, payload: &'a [u8]) -> Result<Self::Frame<'a>, Self::Error>;
}

/// A [`TypedDecoder`] of two parts: one finds the frames, the other knows what they mean. It sends what the first one sends.
#[derive(Debug, Clone, Default)]
pub struct Parsed<D, P> {
    decoder: D,
    parser: P,
}

impl<D, P> Parsed<D, P> {
    /// Frames found by `decoder`, which mean what `parser` says.
    pub const fn new(decoder: D, parser: P) -> Self {
        Self { decoder, parser }
    }

    /// Who finds the frames.
    pub const fn decoder(&self) -> &D {
        &self.decoder
    }

    /// Who knows what they mean.
    pub const fn parser(&self) -> &P {
        &self.parser
    }
}

impl<D: Decoder, P: 'static> Decoder for Parsed<D, P> {
    fn decode(&mut self, input: &[u8]) -> Result<Decoded, FrameError> {
        self.decoder.decode(input)
    }

    fn reset(&mut self) {
        self.decoder.reset();
    }
}

impl<D: Decoder, P: Parse> TypedDecoder for Parsed<D, P> {
    type Frame<'a> = P::Frame<'a>;
    type Error = P::Error;

    fn parse<'a>(&mut self, payload: &'a [u8]) -> Result<P::Frame<'a>, P::Error> {
        self.parser.parse(payload)
    }
}

impl<D: Encoder, P> Encoder for Parsed<D, P> {
    fn encode<R>(
        &self,
        payload: &[u8],
        write: impl FnOnce(&[&[u8]]) -> R,
    ) -> Result<R, EncodeError> {
        self.decoder.encode(payload, write)
    }
}
