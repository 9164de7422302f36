//! Errors of a replay: [`ReplayError`], and how they quote differences.

use std::time::Duration;

use sinew_reactor::RunError;

use super::{Record, RecordKind, RecordingError, text::Seconds};

/// Number of differing bytes shown.
const SHOWN: usize = 64;

/// Why a replay failed; most often, the first difference.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The recording could not be loaded.
    #[error(transparent)]
    Load(#[from] RecordingError),
    /// A callback was missing, different, or at a different time.
    #[error("connection #{connection} at {} s: expected {expected}, got {got}", Seconds(*at))]
    Callback {
        /// The number of the connection.
        connection: u32,
        /// The time at which it was expected, or happened.
        at: Duration,
        /// The expected record, or "nothing".
        expected: String,
        /// The record found instead, or "nothing".
        got: String,
    },
    /// The output differs.
    #[error(
        "connection #{connection} at {} s: the output differs from byte {offset} on: expected {expected}, got {got}",
        Seconds(*at)
    )]
    Sent {
        /// The number of the connection.
        connection: u32,
        /// The time at which the byte was sent in the recording, or in the replay.
        at: Duration,
        /// Its offset in the output of the connection.
        offset: usize,
        /// The expected bytes from there on, or "nothing".
        expected: String,
        /// The bytes sent instead, or "nothing".
        got: String,
    },
    /// The protocol always has more work at the same instant, so time cannot advance.
    #[error("the protocol never becomes idle at {} s", Seconds(*at))]
    NeverIdle {
        /// The time.
        at: Duration,
    },
    /// The event loop failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

sinew_reactor::error_debug!(ReplayError);

/// Bytes for an error message, shortened.
pub(super) fn quoted(data: &[u8]) -> String {
    match data.len() {
        0 => "nothing".to_owned(),
        len if len <= SHOWN => format!("\"{}\"", data.escape_ascii()),
        len => format!("\"{}\" and {} more", data[..SHOWN].escape_ascii(), len - SHOWN),
    }
}

impl Record {
    /// A short form for error messages.
    pub(super) fn summary(&self) -> String {
        match &self.kind {
            RecordKind::Received(data) => format!("received {}", quoted(data)),
            what if what.is_timer() => format!("{what} at {} s", Seconds(self.at)),
            what => what.to_string(),
        }
    }
}
