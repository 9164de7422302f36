//! What is said of mailboxes and accounts: [`MailboxInfo`], [`SpecialUse`], [`Status`] and [`Quota`].

use std::fmt;

use super::{MailboxName, ModSeq, Uid, UidValidity};

/// A mailbox in the list of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MailboxInfo {
    /// Its name.
    pub name: MailboxName,
    /// Whether it can be opened. If not, it is only there because of the mailboxes in it (`\NonExistent`, which implies `\NoSelect`), or
    /// because it is subscribed and was deleted.
    pub exists: bool,
    /// Whether there are mailboxes in it (`\HasChildren`, `\HasNoChildren`).
    pub has_children: bool,
    /// Whether the user has subscribed to it.
    pub is_subscribed: bool,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
}

/// What a mailbox is for (RFC 6154).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpecialUse {
    /// Messages that are kept and not needed now.
    Archive,
    /// Messages that are not finished.
    Drafts,
    /// Messages that nobody wants.
    Junk,
    /// Messages that were sent.
    Sent,
    /// Messages that were deleted.
    Trash,
}

/// The numbers of a mailbox (RFC 9051 6.3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Whether its UIDs are those of before.
    pub uid_validity: UidValidity,
    /// The UID that the next message gets, or a smaller one than it.
    pub uid_next: Uid,
    /// The number of its last change.
    pub highest_mod_seq: ModSeq,
    /// Messages in it.
    pub messages: u32,
    /// Of these, the ones without `\Seen`.
    pub unseen: u32,
    /// Of these, the ones with `\Deleted`.
    pub deleted: u32,
    /// Of these, the ones that no session has [claimed](super::Mailbox::claim_recent) as recent.
    pub recent: u32,
    /// Their sizes together.
    pub size: u64,
}

/// What an account uses, and what it may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quota {
    /// Bytes of all messages.
    pub bytes: u64,
    /// All messages.
    pub messages: u64,
    /// Most bytes; none for no limit.
    pub bytes_max: Option<u64>,
    /// Most messages; none for no limit.
    pub messages_max: Option<u64>,
}

impl MailboxInfo {
    /// A mailbox that can be opened, with nothing in it. What it is for is told by its [name](SpecialUse::of).
    #[must_use]
    pub fn new(name: MailboxName) -> Self {
        let special_use = SpecialUse::of(&name);
        Self { name, exists: true, has_children: false, is_subscribed: false, special_use }
    }
}

impl SpecialUse {
    /// As IMAP writes it, with the `\`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Archive => r"\Archive",
            Self::Drafts => r"\Drafts",
            Self::Junk => r"\Junk",
            Self::Sent => r"\Sent",
            Self::Trash => r"\Trash",
        }
    }

    /// What a mailbox at the top of the hierarchy is for by the names that clients give: `Archive`, `Drafts`, `Junk`, `Sent`, `Trash`, in
    /// either case.
    #[must_use]
    pub fn of(name: &MailboxName) -> Option<Self> {
        let all = [Self::Archive, Self::Drafts, Self::Junk, Self::Sent, Self::Trash];
        all.into_iter().find(|special| name.as_str().eq_ignore_ascii_case(&special.as_str()[1..]))
    }
}

impl fmt::Display for SpecialUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Status {
    /// An empty mailbox.
    #[must_use]
    pub const fn new(uid_validity: UidValidity) -> Self {
        Self {
            uid_validity,
            uid_next: Uid::MIN,
            highest_mod_seq: ModSeq::MIN,
            messages: 0,
            unseen: 0,
            deleted: 0,
            recent: 0,
            size: 0,
        }
    }
}

impl Quota {
    /// Whether so much more fits in.
    #[must_use]
    pub fn has_room(&self, bytes: u64, messages: u64) -> bool {
        let fits = |used: u64, more: u64, max: Option<u64>| {
            max.is_none_or(|max| used.saturating_add(more) <= max)
        };
        fits(self.bytes, bytes, self.bytes_max) && fits(self.messages, messages, self.messages_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_use() {
        let of = |name: &str| SpecialUse::of(&name.parse().unwrap());
        assert_eq!(of("sent"), Some(SpecialUse::Sent));
        assert_eq!(of("Trash"), Some(SpecialUse::Trash));
        assert_eq!((of("INBOX"), of("a/Sent"), of(r"\Sent")), (None, None, None));
    }

    #[test]
    fn a_quota_has_room_up_to_its_limit() {
        let quota = Quota { bytes: 90, messages: 1, bytes_max: Some(100), messages_max: Some(2) };
        assert!(quota.has_room(10, 1) && !quota.has_room(11, 1) && !quota.has_room(1, 2));
        assert!(!quota.has_room(u64::MAX, 1) && Quota::default().has_room(u64::MAX, u64::MAX));
    }
}
