//! Why a recording could not happen again: [`ReplayError`], and how it quotes what differs.

use std::time::Duration;

use sinew_reactor::RunError;

use super::{Record, RecordingError, What, text::Seconds};

/// Bytes of a difference that are shown.
const SHOWN: usize = 64;

/// Why a replay failed: most often, the first difference.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The recording could not be loaded.
    #[error(transparent)]
    Load(#[from] RecordingError),
    /// A callback did not come, or another one, or it came at another time.
    #[error("connection #{connection} at {} s: expected {expected}, got {got}", Seconds(*at))]
    Callback {
        /// The number of the connection.
        connection: u32,
        /// When it was to come, or came.
        at: Duration,
        /// The record that was to come, or "nothing".
        expected: String,
        /// The record that came in its place, or "nothing".
        got: String,
    },
    /// Other bytes were sent.
    #[error(
        "connection #{connection} at {} s: what is sent differs from byte {offset} on: expected {expected}, got {got}",
        Seconds(*at)
    )]
    Sent {
        /// The number of the connection.
        connection: u32,
        /// When the byte had been sent, or is.
        at: Duration,
        /// How many bytes the connection had sent before it.
        offset: usize,
        /// The bytes that were to be sent, from there on, or "nothing".
        expected: String,
        /// Those that were sent, or "nothing".
        got: String,
    },
    /// There is always more to do, so time cannot pass.
    #[error("it does not come to rest at {} s", Seconds(*at))]
    NeverRests {
        /// The time.
        at: Duration,
    },
    /// The loop could not be turned.
    #[error(transparent)]
    Run(#[from] RunError),
}

sinew_reactor::error_debug!(ReplayError);

/// Bytes in an error: not more than can be read.
pub(super) fn quoted(data: &[u8]) -> String {
    match data.len() {
        0 => "nothing".to_owned(),
        len if len <= SHOWN => format!("\"{}\"", data.escape_ascii()),
        len => format!("\"{}\" and {} more", data[..SHOWN].escape_ascii(), len - SHOWN),
    }
}

impl Record {
    /// For an error.
    pub(super) fn in_short(&self) -> String {
        match &self.what {
            What::Received(data) => format!("received {}", quoted(data)),
            what if what.is_of_time() => format!("{what} at {} s", Seconds(self.at)),
            what => what.to_string(),
        }
    }
}
