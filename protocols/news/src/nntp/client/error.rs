//! Why a client could not do what it was asked: [`NewsError`].

use std::{io, time::Duration};

use sinew_auth::SaslError;
use sinew_protocols::basic::FrameError;
use sinew_transports::{ConnectError, reactor::Failure};

use crate::nntp::codec::{ArticleError, Response, ResponseError};

/// A server of news could not be asked, or has not answered as it should.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum NewsError {
    /// There is no connection.
    #[error("could not connect to the news server")]
    Connect(#[from] ConnectError),
    /// The connection was lost.
    #[error("the connection to the news server was lost while {command} was to be answered")]
    Lost {
        /// What was sent last.
        command: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// A response took too long.
    #[error("no answer of the news server to {command} within {after:?}")]
    TimedOut {
        /// What was sent last.
        command: &'static str,
        /// The time that was allowed.
        after: Duration,
    },
    /// The server does not do it.
    #[error("the news server has answered to {command}: {response}")]
    Refused {
        /// What it has answered to.
        command: &'static str,
        /// Its answer.
        response: Response,
    },
    /// What the server has sent is no response.
    #[error("no response of NNTP to {command}")]
    NotAResponse {
        /// What was sent last.
        command: &'static str,
        /// What is wrong.
        source: ResponseError,
    },
    /// A line is too long.
    #[error("no response of NNTP to {command}")]
    Framing {
        /// What was sent last.
        command: &'static str,
        /// What is wrong.
        source: FrameError,
    },
    /// An entry of a list is not one.
    #[error("a line in the list of {command} is not {what}")]
    Entry {
        /// What was sent last.
        command: &'static str,
        /// What it should be.
        what: &'static str,
    },
    /// More was received than the caller wants.
    #[error("the answer to {command} is longer than {max}")]
    TooLong {
        /// What was sent last.
        command: &'static str,
        /// The limit: bytes of a text, or entries of a list.
        max: usize,
    },
    /// TLS is required, and the server does not offer STARTTLS.
    #[error("the news server does not offer STARTTLS, which is required")]
    TlsNotOffered,
    /// The certificate cannot be verified: neither the endpoint nor [`ClientConfig::server_name`](super::ClientConfig::server_name)
    /// says whose it must be.
    #[error(
        "STARTTLS: the name of the news server is not known; set `server_name` of `ClientConfig`"
    )]
    NoServerName,
    /// TLS has failed, or plaintext was received behind the response to STARTTLS.
    #[error("STARTTLS: {reason}")]
    Tls {
        /// Why.
        reason: String,
    },
    /// The login has failed here: no mechanism of the server is acceptable, or the server has not proved what it must.
    #[error("could not log in to the news server")]
    Login(#[from] SaslError),
    /// What is to be sent is no article.
    #[error("what was to be sent is no article")]
    Article(#[from] ArticleError),
    /// An earlier call of this client has failed, or was given up: a new connection is needed.
    #[error("the connection is of no more use after an answer that was not read to its end")]
    Unusable,
    /// The work was given up.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(NewsError);

impl NewsError {
    /// The answer of the server, if it is one that refuses.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        match self {
            Self::Refused { response, .. } => Some(response),
            _ => None,
        }
    }
}
