//! Bytes written to a socket that are unsent or not acknowledged: `SIOCOUTQ` (tcp(7)).

#![allow(unsafe_code, reason = "one ioctl; the SAFETY comment says why it is sound")]

use std::os::fd::AsRawFd;

/// Returns 0 if the kernel cannot tell.
pub(in crate::stream) fn unacknowledged(socket: &impl AsRawFd) -> usize {
    let mut unsent: libc::c_int = 0;
    // SAFETY: the descriptor is open while it is borrowed, and the call writes one `c_int`, to the local variable.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut unsent) };
    if done == 0 { usize::try_from(unsent).unwrap_or(0) } else { 0 }
}
