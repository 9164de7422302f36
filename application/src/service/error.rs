//! Why a service did not start, or did not stop as it should: [`StartError`], [`StopError`].

use std::{error::Error, sync::Arc};

use sinew_reactor::{Excerpt, Failure, Panicked};
use sinew_transports::ListenError;

/// A service did not start.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A port could not be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A child of a [`MultiService`](crate::MultiService) did not start.
    #[error("service {name:?}: {error}", name = Excerpt::new(.name))]
    Child {
        /// Its name.
        name: String,
        /// The cause.
        #[source]
        error: Box<Self>,
    },
    /// Another child of the same [`MultiService`](crate::MultiService) has this name.
    #[error("there is already a service named {name:?}", name = Excerpt::new(.name))]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// It has been started already.
    #[error("it has been started already")]
    AlreadyStarted,
    /// It is stopping, and can be started again when it has stopped.
    #[error("it is stopping")]
    Stopping,
    /// Its code panicked.
    #[error("it panicked: {0}")]
    Panicked(#[from] Panicked),
    /// A cause of its own.
    #[error("{0}")]
    Other(#[source] Box<dyn Error + Send + Sync>),
    /// The wait for the start was cancelled, or the reactor ended first.
    #[error("waiting for the start was given up: {0}")]
    GivenUp(#[from] Failure),
}

sinew_reactor::error_debug!(StartError);

impl StartError {
    /// An error of any type, or a text, as the cause.
    pub fn other(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(cause.into())
    }

    pub(crate) fn of_child(self, name: &str) -> Self {
        Self::Child { name: name.to_owned(), error: Box::new(self) }
    }
}

/// A service has stopped, but not as it should.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StopError {
    /// A child of a [`MultiService`](crate::MultiService) did not stop as it should.
    #[error("service {name:?}: {error}", name = Excerpt::new(.name))]
    Child {
        /// Its name.
        name: String,
        /// The cause.
        #[source]
        error: Box<Self>,
    },
    /// Several children of a [`MultiService`](crate::MultiService) did not stop as they should. In the order in which they were
    /// asked to stop.
    #[error("{} services did not stop as they should; the first: {}", .0.len(), first(.0))]
    Several(Vec<Self>),
    /// There is no child of this name.
    #[error("there is no service named {name:?}", name = Excerpt::new(.name))]
    NoSuchChild {
        /// The name.
        name: String,
    },
    /// Its code panicked.
    #[error("it panicked: {0}")]
    Panicked(#[from] Panicked),
    /// A cause of its own.
    #[error("{0}")]
    Other(#[source] Arc<dyn Error + Send + Sync>),
    /// The wait for the end was cancelled, or the reactor ended first.
    #[error("waiting for the end was given up: {0}")]
    GivenUp(#[from] Failure),
}

sinew_reactor::error_debug!(StopError);

impl StopError {
    /// An error of any type, or a text, as the cause.
    pub fn other(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other(cause.into().into())
    }

    pub(crate) fn of_child(self, name: &str) -> Self {
        Self::Child { name: name.to_owned(), error: Box::new(self) }
    }
}

fn first(errors: &[StopError]) -> String {
    errors.first().map(ToString::to_string).unwrap_or_default()
}
