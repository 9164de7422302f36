//! The errors of the reactor's public operations. One type per operation.

use std::io;

use crate::{Engine, Excerpt};

/// A reactor could not be built: the system refused what its engine needs, such as descriptors.
#[derive(thiserror::Error)]
#[error("could not set up the engine {engine}: {source}")]
pub struct BuildError {
    /// The requested engine.
    pub engine: Engine,
    /// The cause.
    pub source: io::Error,
}

crate::error_debug!(BuildError);

impl From<BuildError> for io::Error {
    fn from(error: BuildError) -> Self {
        Self::new(error.source.kind(), error)
    }
}

/// A source could not be registered.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The kernel refused, with the reason; epoll, for example, cannot watch a regular file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// `select(2)` can watch only descriptors below a fixed number.
    #[error(
        "cannot watch descriptor {fd}: select(2) is limited to descriptors below {limit}; use another engine"
    )]
    PastFdSetSize {
        /// The descriptor.
        fd: i32,
        /// `FD_SETSIZE`.
        limit: usize,
    },
    /// The descriptor is registered already.
    #[error("descriptor {fd} is registered already")]
    AlreadyRegistered {
        /// The descriptor.
        fd: i32,
    },
    /// This process is a child of the one that made the reactor: the kernel's registrations are the parent's. A child must
    /// build a reactor of its own.
    #[error("the reactor belongs to the parent process; build a new one after fork(2)")]
    InChild,
    /// All slots for handlers are in use.
    #[error("cannot register more than {limit} handlers")]
    TooManyHandlers {
        /// The maximum.
        limit: usize,
    },
}

crate::error_debug!(RegisterError);

impl From<RegisterError> for io::Error {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Io(error) => error,
            other => Self::other(other),
        }
    }
}

/// The reactor could not be run.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// `run` or `turn` was called while the reactor is running, for instance from one of its callbacks.
    #[error("the reactor is running already")]
    AlreadyRunning,
    /// `run_until` was ended by `stop`, `crash` or a signal before its future completed.
    #[error("the reactor was stopped before the future completed")]
    Stopped,
    /// The future of `run_until` failed: it panicked or was cancelled.
    #[error("the future did not complete: {0}")]
    Failed(#[from] Failure),
    /// A simulated reactor has nothing left to wait for: no timer, no call, no task to be woken. A real one would sleep
    /// forever.
    #[error("nothing is left to wait for: no timer, call, task or job")]
    NothingLeft,
    /// A simulated reactor, or one instant of its virtual time, did not become idle.
    #[error("not idle after {turns} turns")]
    NeverIdle {
        /// The number of turns it was given.
        turns: usize,
    },
    /// Only the clock of a simulated reactor can be advanced.
    #[error("the reactor uses the system clock; only a simulated reactor can be advanced")]
    NotSimulated,
    /// A [`Driver`](crate::Driver), such as a simulated network, controls the reactor's time: advance that instead.
    #[error("the reactor is driven by a simulation; run the simulation instead")]
    Driven,
    /// This process is a child of the one that made the reactor, and has a copy whose kernel state is the parent's. After
    /// fork(2) a child must build a reactor of its own.
    #[error("the reactor belongs to the parent process; build a new one after fork(2)")]
    InChild,
    /// The engine's wait for events failed; for a transient cause, for as long as
    /// [`Builder::wait_retry`](crate::Builder::wait_retry).
    #[error(transparent)]
    Wait(WaitError),
    /// A system call failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

crate::error_debug!(RunError);

/// The engine could not wait for events.
#[derive(thiserror::Error)]
#[error("the loop cannot wait for events: {} failed: {}", .0.0, .0.1)]
pub struct WaitError(
    // Boxed, since the result of every turn has room for it.
    Box<(&'static str, io::Error)>,
);

impl WaitError {
    pub(crate) fn new(call: &'static str, cause: io::Error) -> Self {
        Self(Box::new((call, cause)))
    }

    /// The system call that failed, such as `epoll_wait`.
    #[must_use]
    pub fn call(&self) -> &'static str {
        self.0.0
    }

    /// The cause of the failure.
    #[must_use]
    pub fn cause(&self) -> &io::Error {
        &self.0.1
    }
}

crate::error_debug!(WaitError);

/// `stop` or `crash` was called on a reactor that does not run, or is stopping already.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reactor is not running")]
pub struct NotRunning;

crate::error_debug!(NotRunning);

/// A call from another thread was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The reactor has been dropped, or its run has ended and no other has begun.
    #[error("the reactor has ended")]
    Ended,
    /// This process is a child of the one that made the reactor, and nothing runs the reactor here.
    #[error("the reactor belongs to the parent process; build a new one after fork(2)")]
    InChild,
    /// As many calls are queued as [`Builder::remote_queue_max`](crate::Builder::remote_queue_max) allows.
    #[error("the queue of remote calls is full ({limit} calls)")]
    Full {
        /// The limit.
        limit: usize,
    },
}

crate::error_debug!(RemoteError);

/// Why a [`Deferred`](crate::Deferred) or [`Task`](crate::Task) has no value.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// It was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The promise was dropped without a result, for instance because the reactor ended.
    #[error("abandoned without a result")]
    Abandoned,
    /// The code that computes the value panicked.
    #[error("panicked: {}", Excerpt::new(.0))]
    Panicked(String),
    /// As many jobs are queued for a thread as [`Builder::pool_queue_max`](crate::Builder::pool_queue_max) allows, or as many
    /// lookups as [`Builder::lookup_queue_max`](crate::Builder::lookup_queue_max) allows.
    #[error("the queue of the thread pool is full ({limit} jobs)")]
    Overloaded {
        /// The limit.
        limit: usize,
    },
    /// No thread could be started for the job.
    #[error("cannot start a thread: {0}")]
    NoThread(String),
}

crate::error_debug!(Failure);

/// A future did not complete in time ([`Reactor::timeout`](crate::Reactor::timeout)).
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("timed out after {after:?}")]
pub struct TimedOut {
    /// The time it was given.
    pub after: std::time::Duration,
}

crate::error_debug!(TimedOut);
