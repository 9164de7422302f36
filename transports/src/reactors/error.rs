//! Errors of reactors that run together: why one failed ([`ShardFailure`], [`ShardError`]), and why one could not be called
//! ([`CallError`]).

use std::{error::Error, io};

use sinew_reactor::{BuildError, Panicked, RunError};

use crate::ListenError;

/// One of several [`Reactors`](super::Reactors) failed.
#[derive(thiserror::Error)]
#[error("reactor {shard} failed: {error}")]
#[non_exhaustive]
pub struct ShardFailure {
    /// Its index.
    pub shard: usize,
    /// Why it failed.
    #[source]
    pub error: ShardError,
}

/// Why one of several [`Reactors`](super::Reactors) failed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    /// Its thread could not be started.
    #[error("could not start a thread: {0}")]
    Thread(#[source] io::Error),
    /// The reactor could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// It could not listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A closure given to [`Reactors::setup`](super::Reactors::setup) failed.
    #[error("could not set it up: {0}")]
    Setup(#[source] Box<dyn Error + Send + Sync>),
    /// The loop ended with an error.
    #[error(transparent)]
    Run(#[from] RunError),
    /// User code panicked outside of a callback: when a factory was made, or in a closure that builds or sets up the reactor.
    #[error("panicked: {0}")]
    Panicked(#[source] Panicked),
    /// The program has failed it, by [`Shard::fail`](super::Shard::fail).
    #[error("{0}")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

/// A call to another reactor has no result.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The reactor does not run, or has ended before it made the call.
    #[error("reactor {shard} has stopped")]
    Stopped {
        /// Its index.
        shard: usize,
    },
    /// There is no reactor with this index.
    #[error("there is no reactor {shard} among {shards}")]
    NoSuchShard {
        /// The index.
        shard: usize,
        /// The number of reactors.
        shards: usize,
    },
    /// As many calls are queued as [`Builder::remote_queue_max`](sinew_reactor::Builder::remote_queue_max) allows.
    #[error("the queue of remote calls of reactor {shard} is full ({limit} calls)")]
    Full {
        /// Its index.
        shard: usize,
        /// The limit.
        limit: usize,
    },
    /// The closure panicked.
    #[error("the call to reactor {shard} panicked: {panic}")]
    Panicked {
        /// Its index.
        shard: usize,
        /// The panic.
        panic: Panicked,
    },
    /// This is the thread of one of the reactors: waiting here for the others could last for ever.
    #[error("this call would block the thread of a reactor; use Shard::call_all")]
    OnReactorThread,
}

sinew_reactor::error_debug!(ShardFailure, ShardError, CallError);
