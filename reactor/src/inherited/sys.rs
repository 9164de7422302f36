//! Duplicating and marking a file descriptor given as a number, whose validity the compiler cannot check.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd, RawFd},
};

/// `fd` must not be negative.
pub(super) fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the descriptor is borrowed for one call, fcntl(F_DUPFD_CLOEXEC), and not negative. That call does not
    // affect the owner of the number, and fails with EBADF if it is not open; the result is a new descriptor that we
    // own.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    borrowed.try_clone_to_owned()
}

/// `fd` must not be negative.
pub(super) fn close_on_exec(fd: RawFd) -> io::Result<()> {
    // SAFETY: as above, for one call, fcntl(F_SETFD). It changes a flag that only matters to programs started later.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    Ok(rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC)?)
}
