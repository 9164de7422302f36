//! Why a connection ended: [`ConnectionLost`].

use std::{error::Error, io};

/// Why a connection ended, told to [`Protocol::connection_lost`](crate::Protocol::connection_lost).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionLost {
    /// The peer closed cleanly, and all that was written has been sent.
    #[error("closed by the peer")]
    Done,
    /// This side closed, by `lose_connection`.
    #[error("closed by this side")]
    Closed,
    /// This side dropped the connection, by `abort`.
    #[error("aborted by this side")]
    Aborted,
    /// The peer reset the connection.
    #[error("reset by the peer")]
    Reset,
    /// The kernel gave up on the peer, or a graceful close made no progress for its `linger_timeout`.
    #[error("timed out")]
    TimedOut,
    /// More was queued for sending than the `write_limit` allows.
    #[error("more than {limit} bytes queued for sending")]
    WriteLimit {
        /// The limit that was passed, in bytes.
        limit: usize,
    },
    /// The peer sent more descriptors than
    /// [`receive_descriptors`](crate::StreamConfig::receive_descriptors) lets wait to be taken.
    #[error("more than {limit} descriptors waiting to be taken")]
    DescriptorLimit {
        /// The limit that was passed.
        limit: usize,
    },
    /// A callback of the protocol panicked.
    #[error("the protocol panicked: {0}")]
    Panicked(String),
    /// The reactor stopped while the connection was open.
    #[error("the reactor was shut down")]
    Shutdown,
    /// The protocol failed for a reason of its own, by [`Transport::fail`](crate::Transport::fail).
    #[error("{0}")]
    Protocol(Box<dyn Error>),
    /// The operating system failed.
    #[error("{0}")]
    Io(#[source] io::Error),
}

impl ConnectionLost {
    /// Whether the connection ended as connections should: closed by either side, nothing lost.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        matches!(self, Self::Done | Self::Closed)
    }
}

impl From<io::Error> for ConnectionLost {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            // What shutdown(2) says of a connection that has been reset.
            | io::ErrorKind::NotConnected => Self::Reset,
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Io(error),
        }
    }
}
