//! Why a WebSocket could not be opened: [`OpenError`].

use std::time::Duration;

use sinew_transports::{
    ConnectError,
    reactor::{Excerpt, Failure, error_debug},
};

use super::super::HandshakeError;
use crate::codec::EncodeError;

/// Why a client could not open a WebSocket.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The connection could not be made.
    #[error("{0}")]
    Connect(ConnectError),
    /// The server did not accept the handshake.
    #[error("{0}")]
    Handshake(HandshakeError),
    /// The handshake took too long, from the connection on.
    #[error("the server did not answer the handshake within {after:?}")]
    TimedOut {
        /// The limit.
        after: Duration,
    },
    /// The connection ended before the server had answered.
    #[error("the connection ended before the handshake was answered: {why}")]
    Lost {
        /// Why it ended.
        why: String,
    },
    /// A subprotocol cannot be offered, since its name is no token (RFC 9110 5.6.2).
    #[error("{:?} cannot be the name of a subprotocol", Excerpt::new(name))]
    Subprotocol {
        /// The name.
        name: String,
    },
    /// The path of the URL cannot be sent.
    #[error("{0}")]
    Target(EncodeError),
    /// `wss` without the feature `tls`, or without certificates of the system; `ws+unix` on a system without Unix sockets.
    #[error("{scheme} cannot be used here: {why}")]
    Unsupported {
        /// The scheme of the URL.
        scheme: &'static str,
        /// The reason.
        why: String,
    },
    /// The system has no random number for the key.
    #[error("the system has no random number: {why}")]
    NoRandomNumber {
        /// The reason.
        why: String,
    },
    /// Opening was cancelled, or the reactor ended.
    #[error("{0}")]
    Failed(Failure),
}

error_debug!(OpenError);

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}
