//! Why a maildrop cannot be used: [`MaildropError`].

use std::error::Error;

use sinew_transports::reactor::Failure;

use crate::pop3::codec::{ResponseCode, Status};

/// A maildrop could not be opened, read or changed. Clients see the response code, and not the causes, which are logged.
///
/// | | response |
/// |---|---|
/// | [`InUse`](Self::InUse) | `-ERR [IN-USE]` |
/// | [`LoginTooSoon`](Self::LoginTooSoon) | `-ERR [LOGIN-DELAY]` |
/// | [`NoSuchMessage`](Self::NoSuchMessage) | `-ERR` |
/// | [`Temporary`](Self::Temporary), [`GivenUp`](Self::GivenUp) | `-ERR [SYS/TEMP]` |
/// | [`Permanent`](Self::Permanent) | `-ERR [SYS/PERM]` |
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum MaildropError {
    /// Another session has it.
    #[error("the maildrop is in use by another session")]
    InUse,
    /// The user has logged in too short a time ago.
    #[error("the last login was too short a time ago")]
    LoginTooSoon,
    /// The message is not there any more.
    #[error("the message is not there any more")]
    NoSuchMessage,
    /// It may work later.
    #[error("the maildrop cannot be used now")]
    Temporary(#[source] Box<dyn Error>),
    /// It will not work before something is repaired.
    #[error("the maildrop cannot be used")]
    Permanent(#[source] Box<dyn Error>),
    /// The work was given up.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(MaildropError);

impl MaildropError {
    /// What a client is told; the causes are logged.
    pub(super) fn status(&self) -> Status {
        match self {
            Self::InUse => {
                Status::err_with(ResponseCode::InUse, "Another session has the maildrop")
            }
            Self::LoginTooSoon => Status::err_with(
                ResponseCode::LoginDelay,
                "The last login was too short a time ago",
            ),
            Self::NoSuchMessage => Status::err("The message is not there any more"),
            Self::Temporary(_) | Self::GivenUp(_) => {
                tracing::error!(error = ?self, "a maildrop cannot be used");
                Status::err_with(ResponseCode::SysTemp, "The maildrop cannot be used now")
            }
            Self::Permanent(_) => {
                tracing::error!(error = ?self, "a maildrop cannot be used");
                Status::err_with(ResponseCode::SysPerm, "The maildrop cannot be used")
            }
        }
    }
}
