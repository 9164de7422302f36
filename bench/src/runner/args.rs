//! The command line of the runner.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::affinity::Cpu;
use crate::instrument::Instrument;
use crate::mode::Mode;

/// Compares servers over loopback: speed, CPU, system calls, instructions, memory.
#[derive(Debug, Parser)]
#[command(
    after_help = "`bench echo --help` lists the options of a mode; `bench all` has its own cases."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Messages and their echoes on persistent connections
    Echo(Options),
    /// The same with large messages: bytes a second
    Bulk(Options),
    /// Lines, each answered; several at once with --outstanding
    Line(Options),
    /// Messages of one connection, sent to all others
    Fanout(Options),
    /// A connection for each message: connect, echo, close
    Churn(Options),
    /// All connections at once: the time until each has been answered
    Storm(Options),
    /// Idle connections: the memory of each
    Idle(Options),
    /// As many connections as possible with idle timeouts, a few of them active; and closing all of them
    Scale(Options),
    /// One connection, request and reply in turn, by how long the server polls before it sleeps
    Spin(Options),
    /// Timers made, reset, cancelled and fired, without a network
    Timers(Options),
    /// Requests of HTTP for a short text, each answer checked
    Http(Options),
    /// Requests of HTTP for a file of 1 MiB
    HttpFile(Options),
    /// Idle connections of HTTP: the memory of each
    HttpIdle(Options),
    /// The same over TLS
    HttpsIdle(Options),
    /// WebSocket messages and their echoes
    WsEcho(Options),
    /// Idle WebSockets: the memory of each
    WsIdle(Options),
    /// Messages of one WebSocket, sent to all others
    WsBroadcast(Options),
    /// Queries of DNS over UDP, each answer checked
    Dns(Options),
    /// Messages sent by SMTP to a server that forgets them
    Smtp(Options),
    /// Messages fetched by POP3 from a maildir in memory
    Pop3(Options),
    /// Messages fetched by IMAP from a maildir in memory
    Imap(Options),
    /// Connections of IMAP in IDLE: the memory of each
    ImapIdle(Options),
    /// Messages of one member of a channel of IRC, sent to all others
    Irc(Options),
    /// Idle members of a channel of IRC: the memory of each
    IrcIdle(Options),
    /// A full set of cases in bounded time
    All(AllOptions),
    /// Tables and pages from the files of --json, merging several runs
    Render(RenderOptions),
    /// Instructions of fixed scripts, compared with the committed counts
    Budgets(BudgetOptions),
    /// Echo by one reactor and by several, with the load on the same CPUs
    Cores(CoresOptions),
    /// Atomic instructions on the path of a message, counted under valgrind
    Atomics,
}

/// The options of one mode. Lists are separated by commas: every combination is a case with a table of
/// its own.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Count system calls per message, under strace, instead of timing.
    #[arg(long, conflicts_with = "instructions")]
    syscalls: bool,

    /// Count user-space instructions per message, under valgrind, instead of timing.
    #[arg(long)]
    instructions: bool,

    /// Rounds; in each, every server is run once [default: 8, or 3 for idle and storm, or 1 when counting].
    #[arg(long, value_name = "N")]
    pub(crate) rounds: Option<usize>,

    /// Length of a timed window.
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    pub(crate) seconds: f64,

    /// Messages in the shorter of the two windows whose difference is counted (--syscalls, --instructions).
    #[arg(long, value_name = "M", default_value_t = 5_000)]
    pub(crate) messages: u64,

    /// Connections open at the same time (fanout: receivers; timers: timers) [default: depends].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) connections: Option<Vec<usize>>,

    /// Bytes in a message [default: 64; bulk: 65536].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) size: Option<Vec<usize>>,

    /// Messages in flight on each connection [default: depends].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) outstanding: Option<Vec<usize>>,

    /// Microseconds of polling before a sleep (spin); each is a separate server.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = Self::SPINS)]
    pub(crate) spin: Vec<u64>,

    #[command(flatten)]
    pub(crate) who: Who,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// The options of `bench all`, which has its own cases.
#[derive(Debug, Args)]
pub(crate) struct AllOptions {
    /// Five minutes instead of twenty: fewer cases, shorter windows.
    #[arg(long)]
    pub(crate) quick: bool,

    /// The approximate duration, in minutes.
    #[arg(long, value_name = "N")]
    pub(crate) minutes: Option<f64>,

    #[command(flatten)]
    pub(crate) who: Who,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// The options of `bench render`.
#[derive(Debug, Args)]
pub(crate) struct RenderOptions {
    /// Results, as written by --json; if a case is in several, the last counts.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// The options of `bench budgets`.
#[derive(Debug, Args)]
pub(crate) struct BudgetOptions {
    /// Write the current counts, instead of comparing.
    #[arg(long)]
    pub(crate) update: bool,

    /// Scripts to run, by name [default: all].
    #[arg(long, value_name = "NAMES", value_delimiter = ',', conflicts_with = "update")]
    pub(crate) only: Vec<String>,
}

/// The options of `bench cores`.
#[derive(Debug, Args)]
pub(crate) struct CoresOptions {
    /// Rounds; in each, every number of reactors is measured once.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) rounds: usize,

    /// Length of a window.
    #[arg(long, value_name = "S", default_value_t = 2.0)]
    pub(crate) seconds: f64,

    /// Connections in all.
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) connections: usize,

    /// Rounds of a hash that the server computes for each read: its work for an answer.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [0, 10_000])]
    pub(crate) work: Vec<u32>,
}

/// The servers, and where they run.
#[derive(Clone, Debug, Args)]
pub(crate) struct Who {
    /// Servers to run, by name; an unknown name is an error [default: all].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// An additional server, such as the same server of another commit; may be repeated.
    #[arg(long, value_name = "NAME=COMMAND")]
    pub(crate) also: Vec<String>,

    /// The file that lists the servers.
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/contestants.toml"))]
    pub(crate) contestants: PathBuf,

    /// CPU for the server [default: the first allowed].
    #[arg(long, value_name = "CPU")]
    pub(crate) server_cpu: Option<Cpu>,

    /// CPU for the load [default: the last allowed].
    #[arg(long, value_name = "CPU")]
    pub(crate) load_cpu: Option<Cpu>,
}

/// Where results are written, beside the tables on standard output.
#[derive(Clone, Debug, Args)]
pub(crate) struct Output {
    /// Every figure of every round, as JSON.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// One self-contained page with plots.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// The tables, under a heading with machine and date.
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
}

impl Options {
    /// Microseconds of polling by default.
    pub(crate) const SPINS: [u64; 4] = [0, 20, 50, 100];

    /// The counting tool, unless the case is timed.
    pub(crate) fn instrument(&self) -> Option<Instrument> {
        if self.syscalls {
            Some(Instrument::Strace)
        } else if self.instructions {
            Some(Instrument::Callgrind)
        } else {
            None
        }
    }

    pub(crate) fn rounds(&self, mode: Mode) -> usize {
        self.rounds.unwrap_or(match (self.instrument(), mode) {
            (Some(_), _) => 1,
            (None, Mode::Storm) => 3,
            (None, mode) if mode.is_idle() => 3,
            (None, _) => 8,
        })
    }
}
