//! Process identity and exit statuses, for owners of resources outside of memory: whether this process made the
//! resource or is a fork of the one that did ([`Origin`]), and the exit status of a child that cannot be waited for
//! ([`keeps_exit_statuses`], [`exit_status`]).

use std::{io, process};

#[cfg(unix)]
mod sys;

#[cfg(target_os = "linux")]
pub use sys::exit_status;
#[cfg(unix)]
pub use sys::keeps_exit_statuses;
#[cfg(unix)]
use sys::{forks, watch_forks};

/// The process in which a resource was created. A child of fork(2) has a copy of everything of its parent; code whose
/// drop has an effect outside of its own memory (removing a file, killing a process, changing a kernel queue that both
/// share) checks this first, and leaves the parent's resources alone.
///
/// # Examples
///
/// ```
/// use std::path::PathBuf;
/// use sinew_reactor::process::Origin;
///
/// struct TemporaryFile {
///     path: PathBuf,
///     origin: Origin,
/// }
///
/// impl Drop for TemporaryFile {
///     fn drop(&mut self) {
///         if self.origin.is_here() {
///             let _ = std::fs::remove_file(&self.path);
///         }
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pid: u32,
}

impl Origin {
    /// The current process.
    #[must_use]
    pub fn here() -> Self {
        Self { pid: process::id() }
    }

    /// Whether the current process is that process, not a child with a copy. Makes a system call.
    #[must_use]
    pub fn is_here(self) -> bool {
        self.pid == process::id()
    }
}

/// The process that a loop belongs to, like [`Origin`] but without a system call, since the loop checks it in every
/// turn. It does not notice forks that bypass the C library (a bare clone(2)).
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForkEpoch {
    forks: u32,
}

/// Of a simulated loop, whose copy in a child works.
const UNTRACKED: u32 = u32::MAX;

impl ForkEpoch {
    /// The current process.
    pub(crate) fn current() -> io::Result<Self> {
        watch_forks()?;
        Ok(Self { forks: forks() })
    }

    /// Never detects a fork.
    pub(crate) const fn untracked() -> Self {
        Self { forks: UNTRACKED }
    }

    /// Whether the current process is a forked child with a copy.
    #[inline]
    pub(crate) fn is_in_child(self) -> bool {
        self.forks != forks() && self.forks != UNTRACKED
    }
}

/// There is no fork(2) on this platform.
#[cfg(not(unix))]
const fn forks() -> u32 {
    0
}

/// There is no fork(2) on this platform.
#[cfg(not(unix))]
fn watch_forks() -> io::Result<()> {
    Ok(())
}
