//! What a server says: [`Input`], which makes messages of what is received, compressed or not.

use std::io;

use bytes::Bytes;
use sinew_transports::ReadHalf;

use super::{ConnectionEnd, compression::Inflating};
use crate::imap::codec::{Event, LiteralHead, Message, MessageDecoder};

pub(super) struct Input {
    pub(super) read: ReadHalf,
    pub(super) decoder: MessageDecoder,
    pub(super) inflating: Option<Inflating>,
}

/// An [`Event`] that owns what is in it.
pub(super) enum Incoming {
    Literal(LiteralHead),
    Bytes(Bytes),
    LiteralEnd,
    Message(Message),
}

impl Input {
    pub(super) fn new(read: ReadHalf, line_max: usize) -> Self {
        Self { read, decoder: MessageDecoder::of_responses(line_max), inflating: None }
    }

    /// The next event. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Incoming, ConnectionEnd> {
        loop {
            // What is there already: a literal that waits for a decision, or has ended.
            if let Some(incoming) = decode(&mut self.decoder, &mut &b""[..])? {
                return Ok(incoming);
            }
            let Some(inflating) = &mut self.inflating else {
                let mut input = filled(&mut self.read).await?;
                let len = input.len();
                let incoming = decode(&mut self.decoder, &mut input);
                let used = len - input.len();
                self.read.consume(used);
                if let Some(incoming) = incoming? {
                    return Ok(incoming);
                }
                continue;
            };
            if inflating.inflated().is_empty() {
                // There may be more output of input that is used up.
                inflating.inflate(&mut &b""[..])?;
            }
            if inflating.inflated().is_empty() {
                let mut input = filled(&mut self.read).await?;
                let len = input.len();
                let inflated = inflating.inflate(&mut input);
                let used = len - input.len();
                self.read.consume(used);
                inflated?;
            }
            let mut input = inflating.inflated();
            let len = input.len();
            let incoming = decode(&mut self.decoder, &mut input)?;
            let used = len - input.len();
            inflating.consume(used);
            if let Some(incoming) = incoming {
                inflating.renew_budget();
                return Ok(incoming);
            }
        }
    }
}

async fn filled(read: &mut ReadHalf) -> Result<&[u8], ConnectionEnd> {
    let input = read.fill_buf().await?;
    match input.is_empty() {
        true => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        false => Ok(input),
    }
}

fn decode(
    decoder: &mut MessageDecoder,
    input: &mut &[u8],
) -> Result<Option<Incoming>, ConnectionEnd> {
    Ok(Some(match decoder.decode(input).map_err(ConnectionEnd::protocol)? {
        Event::Incomplete => return Ok(None),
        Event::Literal(head) => Incoming::Literal(head),
        Event::Bytes(bytes) => Incoming::Bytes(Bytes::copy_from_slice(bytes)),
        Event::LiteralEnd => Incoming::LiteralEnd,
        Event::Message(message) => Incoming::Message(message),
        Event::TooLong => {
            let reason = format!("a response of more than {} bytes", decoder.text_max());
            return Err(ConnectionEnd::protocol(reason));
        }
    }))
}
