//! What can fail: [`IrcError`] of a connection, [`CommandError`] of a command that waits for its reply, [`SendError`] of a message.

use std::time::Duration;

use sinew_auth::SaslError;
use sinew_transports::{
    ConnectError,
    reactor::{Excerpt, Failure},
};

use crate::irc::codec::BuildError;

/// Why there is no connection, or why it has ended.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum IrcError {
    /// There is no connection.
    #[error("could not connect to the IRC server")]
    Connect(#[from] ConnectError),
    /// The client is connected already. A client has one connection.
    #[error("the client of IRC is connected already")]
    Connected,
    /// The connection was lost before the welcome.
    #[error("the connection was lost before the IRC server had welcomed the client: {reason}")]
    Lost {
        /// Why.
        reason: String,
    },
    /// The server has not welcomed the client in time.
    #[error("the IRC server did not welcome the client within {after:?}")]
    TimedOut {
        /// The time that was allowed.
        after: Duration,
    },
    /// The server sends nothing any more, not even PONG.
    #[error("the IRC server was silent for {after:?}, and has not answered a PING")]
    Silent {
        /// For how long.
        after: Duration,
    },
    /// The server does not want this client: a ban, a wrong password of the server, a nick that it does not like.
    #[error("the IRC server refused the client: {numeric:03} {}", Excerpt::new(text))]
    Refused {
        /// The number of its reply.
        numeric: u16,
        /// What it says.
        text: String,
    },
    /// The server has ended the connection, and says why.
    #[error("the IRC server ended the connection: {}", Excerpt::new(text))]
    Closed {
        /// What it says.
        text: String,
    },
    /// A login was wanted, and the server does not offer SASL.
    #[error("a login is wanted, and the IRC server does not offer SASL")]
    SaslNotOffered,
    /// The server has refused the login.
    #[error("the IRC server refused the login: {numeric} {}", Excerpt::new(text))]
    LoginRefused {
        /// The number of its reply.
        numeric: u16,
        /// What it says.
        text: String,
    },
    /// The login has failed here: no mechanism is acceptable, or the server has not proved what it must.
    #[error("could not log in to the IRC server")]
    Login(#[from] SaslError),
    /// No nick was free.
    #[error("none of {tries} nicks was free")]
    NoNick {
        /// How many were tried.
        tries: usize,
    },
    /// The wait was given up.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(IrcError);

/// Why a message was not sent.
#[derive(thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// It cannot be a message.
    #[error("the message cannot be sent: {0}")]
    Build(#[from] BuildError),
    /// There is no connection, or no welcome yet.
    #[error("the client of IRC is not connected")]
    NotConnected,
    /// Too many messages wait to be sent.
    #[error("{max} messages wait to be sent already")]
    QueueFull {
        /// The limit.
        max: usize,
    },
}

sinew_transports::reactor::error_debug!(SendError);

/// Why a command has no result.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// It was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The server has refused it.
    #[error("the IRC server refused {command}: {code} {}", Excerpt::new(text))]
    Refused {
        /// The command.
        command: &'static str,
        /// The number of the reply, or the code of a standard reply.
        code: String,
        /// What the server says.
        text: String,
    },
    /// There was no reply in time.
    #[error("no reply to {command} within {after:?}")]
    TimedOut {
        /// The command.
        command: &'static str,
        /// The time that was allowed.
        after: Duration,
    },
    /// The reply has more entries than the limit.
    #[error("the reply to {command} has more than {max} entries")]
    TooLong {
        /// The command.
        command: &'static str,
        /// The limit.
        max: usize,
    },
    /// The reply is longer than the limit.
    #[error("the reply to {command} has more than {max} bytes")]
    TooLarge {
        /// The command.
        command: &'static str,
        /// The limit.
        max: usize,
    },
    /// Too many commands wait for their replies.
    #[error("{max} commands wait for their replies already")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// The connection was lost before the reply.
    #[error("the connection was lost before the reply to {command}")]
    Lost {
        /// The command.
        command: &'static str,
    },
    /// The wait was given up.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(CommandError);
