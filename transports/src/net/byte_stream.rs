//! A stream of bytes, as a network brings it: [`ByteStream`].

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
};

use sinew_reactor::{Ready, Token};

/// A bidirectional byte stream that never blocks: any transport under a [`Transport`](crate::Transport), kernel socket or not.
///
/// The contract is that of the [module](super). Dropping it closes it; after [`reset`](Self::reset), or if input was left unread, the
/// peer sees a reset, if the stream has resets.
pub trait ByteStream {
    /// Like `read(2)`: 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if no data is available; `ConnectionReset` and its like end the connection.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// The result of a read of one byte, without consuming it. A stream that cannot tell returns 1.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    fn peek(&self) -> io::Result<usize>;

    /// Like `writev(2)`: the number of bytes written. 0 only if there were none.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room; `BrokenPipe` after the peer has closed or the output was ended.
    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Ends the output (half-close), like `shutdown(2)`: the peer reads the end of the stream after all that was written before.
    ///
    /// # Errors
    ///
    /// `NotConnected` if the connection is over.
    fn close_write(&self) -> io::Result<()>;

    /// Makes the close that follows discard unsent data and send a reset, if the stream has resets.
    fn reset(&self);

    /// What to try now, for streams without events from an engine.
    fn readiness(&self) -> Ready;

    /// Checks for an error of the connection without reading.
    ///
    /// # Errors
    ///
    /// The error of the connection. Like `SO_ERROR`, it may be reported only once.
    fn check(&self) -> io::Result<()>;

    /// Whether a short read has drained the socket, unless the event before it said that reads may be short. With a level-triggered
    /// engine this may always be `true`: the engine reports again if data is left. Default `false`: the stream is read until it would
    /// block.
    fn short_read_drains(&self, is_edge_triggered: bool) -> bool {
        let _ = is_edge_triggered;
        false
    }

    /// Receives the stream's token, for streams that reschedule themselves. Default: ignored.
    fn register(&self, token: Token) {
        let _ = token;
    }

    /// Bytes written but not acknowledged by the peer's system, as far as this one can tell. A reset would discard them. Default 0.
    fn undelivered(&self) -> usize {
        0
    }

    /// The address of this end, if it has one. Default `None`.
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// Whether the stream has an output at all. Default `true`.
    fn takes_output(&self) -> bool {
        true
    }

    /// Whether a graceful close waits, for a bounded time, for the peer's close (lingering close): an earlier close could discard data
    /// in flight, and the peer may vanish without a FIN. Neither applies to pipes. Default `true`.
    fn lingers(&self) -> bool {
        true
    }

    /// Whether input and output are separate (two pipes), so that input continues after output has failed. If not, only data that has
    /// arrived by then is still read. Default `false`.
    fn has_separate_directions(&self) -> bool {
        false
    }
}
