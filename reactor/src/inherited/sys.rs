//! A descriptor by its number, which the compiler cannot follow.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd, RawFd},
};

/// `fd` is not negative.
pub(super) fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: it is borrowed for one call, fcntl(F_DUPFD_CLOEXEC), and not negative. That call takes nothing away from whoever
    // owns the number, and fails with EBADF if nobody does; what comes of it is a new descriptor, and ours.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    borrowed.try_clone_to_owned()
}
