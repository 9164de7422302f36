//! What a row of the table of commands implements.

use std::{error::Error, fmt};

use super::{Context, Service};
use crate::exit::Failure;

/// The arguments of a server, on the command line and in the file of `sinew run`: with derived `clap::Args` and
/// `serde::Deserialize` (`#[serde(deny_unknown_fields, default)]`), so that the names of the fields are the keys of the file.
/// The defaults of both must be the same, which a test of the table checks.
pub(crate) trait ServerCommand: fmt::Debug + Send + Sync + 'static {
    /// Makes its service. Called on the thread of each reactor; nothing may be opened before the service is started.
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError>;
}

/// The arguments of a command that is no server.
pub(crate) trait Tool: Send + Sync + 'static {
    /// Does it. What it prints goes to standard output; the failure is printed by the caller.
    fn run(&self) -> Result<(), Failure>;
}

/// Why a service could not be made or started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// Its arguments do not go together, or a file that they name cannot be read.
    #[error("{0}")]
    Config(String),
    /// It could not be started.
    #[error(transparent)]
    Failed(Box<dyn Error + Send + Sync>),
}
