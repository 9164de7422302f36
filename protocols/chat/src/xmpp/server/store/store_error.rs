//! Why an account was not loaded or saved: [`StoreError`].

use std::{io, path::PathBuf};

use sinew_transports::reactor::{Failure, error_debug};

/// A store could not do what it was asked.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written. What was there before is there still.
    #[error("could not write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is stored is longer than it may be.
    #[error("an account has more than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// What is stored is not an account.
    #[error("could not understand a stored account: {0}")]
    Malformed(&'static str),
    /// A file is not what it should be.
    #[error("could not understand {}: {what}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The store has failed in another way.
    #[error("the store has failed")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Nobody works on it any more: the reactor has ended, or its pool is full.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

error_debug!(StoreError);
