//! The limits of a WebSocket: [`WebSocketConfig`].

use std::time::Duration;

use super::MessageLimits;

/// Limits of what a peer may do.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`messages`](Self::messages): a message, its pieces | 1 MiB, 1,024 | closed with 1009 |
/// | [`ping_after`](Self::ping_after) | 30 s of silence | a ping; after two without an answer, the connection is dropped |
/// | [`close_timeout`](Self::close_timeout) | 5 s | dropped |
///
/// Queued output is limited by the watermarks of the [stream](sinew_transports::StreamConfig): above the high watermark reading
/// pauses, so a peer that sends requests has to read the responses.
#[derive(Clone, Debug)]
#[must_use]
pub struct WebSocketConfig {
    pub(super) messages: MessageLimits,
    pub(super) ping_after: Option<Duration>,
    pub(super) close_timeout: Duration,
}

impl Default for WebSocketConfig {
    fn default() -> Self {
        Self {
            messages: MessageLimits::default(),
            ping_after: Some(Duration::from_secs(30)),
            close_timeout: Duration::from_secs(5),
        }
    }
}

impl WebSocketConfig {
    /// Limits of messages.
    pub fn messages(mut self, limits: MessageLimits) -> Self {
        self.messages = limits;
        self
    }

    /// Silence after which a ping is sent; `None` never. Default 30 s. Any byte counts as an answer.
    pub fn ping_after(mut self, silence: impl Into<Option<Duration>>) -> Self {
        self.ping_after = silence.into();
        self
    }

    /// How long a close may take, from the close frame to the end. Default 5 s.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }
}
