//! TCP fast open on Linux (tcp(7), RFC 7413): two socket options that neither socket2 nor rustix wraps. Nothing else is done
//! here.

#![allow(unsafe_code, reason = "setsockopt(2) takes a pointer; the argument stands beside it")]

use std::{io, os::fd::AsRawFd};

use socket2::Socket;

/// Enables fast open on a listening socket. `queue` bounds the connections whose handshake is not complete.
pub(super) fn listen(socket: &Socket, queue: u16) -> io::Result<()> {
    set(socket, libc::TCP_FASTOPEN, queue.into())
}

/// `connect` returns at once, and the first write is sent with the SYN, if a cookie of the server is cached.
pub(super) fn connect(socket: &Socket) -> io::Result<()> {
    set(socket, libc::TCP_FASTOPEN_CONNECT, 1)
}

fn set(socket: &Socket, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let len = size_of_val(&value) as libc::socklen_t;
    let value = (&raw const value).cast();
    // SAFETY: `value` points to an integer on this stack frame that is `len` bytes long and outlives the call, which reads it and
    // keeps no pointer. The descriptor is open, since `socket` is borrowed.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, option, value, len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
