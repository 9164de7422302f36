//! A recording that happens again: [`replay`]. How it is played is in `playback.rs`, what it is held against in `compare.rs`.

use std::path::Path;

use super::{Recording, ReplayError, What, compare, playback::Playback};
use sinew_transports::{Factory, StreamConfig};

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
/// use sinew_transports::Peer;
/// use sinew_testkit::testing::replay;
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
        let seen = Playback::new(&recorded, config, factory).play()?;
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
