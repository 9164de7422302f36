//! Why nobody listens on a Unix socket: [`UnixListenError`].

use std::{io, path::PathBuf};

use sinew_reactor::Excerpt;

use super::addr::UnixAddr;

/// A Unix socket could not be bound or listened on.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum UnixListenError {
    /// The system has no room for so long a path or name: about a hundred bytes.
    #[error("{addr} is too long for the address of a Unix socket")]
    TooLong {
        /// The address.
        addr: UnixAddr,
    },
    /// Somebody has it.
    #[error("{addr} is in use{}", holder.map(|pid| format!(" by process {pid}")).unwrap_or_default())]
    InUse {
        /// The address.
        addr: UnixAddr,
        /// The process that has it, if that is known.
        holder: Option<u32>,
    },
    /// The folder that the socket file is to lie in does not exist.
    #[error("could not listen on {addr}: there is no folder {}", Excerpt::path(.folder))]
    NoFolder {
        /// The address.
        addr: UnixAddr,
        /// The folder.
        folder: PathBuf,
    },
    /// There is something else at the path, which is left alone.
    #[error("{} is there and not a socket", Excerpt::path(.path))]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The lock beside the socket file could not be taken.
    #[error("could not open or lock the lock file {}: {source}", Excerpt::path(.path))]
    Lock {
        /// The file of the lock.
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
