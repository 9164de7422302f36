//! Messages as a mailbox knows them: [`MessageInfo`], and those that are added, [`NewMessage`]. No text of theirs.

use std::time::SystemTime;

use super::{Flags, ModSeq, Uid, UidValidity};

/// What a mailbox knows of a message without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageInfo {
    /// Its number.
    pub uid: Uid,
    /// Its flags, without `\Recent`.
    pub flags: Flags,
    /// When it arrived (INTERNALDATE), in whole seconds.
    pub date: SystemTime,
    /// Its size in bytes, with lines that end in CRLF: what all reads give together.
    pub size: u64,
    /// The number of its last change.
    pub mod_seq: ModSeq,
}

/// A message that is to be added. Its text follows, see [`Append`](super::Append).
#[derive(Clone, Debug, Default)]
#[must_use = "it does nothing before it is given to `append` or `deliver`"]
pub struct NewMessage {
    pub(crate) flags: Flags,
    pub(crate) date: Option<SystemTime>,
    pub(crate) size: Option<u64>,
}

/// A message that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appended {
    /// Of the mailbox.
    pub uid_validity: UidValidity,
    /// Of the message.
    pub uid: Uid,
}

/// Messages that were copied or moved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// Of the mailbox that they are in now.
    pub uid_validity: UidValidity,
    /// Their UIDs before and now, ascending. UIDs that were not there any more are not here.
    pub uids: Vec<(Uid, Uid)>,
}

impl Copied {
    /// Messages with these UIDs, before and now, in the mailbox with this validity.
    #[must_use]
    pub const fn new(uid_validity: UidValidity, uids: Vec<(Uid, Uid)>) -> Self {
        Self { uid_validity, uids }
    }
}

impl MessageInfo {
    /// A message without flags, that has arrived in 1970.
    #[must_use]
    pub const fn new(uid: Uid, size: u64, mod_seq: ModSeq) -> Self {
        Self { uid, flags: Flags::new(), date: SystemTime::UNIX_EPOCH, size, mod_seq }
    }
}

impl Appended {
    /// The message with this UID, in the mailbox with this validity.
    #[must_use]
    pub const fn new(uid_validity: UidValidity, uid: Uid) -> Self {
        Self { uid_validity, uid }
    }
}

impl NewMessage {
    /// One without flags, that arrives now.
    pub fn new() -> Self {
        Self::default()
    }

    /// Its flags.
    pub fn flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    /// When it has arrived (INTERNALDATE), if that is not now.
    pub fn date(mut self, date: SystemTime) -> Self {
        self.date = Some(date);
        self
    }

    /// Its size, if it is known: one that is too large, or for which there is no room, is then refused before its text is sent. It is not
    /// trusted: what is written is counted.
    pub fn size(mut self, size: u64) -> Self {
        self.size = Some(size);
        self
    }
}
