//! A recording that happens again: [`replay`]. How it is played is in `score.rs`, what it is held against in `compare.rs`.

use std::{path::Path, time::Duration};

use sinew_reactor::RunError;

use super::{Record, Recording, RecordingError, What, compare, score::Score, text::Seconds};
use crate::{Factory, StreamConfig};

/// Bytes of a difference that are shown.
const SHOWN: usize = 64;

/// Loads a recording and [replays](Recording::replay) it: the whole of a regression test.
///
/// # Errors
///
/// If the file cannot be loaded, or the protocol does not do what is in it.
///
/// # Examples
///
/// ```
/// # struct Echo;
/// # impl sinew_transports::Protocol for Echo {
/// #     fn data_received(&mut self, transport: &sinew_transports::Transport, data: &[u8]) { transport.write(data); }
/// # }
/// use sinew_transports::{Peer, testing::replay};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// replay("tests/recordings/echo.txt", |_: &Peer| Echo)?;
/// # Ok(())
/// # }
/// ```
pub fn replay<F: Factory>(path: impl AsRef<Path>, factory: F) -> Result<Replayed, ReplayError> {
    Recording::load(path)?.replay(factory)
}

impl Recording {
    /// Has it happen again, in memory, on a [simulated](sinew_reactor::Reactor::simulated) reactor: for each connection the
    /// factory builds a protocol, which receives the same bytes, cut as they were, the same ends, failures and requests to
    /// drain, at the same times. It must do what was recorded:
    ///
    /// - send the same bytes, and the end of the stream if that was sent. In which pieces the system takes them, and when, is
    ///   not the protocol's doing. Where the system had not taken all when the connection ended, more may be sent;
    /// - have the same callbacks in the same order: made, received, read_closed, drain_requested, lost and its reason; and
    ///   timer_fired and idle_timeout also at the same time, to the millisecond. Those that depend on how full the system
    ///   was, writing_paused, writing_resumed and reading_resumed, are not compared.
    ///
    /// A timer that ran up to a second late, as timers of a busy machine do, runs as late again. A connection that is open
    /// when the recording ends is compared up to there. What else the program did, such as a call from outside to write or to
    /// close, answers of other connections that are not recorded, and what threads came to, is not in a recording; a protocol
    /// whose behaviour depends on it cannot be replayed. What is random comes from `SINEW_SEED`, or from 0.
    ///
    /// # Errors
    ///
    /// The first difference, or that the protocol never comes to rest.
    pub fn replay<F: Factory>(&self, factory: F) -> Result<Replayed, ReplayError> {
        self.replay_with_config(StreamConfig::default(), factory)
    }

    /// As [`replay`](Self::replay), for connections that were made with limits and options of their own.
    ///
    /// # Errors
    ///
    /// As `replay`.
    pub fn replay_with_config<F: Factory>(
        &self,
        config: StreamConfig,
        factory: F,
    ) -> Result<Replayed, ReplayError> {
        let recorded = self.0.records.borrow().clone();
        let seen = Score::new(&recorded, config, factory).play()?;
        let difference =
            compare::first_difference(&recorded, self.is_truncated(), &seen.0.records.borrow());
        match difference {
            Some(difference) => Err(difference),
            None => Ok(Replayed { recording: seen }),
        }
    }
}

/// A replay in which all was as it had been recorded.
#[derive(Clone, Debug)]
pub struct Replayed {
    recording: Recording,
}

impl Replayed {
    /// How many connections there were.
    #[must_use]
    pub fn connections(&self) -> usize {
        let records = self.recording.0.records.borrow();
        records.iter().filter(|record| matches!(record.what, What::Made { .. })).count()
    }

    /// What was recorded of the replay.
    #[must_use]
    pub fn recording(&self) -> &Recording {
        &self.recording
    }
}

/// Why a replay failed: most often, the first difference.
#[derive(Debug, thiserror::Error)]
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
