//! What can be said of a connection that is given on to another protocol ([`Transport::set_protocol`](crate::Transport::set_protocol)).
//! How that is done is in `stream/handover.rs`.

use std::{error::Error, fmt};

/// Why a connection cannot be given to another protocol. Nothing has changed about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NotHandedOver {
    /// It is closing or over.
    #[error("the connection is closing or over")]
    Closed,
    /// It is relayed: its input belongs to the other end.
    #[error("the connection is relayed to another")]
    Relayed,
    /// It is on its way to another protocol already.
    #[error("the connection is on its way to another protocol")]
    Pending,
}

/// A connection could not be given to a protocol, which comes back with this.
#[non_exhaustive]
pub struct SetProtocolError<P> {
    /// The protocol.
    pub protocol: P,
    /// Why not.
    pub reason: NotHandedOver,
}

impl<P> fmt::Debug for SetProtocolError<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetProtocolError").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<P> fmt::Display for SetProtocolError<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<P> Error for SetProtocolError<P> {}

/// A protocol had input left that came in the clear, when the connection was on its way to TLS: by then it could have been anybody's
/// (RFC 3207 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes in the clear were left when TLS was started")]
#[non_exhaustive]
pub struct UnreadInput {
    /// How many bytes.
    pub bytes: usize,
}
