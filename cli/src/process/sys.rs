//! fork(2) and the default action of signals: what is unsafe about processes.

#![allow(unsafe_code)]

use std::os::fd::{AsFd, OwnedFd};

use nix::{
    sys::signal::{SigHandler, Signal, raise, signal},
    unistd::{ForkResult, fork},
};

/// Forks; `None` in the child. There must be one thread only.
pub(super) fn fork_process() -> nix::Result<Option<nix::unistd::Pid>> {
    // SAFETY: the process has one thread, as every caller guarantees, so that no lock is held by another and the child may do
    // all that the parent may.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => Ok(None),
    }
}

/// Ends this process by a signal, as one that does not handle it. Its parent sees why it ended. Returns if the signal does not
/// end processes.
pub(crate) fn end_by_signal(number: i32) {
    let Ok(number) = Signal::try_from(number) else { return };
    // SAFETY: the default action runs no code of this process.
    if unsafe { signal(number, SigHandler::SigDfl) }.is_ok() {
        let _ = raise(number);
    }
}

/// Makes standard input, output and error `/dev/null`.
pub(super) fn redirect_standard_descriptors(null: &OwnedFd) -> nix::Result<()> {
    nix::unistd::dup2_stdin(null.as_fd())?;
    nix::unistd::dup2_stdout(null.as_fd())?;
    nix::unistd::dup2_stderr(null.as_fd())
}
