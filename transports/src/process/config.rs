//! Configuration of child processes: [`ProcessConfig`]. Arguments, environment and user are set on the `Command`.

use std::{os::fd::OwnedFd, sync::Arc};

use crate::StreamConfig;

/// A file descriptor in a child process, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChildFd(pub i32);

impl ChildFd {
    /// Standard input.
    pub const STDIN: Self = Self(0);
    /// Standard output.
    pub const STDOUT: Self = Self(1);
    /// Standard error.
    pub const STDERR: Self = Self(2);
}

/// Redirection of a standard stream of a child.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChildIo {
    /// A pipe to the parent.
    #[default]
    Piped,
    /// As set on the `Command`: a file, /dev/null, or, by default, inherited.
    FromCommand,
}

/// Handling of a child that still runs when the reactor stops. To end children in order, ask them to exit in a
/// trigger of [`Phase::BeforeShutdown`](sinew_reactor::Phase::BeforeShutdown), as the guide shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AtStop {
    /// It is killed (SIGKILL) and reaped.
    #[default]
    Kill,
    /// It is left running, and its pipes are closed. A thread of this process waits for it, so that it does not become a zombie.
    Leave,
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowSize {
    /// Lines.
    pub rows: u16,
    /// Columns.
    pub columns: u16,
}

impl Default for WindowSize {
    /// 24 rows of 80 columns.
    fn default() -> Self {
        Self { rows: 24, columns: 80 }
    }
}

/// Configuration of a child process.
///
/// # Examples
///
/// ```
/// use sinew_transports::{AtStop, ChildFd, ProcessConfig};
///
/// // The parent reads from descriptor 3 of the child, which may outlive the reactor.
/// let config = ProcessConfig::default().read_from(ChildFd(3)).at_stop(AtStop::Leave);
/// # drop(config);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ProcessConfig {
    pub(super) stdin: ChildIo,
    pub(super) stdout: ChildIo,
    pub(super) stderr: ChildIo,
    pub(super) readers: Vec<ChildFd>,
    pub(super) writers: Vec<ChildFd>,
    pub(super) passed: Vec<(ChildFd, Arc<OwnedFd>)>,
    pub(super) pty: Option<WindowSize>,
    pub(super) at_stop: AtStop,
    pub(super) stream: StreamConfig,
}

impl ProcessConfig {
    /// Its standard input. Default: a pipe.
    pub fn stdin(mut self, stdin: ChildIo) -> Self {
        self.stdin = stdin;
        self
    }

    /// Its standard output. Default: a pipe.
    pub fn stdout(mut self, stdout: ChildIo) -> Self {
        self.stdout = stdout;
        self
    }

    /// Its standard error. Default: a pipe.
    pub fn stderr(mut self, stderr: ChildIo) -> Self {
        self.stderr = stderr;
        self
    }

    /// Adds a pipe that the child writes and the parent reads. The descriptor must be 3 or more.
    pub fn read_from(mut self, fd: ChildFd) -> Self {
        self.readers.push(fd);
        self
    }

    /// Adds a pipe that the parent writes and the child reads. The descriptor must be 3 or more.
    pub fn write_to(mut self, fd: ChildFd) -> Self {
        self.writers.push(fd);
        self
    }

    /// Gives the child a duplicate of a descriptor of this process, such as one end of a socketpair. Its number in the child
    /// must be 3 or more.
    pub fn pass(mut self, fd: ChildFd, descriptor: impl Into<Arc<OwnedFd>>) -> Self {
        self.passed.push((fd, descriptor.into()));
        self
    }

    /// Gives the child a pseudo-terminal of that size in place of its three standard streams, and makes it a session leader.
    /// Its output arrives as `out_received`; data written to it is input as if typed.
    pub fn pty(mut self, size: WindowSize) -> Self {
        self.pty = Some(size);
        self
    }

    /// Handling of a child that still runs when the reactor stops. Default: it is killed.
    pub fn at_stop(mut self, at_stop: AtStop) -> Self {
        self.at_stop = at_stop;
        self
    }

    /// Limits of each of its pipes: watermarks, `write_limit`, `idle_timeout`. Input beyond the `write_limit` is dropped,
    /// and the pipe is closed.
    pub fn stream(mut self, stream: StreamConfig) -> Self {
        self.stream = stream;
        self
    }
}
