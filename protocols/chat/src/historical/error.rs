//! What can go wrong for a client: [`SignOnError`] until it is signed on, [`SessionError`] afterwards.

use std::{io, time::Duration};

use sinew_protocols::basic::FrameError;
use sinew_transports::ConnectError;

use super::ScreenName;

/// A client could not sign on.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SignOnError {
    /// There is no connection to the server.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server refuses the name or the password.
    #[error("the server refuses to sign {name} on: error {code}")]
    Refused {
        /// The user.
        name: ScreenName,
        /// The code of the network: 5 of OSCAR and 980 of TOC stand for a wrong name or password.
        code: u16,
    },
    /// It took too long.
    #[error("the server has not signed {name} on within {after:?}")]
    TimedOut {
        /// The user.
        name: ScreenName,
        /// The limit.
        after: Duration,
    },
    /// The session has ended before it began.
    #[error("could not sign {name} on: {source}")]
    Ended {
        /// The user.
        name: ScreenName,
        /// Why.
        source: SessionError,
    },
}

/// A session has ended, or a message cannot be sent.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The server has signed the user off; with some servers because the same user has signed on elsewhere.
    #[error("the server has ended the session")]
    SignedOff,
    /// The connection is lost.
    #[error("the connection of the session is lost: {0}")]
    Lost(#[from] io::Error),
    /// What was received is not of this protocol.
    #[error("the server sends what is no frame of FLAP: {0}")]
    Framing(#[from] FrameError),
    /// What was received does not belong where it came.
    #[error("the server sends something unexpected: {0}")]
    Unexpected(&'static str),
    /// A text is too long to be sent.
    #[error("a message of {len} bytes is too long: at most {max} can be sent")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
}

sinew_transports::reactor::error_debug!(SignOnError, SessionError);
