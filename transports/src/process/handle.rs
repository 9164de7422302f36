//! The user's handle of a child process: [`Process`]. Its methods queue work for the event loop.

use std::{fmt, io, rc::Rc, time::Duration};

use bytes::Bytes;
use sinew_reactor::{Deferred, Reactor, Signal};

use super::{ChildFd, ProcessStatus, WindowSize, lifecycle::Lifecycle};
use crate::{Transport, WriteStatus};

/// A handle of a child process. Cheap to clone; may be kept anywhere on the reactor's thread. Dropping it has no effect:
/// the child keeps running, and is reaped when it exits.
///
/// No method blocks or calls back into user code. After the end the handle is inert.
#[derive(Clone)]
pub struct Process(pub(super) Rc<Lifecycle>);

/// A signal could not be sent.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// The child has exited; its pid may belong to another process by now.
    #[error("could not send the signal: the process has exited")]
    Exited,
    /// Called in a fork of the process that started the child, where it is unknown whether the pid is still valid.
    #[error("could not send the signal: the process was started by the parent of this one")]
    InChild,
    /// The signal does not exist, or cannot be sent by number alone.
    #[error("there is no signal {}", .0.as_raw())]
    NoSuchSignal(Signal),
    /// The system refused, perhaps since the child has changed its user.
    #[error("could not send the signal: {0}")]
    Refused(#[source] io::Error),
}

sinew_reactor::error_debug!(SignalError);

impl Process {
    /// Its process id. After its exit, the number may belong to another process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// Its exit status, once it has exited.
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

    /// Closes its standard input once all queued data has been written. A terminal cannot be half-closed, so its end-of-file
    /// character (control-D) is sent instead, which has that effect only at the beginning of a line.
    pub fn close_stdin(&self) {
        self.0.close_stdin();
    }

    /// Stops reading a descriptor of the child until [`resume_reading`](Self::resume_reading): backpressure, the child blocks
    /// when the pipe is full.
    pub fn pause_reading(&self, fd: ChildFd) {
        if let Some(channel) = self.channel(fd) {
            channel.pause_reading();
        }
    }

    /// Resumes reading a descriptor of the child.
    pub fn resume_reading(&self, fd: ChildFd) {
        if let Some(channel) = self.channel(fd) {
            channel.resume_reading();
        }
    }

    /// The connection of one of its pipes: to write to additional pipes, for producers, files, limits, or an early close.
    /// `None` if there is none, or it is closed.
    #[must_use]
    pub fn channel(&self, fd: ChildFd) -> Option<Transport> {
        self.0.channel(fd)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    ///
    /// [`SignalError`]. The signal never reaches another process that reuses the pid.
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

    /// Asks it to exit (SIGTERM), and kills it if it has not exited within `grace`. A further call replaces the grace period.
    ///
    /// # Errors
    ///
    /// As [`signal`](Self::signal).
    pub fn terminate(&self, grace: Duration) -> Result<(), SignalError> {
        self.0.terminate(grace)
    }

    /// Resolves when the process has ended: it has exited, and all its pipes are closed. Resolves at once if it has already.
    #[must_use = "await it, or give it a callback with `then`"]
    pub fn when_ended(&self) -> Deferred<ProcessStatus> {
        self.0.when_ended()
    }

    /// Sets the size of its pseudo-terminal; the child receives SIGWINCH.
    ///
    /// # Errors
    ///
    /// If it has no pseudo-terminal, or the process has ended.
    pub fn set_window_size(&self, size: WindowSize) -> io::Result<()> {
        self.0.set_window_size(size)
    }

    /// The reactor, or `None` if it has been dropped. In a callback there always is one; a stored handle may outlive its
    /// reactor.
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
