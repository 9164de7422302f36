//! Why a question found no answer: [`RecursiveError`].

use std::{sync::Arc, time::Duration};

use sinew_transports::reactor::{Excerpt, Failure};

use crate::{
    client::{ServerError, ServerFailure},
    codec::{EncodeError, Name, RecordType},
};

/// No answer was found, not even that there is none.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RecursiveError {
    /// No server of a zone on the way has answered.
    #[error("no server of the zone {} answered for {record_type} of {}{}", Excerpt::new(&.zone.to_ascii()), Excerpt::new(&.name.to_ascii()), ServerFailure::list_behind(.servers))]
    Failed {
        /// The name that was asked for.
        name: Box<Name>,
        /// The type.
        record_type: RecordType,
        /// The zone.
        zone: Box<Name>,
        /// The attempts that have failed, of this zone and others on the way, in order.
        servers: Arc<[ServerFailure]>,
    },
    /// It took too long in all.
    #[error("the question for {record_type} of {} took longer than {after:?}{}", Excerpt::new(&.name.to_ascii()), ServerFailure::list_behind(.servers))]
    TimedOut {
        /// The name that was asked for.
        name: Box<Name>,
        /// The type.
        record_type: RecordType,
        /// The time that was allowed.
        after: Duration,
        /// The attempts that had failed by then.
        servers: Arc<[ServerFailure]>,
    },
    /// Too many queries to other servers would be needed.
    #[error("{record_type} of {} needs more than {max} queries{}", Excerpt::new(&.name.to_ascii()), ServerFailure::list_behind(.servers))]
    TooManyQueries {
        /// The name that was asked for.
        name: Box<Name>,
        /// The type.
        record_type: RecordType,
        /// The limit.
        max: usize,
        /// The attempts that had failed by then.
        servers: Arc<[ServerFailure]>,
    },
    /// More aliases follow one another than are allowed.
    #[error("{} leads through more than {max} aliases", Excerpt::new(&.name.to_ascii()))]
    ChainTooLong {
        /// The name that was asked for.
        name: Box<Name>,
        /// The limit.
        max: usize,
    },
    /// The aliases lead back to one of them.
    #[error("the aliases of {} lead in a circle", Excerpt::new(&.name.to_ascii()))]
    ChainLoop {
        /// The name that was asked for.
        name: Box<Name>,
    },
    /// Too many questions wait for answers.
    #[error("{max} questions wait for answers already")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// The question cannot be sent.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The question was cancelled, or the reactor ended first.
    #[error("the question was given up: {0}")]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(RecursiveError);

impl RecursiveError {
    /// Whether a server was not asked, since too many queries waited for it.
    pub(super) fn is_busy(&self) -> bool {
        let is_busy = |failure: &ServerFailure| matches!(failure.cause, ServerError::Busy { .. });
        match self {
            Self::Failed { servers, .. } => servers.iter().any(is_busy),
            _ => false,
        }
    }
}
