//! Error of sending a file: [`SendFileError`]. How files are sent is in `stream/file.rs`.

use std::io;

/// A range of a file could not be sent ([`Transport::send_file`](crate::Transport::send_file)). Errors known at the call are
/// returned by it; later ones end the connection, as the error in [`ConnectionLost::Protocol`](crate::ConnectionLost::Protocol).
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
    /// The file has no length or position, like a pipe.
    #[error("the file is not seekable: {0}")]
    NotSeekable(#[source] io::Error),
    /// The range ends before it begins.
    #[error("the range ends at byte {end}, before it begins at byte {start}")]
    InvertedRange {
        /// First byte of the range.
        start: u64,
        /// End of the range.
        end: u64,
    },
    /// The range begins past the end of the file.
    #[error("the range begins at byte {start}, past the end of the file")]
    PastEnd {
        /// First byte of the range.
        start: u64,
    },
    /// The file ended before the range did; the bytes before that have been sent.
    #[error("the file ended at byte {at}, {missing} bytes before the range did")]
    TooShort {
        /// Where the file ended.
        at: u64,
        /// How many bytes are missing.
        missing: u64,
    },
    /// A read of the file failed.
    #[error("the file could not be read at byte {at}: {source}")]
    Read {
        /// Position of the read.
        at: u64,
        /// The error of the operating system.
        source: io::Error,
    },
}

sinew_reactor::error_debug!(SendFileError);
