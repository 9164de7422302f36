//! Decoder of messages (RFC 6455 5.4 to 8, RFC 7692 7.2.2): [`MessageDecoder`]. Owns buffers while a message is incomplete, none between
//! messages.

use std::str;

use super::{
    CloseReason, DeflateParams, MessageLimits, Opcode, Partial, Role, WebSocketError,
    deflate::{ContextPool, MessageInflater},
    frame::FrameHead,
    mask::apply_mask,
    partial::{Given, Kind},
};
use sinew_protocols::compression::InflateError;

/// An event of a [`MessageDecoder`].
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A piece of a text, from a decoder that gives [pieces](MessageDecoder::by_piece). Whole characters.
    TextPiece {
        /// The piece, which may be empty.
        text: &'a str,
        /// Whether the message ends with it.
        is_last: bool,
    },
    /// A piece of a message of bytes, likewise.
    BinaryPiece {
        /// The piece, which may be empty.
        data: &'a [u8],
        /// Whether the message ends with it.
        is_last: bool,
    },
    /// A ping. Answer it with a pong with the same payload.
    Ping(&'a [u8]),
    /// The answer to a ping, or an unsolicited pong.
    Pong(&'a [u8]),
    /// A close frame, with the peer's reason; [`CloseCode::NONE`](super::CloseCode::NONE) if it has none.
    Close(CloseReason),
    /// All input is consumed.
    Incomplete,
}

/// Decodes the input into messages.
///
/// # Examples
///
/// ```
/// use sinew_http::websocket::{Message, MessageDecoder, MessageLimits, Role};
///
/// let mut decoder = MessageDecoder::new(Role::Client, MessageLimits::default());
/// let mut input = &b"\x01\x03Hel\x89\x00\x80\x02lo"[..]; // a ping between two fragments of a message
/// assert_eq!(decoder.decode(&mut input)?, Message::Ping(b""));
/// assert_eq!(decoder.decode(&mut input)?, Message::Text("Hello"));
/// assert_eq!(decoder.decode(&mut input)?, Message::Incomplete);
/// # Ok::<(), sinew_http::websocket::WebSocketError>(())
/// ```
#[derive(Debug)]
pub struct MessageDecoder {
    role: Role,
    by_piece: bool,
    has_closed: bool,
    /// The state is kept between two messages, until it is taken back.
    is_lent: bool,
    limits: MessageLimits,
    partial: Option<Box<Partial>>,
    inflater: Option<MessageInflater>,
}

/// What was found; the caller is given it as a [`Message`].
enum Found {
    Incomplete,
    Control(Opcode),
    Message,
    /// A piece of a message that is not complete.
    Piece,
}

impl MessageDecoder {
    /// A decoder for this end of a connection.
    #[must_use]
    pub const fn new(role: Role, limits: MessageLimits) -> Self {
        let (by_piece, has_closed, is_lent) = (false, false, false);
        Self { role, by_piece, has_closed, is_lent, limits, partial: None, inflater: None }
    }

    /// Inflates as agreed.
    #[must_use]
    pub fn deflate(self, params: &DeflateParams) -> Self {
        self.deflate_in(params, &ContextPool::default())
    }

    #[must_use]
    pub(in crate::websocket) fn deflate_in(
        mut self,
        params: &DeflateParams,
        pool: &ContextPool,
    ) -> Self {
        self.inflater = Some(MessageInflater::new(params, pool));
        self
    }

    /// Gives messages piece by piece, as they arrive. Nothing is collected, so the [limits](MessageLimits) of a message and of its
    /// fragments do not apply; only that of a frame does.
    #[must_use]
    pub const fn by_piece(mut self, by_piece: bool) -> Self {
        self.by_piece = by_piece;
        self
    }

    /// The next event. After a close, the rest of the input is dropped.
    ///
    /// # Errors
    ///
    /// [`WebSocketError`]. After it, nothing more can be decoded.
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Message<'_>, WebSocketError> {
        if let Some(partial) = &mut self.partial {
            partial.remove_given();
        }
        if self.has_closed {
            *input = &[];
        }
        let is_pending = self.partial.as_ref().is_some_and(|partial| !partial.is_idle());
        if input.is_empty() && !is_pending {
            self.partial.take_if(|_| !self.is_lent);
            return Ok(Message::Incomplete);
        }
        let mut partial = self.partial.take().unwrap_or_else(Partial::new);
        let found = self.find(&mut partial, input)?;
        if let Found::Incomplete = found {
            self.partial = Some(partial).filter(|partial| self.is_lent || !partial.is_idle());
            return Ok(Message::Incomplete);
        }
        self.give(partial, &found)
    }

    /// Whether a new one would go on in the same way.
    pub(in crate::websocket) fn is_unused(&self) -> bool {
        let is_inflating = self.inflater.as_ref().is_some_and(MessageInflater::has_context);
        self.partial.is_none() && !self.has_closed && !is_inflating
    }

    /// Whether a message or a frame is incomplete.
    #[must_use]
    pub fn is_in_message(&self) -> bool {
        self.partial.as_ref().is_some_and(|partial| {
            partial.head_len > 0
                || partial.frame.is_some()
                || partial.kind.is_some() && partial.given != Given::Message
        })
    }

    /// Lends it the state of another decoder, with its buffers, unless it has one of its own. Until it is taken back, the state is kept
    /// between two messages.
    pub(in crate::websocket) fn lend(&mut self, partial: &mut Option<Box<Partial>>) {
        if self.partial.is_none() {
            self.partial = partial.take();
            self.is_lent = true;
        }
    }

    /// Takes the state back, for another decoder, unless something is in it.
    pub(in crate::websocket) fn take_back(&mut self) -> Option<Box<Partial>> {
        self.is_lent = false;
        self.partial.as_mut()?.remove_given();
        self.partial.take_if(|partial| partial.is_idle())
    }

    fn find(&mut self, partial: &mut Partial, input: &mut &[u8]) -> Result<Found, WebSocketError> {
        loop {
            if self.inflate(partial)? {
                return Ok(Found::Piece);
            }
            if partial.is_ending {
                if let Some(inflater) = self.inflater.as_mut().filter(|_| partial.is_compressed()) {
                    inflater.end();
                }
                return Ok(Found::Message);
            }
            if self.by_piece && partial.piece_len() > 0 {
                return Ok(Found::Piece);
            }
            if partial.frame.is_none() && !self.take_head(partial, input)? {
                return Ok(Found::Incomplete);
            }
            let before = input.len();
            if !Self::take_payload(partial, input)? {
                if before == 0 {
                    return Ok(Found::Incomplete);
                }
                continue;
            }
            let Some((frame, _)) = partial.frame.take() else { continue };
            if frame.opcode.is_control() {
                return Ok(Found::Control(frame.opcode));
            }
            if frame.is_final {
                partial.is_ending = true;
                if partial.is_compressed() {
                    partial.compressed.extend_from_slice(&MessageInflater::TAIL);
                }
            }
        }
    }

    fn take_head(
        &mut self,
        partial: &mut Partial,
        input: &mut &[u8],
    ) -> Result<bool, WebSocketError> {
        let has_deflate = self.inflater.is_some();
        if partial.head_len == 0
            && let Some((frame, len)) = FrameHead::decode(input, self.role, has_deflate)?
        {
            *input = &input[len..];
            self.begin_frame(partial, frame)?;
            return Ok(true);
        }
        loop {
            let head = &partial.head[..partial.head_len];
            if let Some((frame, len)) = FrameHead::decode(head, self.role, has_deflate)? {
                debug_assert_eq!(len, partial.head_len);
                partial.head_len = 0;
                self.begin_frame(partial, frame)?;
                return Ok(true);
            }
            let [byte, rest @ ..] = *input else { return Ok(false) };
            partial.head[partial.head_len] = *byte;
            partial.head_len += 1;
            *input = rest;
        }
    }

    fn begin_frame(
        &mut self,
        partial: &mut Partial,
        frame: FrameHead,
    ) -> Result<(), WebSocketError> {
        partial.frame = Some((frame, 0));
        if frame.opcode.is_control() {
            return Ok(());
        }
        let broken = |what| Err(WebSocketError::Protocol { what });
        let limits = &self.limits;
        let mut kind = match (partial.kind, frame.opcode) {
            (None, Opcode::Continuation) => return broken("a continuation without a message"),
            (Some(kind), Opcode::Continuation) => kind,
            (Some(_), _) => return broken("a message within a message"),
            (None, opcode) => {
                let is_compressed = frame.is_compressed;
                let is_text = opcode == Opcode::Text;
                Kind { is_text, is_compressed, fragments: 0, received: 0 }
            }
        };
        let len = usize::try_from(frame.len).unwrap_or(usize::MAX);
        if len > limits.frame_max {
            return Err(WebSocketError::FrameTooLong { max: limits.frame_max });
        }
        if !self.by_piece {
            if kind.fragments >= limits.fragments_max {
                return Err(WebSocketError::TooManyFragments { max: limits.fragments_max });
            }
            let max = if kind.is_compressed { limits.compressed_max() } else { limits.message_max };
            if len > max - kind.received {
                return Err(WebSocketError::TooLong { max: limits.message_max });
            }
        }
        if let Some(inflater) = &mut self.inflater
            && partial.kind.is_none()
            && kind.is_compressed
        {
            let max = if self.by_piece { u64::MAX } else { limits.message_max as u64 };
            inflater.begin(max);
        }
        kind.fragments = kind.fragments.saturating_add(1);
        kind.received = kind.received.saturating_add(len);
        partial.kind = Some(kind);
        Ok(())
    }

    /// Consumes the payload that has arrived; returns whether it is complete.
    fn take_payload(partial: &mut Partial, input: &mut &[u8]) -> Result<bool, WebSocketError> {
        let Some((frame, have)) = partial.frame else { return Ok(false) };
        let left = frame.len - have;
        let len = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let (piece, rest) = input.split_at(len);
        *input = rest;
        let target = partial.target(frame.opcode);
        let start = target.len();
        target.extend_from_slice(piece);
        if let Some(mask) = frame.mask {
            apply_mask(&mut target[start..], mask, have);
        }
        let have = have + len as u64;
        partial.frame = Some((frame, have));
        let is_whole = have == frame.len;
        // The whole text is checked when it is given.
        let is_last = is_whole && frame.is_final;
        let is_plain_text = partial.is_text() && !partial.is_compressed();
        if is_plain_text && !frame.opcode.is_control() && !is_last {
            partial.checked = checked(&partial.message, partial.checked)?;
        }
        Ok(is_whole)
    }

    /// Inflates what was received. Whether there is a piece to be given.
    fn inflate(&mut self, partial: &mut Partial) -> Result<bool, WebSocketError> {
        let Some(inflater) = self.inflater.as_mut().filter(|_| !partial.compressed.is_empty())
        else {
            return Ok(false);
        };
        let max = self.limits.message_max;
        let mut rest = &partial.compressed[partial.inflated..];
        loop {
            let inflated = inflater.inflate(&mut rest, &mut partial.message);
            let is_output = inflated.map_err(|error| match error {
                InflateError::TooLong { .. } => WebSocketError::TooLong { max },
                error => WebSocketError::Inflate(error),
            })?;
            if !is_output {
                partial.compressed.clear();
                partial.inflated = 0;
                return Ok(false);
            }
            let left = rest.len();
            if partial.kind.is_some_and(|kind| kind.is_text) {
                partial.checked = checked(&partial.message, partial.checked)?;
            }
            if self.by_piece && partial.piece_len() > 0 {
                partial.inflated = partial.compressed.len() - left;
                return Ok(true);
            }
        }
    }

    fn give(
        &mut self,
        mut partial: Box<Partial>,
        found: &Found,
    ) -> Result<Message<'_>, WebSocketError> {
        if let Found::Control(Opcode::Close) = found {
            self.has_closed = true;
            return CloseReason::decode(&partial.control).map(Message::Close);
        }
        partial.given = match found {
            Found::Incomplete => Given::Nothing,
            Found::Control(_) => Given::Control,
            Found::Message => Given::Message,
            Found::Piece => Given::Piece(partial.piece_len()),
        };
        let partial = self.partial.insert(partial);
        let text = |data| str::from_utf8(data).map_err(|_| WebSocketError::Text);
        let is_last = matches!(found, Found::Message);
        Ok(match (found, partial.given) {
            (Found::Control(Opcode::Ping), _) => Message::Ping(&partial.control),
            (Found::Control(_), _) => Message::Pong(&partial.control),
            (_, given) => {
                let len = if let Given::Piece(len) = given { len } else { partial.message.len() };
                let data = &partial.message[..len];
                match (self.by_piece, partial.is_text()) {
                    (false, true) => Message::Text(text(data)?),
                    (false, false) => Message::Binary(data),
                    (true, true) => Message::TextPiece { text: text(data)?, is_last },
                    (true, false) => Message::BinaryPiece { data, is_last },
                }
            }
        })
    }
}

/// How much of a text is known to be UTF-8, if so much was known before. Text is checked as it arrives: what is wrong is refused before the
/// rest is there.
fn checked(text: &[u8], before: usize) -> Result<usize, WebSocketError> {
    match str::from_utf8(&text[before..]) {
        Ok(valid) => Ok(before + valid.len()),
        Err(error) if error.error_len().is_none() => Ok(before + error.valid_up_to()),
        Err(_) => Err(WebSocketError::Text),
    }
}

#[cfg(test)]
mod tests;
