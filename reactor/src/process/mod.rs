//! What code that owns something beyond its memory has to know of its process: whether it is still the one that owns it
//! ([`Origin`]), and what became of a child that nobody could wait for ([`exits_are_kept`], [`exit_status`]).

use std::{io, process};

#[cfg(unix)]
mod sys;

#[cfg(target_os = "linux")]
pub use sys::exit_status;
#[cfg(unix)]
pub use sys::exits_are_kept;
#[cfg(unix)]
use sys::{forks, watch_forks};

/// The process in which something was made. A child of fork(2) has a copy of all that its parent has; what has an effect
/// outside of its own memory when it is dropped (a file removed, a process killed, a kernel's queue that both share) asks
/// this first, and leaves alone what is the parent's.
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
    /// This process.
    #[must_use]
    pub fn here() -> Self {
        Self { pid: process::id() }
    }

    /// Whether this is that process, and not a child that has a copy. Asks the system.
    #[must_use]
    pub fn is_here(self) -> bool {
        self.pid == process::id()
    }
}

/// Which process a loop belongs to, as an [`Origin`] that costs no system call: the loop asks it in every turn. Of forks that go
/// around the C library (a bare clone(2)) it does not know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home {
    forks: u32,
}

/// Of a simulated loop: its copy is as good as itself.
const ANYWHERE: u32 = u32::MAX;

impl Home {
    /// This process.
    pub(crate) fn here() -> io::Result<Self> {
        watch_forks()?;
        Ok(Self { forks: forks() })
    }

    /// Whichever process has it.
    pub(crate) const fn anywhere() -> Self {
        Self { forks: ANYWHERE }
    }

    /// Whether this is a child that has a copy.
    #[inline]
    pub(crate) fn is_left(self) -> bool {
        self.forks != forks() && self.forks != ANYWHERE
    }
}

/// Elsewhere there is no fork(2).
#[cfg(not(unix))]
const fn forks() -> u32 {
    0
}

/// Elsewhere there is no fork(2).
#[cfg(not(unix))]
fn watch_forks() -> io::Result<()> {
    Ok(())
}
