//! How large messages and frames may be: [`MessageLimits`].

/// How large messages may be.
///
/// # Examples
///
/// ```
/// let limits = sinew_http::websocket::MessageLimits::default().message_max(64 * 1024);
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct MessageLimits {
    pub(super) message_max: usize,
    pub(super) frame_max: usize,
    pub(super) fragments_max: u32,
}

impl Default for MessageLimits {
    fn default() -> Self {
        Self { message_max: 1 << 20, frame_max: usize::MAX, fragments_max: 1_024 }
    }
}

impl MessageLimits {
    /// Longest message, in bytes, over all of its frames and after decompression. Default 1 MiB. The length that a frame announces is
    /// checked before its payload is received, and inflating stops at the limit.
    pub fn message_max(mut self, bytes: usize) -> Self {
        self.message_max = bytes;
        self
    }

    /// Longest payload of a frame of a message, in bytes as they are sent. Default: as long as a message.
    pub fn frame_max(mut self, bytes: usize) -> Self {
        self.frame_max = bytes;
        self
    }

    /// Most frames of a message. Default 1,024.
    pub fn fragments_max(mut self, fragments: u32) -> Self {
        self.fragments_max = fragments;
        self
    }

    /// Most compressed bytes of a message. What cannot be compressed grows by a few bytes in each block, and a sender may flush often.
    pub(super) const fn compressed_max(&self) -> usize {
        self.message_max.saturating_add(self.message_max / 8).saturating_add(1_024)
    }
}
