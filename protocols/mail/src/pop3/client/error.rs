//! Why a client has failed: [`Pop3Error`], at which [`Stage`].

use std::{fmt, io, time::Duration};

use sinew_auth::SaslError;
use sinew_protocols::basic::{ArgumentError, FrameError};
use sinew_transports::{ConnectError, reactor::Failure};

use crate::pop3::codec::{ListingError, Status, StatusError};

/// A command of a client has failed. After [`Refused`](Self::Refused) the session goes on; after all others the client is of no more use.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Pop3Error {
    /// There is no connection.
    #[error("could not connect to the POP3 server")]
    Connect(#[from] ConnectError),
    /// The connection was lost. If the stage is [`Stage::Quit`], messages may have been deleted.
    #[error("the connection was lost while {stage} was to be answered")]
    Lost {
        /// What was sent last.
        stage: Stage,
        /// The reason.
        source: io::Error,
    },
    /// A response took too long. If the stage is [`Stage::Quit`], messages may have been deleted.
    #[error("no response to {stage} within {after:?}")]
    TimedOut {
        /// What was sent last.
        stage: Stage,
        /// The time that was allowed.
        after: Duration,
    },
    /// The server has refused a command.
    #[error("the POP3 server has refused {stage}: {status}")]
    Refused {
        /// Which.
        stage: Stage,
        /// Its response.
        status: Status,
    },
    /// What the server has sent is no response.
    #[error("no response of POP3 to {stage}")]
    NotAStatus {
        /// What was sent last.
        stage: Stage,
        /// What is wrong.
        source: StatusError,
    },
    /// A line of a list is none.
    #[error("no list in the response to {stage}")]
    NotAListing {
        /// What was sent last.
        stage: Stage,
        /// What is wrong.
        source: ListingError,
    },
    /// A line of a response is too long.
    #[error("no response of POP3 to {stage}")]
    Framing {
        /// What was sent last.
        stage: Stage,
        /// What is wrong.
        source: FrameError,
    },
    /// A message is longer than the limit.
    #[error("the message is longer than {max} bytes")]
    TooLarge {
        /// The limit.
        max: u64,
    },
    /// A list has more lines than the limit.
    #[error("the response to {stage} has more than {max} lines")]
    ListTooLong {
        /// What was sent last.
        stage: Stage,
        /// The limit.
        max: usize,
    },
    /// TLS is required, and the server does not offer STLS.
    #[error("the POP3 server does not offer STLS, which is required")]
    TlsNotOffered,
    /// The certificate cannot be verified: neither the endpoint nor [`ClientConfig::server_name`](super::ClientConfig::server_name) says
    /// whose it must be.
    #[error("STLS: the name of the POP3 server is not known; set `server_name` of `ClientConfig`")]
    NoServerName,
    /// TLS has failed, or plaintext was received behind the response to STLS.
    #[error("STLS: {reason}")]
    Tls {
        /// Why.
        reason: String,
    },
    /// APOP was asked for, and the greeting of the server has no timestamp.
    #[error("the POP3 server does not offer APOP, which was asked for")]
    ApopNotOffered,
    /// The login has failed here: no mechanism of the server is acceptable, or the server has not proved what it must.
    #[error("could not log in to the POP3 server")]
    Login(#[from] SaslError),
    /// The name or the password cannot be sent in a line.
    #[error("the name or the password of the login cannot be sent")]
    Credentials(#[source] ArgumentError),
    /// An earlier response was not read to its end: a new connection is needed.
    #[error("the session is of no more use after a response that was not read to its end")]
    Unusable,
    /// The work was given up.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(Pop3Error);

/// A step of a client, which a server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The connection: the answer is the greeting.
    Greeting,
    /// CAPA.
    Capabilities,
    /// STLS.
    StartTls,
    /// The login.
    Login,
    /// STAT.
    Stat,
    /// LIST.
    List,
    /// UIDL.
    UniqueIds,
    /// RETR.
    Retrieve,
    /// TOP.
    Top,
    /// DELE.
    Delete,
    /// RSET.
    Reset,
    /// NOOP.
    Noop,
    /// QUIT.
    Quit,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Greeting => "the connection",
            Self::Capabilities => "CAPA",
            Self::StartTls => "STLS",
            Self::Login => "the login",
            Self::Stat => "STAT",
            Self::List => "LIST",
            Self::UniqueIds => "UIDL",
            Self::Retrieve => "RETR",
            Self::Top => "TOP",
            Self::Delete => "DELE",
            Self::Reset => "RSET",
            Self::Noop => "NOOP",
            Self::Quit => "QUIT",
        })
    }
}

impl Pop3Error {
    /// Whether the same may succeed later. Not if the configuration, the password or the server would have to be changed.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Refused { stage, status } => match status.code() {
                Some(code) => code.is_temporary(),
                None => *stage != Stage::Login,
            },
            Self::Connect(_)
            | Self::Lost { .. }
            | Self::TimedOut { .. }
            | Self::Tls { .. }
            | Self::Unusable
            | Self::GivenUp(_) => true,
            Self::NotAStatus { .. }
            | Self::NotAListing { .. }
            | Self::Framing { .. }
            | Self::TooLarge { .. }
            | Self::ListTooLong { .. }
            | Self::TlsNotOffered
            | Self::NoServerName
            | Self::ApopNotOffered
            | Self::Login(_)
            | Self::Credentials(_) => false,
        }
    }
}
