//! A tool under which a server is run: how it is put around it, [`Wrapper`], and what it comes to, [`Counts`].

use std::collections::BTreeMap;

/// A tool under which a server is started, if any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wrapper {
    /// The tool and its arguments; nothing for a server that runs by itself.
    pub(crate) words: Vec<String>,
    /// Whether the server is a child of the tool, or has taken its place.
    pub(crate) forks: bool,
}

/// What a tool has counted in one run, by name.
pub(crate) type Counts = BTreeMap<String, u64>;
