//! The memory of a process.

use std::fs;

use anyhow::{Context, Result};
use rustix::process::Pid;

use crate::cpu::field;

/// Resident memory in bytes, in whole pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resident {
    /// All resident memory.
    pub(crate) total: u64,
    /// Heap and stacks, without the file-backed pages of the program and its libraries, which are loaded as code is
    /// first run.
    pub(crate) anonymous: u64,
}

impl Resident {
    pub(crate) fn of(process: Pid) -> Result<Self> {
        let path = format!("/proc/{process}/smaps_rollup");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        Ok(Self {
            total: field(&text, "Rss")? * 1024,
            anonymous: field(&text, "Anonymous")? * 1024,
        })
    }
}
