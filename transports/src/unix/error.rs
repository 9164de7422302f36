//! Why nobody listens on a Unix socket: [`UnixListenError`].

use std::{io, path::PathBuf};

use sinew_reactor::Excerpt;

use super::addr::UnixAddr;

/// A Unix socket could not be bound or listened on.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum UnixListenError {
    /// The path or name is too long: the limit is about a hundred bytes.
    #[error("{addr} is too long for the address of a Unix socket")]
    TooLong {
        /// The address.
        addr: UnixAddr,
    },
    /// The address is in use.
    #[error("{addr} is in use{}", holder.map(|pid| format!(" by process {pid}")).unwrap_or_default())]
    InUse {
        /// The address.
        addr: UnixAddr,
        /// The process that uses it, if known.
        holder: Option<u32>,
    },
    /// The directory of the socket file does not exist.
    #[error("could not listen on {addr}: the directory {} does not exist", Excerpt::path(.directory))]
    NoDirectory {
        /// The address.
        addr: UnixAddr,
        /// The directory.
        directory: PathBuf,
    },
    /// Another kind of file exists at the path; it is not removed.
    #[error("{} exists and is not a socket", Excerpt::path(.path))]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The lock beside the socket file could not be taken.
    #[error("could not open or lock the lock file {}: {source}", Excerpt::path(.path))]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The system refused.
    #[error("could not listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: UnixAddr,
        /// The cause.
        source: io::Error,
    },
}

sinew_reactor::error_debug!(UnixListenError);
