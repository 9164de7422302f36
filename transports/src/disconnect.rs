//! Why a connection ended: [`ConnectionLost`].

use std::{error::Error, io};

use sinew_reactor::Excerpt;

use crate::TlsError;

/// Why a connection ended, told to [`Protocol::connection_lost`](crate::Protocol::connection_lost).
///
/// # Examples
///
/// ```
/// use sinew_transports::{ConnectionLost, Protocol, Transport};
///
/// struct Client;
///
/// impl Protocol for Client {
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
///
///     fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
///         match reason {
///             ConnectionLost::Done | ConnectionLost::Closed => {} // as it should: `is_clean`
///             ConnectionLost::Protocol(error) => eprintln!("given up: {error}"), // what `fail` was told
///             reason => eprintln!("{}: {reason}", transport.peer()),
///         }
///     }
/// }
/// ```
#[derive(thiserror::Error)]
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
    /// The peer reset the connection, or went away while there was something to send to it.
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
    /// The connection goes on with another protocol: [`set_protocol`](crate::Transport::set_protocol).
    #[error("handed over to another protocol")]
    HandedOver,
    /// A callback of the protocol panicked.
    #[error("the protocol panicked: {}", Excerpt::new(.0))]
    Panicked(String),
    /// The reactor stopped while the connection was open, or the deadline of a drain passed. If anything was unsent, the peer sees
    /// a reset.
    #[error("the reactor was shut down")]
    Shutdown,
    /// The protocol failed for a reason of its own, by [`Transport::fail`](crate::Transport::fail).
    #[error("{0}")]
    Protocol(#[source] Box<dyn Error>),
    /// The peer ended the connection without the `close_notify` that ends a TLS stream: what it sent may have been cut off, by
    /// a fault or by somebody in between (RFC 8446 6.1).
    #[error("closed by the peer without the end of the TLS stream")]
    Truncated,
    /// TLS failed: the peer sent an alert, or what nobody may send; or the handshake that
    /// `start_tls` began did.
    #[error("TLS: {0}")]
    Tls(#[source] TlsError),
    /// The operating system failed.
    #[error("{0}")]
    Io(#[source] io::Error),
}

sinew_reactor::error_debug!(ConnectionLost);

/// What a layer over a socket has to say where only a socket's errors are expected.
#[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "TLS is the only layer there is"))]
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayerError {
    #[error("truncated")]
    Truncated,
    #[error("{0}")]
    Tls(#[source] TlsError),
}

impl LayerError {
    pub(crate) fn is_truncation(error: &io::Error) -> bool {
        matches!(Self::inside(error), Some(Self::Truncated))
    }

    pub(crate) fn is_tls(error: &io::Error) -> bool {
        matches!(Self::inside(error), Some(Self::Tls(_)))
    }

    fn inside(error: &io::Error) -> Option<&Self> {
        error.get_ref().and_then(|inner| inner.downcast_ref())
    }
}

impl From<LayerError> for io::Error {
    fn from(error: LayerError) -> Self {
        Self::other(error)
    }
}

impl ConnectionLost {
    /// Whether the connection ended as connections should: closed by either side, nothing lost; or goes on with another protocol.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        matches!(self, Self::Done | Self::Closed | Self::HandedOver)
    }
}

impl From<io::Error> for ConnectionLost {
    fn from(error: io::Error) -> Self {
        let error = match error.downcast() {
            Ok(LayerError::Truncated) => return Self::Truncated,
            Ok(LayerError::Tls(error)) => return Self::Tls(error),
            Err(error) => error,
        };
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
