//! Descriptors that this process was started with: [`inherited`].

use std::{
    io,
    os::fd::{OwnedFd, RawFd},
};

mod sys;

/// A duplicate of a descriptor that this process was started with, as by systemd or a shell. It is closed on `exec`.
///
/// The descriptor itself stays open and as it is: nobody in this process is known to own it, and it may be taken again.
///
/// # Errors
///
/// `EBADF` if nothing is open under that number.
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
