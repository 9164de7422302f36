//! What has changed in a mailbox: [`Changes`].

use super::{ModSeq, Uid, UidSet};

/// What has changed in a mailbox after a number: for the untagged responses of IMAP, and for QRESYNC (RFC 7162 3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// The messages that are new, or whose flags have changed, ascending.
    pub changed: Vec<Uid>,
    /// The messages that were expunged. `None` if the mailbox does not remember so much: then all are gone that it does not have.
    pub vanished: Option<UidSet>,
    /// The number up to which these are all changes.
    pub highest: ModSeq,
}

impl Changes {
    /// None, up to this number.
    #[must_use]
    pub const fn none(highest: ModSeq) -> Self {
        Self { changed: Vec::new(), vanished: Some(UidSet::new()), highest }
    }

    /// Whether nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.vanished.as_ref().is_some_and(UidSet::is_empty)
    }
}
