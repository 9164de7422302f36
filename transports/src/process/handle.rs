//! The handle that users hold: [`Process`]. It asks; the loop does.

use std::{fmt, io, rc::Rc, time::Duration};

use bytes::Bytes;
use sinew_reactor::{Deferred, Reactor, Signal};

use super::{ChildFd, ProcessStatus, WindowSize, lifecycle::Life};
use crate::{Transport, WriteStatus};

/// A child process, as a handle that is cheap to clone and may be kept anywhere on the reactor's thread. Dropping it changes
/// nothing: the child runs on, and is reaped when it exits.
///
/// Every call returns at once and calls nobody back. After the end the handle is inert.
#[derive(Clone)]
pub struct Process(pub(super) Rc<Life>);

/// A signal was not sent.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// The child has exited; its number may be somebody else's by now.
    #[error("the process has exited already")]
    Exited,
    /// This process is a child of the one that started it: whether its number is still its own is known only there.
    #[error("the process was started by the parent of this one")]
    InChild,
    /// There is no such signal, or none that can be sent by its number alone.
    #[error("there is no signal {}", .0.as_raw())]
    NoSuchSignal(Signal),
    /// The system refused: the child may have become another user's.
    #[error("the signal was refused: {0}")]
    Refused(#[source] io::Error),
}

sinew_reactor::error_debug!(SignalError);

impl Process {
    /// Its process id. Once it has exited, the number may be somebody else's.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// What became of it, once it has exited.
    #[must_use]
    pub fn status(&self) -> Option<ProcessStatus> {
        self.0.status()
    }

    /// Queues bytes for its standard input, as [`Transport::write`] does.
    pub fn write(&self, data: impl AsRef<[u8]>) -> WriteStatus {
        self.channel(ChildFd::STDIN).map_or(WriteStatus::Closed, |stdin| stdin.write(data))
    }

    /// Queues bytes for its standard input without copying them, as [`Transport::write_bytes`] does.
    pub fn write_bytes(&self, bytes: Bytes) -> WriteStatus {
        match self.channel(ChildFd::STDIN) {
            Some(stdin) => stdin.write_bytes(bytes),
            None => {
                self.0.defer_drop(bytes);
                WriteStatus::Closed
            }
        }
    }

    /// Closes its standard input once all that is queued has been read by the child. On a terminal, which cannot be closed one
    /// way, this types its end-of-file character (control-D), which is an end only at the beginning of a line.
    pub fn close_stdin(&self) {
        self.0.close_stdin();
    }

    /// Stops reading what the child writes to a descriptor until [`resume_reading`](Self::resume_reading): the child will have
    /// to wait when the pipe is full.
    pub fn pause_reading(&self, fd: ChildFd) {
        if let Some(channel) = self.channel(fd) {
            channel.pause_reading();
        }
    }

    /// Goes on reading what the child writes to a descriptor.
    pub fn resume_reading(&self, fd: ChildFd) {
        if let Some(channel) = self.channel(fd) {
            channel.resume_reading();
        }
    }

    /// The pipe to one of its descriptors: for writing to a further one, for producers, files, limits, or an early close.
    /// `None` if there is none, or none any more.
    #[must_use]
    pub fn channel(&self, fd: ChildFd) -> Option<Transport> {
        self.0.channel(fd)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// [`SignalError`]. A child that has exited is never mistaken for another process that has its number now.
    pub fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        self.0.signal(signal)
    }

    /// Kills it (SIGKILL).
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal).
    pub fn kill(&self) -> Result<(), SignalError> {
        self.0.kill()
    }

    /// Asks it to end (SIGTERM), and kills it if it has not exited within `grace`. Asked again, the new grace counts.
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal).
    pub fn terminate(&self, grace: Duration) -> Result<(), SignalError> {
        self.0.terminate(grace)
    }

    /// Resolves when the process has ended: it has exited, and all its pipes are closed. If that is so already, at once.
    #[must_use = "await it, or give it a callback with `then`"]
    pub fn when_ended(&self) -> Deferred<ProcessStatus> {
        self.0.when_ended()
    }

    /// Changes the size of its terminal; the child is told (SIGWINCH).
    ///
    /// # Errors
    ///
    /// If it has no terminal of ours, or has it no more.
    pub fn set_window_size(&self, size: WindowSize) -> io::Result<()> {
        self.0.set_window_size(size)
    }

    /// The reactor that it lives on, or `None` if it has been dropped. In a callback there always is one, for the loop makes
    /// the call; a handle that was kept may outlive its reactor.
    #[must_use]
    pub fn reactor(&self) -> Option<Reactor> {
        self.0.reactor()
    }
}

impl PartialEq for Process {
    /// Whether both are handles of the same child.
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Process {}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("pid", &self.pid())
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
