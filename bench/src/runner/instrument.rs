//! A tool that counts, where nothing is timed: [`Instrument`].

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::tool::{Counts, Wrapper};
use crate::{callgrind, strace};

/// See the head of this file.
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

    /// How a server is started under it, so that it leaves what it has counted in `output`.
    pub(crate) fn wrapper(self, output: &Path) -> Wrapper {
        match self {
            Self::Strace => strace::wrapper(output),
            Self::Callgrind => callgrind::wrapper(output),
        }
    }

    /// Reads what it has left.
    pub(crate) fn parse(self, output: &str) -> Result<Counts> {
        match self {
            Self::Strace => strace::parse(output),
            Self::Callgrind => callgrind::parse(output),
        }
    }
}
