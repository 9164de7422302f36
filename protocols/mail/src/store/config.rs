//! What every store has limits for: [`StoreLimits`].

/// The limits of a store. Each is checked where something is added; what other programs have put there is not deleted.
#[derive(Clone, Debug)]
#[must_use]
#[non_exhaustive]
pub struct StoreLimits {
    pub(crate) message_len_max: u64,
    pub(crate) messages_max: u32,
    pub(crate) mailboxes_max: usize,
    pub(crate) keywords_max: usize,
    pub(crate) expunged_max: usize,
    pub(crate) quota_bytes: Option<u64>,
    pub(crate) quota_messages: Option<u64>,
}

impl StoreLimits {
    /// The most keywords that a mailbox can be allowed: Maildir has a letter for each.
    pub const KEYWORDS_MAX: usize = 26;

    /// Most bytes of a message that is added. Default 64 MiB.
    pub fn message_len_max(mut self, max: u64) -> Self {
        self.message_len_max = max;
        self
    }

    /// Most messages in a mailbox. Default 1,000,000. Each costs some 160 bytes of memory while the mailbox is open.
    pub fn messages_max(mut self, max: u32) -> Self {
        self.messages_max = max;
        self
    }

    /// Most mailboxes of an account, and most that it subscribes to. Default 1,000.
    pub fn mailboxes_max(mut self, max: usize) -> Self {
        self.mailboxes_max = max;
        self
    }

    /// Most different keywords in a mailbox. Default and most 26. Those above are not set.
    pub fn keywords_max(mut self, max: usize) -> Self {
        self.keywords_max = max.min(Self::KEYWORDS_MAX);
        self
    }

    /// How many expunged messages a mailbox remembers, to tell clients that were away (RFC 7162). Default 10,000, of 16 bytes.
    pub fn expunged_max(mut self, max: usize) -> Self {
        self.expunged_max = max;
        self
    }

    /// Most bytes of all messages of an account. No default.
    pub fn quota_bytes(mut self, max: u64) -> Self {
        self.quota_bytes = Some(max);
        self
    }

    /// Most messages of an account. No default.
    pub fn quota_messages(mut self, max: u64) -> Self {
        self.quota_messages = Some(max);
        self
    }
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            message_len_max: 64 << 20,
            messages_max: 1_000_000,
            mailboxes_max: 1_000,
            keywords_max: Self::KEYWORDS_MAX,
            expunged_max: 10_000,
            quota_bytes: None,
            quota_messages: None,
        }
    }
}
