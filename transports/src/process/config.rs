//! How a child is set up: [`ProcessConfig`]. What the program itself is told is said by its `Command`.

use crate::StreamConfig;

/// A descriptor of a child, by its number there.
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

/// What a standard descriptor of a child leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChildIo {
    /// To its parent, through a pipe.
    #[default]
    Piped,
    /// To what its `Command` says: a file, nothing, or, by default, where the parent's own leads.
    AsCommanded,
}

/// What becomes of a child that still runs when the reactor stops. A program that wants its children to end in order asks them to
/// in a trigger of [`Phase::BeforeShutdown`](sinew_reactor::Phase::BeforeShutdown), as the guide shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AtStop {
    /// It is killed (SIGKILL) and reaped.
    #[default]
    Kill,
    /// It is left alone; its pipes are closed. As long as this process lives, a thread waits for it, so that it leaves no zombie.
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
    /// 24 lines of 80.
    fn default() -> Self {
        Self { rows: 24, columns: 80 }
    }
}

/// How a child is set up.
///
/// # Examples
///
/// ```
/// use sinew_transports::{AtStop, ChildFd, ProcessConfig};
///
/// // Descriptor 3 of the child is for the parent to read, and it outlives the reactor.
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
    pub(super) pty: Option<WindowSize>,
    pub(super) at_stop: AtStop,
    pub(super) stream: StreamConfig,
}

impl ProcessConfig {
    /// What its standard input leads to. Default: a pipe.
    pub fn stdin(mut self, stdin: ChildIo) -> Self {
        self.stdin = stdin;
        self
    }

    /// What its standard output leads to. Default: a pipe.
    pub fn stdout(mut self, stdout: ChildIo) -> Self {
        self.stdout = stdout;
        self
    }

    /// What its standard error leads to. Default: a pipe.
    pub fn stderr(mut self, stderr: ChildIo) -> Self {
        self.stderr = stderr;
        self
    }

    /// A further pipe, on which the child writes and its parent reads. 3 or more.
    pub fn read_from(mut self, fd: ChildFd) -> Self {
        self.readers.push(fd);
        self
    }

    /// A further pipe, on which the parent writes and its child reads. 3 or more.
    pub fn write_to(mut self, fd: ChildFd) -> Self {
        self.writers.push(fd);
        self
    }

    /// Gives the child a terminal of its own, of that size, in place of the three standard descriptors, and a session that it
    /// leads. What it writes there comes as `out_received`; what is written to it is as if typed.
    pub fn pty(mut self, size: WindowSize) -> Self {
        self.pty = Some(size);
        self
    }

    /// What becomes of it if it still runs when the reactor stops. Default: it is killed.
    pub fn at_stop(mut self, at_stop: AtStop) -> Self {
        self.at_stop = at_stop;
        self
    }

    /// The limits of each of its pipes: watermarks, `write_limit`, `idle_timeout`. Input that passes the `write_limit` is dropped,
    /// and that pipe closed.
    pub fn stream(mut self, stream: StreamConfig) -> Self {
        self.stream = stream;
        self
    }
}
