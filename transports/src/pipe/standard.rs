//! The process's own standard input and output: [`Standard`].

use std::io;

use rustix::fs::{Mode, OFlags};

use super::nonblocking_fd::Descriptor;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standard {
    Input,
    Output,
}

impl Standard {
    pub(super) fn open(self) -> io::Result<Descriptor> {
        match self {
            Self::Input => Descriptor::shared(rustix::stdio::stdin(), OFlags::RDONLY),
            Self::Output => Descriptor::shared(rustix::stdio::stdout(), OFlags::WRONLY),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Input => "standard input",
            Self::Output => "standard output",
        }
    }

    /// Has it lead to nothing from now on, so that the other end sees what the transport's end is: a close. The number stays
    /// taken, or the next file that is opened would be what `println!` writes to.
    pub(super) fn silence(self) {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let silenced =
            rustix::fs::open("/dev/null", flags, Mode::empty()).and_then(|null| match self {
                Self::Input => rustix::stdio::dup2_stdin(null),
                Self::Output => rustix::stdio::dup2_stdout(null),
            });
        if let Err(error) = silenced {
            tracing::debug!(%error, "{} could not be closed", self.name());
        }
    }
}
