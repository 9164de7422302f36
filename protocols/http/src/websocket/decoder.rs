//! Decoder of messages (RFC 6455 5.4 to 8): [`MessageDecoder`]. Owns a buffer while a message is incomplete, none between messages.

use std::{mem, str};

use sinew_transports::reactor::error_debug;

use super::{
    CloseCode, CloseReason, Opcode, Role,
    frame::{FrameHead, apply_mask},
};

/// Limits of messages.
///
/// # Examples
///
/// ```
/// let limits = sinew_http::websocket::MessageLimits::default().message_max(64 * 1024);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct MessageLimits {
    message_max: usize,
    fragments_max: usize,
}

impl Default for MessageLimits {
    fn default() -> Self {
        Self { message_max: 1 << 20, fragments_max: 1_024 }
    }
}

impl MessageLimits {
    /// Longest message, over all its frames. Default 1 MiB. Checked against the announced length, before the data arrive.
    pub fn message_max(mut self, bytes: usize) -> Self {
        self.message_max = bytes;
        self
    }

    /// Most frames of a message. Default 1,024.
    pub fn fragments_max(mut self, fragments: usize) -> Self {
        self.fragments_max = fragments;
        self
    }
}

/// An error of the peer; the connection is closed with [`code`](Self::code).
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketError {
    /// The protocol was violated.
    #[error("protocol violation: {what}")]
    Protocol {
        /// The violation.
        what: &'static str,
    },
    /// Text, or the reason of a close, is not UTF-8.
    #[error("text that is not UTF-8")]
    Text,
    /// A message is too long.
    #[error("message longer than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// A message has too many frames.
    #[error("message in more than {max} frames")]
    TooManyFragments {
        /// The limit.
        max: usize,
    },
}

error_debug!(WebSocketError);

impl WebSocketError {
    /// The code to close with.
    #[must_use]
    pub const fn code(&self) -> CloseCode {
        match self {
            Self::Protocol { .. } => CloseCode::PROTOCOL,
            Self::Text => CloseCode::INVALID_TEXT,
            Self::TooLong { .. } | Self::TooManyFragments { .. } => CloseCode::TOO_LONG,
        }
    }
}

/// An event of a [`MessageDecoder`].
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A ping. Answer it with a pong with the same payload.
    Ping(&'a [u8]),
    /// The answer to a ping, or an unsolicited pong.
    Pong(&'a [u8]),
    /// A close frame, with the peer's reason; [`CloseCode::NONE`] if it has none.
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
    limits: MessageLimits,
    /// An incomplete frame head.
    head: [u8; FrameHead::LEN_MAX],
    head_len: usize,
    /// The current frame, and how much of its payload has arrived.
    frame: Option<(FrameHead, u64)>,
    /// The opcode of the fragmented message, and the number of its fragments so far.
    kind: Option<(Opcode, usize)>,
    message: Vec<u8>,
    /// How much of it is known to be UTF-8.
    checked: usize,
    control: Vec<u8>,
    /// A message or control frame was returned, and is to be removed.
    is_given: bool,
    has_closed: bool,
}

impl MessageDecoder {
    /// A decoder for this end of a connection.
    #[must_use]
    pub const fn new(role: Role, limits: MessageLimits) -> Self {
        Self {
            role,
            limits,
            head: [0; FrameHead::LEN_MAX],
            head_len: 0,
            frame: None,
            kind: None,
            message: Vec::new(),
            checked: 0,
            control: Vec::new(),
            is_given: false,
            has_closed: false,
        }
    }

    /// The next event. After a close, the rest of the input is dropped.
    ///
    /// # Errors
    ///
    /// [`WebSocketError`]. After it, nothing more can be decoded.
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Message<'_>, WebSocketError> {
        if mem::take(&mut self.is_given) {
            self.control = Vec::new();
            // A control frame may come between two fragments of a message.
            if self.kind.is_none() {
                (self.message, self.checked) = (Vec::new(), 0);
            }
        }
        loop {
            if self.has_closed {
                *input = &[];
                return Ok(Message::Incomplete);
            }
            if self.frame.is_none() && !self.take_head(input)? {
                return Ok(Message::Incomplete);
            }
            if !self.take_payload(input)? {
                return Ok(Message::Incomplete);
            }
            let Some((frame, _)) = self.frame.take() else { continue };
            if frame.opcode.is_control() {
                return self.control(frame.opcode);
            }
            if frame.is_final {
                return self.message();
            }
        }
    }

    /// Whether a message or a frame is incomplete.
    #[must_use]
    pub const fn is_in_message(&self) -> bool {
        self.head_len > 0 || self.frame.is_some() || self.kind.is_some()
    }

    fn take_head(&mut self, input: &mut &[u8]) -> Result<bool, WebSocketError> {
        loop {
            if let Some((frame, len)) = FrameHead::decode(&self.head[..self.head_len], self.role)? {
                debug_assert_eq!(len, self.head_len);
                self.head_len = 0;
                self.begin_frame(frame)?;
                self.frame = Some((frame, 0));
                return Ok(true);
            }
            let [byte, rest @ ..] = *input else { return Ok(false) };
            self.head[self.head_len] = *byte;
            self.head_len += 1;
            *input = rest;
        }
    }

    fn begin_frame(&mut self, frame: FrameHead) -> Result<(), WebSocketError> {
        if frame.opcode.is_control() {
            return Ok(());
        }
        let fragments = match (self.kind, frame.opcode) {
            (None, Opcode::Continuation) => {
                return Err(WebSocketError::Protocol { what: "a continuation of nothing" });
            }
            (Some((_, fragments)), Opcode::Continuation) => fragments + 1,
            (None, _) => 1,
            (Some(_), _) => {
                return Err(WebSocketError::Protocol { what: "a message within a message" });
            }
        };
        if fragments > self.limits.fragments_max {
            return Err(WebSocketError::TooManyFragments { max: self.limits.fragments_max });
        }
        let room = self.limits.message_max - self.message.len();
        if usize::try_from(frame.len).map_or(true, |len| len > room) {
            return Err(WebSocketError::TooLong { max: self.limits.message_max });
        }
        self.kind = Some((self.kind.map_or(frame.opcode, |(kind, _)| kind), fragments));
        Ok(())
    }

    /// Consumes the payload that has arrived; returns whether it is complete.
    fn take_payload(&mut self, input: &mut &[u8]) -> Result<bool, WebSocketError> {
        let Some((frame, have)) = &mut self.frame else { return Ok(false) };
        let left = frame.len - *have;
        let len = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let (piece, rest) = input.split_at(len);
        *input = rest;
        let is_control = frame.opcode.is_control();
        let buffer = if is_control { &mut self.control } else { &mut self.message };
        let start = buffer.len();
        buffer.extend_from_slice(piece);
        if let Some(mask) = frame.mask {
            apply_mask(&mut buffer[start..], mask, *have);
        }
        *have += len as u64;
        let is_whole = *have == frame.len;
        if !is_control && matches!(self.kind, Some((Opcode::Text, _))) {
            self.check_text()?;
        }
        Ok(is_whole)
    }

    /// Text is checked as it arrives: invalid text is rejected before the message is complete.
    fn check_text(&mut self) -> Result<(), WebSocketError> {
        match str::from_utf8(&self.message[self.checked..]) {
            Ok(text) => self.checked += text.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(WebSocketError::Text),
        }
        Ok(())
    }

    fn message(&mut self) -> Result<Message<'_>, WebSocketError> {
        let kind = self.kind.take();
        self.is_given = true;
        if !matches!(kind, Some((Opcode::Text, _))) {
            return Ok(Message::Binary(&self.message));
        }
        // All but the end has been checked: a character may be incomplete there.
        if self.checked < self.message.len() {
            return Err(WebSocketError::Text);
        }
        str::from_utf8(&self.message).map(Message::Text).map_err(|_| WebSocketError::Text)
    }

    fn control(&mut self, opcode: Opcode) -> Result<Message<'_>, WebSocketError> {
        let payload = mem::take(&mut self.control);
        if opcode == Opcode::Close {
            self.has_closed = true;
            return close_reason(&payload).map(Message::Close);
        }
        self.control = payload;
        self.is_given = true;
        Ok(if opcode == Opcode::Ping {
            Message::Ping(&self.control)
        } else {
            Message::Pong(&self.control)
        })
    }
}

fn close_reason(payload: &[u8]) -> Result<CloseReason, WebSocketError> {
    match payload {
        [] => Ok(CloseCode::NONE.into()),
        [high, low, text @ ..] => {
            let code = CloseCode::new(u16::from_be_bytes([*high, *low]));
            let code =
                code.ok_or(WebSocketError::Protocol { what: "a close code that is never sent" })?;
            let text = str::from_utf8(text).map_err(|_| WebSocketError::Text)?;
            Ok(CloseReason::new(code, text))
        }
        _ => Err(WebSocketError::Protocol { what: "a close frame of one byte" }),
    }
}

#[cfg(test)]
mod tests;
