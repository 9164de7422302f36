//! Why a store cannot do what it was asked: [`StoreError`].

use std::{io, path::PathBuf};

use sinew_transports::reactor::Failure;

use crate::nntp::codec::GroupName;

/// A store could not be read or written.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A file could not be read or written.
    #[error("could not {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Another process has opened the spool.
    #[error("the spool {} is in use by another process", path.display())]
    InUse {
        /// Its folder.
        path: PathBuf,
    },
    /// The history is damaged in its middle, not at its end, where a crash may leave half a record.
    #[error("{} is damaged at byte {at}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        at: u64,
    },
    /// The history could not be written, nor set back to what it was: the spool has to be opened anew.
    #[error("the spool has failed earlier, and must be opened anew")]
    Failed,
    /// The spool was closed, so that another process can open it. What it has is still read.
    #[error("the spool was closed: nothing is stored any more")]
    Closed,
    /// There is such a group already.
    #[error("there is a group {0} already")]
    GroupExists(GroupName),
    /// There is no such group.
    #[error("there is no group {0}")]
    NoGroup(GroupName),
    /// A value is too large for the spool.
    #[error("{what} is longer than {max} bytes")]
    TooLong {
        /// What.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// A store of another kind has failed.
    #[error("the store has failed")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The work was given up.
    #[error(transparent)]
    GivenUp(#[from] Failure),
}

sinew_transports::reactor::error_debug!(StoreError);

impl StoreError {
    pub(super) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
