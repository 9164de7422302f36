//! What a server archives, and how much of it: [`ArchiveConfig`].

use std::{
    fmt,
    rc::Rc,
    time::{Duration, SystemTime},
};

use super::{ArchiveId, ArchiveLimits, ArchiveStore};

/// Fewest bytes of an archive and of a page.
pub(in super::super) const BYTES_AT_LEAST: usize = 4 << 10;

/// Where a server archives the messages of its accounts, and the limits.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`messages_max`](Self::messages_max): of an account | 10,000 | the oldest are forgotten |
/// | [`age_max`](Self::age_max) | 30 days | the oldest are forgotten |
/// | [`bytes_max`](Self::bytes_max): of an account, as messages are stored | 16 MiB | the oldest are forgotten |
/// | a message | a quarter of `bytes_max`, and at most 4 MiB and half of [`send_queue_max`](crate::xmpp::server::ServerConfig::send_queue_max) | it is not archived |
/// | [`page_max`](Self::page_max): messages of a page | 50, and a quarter of [`unacknowledged_max`](crate::xmpp::server::ServerConfig::unacknowledged_max) | the page is shorter than was asked |
/// | [`page_bytes_max`](Self::page_bytes_max): bytes of a page | 256 KiB, and a quarter of [`send_queue_max`](crate::xmpp::server::ServerConfig::send_queue_max) | the page ends; it has one message at least |
/// | questions of an account that wait, fixed | 8 | `resource-constraint` |
/// | archives that are read or written at once, fixed | 4 | the others wait |
/// | bytes of messages that wait to be written, fixed | 16 MiB | messages are not archived, which is logged |
/// | the same of an account whose archive could not be written, fixed | 1 MiB | the same; it may be one longer message |
///
/// Forgotten messages may be in a file until they are a quarter of it, or a day too old.
#[derive(Clone)]
#[must_use]
pub struct ArchiveConfig {
    pub(in super::super) store: Rc<dyn ArchiveStore>,
    messages_max: usize,
    age_max: Option<Duration>,
    bytes_max: u64,
    pub(in super::super) page_max: usize,
    pub(in super::super) page_bytes_max: usize,
}

impl ArchiveConfig {
    /// Archives in this store.
    pub fn new(store: impl ArchiveStore) -> Self {
        Self {
            store: Rc::new(store),
            messages_max: 10_000,
            age_max: Some(Duration::from_secs(30 * 86_400)),
            bytes_max: 16 << 20,
            page_max: 50,
            page_bytes_max: 256 << 10,
        }
    }

    /// Most messages of an account, at least one. Default 10,000.
    pub fn messages_max(mut self, messages: usize) -> Self {
        self.messages_max = messages.max(1);
        self
    }

    /// How long a message is kept; `None`: as long as there is room for it. Default 30 days.
    pub fn age_max(mut self, age: Option<Duration>) -> Self {
        self.age_max = age;
        self
    }

    /// Most bytes of the messages of an account, at least 4 KiB. Default 16 MiB.
    pub fn bytes_max(mut self, bytes: u64) -> Self {
        self.bytes_max = bytes.max(BYTES_AT_LEAST as u64);
        self
    }

    /// Most messages of a page, at least one. Default 50.
    pub fn page_max(mut self, messages: usize) -> Self {
        self.page_max = messages.max(1);
        self
    }

    /// Most bytes of the messages of a page, at least 4 KiB. Default 256 KiB.
    pub fn page_bytes_max(mut self, bytes: usize) -> Self {
        self.page_bytes_max = bytes.max(BYTES_AT_LEAST);
        self
    }

    /// What an archive may hold at a time.
    #[must_use]
    pub fn limits(&self, now: SystemTime) -> ArchiveLimits {
        let oldest = self.age_max.and_then(|age| now.checked_sub(age));
        ArchiveLimits::new(self.messages_max, self.bytes_max)
            .from(oldest.map_or(ArchiveId(0), ArchiveId::at))
    }

    /// Most bytes of a message.
    pub(in super::super) fn message_max(&self) -> usize {
        usize::try_from(self.bytes_max / 4).unwrap_or(usize::MAX).min(4 << 20)
    }
}

impl fmt::Debug for ArchiveConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveConfig")
            .field("messages_max", &self.messages_max)
            .field("age_max", &self.age_max)
            .field("bytes_max", &self.bytes_max)
            .finish_non_exhaustive()
    }
}
