//! Why a connection ended: [`ConnectionLost`].

use std::{error::Error, io};

use sinew_reactor::Excerpt;

use crate::TlsError;

/// Why a connection ended: the argument of [`Protocol::connection_lost`](crate::Protocol::connection_lost).
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
///             ConnectionLost::Done | ConnectionLost::Closed => {} // clean, as `is_clean` says
///             ConnectionLost::Protocol(error) => eprintln!("given up: {error}"), // the error given to `fail`
///             reason => eprintln!("{}: {reason}", transport.peer()),
///         }
///     }
/// }
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionLost {
    /// The peer closed cleanly, and all written data has been sent.
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
    /// More was queued for sending than `write_limit` allows.
    #[error("more than {limit} bytes queued for sending")]
    WriteLimit {
        /// The limit that was exceeded, in bytes.
        limit: usize,
    },
    /// The peer sent more file descriptors than [`receive_descriptors`](crate::StreamConfig::receive_descriptors) allows to wait
    /// for `take_descriptor`.
    #[error("more than {limit} descriptors waiting to be taken")]
    DescriptorLimit {
        /// The limit that was exceeded.
        limit: usize,
    },
    /// Another protocol has taken over the connection, here ([`set_protocol`](crate::Transport::set_protocol)) or on another reactor
    /// ([`send_to`](crate::Transport::send_to)).
    #[error("handed over to another protocol")]
    HandedOver,
    /// A callback of the protocol panicked.
    #[error("the protocol panicked: {}", Excerpt::new(.0))]
    Panicked(String),
    /// The reactor stopped while the connection was open, or the drain deadline passed. If data was unsent, the peer receives a
    /// reset.
    #[error("the reactor was shut down")]
    Shutdown,
    /// The protocol reported an error of its own, by [`Transport::fail`](crate::Transport::fail).
    #[error("{0}")]
    Protocol(#[source] Box<dyn Error>),
    /// The peer ended the connection without the `close_notify` that ends a TLS stream: its data may have been truncated, by a
    /// fault or by an attacker on the path (RFC 8446 section 6.1).
    #[error("closed by the peer without close_notify: the TLS stream may be truncated")]
    Truncated,
    /// TLS failed: the peer sent an alert or violated the protocol, or the handshake that `start_tls` started failed.
    #[error("TLS: {0}")]
    Tls(#[source] TlsError),
    /// The operating system reported another error.
    #[error("{0}")]
    Io(#[source] io::Error),
}

sinew_reactor::error_debug!(ConnectionLost);

/// An error of a layer, carried in an [`io::Error`] where only errors of sockets are expected.
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
    /// Whether the connection ended cleanly: closed by either side with nothing lost, or handed over to another protocol.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        matches!(self, Self::Done | Self::Closed | Self::HandedOver)
    }
}

/// As tasks see it: an error of a read or a write, with the text of the reason.
impl From<&ConnectionLost> for io::Error {
    fn from(reason: &ConnectionLost) -> Self {
        let kind = match reason {
            ConnectionLost::Done | ConnectionLost::Closed | ConnectionLost::HandedOver => {
                io::ErrorKind::NotConnected
            }
            ConnectionLost::Aborted | ConnectionLost::Shutdown => io::ErrorKind::ConnectionAborted,
            ConnectionLost::Reset => io::ErrorKind::ConnectionReset,
            ConnectionLost::TimedOut => io::ErrorKind::TimedOut,
            ConnectionLost::Truncated => io::ErrorKind::UnexpectedEof,
            ConnectionLost::Tls(_) => io::ErrorKind::InvalidData,
            ConnectionLost::Io(error) => error.kind(),
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, reason.to_string())
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
            // shutdown(2) returns this for a connection that has been reset.
            | io::ErrorKind::NotConnected => Self::Reset,
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Io(error),
        }
    }
}
