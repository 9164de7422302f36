//! Why a file cannot be sent, or not to the end of the range: [`SendFileError`]. How files are sent is in `stream/file.rs`.

use std::io;

/// A range of a file could not be sent ([`Transport::send_file`](crate::Transport::send_file)). What is known at the call is returned
/// by it; what shows later ends the connection, and is the error in [`ConnectionLost::Protocol`](crate::ConnectionLost::Protocol).
///
/// # Examples
///
/// ```
/// use sinew_transports::{ConnectionLost, SendFileError};
///
/// fn was_cut_short(reason: &ConnectionLost) -> bool {
///     let ConnectionLost::Protocol(error) = reason else { return false };
///     matches!(error.downcast_ref(), Some(SendFileError::TooShort { .. }))
/// }
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SendFileError {
    /// It cannot be asked for its length, or not be positioned, as a pipe cannot.
    #[error("the file cannot be positioned: {0}")]
    NotSeekable(#[source] io::Error),
    /// The range ends before it begins.
    #[error("the range ends at byte {end}, before it begins at byte {start}")]
    Backwards {
        /// Where it begins.
        start: u64,
        /// Where it ends.
        end: u64,
    },
    /// The range begins past the end of the file.
    #[error("the range begins at byte {start}, past the end of the file")]
    PastEnd {
        /// Where it begins.
        start: u64,
    },
    /// The file ended before the range did; what there was of it has been sent.
    #[error("the file ended at byte {at}, {missing} bytes before the range did")]
    TooShort {
        /// Where the file ended.
        at: u64,
        /// How many bytes are missing.
        missing: u64,
    },
    /// The file could not be read on.
    #[error("the file could not be read at byte {at}: {source}")]
    Read {
        /// Where.
        at: u64,
        /// What the system said.
        source: io::Error,
    },
}

sinew_reactor::error_debug!(SendFileError);
