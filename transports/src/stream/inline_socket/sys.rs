//! The place of a socket, on Linux: its descriptor, used where it lies. To take it out for every read and write, and to put it
//! back, would cost as much as what else is done around these calls.

#![allow(unsafe_code, reason = "a descriptor that is not taken out; the arguments stand beside it")]

use std::{
    cell::Cell,
    io,
    os::fd::{BorrowedFd, FromRawFd, IntoRawFd, RawFd},
};

use crate::stream::socket::{self, TcpStream};

/// No descriptor.
const NONE: RawFd = -1;

/// See the head of this file. What lies here, unless it is [`NONE`], is open and belongs to nobody else.
pub(in crate::stream) struct InlineSocket(Cell<RawFd>);

impl InlineSocket {
    pub(in crate::stream) fn new(socket: Option<TcpStream>) -> Self {
        Self(Cell::new(socket.map_or(NONE, IntoRawFd::into_raw_fd)))
    }

    /// `None` if there is none here.
    #[inline(always)]
    pub(in crate::stream) fn receive(&self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        Some(socket::receive(self.borrow()?, buffer))
    }

    /// `None` if there is none here.
    #[inline(always)]
    pub(in crate::stream) fn send(&self, data: &[u8]) -> Option<io::Result<usize>> {
        Some(socket::send(self.borrow()?, data))
    }

    /// For the two above, which make a system call and nothing else: it must not be taken meanwhile.
    #[inline(always)]
    fn borrow(&self) -> Option<BorrowedFd<'_>> {
        let fd = self.0.get();
        // SAFETY: it is open, for whoever takes it out leaves `NONE` behind; and nobody comes by to take it while it is used.
        (fd != NONE).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
    }

    pub(in crate::stream) fn take(&self) -> Option<TcpStream> {
        let fd = self.0.replace(NONE);
        // SAFETY: it is open and nobody else's, and with this it is not here any more.
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
