//! A tool that a server runs under: its command prefix, [`Wrapper`], and its counts, [`Counts`].

use std::collections::BTreeMap;

/// The command prefix of a tool, if any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wrapper {
    /// The tool and its arguments; empty for a server that runs without a tool.
    pub(crate) words: Vec<String>,
    /// Whether the server is a child of the tool, instead of replacing it.
    pub(crate) forks: bool,
}

/// The counts of one run, by name.
pub(crate) type Counts = BTreeMap<String, u64>;
