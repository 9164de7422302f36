//! Frames parsed into values: [`TypedDecoder`] returns a frame as a value, [`Parsed`] combines a decoder with a
//! [`Parse`] implementation. Pure: knows no transport. The handlers of such values are in `typed_handler.rs`.

#[cfg(test)]
mod tests;

use std::error::Error;

use super::{Decoded, Decoder, EncodeError, Encoder, FrameError};

/// A [`Decoder`] that also parses its frames, so that a message is parsed once and its handler receives a value (a
/// command, a packet), which may borrow from the frame.
///
/// Whatever [`decode`](Decoder::decode) already had to read to find the end of the frame (a type, flags, lengths) it
/// keeps for [`parse`](Self::parse), which is called before anything else is decoded. Where frame boundaries do not
/// depend on the content, as with lines, use [`Parsed`], which combines any decoder with a [`Parse`].
pub trait TypedDecoder: Decoder {
    /// The parsed frame.
    type Frame<'a>;
    /// Why a frame cannot be parsed. Unlike a [`FrameError`] this is not final: the next frame boundary is known.
    type Error: Error + 'static;

    /// Parses the payload of the frame that was just decoded.
    ///
    /// # Errors
    ///
    /// If the payload cannot be parsed.
    fn parse<'a>(&mut self, payload: &'a [u8]) -> Result<Self::Frame<'a>, Self::Error>;
}

/// Parses the payload of a frame, independently of the framing.
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
    /// The parsed frame.
    type Frame<'a>;
    /// Why a payload cannot be parsed.
    type Error: Error + 'static;

    /// Parses a payload.
    ///
    /// # Errors
    ///
    /// If the payload cannot be parsed.
    fn parse<'a>(&mut self, payload: &'a [u8]) -> Result<Self::Frame<'a>, Self::Error>;
}

/// A [`TypedDecoder`] made of a decoder, which finds the frames, and a parser, which parses them. Encodes like its
/// decoder.
#[derive(Debug, Clone, Default)]
pub struct Parsed<D, P> {
    decoder: D,
    parser: P,
}

impl<D, P> Parsed<D, P> {
    /// Frames decoded by `decoder` and parsed by `parser`.
    pub const fn new(decoder: D, parser: P) -> Self {
        Self { decoder, parser }
    }

    /// The decoder.
    pub const fn decoder(&self) -> &D {
        &self.decoder
    }

    /// The parser.
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
