//! How a command ends: [`Done`], the last line of its answer.

use sinew_transports::reactor::with_causes;

use super::selected::{Known, Occasion};
use crate::store::StoreError;

/// The end of a command: what its tagged response says, and what else is told before it.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) status: Status,
    /// A response code, without its brackets.
    pub(super) code: Option<String>,
    pub(super) text: &'static str,
    /// When changes of the mailbox may be told.
    pub(super) occasion: Occasion,
    pub(super) known: Known,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    No,
    Bad,
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::No => "NO",
            Self::Bad => "BAD",
        }
    }
}

impl Done {
    fn new(status: Status, text: &'static str) -> Self {
        Self { status, code: None, text, occasion: Occasion::Any, known: Known::default() }
    }

    pub(super) fn ok(text: &'static str) -> Self {
        Self::new(Status::Ok, text)
    }

    pub(super) fn no(text: &'static str) -> Self {
        Self::new(Status::No, text)
    }

    pub(super) fn bad(text: &'static str) -> Self {
        Self::new(Status::Bad, text)
    }

    /// With a response code. The caller vouches for its form.
    pub(super) fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// No message may go now, if sequence numbers were used.
    pub(super) fn by_numbers(mut self, is_uid: bool) -> Self {
        self.occasion = if is_uid { Occasion::Any } else { Occasion::NumbersAreUsed };
        self
    }

    pub(super) fn knowing(mut self, known: Known) -> Self {
        self.known = known;
        self
    }

    /// What the store has refused.
    pub(super) fn refused(error: &StoreError) -> Self {
        match error {
            StoreError::NoSuchMailbox { .. } => {
                Self::no("There is no such mailbox").code("NONEXISTENT")
            }
            StoreError::AlreadyExists { .. } => {
                Self::no("There is such a mailbox already").code("ALREADYEXISTS")
            }
            StoreError::NotPermitted { .. } => Self::no("That is not permitted").code("CANNOT"),
            StoreError::Name(_) => Self::no("A mailbox cannot have this name").code("CANNOT"),
            StoreError::OverQuota => Self::no("There is no room for it").code("OVERQUOTA"),
            StoreError::TooLarge { .. } => Self::no("The message is too large").code("TOOBIG"),
            StoreError::TooMany { .. } => Self::no("There are too many already").code("LIMIT"),
            StoreError::Locked { .. } => Self::no("It is in use").code("INUSE"),
            StoreError::NoSuchMessage { .. } => {
                Self::no("The message is gone").code("EXPUNGEISSUED")
            }
            StoreError::NoSuchAccount { .. } | StoreError::UserName { .. } => {
                Self::no("There is no mail account of this user").code("AUTHORIZATIONFAILED")
            }
            error => {
                tracing::error!(error = %with_causes(&error), "a command of IMAP has failed");
                Self::no("The server has a problem").code("UNAVAILABLE")
            }
        }
    }

    /// As [`refused`](Self::refused), of the mailbox that messages are to be put into.
    pub(super) fn refused_target(error: &StoreError) -> Self {
        match error {
            StoreError::NoSuchMailbox { .. } => {
                Self::no("There is no such mailbox").code("TRYCREATE")
            }
            error => Self::refused(error),
        }
    }
}

impl From<StoreError> for Done {
    fn from(error: StoreError) -> Self {
        Self::refused(&error)
    }
}
