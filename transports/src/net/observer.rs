//! What watches the socket of a stream: [`StreamObserver`].

use std::io::{self, IoSlice};

/// Is told of every call that a stream makes on its socket, after the call, and changes nothing; for recordings.
/// [`Transport::observe`](crate::Transport::observe) puts one around the socket of a connection. It is dropped right before the
/// socket is closed.
///
/// Of an encrypted connection it sees the ciphertext if it was there before TLS, and else nothing of the input.
pub trait StreamObserver {
    /// Bytes were read, by the stream or by an engine that receives by itself: empty is the end. Errors include `WouldBlock`.
    fn read(&self, result: Result<&[u8], &io::Error>);

    /// The slices were offered, and so many bytes of them taken.
    fn written(&self, slices: &[IoSlice<'_>], result: Result<usize, &io::Error>);

    /// The output was ended.
    fn write_closed(&self, result: Result<(), &io::Error>);

    /// The stream asked whether the connection still stands.
    fn checked(&self, result: Result<(), &io::Error>);

    /// The close that follows is to be a reset.
    fn reset(&self);
}
