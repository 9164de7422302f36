//! permessage-deflate (RFC 7692): [`DeflateConfig`] says what an end wants, [`DeflateParams`] what both have agreed on.

mod contexts;
mod negotiation;
mod pool;

pub(in crate::websocket) use contexts::{MessageDeflater, MessageInflater};
pub(in crate::websocket) use pool::ContextPool;

/// The largest window: 32 KiB (RFC 7692 7.1.2).
const WINDOW_BITS_MAX: u8 = 15;

/// The smallest window that may be negotiated: 256 bytes.
const WINDOW_BITS_MIN: u8 = 8;

/// What a flush ends with; it is not sent (RFC 7692 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// How an end compresses, and what it allows the other.
///
/// Messages that do not become shorter are sent as they are; with context takeover only those that are at least as long as the window,
/// since later messages may refer to shorter ones.
///
/// Without context takeover, the default, each message is compressed by itself: a connection that is idle holds no memory for it, and the
/// contexts in use belong to the server or client, not to the connection. With it, similar messages become much smaller, and each
/// connection holds contexts from its first compressed message to its end: about 48 KiB for receiving, and for sending 256 KiB with a
/// window of 12 bits, 370 KiB with one of 15.
///
/// Secrets and text of an attacker in one message may be recovered from its compressed length, as with TLS compression (the attack is
/// known as CRIME); with context takeover, in one connection. Keep such connections uncompressed.
///
/// # Examples
///
/// ```
/// use sinew_http::websocket::{DeflateConfig, WebSocketConfig};
///
/// let deflate = DeflateConfig::default().compress_from(1_024).receive_context_takeover(true);
/// let config = WebSocketConfig::default().deflate(deflate);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct DeflateConfig {
    level: u8,
    compress_from: usize,
    send: Direction,
    receive: Direction,
}

/// What both ends of a connection have agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeflateParams {
    level: u8,
    compress_from: usize,
    send: Direction,
    receive: Direction,
}

/// The parameters of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Direction {
    window_bits: u8,
    takeover: bool,
}

impl Default for DeflateConfig {
    fn default() -> Self {
        let direction = Direction { window_bits: WINDOW_BITS_MAX, takeover: false };
        Self { level: 6, compress_from: 512, send: direction, receive: direction }
    }
}

impl DeflateConfig {
    /// Compression level, from 0 (none) to 9 (slowest). Default 6.
    pub fn level(mut self, level: u8) -> Self {
        self.level = level.min(9);
        self
    }

    /// Shortest message that is compressed, in bytes. Default 512. Shorter ones hardly become smaller.
    pub fn compress_from(mut self, bytes: usize) -> Self {
        self.compress_from = bytes;
        self
    }

    /// Whether messages that are sent may refer to earlier ones, if the other end allows it. Default `false`.
    pub fn send_context_takeover(mut self, takeover: bool) -> Self {
        self.send.takeover = takeover;
        self
    }

    /// Whether messages that are received may refer to earlier ones. Default `false`.
    pub fn receive_context_takeover(mut self, takeover: bool) -> Self {
        self.receive.takeover = takeover;
        self
    }

    /// Largest window for messages that are sent, as the exponent of a power of two: 8 (256 bytes) to 15 (32 KiB, the default). The
    /// other end may ask for a smaller one.
    pub fn send_window_bits(mut self, bits: u8) -> Self {
        self.send.window_bits = bits.clamp(WINDOW_BITS_MIN, WINDOW_BITS_MAX);
        self
    }

    /// The window that the other end is asked to use, from 8 to 15, the default. This end is able to inflate any, and needs no less
    /// memory for a smaller one. A server can only ask a client that has said that it supports this.
    pub fn receive_window_bits(mut self, bits: u8) -> Self {
        self.receive.window_bits = bits.clamp(WINDOW_BITS_MIN, WINDOW_BITS_MAX);
        self
    }
}

impl DeflateConfig {
    /// The parameters of this end if the other one agrees to all of them: for ends that agree in another way than by a handshake.
    #[must_use]
    pub fn params(&self) -> DeflateParams {
        self.agreed(self.send, self.receive)
    }
}

impl DeflateParams {
    /// Window of messages that are sent, as the exponent of a power of two.
    #[must_use]
    pub const fn send_window_bits(&self) -> u8 {
        self.send.window_bits
    }

    /// Window of messages that are received.
    #[must_use]
    pub const fn receive_window_bits(&self) -> u8 {
        self.receive.window_bits
    }

    /// Whether messages that are sent refer to earlier ones.
    #[must_use]
    pub const fn send_context_takeover(&self) -> bool {
        self.send.takeover
    }

    /// Whether messages that are received may refer to earlier ones.
    #[must_use]
    pub const fn receive_context_takeover(&self) -> bool {
        self.receive.takeover
    }
}

#[cfg(test)]
mod tests;
