//! The reports of a look inside as they are sent and read: [`Status`], [`ConnectionsPage`], [`ConnectionStatus`]. Data only;
//! `gather.rs` fills them.
//!
//! Within a major version of sinew fields are added and never removed or changed, so readers ignore fields that they do not
//! know. Durations are whole microseconds (`_us`) or milliseconds (`_ms`). Ids are words, since their numbers exceed what
//! JSON's readers can represent.

use serde::{Deserialize, Serialize};

/// The version of the reports, in each of them.
pub const VERSION: u32 = 1;

/// A whole program at one moment, but for its connections.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Status {
    /// [`VERSION`].
    pub version: u32,
    /// The name of the program's file.
    pub program: String,
    /// The process id.
    pub pid: u32,
    /// The version of sinew.
    pub sinew: String,
    /// The sums over the reactors.
    pub total: Totals,
    /// Each reactor.
    pub shards: Vec<ShardStatus>,
}

/// Sums over all reactors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Totals {
    /// Connections open now.
    pub connections: u64,
    /// Connections opened so far.
    pub connections_made: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Callbacks that were slow.
    pub slow_callbacks: u64,
    /// Panics that were caught.
    pub panics: u64,
    /// Events from the kernel.
    pub events: u64,
}

/// One reactor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ShardStatus {
    /// Its index.
    pub shard: usize,
    /// Why the rest is missing: it does not run, or did not answer.
    pub error: Option<String>,
    /// The engine.
    pub engine: String,
    /// The time since it was made.
    pub age_ms: u64,
    /// Whether it counts for each connection.
    pub inspected: bool,
    /// Turns of the loop.
    pub turns: u64,
    /// Events from the kernel.
    pub events: u64,
    /// Calls made, by `call_soon` and from other threads.
    pub calls: u64,
    /// Timers fired.
    pub timers_fired: u64,
    /// Timers pending.
    pub timers: usize,
    /// Tasks alive.
    pub tasks: usize,
    /// Handlers registered.
    pub handlers: usize,
    /// Connections open now.
    pub connections: u64,
    /// Connections opened so far.
    pub connections_made: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes moved inside the kernel.
    pub bytes_moved: u64,
    /// Callbacks that were slow.
    pub slow_callbacks: u64,
    /// Panics that were caught.
    pub panics: u64,
    /// The longest turn.
    pub longest_turn_us: u64,
    /// How late timers were; absent without inspection.
    pub lag: Option<Durations>,
    /// How long turns took, without their wait; absent without inspection.
    pub turn: Option<Durations>,
    /// The longest callbacks by kind, the longest first.
    pub longest: Vec<Longest>,
    /// The last slow callbacks, the last first.
    pub slow: Vec<Slow>,
    /// Calls from other threads that wait.
    pub calls_queued: usize,
    /// How many may wait.
    pub calls_max: usize,
    /// The threads for blocking calls.
    pub pool: Pool,
    /// The threads for name lookups.
    pub lookups: Pool,
    /// Its ports.
    pub ports: Vec<PortStatus>,
}

/// A distribution of durations, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Durations {
    /// How many were measured.
    pub count: u64,
    /// Their sum.
    pub sum_us: u64,
    /// Half of them are not longer.
    pub p50_us: u64,
    /// 90 of 100 are not longer.
    pub p90_us: u64,
    /// 99 of 100 are not longer.
    pub p99_us: u64,
    /// 999 of 1,000 are not longer.
    pub p999_us: u64,
    /// The longest.
    pub max_us: u64,
    /// How many are below each of [`BOUNDS_US`], for histograms.
    pub below: Vec<u64>,
}

/// The bounds of [`Durations::below`], in microseconds.
pub const BOUNDS_US: [u64; 10] =
    [10, 100, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000];

/// The longest callback of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Longest {
    /// What was called: usually the type of a protocol.
    pub name: String,
    /// How long the longest took.
    pub longest_us: u64,
    /// How many took a millisecond or more.
    pub count: u64,
}

/// A slow callback.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Slow {
    /// What was called, and with which peer.
    pub name: String,
    /// How long it took.
    pub took_us: u64,
    /// How long ago it ended.
    pub ago_ms: u64,
}

/// A thread pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Pool {
    /// Threads started.
    pub threads: usize,
    /// How many there may be.
    pub threads_max: usize,
    /// Jobs that run or wait.
    pub jobs: usize,
    /// Jobs that wait.
    pub queued: usize,
    /// How many may wait.
    pub queue_max: usize,
}

/// A port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PortStatus {
    /// Where it listens.
    pub address: String,
    /// `tcp`, `unix`, `memory`, `stdio`, `udp`, `unix datagram` or `shared`.
    pub kind: String,
    /// Whether its connections begin with TLS.
    pub tls: bool,
    /// The type of its factory.
    pub factory: String,
    /// Connections open now.
    pub connections: usize,
    /// Connections, or datagrams, so far.
    pub accepted: u64,
    /// Connections or datagrams that failed or were refused.
    pub failures: u64,
    /// Most connections.
    pub limit: Option<usize>,
    /// Why it accepts none: `user`, `limit` or `failure`.
    pub paused: Option<String>,
}

/// Some of the connections.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ConnectionsPage {
    /// [`VERSION`].
    pub version: u32,
    /// The connections. There may be none although there is a next page.
    pub connections: Vec<ConnectionStatus>,
    /// What to ask for next; absent on the last page.
    pub next: Option<PageStart>,
}

/// Where a page begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PageStart {
    /// The reactor.
    pub shard: usize,
    /// The slot.
    pub first: usize,
}

/// A connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ConnectionStatus {
    /// Its id: a shard, a hyphen, and a hexadecimal number.
    pub id: String,
    /// The reactor.
    pub shard: usize,
    /// `tcp`, `unix`, `memory`, `stdio`, `pipe` or `other`.
    pub kind: String,
    /// The other end.
    pub peer: String,
    /// This end's address, if it has one.
    pub local: Option<String>,
    /// The port that accepted it; absent if this side opened the connection.
    pub port: Option<String>,
    /// `open`, `closing` and so on.
    pub state: String,
    /// What keeps its input back: `user`, `watermark`, `limit`, `relay`, `handover`, `handshake`.
    pub paused: Vec<String>,
    /// Bytes that wait to be sent.
    pub queued: usize,
    /// Timers that run for it.
    pub timers: usize,
    /// The type of its protocol.
    pub protocol: Option<String>,
    /// What TLS has negotiated.
    pub tls: Option<TlsStatus>,
    /// What was counted; absent without inspection.
    pub counts: Option<Counts>,
}

/// What TLS has negotiated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TlsStatus {
    /// The version of the protocol.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
}

/// What was counted for a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Counts {
    /// Its age.
    pub age_ms: u64,
    /// The time since something was last done for it.
    pub quiet_ms: u64,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
    /// How often the loop has called it.
    pub calls: u64,
    /// How long the last call took.
    pub last_us: u64,
    /// How long the longest took.
    pub longest_us: u64,
}
