//! Errors of taking over, and of having a next version take over: [`HandoverError`], [`UpgradeError`].

use std::{io, sync::Arc, time::Duration};

use sinew_reactor::{Excerpt, Failure};
use sinew_transports::{ProcessStatus, SpawnError};

/// This process could not take over from the one that started it.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum HandoverError {
    /// The environment variable says something that is not understood.
    #[error(
        "the environment variable SINEW_HANDOVER is {value:?}, not a descriptor and a process id",
        value = Excerpt::new(.value)
    )]
    Variable {
        /// What it says.
        value: String,
    },
    /// The sockets could not be received.
    #[error("could not receive the sockets of the process to be replaced: {source}")]
    Receive {
        /// The cause.
        source: Arc<io::Error>,
    },
    /// What the other process has sent is not understood: it may use another version of this library.
    #[error("the process to be replaced has sent something that is not understood: {why}")]
    Malformed {
        /// What is wrong.
        why: String,
    },
    /// `ready` was called twice.
    #[error("this program has said already that it is ready")]
    ReadyTwice,
    /// The wait was cancelled, or the reactor ended first.
    #[error("waiting for the handover was given up: {0}")]
    GivenUp(#[from] Failure),
}

sinew_reactor::error_debug!(HandoverError);

impl HandoverError {
    pub(super) fn receive(source: impl Into<io::Error>) -> Self {
        Self::Receive { source: Arc::new(source.into()) }
    }

    pub(super) fn malformed(why: impl ToString) -> Self {
        Self::Malformed { why: why.to_string() }
    }
}

/// The next version of this program has not taken over. This one goes on.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// Another upgrade goes on.
    #[error("another upgrade is in progress")]
    InProgress,
    /// This program has not started yet, or has been replaced already.
    #[error("this process does not serve: it has not started yet, or has been replaced")]
    NotServing,
    /// The sockets could not be prepared.
    #[error("could not prepare the sockets to be handed over: {0}")]
    Prepare(#[source] io::Error),
    /// The program could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// It has ended before it was ready.
    #[error("the new process has ended before it was ready: {status}")]
    Exited {
        /// How.
        status: ProcessStatus,
    },
    /// It has reported that it cannot start.
    #[error("the new process cannot start: {}", Excerpt::new(.why).len_max(1024))]
    Reported {
        /// What it says.
        why: String,
    },
    /// It was not ready in time, and was killed.
    #[error("the new process was not ready within {within:?}, and was killed")]
    TimedOut {
        /// The time that it had.
        within: Duration,
    },
    /// It has sent something that is not understood, and was killed. It may use another version of this library.
    #[error("the new process has sent something that is not understood, and was killed: {why}")]
    Malformed {
        /// What is wrong.
        why: String,
    },
    /// It has closed the connection to this process without having taken over, and was killed.
    #[error("the new process has closed its end of the connection, and was killed")]
    Closed,
    /// This program stops.
    #[error("this program stops, so the new process was killed")]
    Stopping,
    /// The wait was cancelled, or the reactor ended first.
    #[error("waiting for the new process was given up: {0}")]
    GivenUp(#[from] Failure),
}

sinew_reactor::error_debug!(UpgradeError);
