//! Limits of a client connection: [`ConnectionConfig`].

use std::time::Duration;

use crate::codec::{ChunkLimits, HeadLimits};

/// Limits of what a server may do on one connection. The time for connecting is set by
/// [`ConnectConfig`](sinew_transports::ConnectConfig).
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`head`](Self::head): the head, a line of it, its fields | 16 KiB, 8 KiB, 100 | [`RequestError::Head`](super::RequestError::Head) |
/// | [`head_timeout`](Self::head_timeout) | 30 s after the request | [`RequestError::TimedOut`](super::RequestError::TimedOut) |
/// | [`idle_timeout`](Self::idle_timeout) | 30 s without a byte | the same, or [`BodyError::TooSlow`](crate::codec::BodyError::TooSlow) |
/// | [`chunks`](Self::chunks): extensions of a chunk and of a message, trailers | 256 B, 4 KiB, 4 KiB | [`BodyError`](crate::codec::BodyError) |
/// | [`informational_max`](Self::informational_max): 1xx before the response | 16 | [`RequestError::TooManyInformational`](super::RequestError::TooManyInformational) |
/// | [`body_max`](Self::body_max): body that is collected | 16 MiB | [`BodyError::TooLong`](crate::codec::BodyError::TooLong) |
/// | [`unread_max`](Self::unread_max): rest of a body that is not read | 64 KiB | the connection is closed |
/// | [`keep_alive`](Self::keep_alive) | 60 s without a request | the connection is closed |
/// | [`continue_timeout`](Self::continue_timeout) | 1 s | the body is sent without `100 Continue` |
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_http::client::ConnectionConfig;
///
/// let config = ConnectionConfig::default().head_timeout(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ConnectionConfig {
    pub(super) head: HeadLimits,
    pub(super) chunks: ChunkLimits,
    pub(super) head_timeout: Duration,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) keep_alive: Duration,
    pub(super) body_max: u64,
    pub(super) unread_max: u64,
    pub(super) informational_max: u32,
    pub(super) continue_timeout: Duration,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            head: HeadLimits::default(),
            chunks: ChunkLimits::default(),
            head_timeout: Duration::from_secs(30),
            idle_timeout: Some(Duration::from_secs(30)),
            keep_alive: Duration::from_secs(60),
            body_max: 16 << 20,
            unread_max: 64 * 1024,
            informational_max: 16,
            continue_timeout: Duration::from_secs(1),
        }
    }
}

impl ConnectionConfig {
    /// Limits of the head of a response.
    pub fn head(mut self, limits: HeadLimits) -> Self {
        self.head = limits;
        self
    }

    /// Limits of chunk extensions and trailers.
    pub fn chunks(mut self, limits: ChunkLimits) -> Self {
        self.chunks = limits;
        self
    }

    /// How long the head of the response may take after the whole request was written. Default 30 s.
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        self.head_timeout = timeout;
        self
    }

    /// How long nothing may be sent or received while a body is transferred. Time in which the program has nothing to send, or
    /// does not read, does not count. Default 30 s; `None` for example for event streams, which may be silent for long.
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.idle_timeout = timeout.into();
        self
    }

    /// How long a connection without a request stays open. Default 60 s.
    pub fn keep_alive(mut self, timeout: Duration) -> Self {
        self.keep_alive = timeout;
        self
    }

    /// Longest body that [`Response::collect`](super::Response::collect) collects, decompressed. Default 16 MiB.
    pub fn body_max(mut self, bytes: u64) -> Self {
        self.body_max = bytes;
        self
    }

    /// How much of the rest of an unread body is read and dropped, so that the connection can be reused. Default 64 KiB.
    pub fn unread_max(mut self, bytes: u64) -> Self {
        self.unread_max = bytes;
        self
    }

    /// Most informational responses (1xx) before the response. Default 16.
    pub fn informational_max(mut self, responses: u32) -> Self {
        self.informational_max = responses;
        self
    }

    /// How long a body waits for `100 Continue` before it is sent without it (RFC 9110 10.1.1). Default 1 s.
    pub fn continue_timeout(mut self, timeout: Duration) -> Self {
        self.continue_timeout = timeout;
        self
    }
}
