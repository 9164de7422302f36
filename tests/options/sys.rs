//! getsockopt(2) for options that socket2 does not cover. For tests only.

#![allow(unsafe_code, reason = "getsockopt(2) takes pointers; the argument stands beside it")]

use std::os::fd::AsRawFd;

use socket2::Socket;

/// An integer TCP option.
pub(crate) fn tcp_option(socket: &Socket, option: libc::c_int) -> libc::c_int {
    option_of(socket, libc::IPPROTO_TCP, option)
}

/// An integer option of this level.
pub(crate) fn option_of(socket: &Socket, level: libc::c_int, option: libc::c_int) -> libc::c_int {
    let mut value: libc::c_int = -1;
    let mut len = size_of_val(&value) as libc::socklen_t;
    // SAFETY: both pointers are to this stack frame, `len` is the size of `value`, and the descriptor is open.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, option, (&raw mut value).cast(), &raw mut len)
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    value
}
