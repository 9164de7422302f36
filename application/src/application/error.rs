//! Why a program did not run from its start to a clean stop: [`ApplicationError`].

use std::error::Error;

use sinew_reactor::RunError;

use crate::{StartError, StopError};

/// A program did not run from its start to a clean stop.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ApplicationError {
    /// A service did not start.
    #[error("could not start: {0}")]
    Start(#[source] StartError),
    /// The hook after the privileged start failed: the user could not be changed, for instance.
    #[error("could not start: after the privileged start: {0}")]
    Hook(#[source] Box<dyn Error + Send + Sync>),
    /// The event loop failed.
    #[error("the event loop failed: {0}")]
    Run(#[from] RunError),
    /// It ran, and a service did not stop as it should.
    #[error("did not stop as it should: {0}")]
    Stop(#[source] StopError),
}

sinew_reactor::error_debug!(ApplicationError);
