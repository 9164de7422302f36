//! Why a command did not succeed: [`ImapError`], and why a connection ended: [`ConnectionEnd`].

use std::{io, rc::Rc, time::Duration};

use sinew_auth::SaslError;
use sinew_transports::{ConnectError, reactor::Failure};

use crate::imap::codec::{Code, EncodeError, ParseError, PlainCode, StatusText, ValueError};

/// A command did not succeed, or it is not known what became of it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ImapError {
    /// There is no connection.
    #[error("could not connect to the IMAP server")]
    Connect(#[from] ConnectError),
    /// The server has answered that it did not do it.
    #[error("the IMAP server has answered {command} with {status}")]
    Refused {
        /// The command; of a connection, `the connection`.
        command: &'static str,
        /// The answer.
        status: StatusText,
    },
    /// The connection has ended before the answer. The server may have done it or not.
    #[error("the connection was lost before {command} was answered")]
    Lost {
        /// The command.
        command: &'static str,
        /// Why.
        source: ConnectionEnd,
    },
    /// The answer took too long. The server may do it still.
    #[error("{command} was not answered within {after:?}")]
    TimedOut {
        /// The command.
        command: &'static str,
        /// The time that was allowed.
        after: Duration,
    },
    /// The server has said nothing for too long while the connection was set up.
    #[error("the IMAP server has said nothing for {after:?}")]
    Silent {
        /// The time that was allowed.
        after: Duration,
    },
    /// What the server sends is longer than the limit. It was read and dropped.
    #[error("the answer to {command} is longer than {max} bytes")]
    TooLong {
        /// The command.
        command: &'static str,
        /// The limit.
        max: u64,
    },
    /// The server has found more messages, in ranges, than are made numbers of.
    #[error("the answer to SEARCH has more than {max} numbers")]
    TooManyNumbers {
        /// The limit.
        max: u64,
    },
    /// A response that may belong to the answer cannot be read. All of it was received, and the connection is of further use.
    #[error("what the IMAP server has sent for {command} cannot be read")]
    Unreadable {
        /// The command.
        command: &'static str,
        /// What is wrong.
        source: ParseError,
    },
    /// Too many commands wait to be sent.
    #[error("more than {max} commands wait to be sent")]
    QueueFull {
        /// The limit.
        max: usize,
    },
    /// The command needs something that the server does not have.
    #[error("the IMAP server does not have {capability}")]
    Needs {
        /// The capability.
        capability: &'static str,
    },
    /// What the server has sent does not belong to the command.
    #[error("the IMAP server has answered {command} without {missing}")]
    Incomplete {
        /// The command.
        command: &'static str,
        /// What is missing.
        missing: &'static str,
    },
    /// The mailbox is not selected, or is not any more.
    #[error("the mailbox is not selected any more")]
    NotSelected,
    /// TLS is required, and the server does not offer STARTTLS.
    #[error("the IMAP server does not offer STARTTLS, which is required")]
    TlsNotOffered,
    /// TLS is required, and the server has greeted as if the client was logged in, where STARTTLS is not possible.
    #[error(
        "the IMAP server has greeted with PREAUTH, which leaves no place for the STARTTLS that is required"
    )]
    PreAuth,
    /// The certificate cannot be verified: neither the endpoint nor [`ClientConfig::server_name`](super::ClientConfig::server_name) says
    /// whose it must be.
    #[error(
        "STARTTLS: the name of the IMAP server is not known; set `server_name` of `ClientConfig`"
    )]
    NoServerName,
    /// TLS has failed, or plaintext was received behind the answer to STARTTLS.
    #[error("STARTTLS: {reason}")]
    Tls {
        /// Why.
        reason: String,
    },
    /// The login has failed here: no mechanism of the server is acceptable, or the server has not proved what it must.
    #[error("could not log in to the IMAP server")]
    Login(#[from] SaslError),
    /// The command cannot be sent.
    #[error("the command cannot be sent")]
    Encode(#[from] EncodeError),
    /// A value is not one of its type.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A message that was to be appended could not be read, or has another length than was announced. The connection ends, since
    /// the server waits for the rest.
    #[error("could not read the message to append: {reason}")]
    Source {
        /// Why.
        reason: String,
    },
    /// The work was given up.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(ImapError);

/// Why a connection ended.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionEnd {
    /// The client was closed.
    #[error("the client was closed")]
    Closed,
    /// The server said goodbye.
    #[error("the IMAP server has ended it: {0}")]
    Bye(StatusText),
    /// The connection failed.
    #[error("{0}")]
    Io(Rc<io::Error>),
    /// The server has said nothing for too long while an answer was due.
    #[error("the IMAP server has said nothing for {after:?} while an answer was due")]
    Silent {
        /// The time that was allowed.
        after: Duration,
    },
    /// A command was not answered in twice the time that it has, although the server has said other things. Later commands would wait
    /// for it.
    #[error("the IMAP server has not answered {command} for {after:?}")]
    Unanswered {
        /// The command.
        command: &'static str,
        /// Twice the time that was allowed.
        after: Duration,
    },
    /// The server has sent something that is not IMAP.
    #[error("what the IMAP server has sent is not IMAP: {reason}")]
    Protocol {
        /// What is wrong.
        reason: String,
    },
    /// A message that was to be appended could not be sent to its end.
    #[error("a message could not be appended to its end")]
    Source,
}

sinew_transports::reactor::error_debug!(ConnectionEnd);

impl ConnectionEnd {
    pub(super) fn protocol(reason: impl std::fmt::Display) -> Self {
        Self::Protocol { reason: reason.to_string() }
    }
}

impl From<io::Error> for ConnectionEnd {
    fn from(error: io::Error) -> Self {
        Self::Io(Rc::new(error))
    }
}

impl ImapError {
    /// The code of the answer, if the server has refused.
    #[must_use]
    pub fn code(&self) -> Option<&Code> {
        match self {
            Self::Refused { status, .. } => status.code.as_ref(),
            _ => None,
        }
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. } | Self::Connect(_) | Self::Silent { .. })
    }

    /// Whether the same may succeed later: there was no connection, or the server has said that it is not able to now.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        let temporary =
            [PlainCode::Unavailable, PlainCode::InUse, PlainCode::Limit, PlainCode::ServerBug];
        match self.code() {
            Some(code) => temporary.iter().any(|plain| code.is(*plain)),
            None => {
                self.is_lost() || matches!(self, Self::TimedOut { .. } | Self::QueueFull { .. })
            }
        }
    }
}
