//! File descriptors that this process inherited: [`inherited`], [`close_inherited_on_exec`].

use std::{
    io,
    os::fd::{OwnedFd, RawFd},
};

mod sys;

/// A duplicate of a file descriptor that this process was started with, as by systemd or a shell. It is closed on `exec`.
///
/// The original stays open and unchanged: its owner in this process is unknown, and it may be duplicated again.
///
/// # Errors
///
/// `EBADF` if no descriptor with that number is open.
///
/// # Examples
///
/// ```
/// let output = sinew_reactor::inherited(1)?;
/// # drop(output);
/// assert!(sinew_reactor::inherited(-1).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(rustix::io::Errno::BADF.into());
    }
    sys::duplicate(fd)
}

/// Has a file descriptor that this process was started with closed in the programs that this process starts (`FD_CLOEXEC`). It
/// stays open here.
///
/// # Errors
///
/// `EBADF` if no descriptor with that number is open.
pub fn close_inherited_on_exec(fd: RawFd) -> io::Result<()> {
    if fd < 0 {
        return Err(rustix::io::Errno::BADF.into());
    }
    sys::close_on_exec(fd)
}
