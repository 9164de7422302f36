//! The counting tools: [`Instrument`].

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::tool::{Counts, Wrapper};
use crate::{callgrind, strace};

/// A tool that counts, instead of timing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Instrument {
    /// System calls, by kind.
    Strace,
    /// User-space instructions.
    Callgrind,
}

impl Instrument {
    /// The program.
    pub(crate) fn tool(self) -> &'static str {
        match self {
            Self::Strace => "strace",
            Self::Callgrind => "valgrind",
        }
    }

    /// The command prefix that runs a server under the tool, with the counts written to `output`.
    pub(crate) fn wrapper(self, output: &Path) -> Wrapper {
        match self {
            Self::Strace => strace::wrapper(output),
            Self::Callgrind => callgrind::wrapper(output),
        }
    }

    /// Parses the output of the tool.
    pub(crate) fn parse(self, output: &str) -> Result<Counts> {
        match self {
            Self::Strace => strace::parse(output),
            Self::Callgrind => callgrind::parse(output),
        }
    }
}
