//! What can go wrong between a user and the reactor. One enum an operation.

use std::io;

use crate::{Engine, Excerpt};

/// A reactor could not be made: its engine needs something that the system does not give, such as descriptors.
#[derive(thiserror::Error)]
#[error("could not set up the engine {engine}: {source}")]
pub struct BuildError {
    /// The engine that was asked for.
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
    /// The kernel refused, with the reason; a regular file on epoll, for one, is never "ready".
    #[error(transparent)]
    Io(#[from] io::Error),
    /// `select(2)` knows descriptors below a fixed number only.
    #[error("descriptor {fd} is past what select(2) can watch, {limit}")]
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
    /// This process is a child of the one that made the reactor: what it watches is the parent's, and a child makes a
    /// reactor of its own.
    #[error("this is a child of the process that made the reactor")]
    InChild,
    /// There is no room for another handler.
    #[error("more than {limit} handlers")]
    TooManyHandlers {
        /// How many there can be.
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
    /// `run` or `turn` was called while the reactor runs, as from one of its callbacks.
    #[error("the reactor is running already")]
    AlreadyRunning,
    /// `run_until` was ended by `stop`, `crash` or a signal before its future was done.
    #[error("the reactor was stopped before the future was done")]
    Stopped,
    /// The future of `run_until` failed: it panicked or was cancelled.
    #[error("the future ended early: {0}")]
    Failed(#[from] Failure),
    /// A simulated reactor has nothing left that could ever happen: no timer, no call, no task to be woken. On a real one
    /// this would be a loop that sleeps for ever.
    #[error("nothing can happen any more: no timer, call, task or job is left to wait for")]
    NothingLeft,
    /// A simulated reactor, or one moment of its time, did not come to rest.
    #[error("not idle after {turns} turns")]
    NeverIdle {
        /// How many turns it was given.
        turns: usize,
    },
    /// Only the clock of a simulated reactor can be moved.
    #[error("the time of this reactor is the system's")]
    NotSimulated,
    /// The reactor's time belongs to its [`Driver`](crate::Driver), such as a simulated network: let that go on instead.
    #[error("the reactor is driven by a simulation; run that instead")]
    Driven,
    /// This process is a child of the one that made the reactor, and has a copy: what the kernel holds for it is the
    /// parent's. After fork(2) a child makes a reactor of its own.
    #[error("this is a child of the process that made the reactor")]
    InChild,
    /// The engine's wait for events failed, and went on to for as long as
    /// [`Builder::wait_retry`](crate::Builder::wait_retry) if the cause was one that may pass.
    #[error(transparent)]
    Wait(WaitError),
    /// The operating system failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

crate::error_debug!(RunError);

/// The engine could not wait for events.
#[derive(thiserror::Error)]
#[error("the loop cannot wait for events: {} failed: {}", .0.0, .0.1)]
pub struct WaitError(
    // In a box, for every turn gives a result that has room for it.
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

    /// Why.
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
    /// This process is a child of the one that made the reactor, in which nobody turns it.
    #[error("this is a child of the process that made the reactor")]
    InChild,
    /// As many calls are waiting as [`Builder::remote_queue_max`](crate::Builder::remote_queue_max) allows.
    #[error("{limit} calls are waiting already")]
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
    /// The promise was dropped without an answer, as when the reactor ends.
    #[error("abandoned without an answer")]
    Abandoned,
    /// What would have produced the value panicked.
    #[error("panicked: {}", Excerpt::new(.0))]
    Panicked(String),
    /// As many jobs are waiting for a thread as [`Builder::pool_queue_max`](crate::Builder::pool_queue_max) allows, or lookups
    /// as [`Builder::lookup_queue_max`](crate::Builder::lookup_queue_max) does.
    #[error("{limit} jobs are waiting for a thread already")]
    Overloaded {
        /// The limit.
        limit: usize,
    },
    /// No thread could be started for the job.
    #[error("no thread could be started: {0}")]
    NoThread(String),
}

crate::error_debug!(Failure);

/// A future did not finish in its time ([`Reactor::timeout`](crate::Reactor::timeout)).
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not done after {after:?}")]
pub struct TimedOut {
    /// The time it was given.
    pub after: std::time::Duration,
}

crate::error_debug!(TimedOut);
