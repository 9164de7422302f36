//! A stream of bytes, as a network brings it: [`ByteStream`].

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
};

use sinew_reactor::{Ready, Token};

/// A stream of bytes both ways that never blocks: what else than a kernel's socket can be under a
/// [`Transport`](crate::Transport).
///
/// The contract is that of the [module](super). Dropping it closes it; if bytes were left unread, or after [`reset`](Self::reset),
/// with what stands for a reset.
pub trait ByteStream {
    /// As `read(2)`: 0 is the end.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing is there for now; `ConnectionReset` and its like end the connection.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// What a read would say that has room for one byte; the byte stays. A stream of which that cannot be known says that there is
    /// one.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    fn peek(&self) -> io::Result<usize>;

    /// As `writev(2)`: how many bytes were taken. 0 only if there were none.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room for now; `BrokenPipe` after the other end has closed or the output was ended.
    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// No more will be written: the other end reads the end once it has read all before it, as with `shutdown(2)`.
    ///
    /// # Errors
    ///
    /// `NotConnected` if the connection is over.
    fn close_write(&self) -> io::Result<()>;

    /// Has the close that follows drop what is unsent and tell the peer so, where there is a way to tell.
    fn reset(&self);

    /// What is worth trying now. A socket that the engine watches has nothing to say here.
    fn readiness(&self) -> Ready;

    /// Whether the connection still stands; nothing is read.
    ///
    /// # Errors
    ///
    /// Why it does not. Like `SO_ERROR`, an error may be told only once.
    fn check(&self) -> io::Result<()>;

    /// Whether a read that brings less than it had room for has taken all there was, unless the event before it said that reads may
    /// be cut short. It need not if the engine is level-triggered, and tells again of what is left. Default `false`: the stream is read
    /// until it would block.
    fn short_read_drains(&self, is_edge_triggered: bool) -> bool {
        let _ = is_edge_triggered;
        false
    }

    /// The token to be told of news, for streams that do not know it from the start. Default: nothing.
    fn register(&self, token: Token) {
        let _ = token;
    }

    /// How many bytes that were written have not reached the other end's system yet, as far as this one tells. A reset would take
    /// them away. Default 0.
    fn undelivered(&self) -> usize {
        0
    }

    /// The address of this end, if it has one. Default `None`.
    fn local_addr(&self) -> Option<SocketAddr> {
        None
    }

    /// Whether anything can ever be written to it. Default `true`.
    fn takes_output(&self) -> bool {
        true
    }

    /// Whether a graceful close waits for the other end's close, since closing earlier could take away what is on its way, and
    /// whether the other end may be gone without a word, so that waiting for it has to have an end. Neither goes for pipes. Default
    /// `true`.
    fn lingers(&self) -> bool {
        true
    }

    /// Whether what is read comes from elsewhere than where what is written goes, so that input goes on when output has failed. If
    /// not, only what has arrived by then is still read. Default `false`.
    fn has_separate_directions(&self) -> bool {
        false
    }
}
