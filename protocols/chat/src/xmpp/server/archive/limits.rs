//! What an archive may hold: [`ArchiveLimits`].

use super::ArchiveId;

/// What an archive may hold when something is appended to it or read from it. Beyond that, the oldest messages are forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchiveLimits {
    /// Most messages.
    pub messages_max: usize,
    /// Most bytes of messages as they are stored.
    pub bytes_max: u64,
    /// Messages of smaller ids are too old.
    pub oldest: ArchiveId,
}

impl ArchiveLimits {
    /// At most so many messages and bytes, of any age.
    #[must_use]
    pub const fn new(messages_max: usize, bytes_max: u64) -> Self {
        Self { messages_max, bytes_max, oldest: ArchiveId(0) }
    }

    /// The same without messages of smaller ids.
    #[must_use]
    pub const fn from(mut self, oldest: ArchiveId) -> Self {
        self.oldest = oldest;
        self
    }
}
