//! The limits of a server: [`ServerConfig`].

use std::time::Duration;

use crate::codec::{ChunkLimits, HeadLimits};

/// Limits of what clients may do. Connections are limited by [`ListenConfig`](sinew_transports::ListenConfig), and queued output by
/// [`StreamConfig`](sinew_transports::StreamConfig).
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`head`](Self::head): the head, a line of it, its fields | 16 KiB, 8 KiB, 100 | 431, or 414 for the request line; closed |
/// | [`head_timeout`](Self::head_timeout) | 10 s in total | 408, closed |
/// | [`keep_alive`](Self::keep_alive) | 60 s idle | closed |
/// | [`body_max`](Self::body_max), unless it is streamed | 1 MiB | 413, closed |
/// | [`body_rate`](Self::body_rate) | 240 bytes a second, over 30 s | 408, closed |
/// | [`chunks`](Self::chunks): extensions of a chunk and of a message, trailers | 256 B, 4 KiB, 4 KiB | 400 or 431, closed |
/// | [`unread_max`](Self::unread_max): body that the handler does not read | 64 KiB | closed after the response |
/// | [`read_ahead_max`](Self::read_ahead_max): input after the current request | 16 KiB | reading pauses |
/// | [`requests_max`](Self::requests_max) | 10,000 a connection | `Connection: close` |
/// | [`write_timeout`](Self::write_timeout) | 30 s in which the client reads nothing | aborted |
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_http::server::ServerConfig;
///
/// let config = ServerConfig::default().body_max(16 << 20).keep_alive(Duration::from_secs(5));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ServerConfig {
    pub(super) head: HeadLimits,
    pub(super) chunks: ChunkLimits,
    pub(super) head_timeout: Duration,
    pub(super) keep_alive: Duration,
    pub(super) body_max: u64,
    pub(super) body_rate: u32,
    pub(super) body_window: Duration,
    pub(super) unread_max: u64,
    pub(super) read_ahead_max: usize,
    pub(super) requests_max: u32,
    pub(super) write_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            head: HeadLimits::default(),
            chunks: ChunkLimits::default(),
            head_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(60),
            body_max: 1 << 20,
            body_rate: 240,
            body_window: Duration::from_secs(30),
            unread_max: 64 * 1024,
            read_ahead_max: 16 * 1024,
            requests_max: 10_000,
            write_timeout: Duration::from_secs(30),
        }
    }
}

impl ServerConfig {
    /// Limits of the head of a request.
    pub fn head(mut self, limits: HeadLimits) -> Self {
        self.head = limits;
        self
    }

    /// Limits of chunk extensions and trailers.
    pub fn chunks(mut self, limits: ChunkLimits) -> Self {
        self.chunks = limits;
        self
    }

    /// Time in which a head has to be complete: for the first from the start of the connection, for others from their first byte.
    /// Default 10 s. A connection that never sent a byte is closed without a response.
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        self.head_timeout = timeout;
        self
    }

    /// How long a connection may be idle between two requests. Default 60 s.
    pub fn keep_alive(mut self, timeout: Duration) -> Self {
        self.keep_alive = timeout;
        self
    }

    /// Longest body that [`Request::collect`](crate::server::Request::collect) collects. Default 1 MiB.
    pub fn body_max(mut self, bytes: u64) -> Self {
        self.body_max = bytes;
        self
    }

    /// Minimum rate of a body while it is being read: so many bytes a second, on average over each `window`.
    /// Default 240 bytes and 30 s. 0 bytes switch it off.
    pub fn body_rate(mut self, bytes_per_second: u32, window: Duration) -> Self {
        (self.body_rate, self.body_window) = (bytes_per_second, window);
        self
    }

    /// How much of an unread body is read and dropped after the response, so that the connection can be reused.
    /// Default 64 KiB.
    pub fn unread_max(mut self, bytes: u64) -> Self {
        self.unread_max = bytes;
        self
    }

    /// How much input may be queued after the current request: pipelined requests, or a body that is not read yet. Default 16 KiB.
    /// When it is exceeded, reading pauses; the last read of up to 64 KiB is kept in addition. One request is handled at a time.
    pub fn read_ahead_max(mut self, bytes: usize) -> Self {
        self.read_ahead_max = bytes;
        self
    }

    /// Most requests on a connection. Default 10,000.
    pub fn requests_max(mut self, requests: u32) -> Self {
        self.requests_max = requests;
        self
    }

    /// How long a client may read nothing of a response that is streamed, is a file, or has more queued than the high watermark.
    /// Shorter responses are bounded by [`keep_alive`](Self::keep_alive). Default 30 s.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }
}
