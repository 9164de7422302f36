//! Record and replay of connections: [`Recording`]. `tap.rs` captures them, `text.rs` is their file format, `replay.rs`
//! replays them, and `pcapng.rs` exports them for Wireshark.

mod compare;
mod pcapng;
mod playback;
mod replay;
mod replay_error;
mod tap;
mod text;

use std::{
    cell::{Cell, RefCell},
    fmt, fs,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    rc::Rc,
    time::{Duration, Instant},
};

use sinew_reactor::{Excerpt, Reactor};

use sinew_transports::Peer;

pub use self::{
    replay::{Replayed, replay},
    replay_error::ReplayError,
    tap::{Tap, Tapped, tap},
    text::ParseRecordingError,
};

/// Default limit of a recording.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// The cost of a record besides its data, counted against the limit.
const RECORD_COST: usize = 64;

/// Resolution of timers.
const TICK: Duration = Duration::from_millis(1);

/// A recording of the callbacks and I/O of connections, in order, with times: captured by [`tap`], saved to a file,
/// replayed by [`replay`](Self::replay), and exported for Wireshark. Clones share the same recording, which belongs
/// to one reactor.
///
/// # The file
///
/// One line per record: the time in seconds since the start of the recording, the connection, and what happened.
/// Empty lines and lines that start with `#` are ignored, so recordings can be read, edited, annotated and written by
/// hand.
///
/// ```text
/// sinew recording 1
/// 0.000412 #1 made from 127.0.0.1:40000 at 127.0.0.1:80
/// 0.001300 #1 received "GET / HTTP/1.0\r\n\r\n"
/// 0.001300 #1 sent "HTTP/1.0 200 OK\r\n\r\n"
/// 0.001300 #1 write_closed
/// 0.002051 #1 end_discarded
/// 0.002051 #1 lost "closed by this side"
/// 0.002051 #1 closed
/// ```
///
/// | record | what happened |
/// |---|---|
/// | `made from <peer> at <local>` | `connection_made`; a port accepted the connection |
/// | `made to <peer> at <local>` | the same; this side opened it |
/// | `made with memory` | the same; there are no addresses |
/// | `received "<bytes>"` | `data_received` |
/// | `discarded "<bytes>"` | bytes were received and discarded, since the connection was closing |
/// | `read_closed`, `end_discarded` | the peer half-closed (FIN): delivered, or discarded as above |
/// | `sent "<bytes>"` | what the operating system accepted in one write |
/// | `blocked` | the operating system accepted less than was written |
/// | `write_closed` | this side half-closed (FIN) |
/// | `failed "<why>"` | the operating system reported an error of the connection |
/// | `timer_fired`, `idle_timeout`, `drain_requested`, `writing_paused`, `writing_resumed`, `reading_resumed` | these callbacks |
/// | `lost "<why>"` | `connection_lost` |
/// | `reset`, `closed` | the connection is about to be reset; its socket was closed |
/// | `truncated` | alone, at the end: [the limit was reached](Self::is_truncated) |
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew_transports::{Peer, Protocol, StreamConfig, Transport, memory};
/// use sinew_transports::{reactor::Reactor, Factory};
/// use sinew_testkit::testing::{Recording, tap};
/// use std::time::Duration;
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let recording = Recording::new();
/// let mut factory = tap(|_: &Peer| Echo, &recording); // pass it to `listen_tcp` in the same way
/// let echo = factory.build_protocol(&Peer::Memory).expect("a closure accepts every peer");
///
/// let reactor = Reactor::simulated(0);
/// let (_, wire) = memory::connect(&reactor, StreamConfig::default(), echo)?;
/// wire.receive(b"hello");
/// reactor.advance(Duration::from_secs(1))?;
/// wire.close();
/// reactor.advance(Duration::ZERO)?;
/// assert_eq!(
///     recording.to_string(),
///     r#"sinew recording 1
/// 0.000000 #1 made with memory
/// 0.000000 #1 received "hello"
/// 0.000000 #1 sent "hello"
/// 1.000000 #1 read_closed
/// 1.000000 #1 lost "closed by the peer"
/// 1.000000 #1 closed
/// "#
/// );
///
/// recording.replay(|_: &Peer| Echo)?; // replays it
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Recording(Rc<Inner>);

struct Inner {
    bytes_max: Cell<usize>,
    /// The size of the recording, counted against the limit.
    bytes: Cell<usize>,
    truncated: Cell<bool>,
    /// The reactor's tick in which the recording began.
    began: Cell<Option<Instant>>,
    connections: Cell<u32>,
    records: RefCell<Vec<Record>>,
}

/// One entry of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    at: Duration,
    connection: u32,
    kind: RecordKind,
}

/// The kinds of records; see the table in the documentation of [`Recording`].
#[derive(Clone, Debug, PartialEq, Eq)]
enum RecordKind {
    Made { by_peer: bool, peer: Peer, local: Option<SocketAddr> },
    Received(Vec<u8>),
    Discarded(Vec<u8>),
    ReadClosed,
    EndDiscarded,
    Sent(Vec<u8>),
    Blocked,
    WriteClosed,
    Failed(String),
    TimerFired,
    IdleTimeout,
    DrainRequested,
    WritingPaused,
    WritingResumed,
    ReadingResumed,
    Lost(String),
    Reset,
    Closed,
}

impl RecordKind {
    /// The data of the record.
    fn data(&self) -> &[u8] {
        match self {
            Self::Received(data) | Self::Discarded(data) | Self::Sent(data) => data,
            Self::Failed(text) | Self::Lost(text) => text.as_bytes(),
            _ => &[],
        }
    }

    /// Whether it is a timer callback.
    const fn is_timer(&self) -> bool {
        matches!(self, Self::TimerFired | Self::IdleTimeout)
    }
}

impl Recording {
    /// An empty recording.
    #[must_use]
    pub fn new() -> Self {
        Self(Rc::new(Inner {
            bytes_max: Cell::new(BYTES_MAX),
            bytes: Cell::new(0),
            truncated: Cell::new(false),
            began: Cell::new(None),
            connections: Cell::new(0),
            records: RefCell::default(),
        }))
    }

    /// Limit of its size: the bytes received and sent, plus 64 bytes per record. Past it nothing more is recorded,
    /// and the recording [is truncated](Self::is_truncated). Default 64 MiB.
    #[must_use]
    pub fn bytes_max(self, bytes: usize) -> Self {
        self.0.bytes_max.set(bytes);
        self
    }

    /// Whether the limit was reached. What is recorded is the beginning, without gaps.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.0.truncated.get()
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.records.borrow().len()
    }

    /// Whether it has no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Loads a recording from a file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is not a recording; the error names the line.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, RecordingError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|cause| RecordingError::io(path, cause))?;
        text.parse().map_err(|cause| RecordingError::Parse { path: path.to_owned(), cause })
    }

    /// Saves it to a file, which is created or replaced.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), RecordingError> {
        let path = path.as_ref();
        fs::write(path, self.to_string()).map_err(|cause| RecordingError::io(path, cause))
    }

    /// Writes the text that [`save`](Self::save) writes.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn write_to(&self, mut writer: impl Write) -> io::Result<()> {
        write!(writer, "{self}")
    }

    // ---- recording ----

    /// Starts a new connection and returns its number.
    fn begin(&self, reactor: &Reactor) -> u32 {
        if self.0.began.get().is_none() {
            // Timers count whole milliseconds of the reactor's age. Starting at a tick gives the replay the same
            // ticks.
            let into_tick = Duration::from_nanos(reactor.age().subsec_nanos() as u64 % 1_000_000);
            let now = reactor.now();
            self.0.began.set(Some(now.checked_sub(into_tick).unwrap_or(now)));
        }
        self.0.connections.set(self.0.connections.get() + 1);
        self.0.connections.get()
    }

    /// Adds a record. Without `now` (the reactor is gone), it gets the time of the last record.
    fn record(&self, now: Option<Instant>, connection: u32, kind: RecordKind) {
        let mut records = self.0.records.borrow_mut();
        let last = records.last().map_or(Duration::ZERO, |record| record.at);
        let at = match (now, self.0.began.get()) {
            (Some(now), Some(began)) => now.saturating_duration_since(began).max(last),
            _ => last,
        };
        let bytes = self.0.bytes.get().saturating_add(RECORD_COST + kind.data().len());
        if self.is_truncated() || bytes > self.0.bytes_max.get() {
            self.0.truncated.set(true);
            return;
        }
        self.0.bytes.set(bytes);
        records.push(Record { at, connection, kind });
    }

    /// Marks the last read of a connection as delivered. `false` if there is no matching record.
    fn mark_delivered(&self, connection: u32, data: Option<&[u8]>) -> bool {
        if self.is_truncated() {
            return true;
        }
        let mut records = self.0.records.borrow_mut();
        let last = records.last_mut().filter(|last| last.connection == connection);
        let Some(last) = last else { return false };
        last.kind = match (&mut last.kind, data) {
            (RecordKind::EndDiscarded, None) => RecordKind::ReadClosed,
            (RecordKind::Discarded(read), Some(data)) if read == data => {
                RecordKind::Received(std::mem::take(read))
            }
            _ => return false,
        };
        true
    }
}

impl Default for Recording {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("records", &self.len())
            .field("truncated", &self.is_truncated())
            .finish_non_exhaustive()
    }
}

/// Why a recording could not be loaded or saved.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The file could not be read or written.
    #[error("{}: {cause}", Excerpt::path(.path))]
    Io {
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        #[source]
        cause: io::Error,
    },
    /// The file is not a recording.
    #[error("{}: {cause}", Excerpt::path(.path))]
    Parse {
        /// The path of the file.
        path: PathBuf,
        /// The line and its error.
        #[source]
        cause: ParseRecordingError,
    },
}

sinew_reactor::error_debug!(RecordingError);

impl RecordingError {
    fn io(path: &Path, cause: io::Error) -> Self {
        Self::Io { path: path.to_owned(), cause }
    }
}

#[cfg(test)]
mod tests;
