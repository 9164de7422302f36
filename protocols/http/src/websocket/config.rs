//! The limits and options of a WebSocket: [`WebSocketConfig`].

use std::time::Duration;

use super::{DeflateConfig, MessageLimits};

/// What a connection allows its peer, and how it sends. For servers and clients.
///
/// | limit | default | past it |
/// |---|---|---|
/// | [`messages`](Self::messages): a message, a frame, its frames | 1 MiB, as a message, 1,024 | closed with 1009 |
/// | [`ping_after`](Self::ping_after) | 30 s of silence | a ping; after two without an answer, the connection is dropped |
/// | [`close_timeout`](Self::close_timeout) | 5 s | dropped |
/// | [`queue_max`](Self::queue_max): what waits to be sent | none | [`Overflow`] |
///
/// Above the high watermark of the [stream](sinew_transports::StreamConfig), messages wait in a queue of the WebSocket, and nothing more
/// is received, so a peer that asks has to accept its answers. Control frames go before the messages in that queue.
#[derive(Clone, Debug)]
#[must_use]
pub struct WebSocketConfig {
    pub(super) messages: MessageLimits,
    pub(super) by_piece: bool,
    pub(super) ping_after: Option<Duration>,
    pub(super) close_timeout: Duration,
    pub(super) deflate: Option<DeflateConfig>,
    pub(super) fragment_len: Option<usize>,
    pub(super) queue_max: usize,
    pub(super) overflow: Overflow,
}

/// What happens to a message for which the queue of a connection has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// The message is dropped: [`SendStatus::Dropped`](super::SendStatus::Dropped). For messages that are soon out of date.
    DropNewest,
    /// The connection is closed with [`CloseCode::POLICY`](super::CloseCode::POLICY), and what is in the queue is dropped. For peers that
    /// must miss nothing.
    Disconnect,
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        Self {
            messages: MessageLimits::default(),
            by_piece: false,
            ping_after: Some(Duration::from_secs(30)),
            close_timeout: Duration::from_secs(5),
            deflate: None,
            fragment_len: None,
            queue_max: usize::MAX,
            overflow: Overflow::Disconnect,
        }
    }
}

impl WebSocketConfig {
    /// How large messages may be.
    pub fn messages(mut self, limits: MessageLimits) -> Self {
        self.messages = limits;
        self
    }

    /// Whether messages are delivered piece by piece, as they arrive, to
    /// [`text_piece`](super::WebSocketHandler::text_piece) and [`binary_piece`](super::WebSocketHandler::binary_piece). Nothing is
    /// collected, so messages may be of any length. Default `false`.
    pub fn by_piece(mut self, by_piece: bool) -> Self {
        self.by_piece = by_piece;
        self
    }

    /// The silence after which the peer is sent a ping; `None` turns it off. Default 30 s. Any byte counts as an answer.
    pub fn ping_after(mut self, silence: impl Into<Option<Duration>>) -> Self {
        self.ping_after = silence.into();
        self
    }

    /// How long a close may take without progress, until the peer has answered and the connection is closed. Default 5 s.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Compresses messages (permessage-deflate, RFC 7692), if the other end does, too. Default: off.
    pub fn deflate(mut self, deflate: impl Into<Option<DeflateConfig>>) -> Self {
        self.deflate = deflate.into();
        self
    }

    /// Sends messages in frames of at most this payload, in bytes, so that control frames can go between them. Default: one frame for
    /// each message.
    pub fn fragment_len(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.fragment_len = bytes.into();
        self
    }

    /// Most bytes that may wait to be sent when another message is sent, and what happens to that message then. Default: no limit; then
    /// [`full`](super::WebSocketHandler::full) is the only bound.
    pub fn queue_max(mut self, bytes: usize, overflow: Overflow) -> Self {
        (self.queue_max, self.overflow) = (bytes, overflow);
        self
    }
}
