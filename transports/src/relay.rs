//! Two connections tied together: [`Transport::relay`], what it tells, and why it may refuse. How bytes get from one to the other
//! is in `stream/relay.rs`.

use sinew_reactor::Deferred;

use crate::Transport;

/// How many bytes a relay has carried, seen from one of its ends. Those of a connection that was cut off may not all have
/// arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Relayed {
    /// From this end to the other.
    pub there: u64,
    /// From the other end to this.
    pub back: u64,
}

/// Why two connections cannot be tied together. Nothing has changed about either of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// Both are the same connection.
    #[error("a connection cannot be relayed to itself")]
    Itself,
    /// They live on different reactors.
    #[error("the connections live on different reactors")]
    OtherReactor,
    /// One of them is closing or over, or its output has ended.
    #[error("a connection to be relayed has been closed")]
    Closed,
    /// One of them is, or was, relayed already.
    #[error("a connection to be relayed is relayed already")]
    AlreadyRelayed,
}

sinew_reactor::error_debug!(RelayError);

impl Transport {
    /// Ties two connections together: from now on, what comes in at one goes out at the other, both ways. A value when both are
    /// over, with what was carried in the end: `there` from this one to `other`.
    ///
    /// - **Order.** What was queued at either end before goes first, and so do producers. Then comes what the protocol was given and
    ///   has not used, which it hands back ([`take_unread`](crate::Protocol::take_unread)); protocols that cut frames do. Input that
    ///   has not been delivered yet follows.
    /// - **Pace.** An end is read while there is room at the other. What is under way is at most what one read has brought:
    ///   no watermark is passed and no `write_limit` reached by it. Neither end stops reading by itself for what its own peer
    ///   leaves unread, as if by `set_auto_pause(false)`. [`pause_reading`](Self::pause_reading) holds one direction up.
    /// - **Ends.** The end of the input of one becomes the end of the output of the other, once all before it is sent. If one
    ///   connection is over, the other is closed gracefully if that was a clean end. If it was not, all that had come from there
    ///   is sent; when that has arrived, which is known on Linux, the other is reset (over TLS without its last word; a Unix
    ///   socket knows no reset, and ends). If one cannot be written to any more, it is still read to its end.
    /// - **Drains.** Both protocols are told when the port of either end is drained. By default they do nothing, and the relay
    ///   goes on until its ends close, or are reset at the deadline.
    /// - **Callbacks.** `data_received` and `read_closed` are not told any more. All others are, `connection_lost` once and
    ///   last. `write` still takes bytes, which go out between those that are carried; a producer waits until its direction has
    ///   ended. After `close_write` or `lose_connection`, what still comes from the other end is thrown away.
    ///
    /// On Linux, between two sockets of the kernel's with nothing around them (no TLS), large amounts are carried by
    /// [`splice(2)`](https://man7.org/linux/man-pages/man2/splice.2.html), in no buffer of this process; not on
    /// [`Engine::Uring`](sinew_reactor::Engine), which has received them already. Descriptors that come over a Unix socket are
    /// not carried on, but closed. Cancelling the deferred ends nothing.
    ///
    /// # Errors
    ///
    /// [`RelayError`] says why the two cannot be tied together; then nothing has changed.
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
    ///             println!("{peer}: {} bytes there, {} back", relayed.there, relayed.back);
    ///         }
    ///     });
    ///     Ok(())
    /// }
    /// ```
    pub fn relay(&self, other: &Self) -> Result<Deferred<Relayed>, RelayError> {
        if self == other {
            return Err(RelayError::Itself);
        }
        let ends = [self.inner(), other.inner()];
        if ends.iter().any(|end| end.is_relayed()) {
            return Err(RelayError::AlreadyRelayed);
        }
        let is_open = ends.iter().all(|end| end.is_open() && end.takes_output());
        let reactor = self.inner().reactor().filter(|_| is_open).ok_or(RelayError::Closed)?;
        if !self.inner().is_beside(other.inner()) {
            return Err(RelayError::OtherReactor);
        }
        Ok(self.start_relay(&reactor, other))
    }

    /// What the relay that this connection is, or was, an end of has carried so far; `None` if there is none.
    #[must_use]
    pub fn relayed(&self) -> Option<Relayed> {
        self.inner().relayed()
    }
}
