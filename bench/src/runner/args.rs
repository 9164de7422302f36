//! The command line of the runner.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};

use crate::affinity::Cpu;
use crate::counted::Instrument;

/// Compares echo servers over loopback: speed, CPU, system calls, instructions, memory.
#[derive(Debug, Parser)]
#[command(
    after_help = "Lists are separated by commas: every combination is a case with a table of its own."
)]
pub(crate) struct Args {
    /// What the load does.
    #[arg(value_enum, default_value_t = Mode::Echo)]
    pub(crate) mode: Mode,

    /// Count system calls per message, under strace, instead of timing.
    #[arg(long, conflicts_with = "instructions")]
    syscalls: bool,

    /// Count user-space instructions per message, under valgrind, instead of timing.
    #[arg(long)]
    instructions: bool,

    /// Contestants to run, by name [default: all].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// Rounds; in each, every contestant is run once [default: 8, or 3 for idle, or 1 when counting].
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,

    /// Length of a timed window.
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    pub(crate) seconds: f64,

    /// Messages in the shorter of the two windows whose difference is counted (--syscalls, --instructions).
    #[arg(long, value_name = "M", default_value_t = 5_000)]
    pub(crate) messages: u64,

    /// Connections open at the same time [default: 64, or 20000 for idle, or what the descriptor limit allows].
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) connections: Option<Vec<usize>>,

    /// Bytes in a message.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "64")]
    pub(crate) size: Vec<usize>,

    /// Messages in flight on each connection (echo).
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,16")]
    pub(crate) outstanding: Vec<usize>,

    /// CPU for the server [default: the first allowed].
    #[arg(long, value_name = "CPU")]
    pub(crate) server_cpu: Option<Cpu>,

    /// CPU for the load [default: the last allowed].
    #[arg(long, value_name = "CPU")]
    pub(crate) load_cpu: Option<Cpu>,

    /// Who takes part.
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/contestants.toml"))]
    pub(crate) contestants: PathBuf,

    /// Target directory in which the product was built.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target"))]
    pub(crate) product: PathBuf,
}

/// What the load does.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Mode {
    /// Messages to and fro on connections that stay.
    Echo,
    /// Connections that do nothing: the memory of each.
    Idle,
    /// A connection for each message: connect, echo, close.
    Churn,
}

impl Args {
    /// What to count with, if not to time.
    pub(crate) fn instrument(&self) -> Option<Instrument> {
        if self.syscalls {
            Some(Instrument::Strace)
        } else if self.instructions {
            Some(Instrument::Callgrind)
        } else {
            None
        }
    }

    pub(crate) fn rounds(&self) -> Result<usize> {
        let rounds = self.rounds.unwrap_or(match (self.instrument(), self.mode) {
            (Some(_), _) => 1,
            (None, Mode::Idle) => 3,
            (None, Mode::Echo | Mode::Churn) => 8,
        });
        ensure!(rounds > 0, "--rounds must be at least 1");
        Ok(rounds)
    }
}
