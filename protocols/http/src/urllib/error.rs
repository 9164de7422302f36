//! Why a URL was not opened: [`UrlOpenError`].

use std::{io, path::PathBuf};

use sinew_transports::reactor::{BuildError, Excerpt, RunError, error_debug};

use super::{Response, Retrieved};
use crate::{
    client::{RequestError, UrlError},
    codec::DataUrlError,
};

/// Why a URL was not opened, or not copied.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum UrlOpenError {
    /// The response has a status other than 2xx. It can be read like any other.
    #[error("{} for {}", .0.status(), Excerpt::new(.0.url()))]
    Status(Box<Response>),
    /// There is no response.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The URL cannot be opened.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A `data:` URL is malformed.
    #[error(transparent)]
    Data(#[from] DataUrlError),
    /// A file cannot be read or written.
    #[error("{}: {source}", Excerpt::path(.path))]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A `file:` URL names another host.
    #[error("a file: URL names the host {:?}; only this one can be read", Excerpt::new(.host))]
    RemoteFile {
        /// The host.
        host: String,
    },
    /// The body is shorter than announced. What was received is in the file.
    #[error("{got} bytes were retrieved, of {expected}")]
    TooShort {
        /// The file.
        retrieved: Box<Retrieved>,
        /// The announced size in bytes.
        expected: u64,
        /// The size of the file in bytes.
        got: u64,
    },
    /// The body could not be read.
    #[error("the body could not be read: {0}")]
    Read(#[source] io::Error),
    /// The reactor could not be created.
    #[error(transparent)]
    Reactor(#[from] BuildError),
    /// The reactor has failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

error_debug!(UrlOpenError);
