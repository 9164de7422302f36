//! Inline storage for a socket on Linux: its descriptor, used in place. Taking the socket out for each read and write and putting
//! it back would cost as much as all other work around these calls.

#![allow(
    unsafe_code,
    reason = "a descriptor is used in place; the SAFETY comments say why that is sound"
)]

use std::{
    cell::Cell,
    io,
    os::fd::{BorrowedFd, FromRawFd, IntoRawFd, RawFd},
};

use crate::stream::socket::{self, TcpStream};

/// No descriptor.
const NONE: RawFd = -1;

/// A descriptor, or [`NONE`]. The descriptor is open and owned by this value alone.
pub(in crate::stream) struct InlineSocket(Cell<RawFd>);

impl InlineSocket {
    pub(in crate::stream) fn new(socket: Option<TcpStream>) -> Self {
        Self(Cell::new(socket.map_or(NONE, IntoRawFd::into_raw_fd)))
    }

    /// Returns `None` if there is no socket here.
    #[inline(always)]
    pub(in crate::stream) fn receive(&self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        Some(socket::receive(self.borrow()?, buffer))
    }

    /// Returns `None` if there is no socket here.
    #[inline(always)]
    pub(in crate::stream) fn send(&self, data: &[u8]) -> Option<io::Result<usize>> {
        Some(socket::send(self.borrow()?, data))
    }

    /// For `receive` and `send`, which make one system call and nothing else: the socket must not be taken meanwhile.
    #[inline(always)]
    fn borrow(&self) -> Option<BorrowedFd<'_>> {
        let fd = self.0.get();
        // SAFETY: the descriptor is open, because `take` leaves `NONE` behind; and `take` cannot run during the system call.
        (fd != NONE).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
    }

    pub(in crate::stream) fn take(&self) -> Option<TcpStream> {
        let fd = self.0.replace(NONE);
        // SAFETY: the descriptor is open and owned by this value, which gives up ownership by storing `NONE`.
        (fd != NONE).then(|| unsafe { TcpStream::from_raw_fd(fd) })
    }

    pub(in crate::stream) fn put(&self, socket: TcpStream) {
        drop(self.take());
        self.0.set(socket.into_raw_fd());
    }
}

impl Drop for InlineSocket {
    fn drop(&mut self) {
        drop(self.take());
    }
}
