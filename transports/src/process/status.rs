//! The exit status of a child: [`ProcessStatus`].

use std::{fmt, os::unix::process::ExitStatusExt, process::ExitStatus};

use sinew_reactor::Signal;

/// How a child has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProcessStatus {
    /// It exited with this code.
    Exited(i32),
    /// It was killed by a signal.
    Signalled {
        /// The signal.
        signal: Signal,
        /// Whether it left a core file.
        core_dumped: bool,
    },
    /// It still runs: the reactor has stopped, with [`AtStop::Leave`](super::AtStop::Leave).
    LeftRunning,
    /// It has exited, but its status is lost: something else in this process has waited for it, or the process ignores
    /// SIGCHLD, so that the system keeps none. Linux 6.15 and later still report it.
    Unknown,
}

impl ProcessStatus {
    /// Whether it exited with code 0.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Exited(0))
    }

    /// Its exit code, if it was not killed by a signal.
    #[must_use]
    pub const fn code(self) -> Option<i32> {
        match self {
            Self::Exited(code) => Some(code),
            _ => None,
        }
    }

    /// The signal that killed it, if any.
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
            Self::Unknown => f.write_str("exited with an unknown status"),
        }
    }
}
