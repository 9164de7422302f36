//! Why mail for an address is not accepted: [`RouteError`].

use crate::smtp::codec::Reply;

/// An address leads nowhere.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// There is no such user or alias.
    #[error("there is no such mailbox here")]
    NoSuchMailbox,
    /// Aliases or forwarding lead back to where they came from.
    #[error("aliases of {name} are in a loop")]
    Loop {
        /// A name in the loop.
        name: String,
    },
    /// There would be too many recipients.
    #[error("an address stands for more than {max} recipients")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// Aliases are nested too deep.
    #[error("aliases are nested more than {max} deep")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// Mail for other hosts is accepted from those only who may send it.
    #[error("mail for other hosts is not accepted from this client")]
    RelayDenied,
    /// It cannot be said now.
    #[error("it cannot be looked up: {0}")]
    Unavailable(String),
}

sinew_transports::reactor::error_debug!(RouteError);

impl RouteError {
    /// What a client of SMTP is told.
    #[must_use]
    pub fn reply(&self) -> Reply {
        match self {
            Self::NoSuchMailbox => Reply::no_such_mailbox(),
            Self::Loop { .. } => Reply::fixed(554, "5.4.6 The address is in a loop of aliases"),
            Self::TooMany { .. } => Reply::fixed(554, "5.3.0 The address has too many members"),
            Self::TooDeep { .. } => Reply::fixed(554, "5.4.6 Aliases are nested too deep"),
            Self::RelayDenied => {
                Reply::fixed(550, "5.7.1 Mail for other hosts is not accepted from you")
            }
            Self::Unavailable(_) => Reply::try_later(),
        }
    }
}

impl From<RouteError> for Reply {
    fn from(error: RouteError) -> Self {
        error.reply()
    }
}
