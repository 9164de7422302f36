//! Relays between two connections: [`Transport::relay`], its result and its errors. The transfer itself is in `stream/relay.rs`.

use sinew_reactor::Deferred;

use crate::Transport;

/// Bytes that a relay has carried, seen from one of its ends. Bytes to a connection that was reset may not all have arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct RelayedBytes {
    /// From this end to the other.
    pub to_other: u64,
    /// From the other end to this one.
    pub from_other: u64,
}

/// Why a relay between two connections cannot start. Nothing about them has changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// Both are the same connection.
    #[error("a connection cannot be relayed to itself")]
    SameConnection,
    /// The connections belong to different reactors.
    #[error("the connections belong to different reactors")]
    OtherReactor,
    /// One of them is closing or over, or its output has ended.
    #[error("a connection to be relayed is closing or closed, or its output has ended")]
    Closed,
    /// One of them is, or was, part of a relay already.
    #[error("a connection to be relayed is relayed already")]
    AlreadyRelayed,
}

sinew_reactor::error_debug!(RelayError);

impl Transport {
    /// Starts a relay between two connections: from now on, data received at one is sent at the other, in both directions.
    /// Resolves when both are over, with the bytes carried: `to_other` from this connection to `other`.
    ///
    /// - **Order.** Output queued at either end goes first, and so do producers. Then comes the input that the protocol received
    ///   and did not use, which it returns from [`take_unread`](crate::Protocol::take_unread), as framing protocols do. Input
    ///   that was not delivered yet follows.
    /// - **Backpressure.** An end is read while there is room at the other. At most the data of one read is in flight, so the
    ///   relay neither exceeds watermarks nor reaches `write_limit`. Unsent output of an end does not stop that end's reading, as
    ///   if by `set_auto_pause(false)`. [`pause_reading`](Self::pause_reading) stops one direction.
    /// - **End.** The end of the input of one connection becomes the end of the output of the other (half-close), once all data
    ///   before it is sent. When one connection is over after a clean end, the other is closed gracefully. After an unclean end,
    ///   all data received from it is sent; when that is acknowledged, which Linux can tell, the other is reset (over TLS without
    ///   close_notify; a Unix socket has no reset and is closed). If output to one connection fails, it is still read to its end.
    /// - **Drain.** `drain_requested` of both protocols is called when the port of either end is drained. By default they do
    ///   nothing, and the relay continues until its ends close, or are reset at the deadline.
    /// - **Callbacks.** `data_received` and `read_closed` are no longer called. All others are, `connection_lost` once and last.
    ///   `write` still accepts bytes, which are sent between the relayed ones; a producer waits until its direction has ended.
    ///   After `close_write` or `lose_connection`, later data from the other end is discarded.
    ///
    /// On Linux, between two plain kernel sockets (no TLS), bulk data is carried by
    /// [`splice(2)`](https://man7.org/linux/man-pages/man2/splice.2.html), without a copy to this process (zero-copy); not on
    /// [`Engine::Uring`](sinew_reactor::Engine), which has received the data already. File descriptors that arrive over a Unix
    /// socket are closed, not forwarded. Cancelling the deferred does not end the relay.
    ///
    /// # Errors
    ///
    /// [`RelayError`] says why the relay cannot start; then nothing has changed.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_transports::{RelayError, Transport};
    ///
    /// fn tunnel(client: &Transport, server: &Transport) -> Result<(), RelayError> {
    ///     let peer = client.peer();
    ///     client.relay(server)?.then(move |_, relayed| {
    ///         if let Ok(relayed) = relayed {
    ///             println!("{peer}: {} bytes to the other, {} from it", relayed.to_other, relayed.from_other);
    ///         }
    ///     });
    ///     Ok(())
    /// }
    /// ```
    pub fn relay(&self, other: &Self) -> Result<Deferred<RelayedBytes>, RelayError> {
        if self == other {
            return Err(RelayError::SameConnection);
        }
        let ends = [self.inner(), other.inner()];
        if ends.iter().any(|end| end.is_relayed()) {
            return Err(RelayError::AlreadyRelayed);
        }
        let is_open = ends.iter().all(|end| end.is_open() && end.takes_output());
        let reactor = self.inner().reactor().filter(|_| is_open).ok_or(RelayError::Closed)?;
        if !self.inner().shares_reactor_with(other.inner()) {
            return Err(RelayError::OtherReactor);
        }
        Ok(self.start_relay(&reactor, other))
    }

    /// Bytes carried so far by the relay that this connection is, or was, part of; `None` if there was none.
    #[must_use]
    pub fn relayed(&self) -> Option<RelayedBytes> {
        self.inner().relayed()
    }
}
