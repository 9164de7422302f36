//! Decoder of message bodies, by length, chunked or until the connection closes: [`BodyDecoder`].

use super::{BodyError, ChunkLimits, ChunkedDecoder, Fields, Framing};

/// An event of a [`BodyDecoder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyEvent<'a> {
    /// A piece of the body, never empty, borrowed from the input.
    Data(&'a [u8]),
    /// The body is complete. The rest of the input belongs to the next message.
    End,
    /// All input is consumed, and the body is not complete.
    Incomplete,
}

/// Decodes a body with any kind of [`Framing`].
///
/// # Examples
///
/// ```
/// use sinew_http::codec::{BodyDecoder, BodyEvent, ChunkLimits, Framing};
///
/// let mut decoder = BodyDecoder::new(Framing::Chunked, ChunkLimits::default());
/// let mut input = &b"5\r\nhello\r\n0\r\n\r\nGET /"[..];
/// assert_eq!(decoder.decode(&mut input)?, BodyEvent::Data(b"hello"));
/// assert_eq!(decoder.decode(&mut input)?, BodyEvent::End);
/// assert_eq!(input, b"GET /");
/// # Ok::<(), sinew_http::codec::BodyError>(())
/// ```
#[derive(Debug, Default)]
pub struct BodyDecoder(Kind);

#[derive(Debug, Default)]
enum Kind {
    #[default]
    Ended,
    Length(u64),
    Chunked(ChunkedDecoder),
    UntilClose,
}

impl BodyDecoder {
    /// A decoder for a body with this framing.
    #[must_use]
    pub fn new(framing: Framing, limits: ChunkLimits) -> Self {
        Self(match framing {
            Framing::None | Framing::Length(0) => Kind::Ended,
            Framing::Length(length) => Kind::Length(length),
            Framing::Chunked => Kind::Chunked(ChunkedDecoder::new(limits)),
            Framing::UntilClose => Kind::UntilClose,
        })
    }

    /// The next event. After [`End`](BodyEvent::End) it returns `End` again, and consumes nothing.
    ///
    /// # Errors
    ///
    /// [`BodyError`]. After it, the position of the next message is unknown.
    pub fn decode<'a>(&mut self, input: &mut &'a [u8]) -> Result<BodyEvent<'a>, BodyError> {
        let data = match &mut self.0 {
            Kind::Ended => return Ok(BodyEvent::End),
            Kind::Chunked(decoder) => return decoder.decode(input),
            _ if input.is_empty() => return Ok(BodyEvent::Incomplete),
            Kind::UntilClose => std::mem::take(input),
            Kind::Length(left) => {
                let len = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                let (data, rest) = input.split_at(len);
                *left -= len as u64;
                if *left == 0 {
                    self.0 = Kind::Ended;
                }
                *input = rest;
                data
            }
        };
        Ok(BodyEvent::Data(data))
    }

    /// To be called when the connection has ended.
    ///
    /// # Errors
    ///
    /// [`BodyError::Truncated`] if the body is not complete.
    pub fn finish(&mut self) -> Result<(), BodyError> {
        match &self.0 {
            Kind::Ended => Ok(()),
            Kind::UntilClose => {
                self.0 = Kind::Ended;
                Ok(())
            }
            Kind::Chunked(decoder) if decoder.is_ended() => Ok(()),
            _ => Err(BodyError::Truncated),
        }
    }

    /// Whether the body is complete.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        match &self.0 {
            Kind::Ended => true,
            Kind::Chunked(decoder) => decoder.is_ended(),
            _ => false,
        }
    }

    /// How many bytes are still to come at least, as far as the peer has announced them.
    #[must_use]
    pub fn announced(&self) -> u64 {
        match &self.0 {
            Kind::Length(left) => *left,
            Kind::Chunked(decoder) => decoder.announced(),
            _ => 0,
        }
    }

    /// Takes the trailers of a complete body. They are never merged with the fields of the head (RFC 9110 6.5.1).
    pub fn take_trailers(&mut self) -> Fields {
        match &mut self.0 {
            Kind::Chunked(decoder) => decoder.take_trailers(),
            _ => Fields::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_ends_at_its_length() {
        let mut decoder = BodyDecoder::new(Framing::Length(5), ChunkLimits::default());
        let mut input = &b"hel"[..];
        assert_eq!(decoder.announced(), 5);
        assert_eq!(decoder.decode(&mut input), Ok(BodyEvent::Data(b"hel")));
        assert_eq!(decoder.decode(&mut input), Ok(BodyEvent::Incomplete));
        assert_eq!((decoder.finish(), decoder.announced()), (Err(BodyError::Truncated), 2));
        let mut input = &b"loGET"[..];
        assert_eq!(decoder.decode(&mut input), Ok(BodyEvent::Data(b"lo")));
        assert_eq!(decoder.decode(&mut input), Ok(BodyEvent::End));
        assert_eq!((input, decoder.is_ended(), decoder.finish()), (&b"GET"[..], true, Ok(())));
    }

    #[test]
    fn until_the_connection_closes() {
        let mut decoder = BodyDecoder::new(Framing::UntilClose, ChunkLimits::default());
        let mut input = &b"all"[..];
        assert_eq!(decoder.decode(&mut input), Ok(BodyEvent::Data(b"all")));
        assert_eq!(decoder.decode(&mut input), Ok(BodyEvent::Incomplete));
        assert_eq!((decoder.finish(), decoder.decode(&mut input)), (Ok(()), Ok(BodyEvent::End)));
    }

    #[test]
    fn no_body_takes_nothing() {
        for framing in [Framing::None, Framing::Length(0)] {
            let mut decoder = BodyDecoder::new(framing, ChunkLimits::default());
            let mut input = &b"GET"[..];
            assert_eq!(decoder.decode(&mut input), Ok(BodyEvent::End));
            assert_eq!((input, decoder.finish()), (&b"GET"[..], Ok(())));
        }
    }
}
