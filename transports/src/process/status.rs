//! What became of a child: [`ProcessStatus`].

use std::{fmt, os::unix::process::ExitStatusExt, process::ExitStatus};

use sinew_reactor::Signal;

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProcessStatus {
    /// It exited by itself, with this code.
    Exited(i32),
    /// A signal ended it.
    Signalled {
        /// Which one.
        signal: Signal,
        /// Whether it has left a core file.
        core_dumped: bool,
    },
    /// It runs on: the reactor has stopped, and it was to be left alone ([`AtStop::Leave`](super::AtStop::Leave)).
    LeftRunning,
    /// It is gone, and its exit status with it: something else in this process has waited for it, or the process ignores
    /// SIGCHLD, so that the system keeps none. Linux 6.15 and later tell it all the same.
    Unknown,
}

impl ProcessStatus {
    /// Whether it exited with code 0.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Exited(0))
    }

    /// Its exit code, if it exited by itself.
    #[must_use]
    pub const fn code(self) -> Option<i32> {
        match self {
            Self::Exited(code) => Some(code),
            _ => None,
        }
    }

    /// The signal that ended it, if one did.
    #[must_use]
    pub const fn signal(self) -> Option<Signal> {
        match self {
            Self::Signalled { signal, .. } => Some(signal),
            _ => None,
        }
    }
}

impl From<ExitStatus> for ProcessStatus {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(signal)) => Self::Signalled {
                signal: Signal::from_raw(signal),
                core_dumped: status.core_dumped(),
            },
            (None, None) => Self::Unknown,
        }
    }
}

impl fmt::Display for ProcessStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Signalled { signal, core_dumped } => {
                let core = if *core_dumped { ", core dumped" } else { "" };
                write!(f, "killed by signal {}{core}", signal.as_raw())
            }
            Self::LeftRunning => f.write_str("left running"),
            Self::Unknown => f.write_str("gone without a status"),
        }
    }
}
