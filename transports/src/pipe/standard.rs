//! The process's standard streams: [`Standard`].

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

    /// Redirects it to /dev/null, so that the other end sees a close. The descriptor is not closed, since the next file opened
    /// would take its number, and `println!` would write to it.
    pub(super) fn redirect_to_null(self) {
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let redirected =
            rustix::fs::open("/dev/null", flags, Mode::empty()).and_then(|null| match self {
                Self::Input => rustix::stdio::dup2_stdin(null),
                Self::Output => rustix::stdio::dup2_stdout(null),
            });
        if let Err(error) = redirected {
            tracing::debug!(%error, "could not redirect {} to /dev/null", self.name());
        }
    }
}
