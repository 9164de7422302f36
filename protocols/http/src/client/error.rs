//! Why a request has no response: [`RequestError`].

use std::{fmt, time::Duration};

use sinew_transports::{
    ConnectError,
    reactor::{Excerpt, Failure, error_debug},
};

use http::StatusCode;

use super::{RedirectError, UrlError};
use crate::codec::{EncodeError, FieldError, HeadError};

/// Why a request has no response.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// No connection could be made.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The URL is invalid.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A field of the request is invalid.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A redirect was not followed.
    #[error(transparent)]
    Redirect(#[from] RedirectError),
    /// TLS could not be started: in a tunnel, or because there are no root certificates.
    #[error("TLS: {}", Excerpt::new(.reason))]
    Tls {
        /// The cause.
        reason: String,
    },
    /// A proxy refused a tunnel.
    #[error("the proxy {} refused a tunnel: {status}", Excerpt::new(.proxy))]
    Tunnel {
        /// The proxy.
        proxy: String,
        /// The status of its response.
        status: StatusCode,
    },
    /// The body of the request was sent already, and cannot be sent again.
    #[error("the body of the request cannot be sent twice")]
    BodyGone,
    /// The request target is invalid.
    #[error("{0}")]
    Target(#[from] EncodeError),
    /// The response does not follow RFC 9112, or its head is larger than the limits allow.
    #[error("the response was refused: {0}")]
    Head(#[from] HeadError),
    /// The connection ended before there was a response.
    #[error("the connection ended before there was a response: {}", Excerpt::new(.reason))]
    Lost {
        /// Why it ended.
        reason: String,
        /// The connection had been used before, and no byte was received: most likely the server had closed it already.
        is_stale: bool,
    },
    /// A timeout.
    #[error("timed out while {phase}, after {after:?}")]
    TimedOut {
        /// The phase of the request.
        phase: Phase,
        /// The timeout.
        after: Duration,
    },
    /// There were too many 1xx responses before the final one.
    #[error("more than {max} informational responses")]
    TooManyInformational {
        /// The limit.
        max: u32,
    },
    /// The server has switched protocols (101) without a request for it.
    #[error("the server switched protocols without being asked to")]
    UnexpectedUpgrade,
    /// The pool has as many waiting requests as it allows.
    #[error("more than {max} requests wait for a connection to the same place")]
    PoolFull {
        /// The limit.
        max: usize,
    },
    /// It was cancelled, or the reactor ended.
    #[error("{0}")]
    Failed(Failure),
}

error_debug!(RequestError);

impl From<Failure> for RequestError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl RequestError {
    /// Whether an idempotent request should be repeated on a new connection: the connection had been used before, and ended before
    /// the first byte of the response.
    #[must_use]
    pub const fn is_stale(&self) -> bool {
        matches!(self, Self::Lost { is_stale: true, .. })
    }

    /// Whether it is a timeout.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::Connect(ConnectError::TimedOut { .. }))
    }
}

/// The phase in which a request timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// A connection of the pool.
    Pool,
    /// Room to send the request.
    Sending,
    /// The head of the response.
    Head,
    /// The head of the final response, redirects and challenges included.
    Response,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pool => "waiting for a connection of the pool",
            Self::Sending => "sending the request",
            Self::Head => "waiting for the response",
            Self::Response => "waiting for the final response",
        })
    }
}
