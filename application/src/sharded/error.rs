//! Why a program on several reactors did not run from its start to a clean stop: [`ShardedError`].

use std::error::Error;

use sinew_transports::reactors::ShardFailure;

use crate::{StartError, StopError};

/// A program on several reactors did not run from its start to a clean stop.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ShardedError {
    /// A reactor failed, or did not start: among others because a service did not do its privileged start.
    #[error(transparent)]
    Reactors(#[from] ShardFailure),
    /// The hook after the privileged start failed: the user could not be changed, for instance.
    #[error("could not start: after the privileged start: {0}")]
    Hook(#[source] Box<dyn Error + Send + Sync>),
    /// A service did not start.
    #[error("could not start: on reactor {shard}: {error}")]
    Start {
        /// The index of its reactor.
        shard: usize,
        /// The cause.
        #[source]
        error: StartError,
    },
    /// A service did not stop as it should.
    #[error("did not stop as it should: on reactor {shard}: {error}")]
    Stop {
        /// The index of its reactor.
        shard: usize,
        /// The cause.
        #[source]
        error: StopError,
    },
}

sinew_reactor::error_debug!(ShardedError);
