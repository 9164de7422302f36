//! Public error types of a handover to another protocol ([`Transport::set_protocol`](crate::Transport::set_protocol)). The
//! handover itself is in `stream/handover.rs`.

use std::{error::Error, fmt};

use crate::Protocol;

/// Why a connection cannot be handed over to another protocol. Nothing about it has changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum NotHandedOver {
    /// The connection is closing or over.
    #[error("the connection is closing or over")]
    Closed,
    /// The connection is relayed: its input goes to the other end.
    #[error("the connection is relayed to another")]
    Relayed,
    /// A handover to another protocol is pending already.
    #[error("a handover to another protocol is pending already")]
    Pending,
}

/// The connection was not handed over. The error returns the protocol.
pub struct SetProtocolError<P> {
    /// The protocol.
    pub protocol: P,
    /// Why the connection was not handed over.
    pub reason: NotHandedOver,
}

impl<P: Protocol> fmt::Display for SetProtocolError<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<P: Protocol> Error for SetProtocolError<P> {}

sinew_reactor::error_debug!(NotHandedOver, SetProtocolError<P: Protocol>, UnreadInput);

/// The protocol had unread plaintext when TLS was started. That input is not authenticated: anyone on the path could have sent it
/// (RFC 3207 section 4.2).
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("TLS was started with {bytes} bytes of plaintext unread, sent before the handshake")]
pub struct UnreadInput {
    /// Number of unread bytes.
    pub bytes: usize,
}
