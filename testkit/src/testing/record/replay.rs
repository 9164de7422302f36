//! Replaying a recording: [`replay`]. `playback.rs` feeds the connections, `compare.rs` compares the result.

use std::path::Path;

use super::{RecordKind, Recording, ReplayError, compare, playback::Playback};
use sinew_transports::{Factory, StreamConfig};

/// Loads a recording and [replays](Recording::replay) it: a complete regression test.
///
/// # Errors
///
/// If the file cannot be loaded, or the protocol behaves differently.
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
    /// Replays the recording in memory, on a [simulated](sinew_reactor::Reactor::simulated) reactor. For each
    /// connection the factory builds a protocol, which receives the same bytes in the same pieces, the same ends,
    /// failures and drain requests, at the same times. It must behave as recorded:
    ///
    /// - send the same bytes, and half-close if that was recorded. How the operating system split the writes, and
    ///   when, is ignored. Where it had not accepted all data when the connection ended, more may be sent;
    /// - get the same callbacks in the same order: made, received, read_closed, drain_requested, and lost with its
    ///   reason; timer_fired and idle_timeout also at the same time, to the millisecond. Callbacks that depend on the
    ///   system's buffers (writing_paused, writing_resumed, reading_resumed) are not compared.
    ///
    /// Timers that fired up to a second late, as on a busy machine, fire as late again. A connection that is open
    /// when the recording ends is compared up to there. Other influences (writes or closes from outside the protocol,
    /// connections that are not recorded, results of threads) are not part of a recording; a protocol that depends on
    /// them cannot be replayed. Randomness comes from `SINEW_SEED`, or from seed 0.
    ///
    /// # Errors
    ///
    /// The first difference, or that the protocol never becomes idle.
    pub fn replay<F: Factory>(&self, factory: F) -> Result<Replayed, ReplayError> {
        self.replay_with_config(StreamConfig::default(), factory)
    }

    /// Like [`replay`](Self::replay), with the stream configuration of the recorded connections.
    ///
    /// # Errors
    ///
    /// As [`replay`](Self::replay).
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

/// A successful replay.
#[derive(Clone, Debug)]
pub struct Replayed {
    recording: Recording,
}

impl Replayed {
    /// The number of connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        let records = self.recording.0.records.borrow();
        records.iter().filter(|record| matches!(record.kind, RecordKind::Made { .. })).count()
    }

    /// The recording of the replay.
    #[must_use]
    pub fn recording(&self) -> &Recording {
        &self.recording
    }
}
