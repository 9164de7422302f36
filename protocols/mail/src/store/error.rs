//! Why a store has refused: [`StoreError`], with the kinds that the protocols have words for.

use std::{io, path::PathBuf, sync::Arc};

use sinew_transports::reactor::{Excerpt, Failure, error_debug};

use super::{MailboxName, MailboxNameError, Uid};

/// An operation on a store was not done.
///
/// | | IMAP | SMTP, LMTP | POP3 |
/// |---|---|---|---|
/// | [`NoSuchAccount`](Self::NoSuchAccount), [`UserName`](Self::UserName) | `NO` | 550 5.1.1 | `-ERR` |
/// | [`NoSuchMailbox`](Self::NoSuchMailbox) | `NO [NONEXISTENT]`, `[TRYCREATE]` | 550 5.1.1 | |
/// | [`AlreadyExists`](Self::AlreadyExists) | `NO [ALREADYEXISTS]` | | |
/// | [`NotPermitted`](Self::NotPermitted), [`Name`](Self::Name) | `NO [CANNOT]` | | |
/// | [`OverQuota`](Self::OverQuota) | `NO [OVERQUOTA]` | 552 5.2.2 | |
/// | [`TooLarge`](Self::TooLarge) | `NO [TOOBIG]` | 552 5.3.4 | |
/// | [`TooMany`](Self::TooMany) | `NO [LIMIT]` | 452 4.2.2 | |
/// | [`Locked`](Self::Locked) | `NO [INUSE]` | 450 4.2.0 | `-ERR [IN-USE]` |
/// | [`NoSuchMessage`](Self::NoSuchMessage) | `NO [EXPUNGEISSUED]` | | `-ERR` |
/// | [`Io`](Self::Io), [`Damaged`](Self::Damaged), [`GivenUp`](Self::GivenUp) | `NO [SERVERBUG]`, `[UNAVAILABLE]` | 451 4.3.0 | `-ERR [SYS/TEMP]` |
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store has no account of this user.
    #[error("there is no mail account {}", Excerpt::new(user))]
    NoSuchAccount {
        /// The user.
        user: String,
    },
    /// A user cannot have this name.
    #[error(
        "{} is not the name of a mail account: it must have 1 to {max} bytes, must not begin with a dot, and must have no `/`, `\\` and control characters",
        Excerpt::new(user)
    )]
    UserName {
        /// The user.
        user: String,
        /// Most bytes.
        max: usize,
    },
    /// There is no such mailbox, or it was deleted while it was open.
    #[error("there is no mailbox {name}")]
    NoSuchMailbox {
        /// Its name.
        name: MailboxName,
    },
    /// There is such a mailbox already.
    #[error("there is a mailbox {name} already")]
    AlreadyExists {
        /// Its name.
        name: MailboxName,
    },
    /// It is never allowed, as to delete the inbox.
    #[error("{what} is not permitted")]
    NotPermitted {
        /// What.
        what: &'static str,
    },
    /// A name is not allowed.
    #[error(transparent)]
    Name(#[from] MailboxNameError),
    /// The message is not there, or not any more.
    #[error("there is no message with UID {uid}")]
    NoSuchMessage {
        /// Its UID.
        uid: Uid,
    },
    /// There is no room for it in what the account may use.
    #[error("the account would use more than its quota")]
    OverQuota,
    /// A message is longer than the limit of the store.
    #[error("the message has more than {max} bytes")]
    TooLarge {
        /// The limit.
        max: u64,
    },
    /// There would be more than the limit of the store.
    #[error("there cannot be more than {max} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: u64,
    },
    /// Another session or another process uses it, and has not let it go for as long as the store waits.
    #[error("{what} is in use by another session or process")]
    Locked {
        /// What.
        what: &'static str,
    },
    /// A file could not be read or written.
    #[error("could not {operation} {}", Excerpt::path(path))]
    Io {
        /// What was tried.
        operation: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
    /// A file has contents that cannot be.
    #[error("{} is damaged: {reason}", Excerpt::path(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// The work was given up.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

error_debug!(StoreError);

impl StoreError {
    /// Whether the same may succeed later. Also when mail was deleted meanwhile.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::OverQuota
                | Self::TooMany { .. }
                | Self::Locked { .. }
                | Self::Io { .. }
                | Self::GivenUp(_)
        )
    }
}
