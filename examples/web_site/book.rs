//! What is kept: entries, and which files were sent. Knows no HTTP.

use std::collections::VecDeque;

/// Entries that are kept; older ones go.
const ENTRIES_MAX: usize = 100;

/// Longest name and text.
const NAME_MAX: usize = 50;
const TEXT_MAX: usize = 1_000;

/// What somebody has written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The entries, the newest first, and the files.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) entries: VecDeque<Entry>,
    /// Names and lengths.
    pub(crate) files: VecDeque<(String, usize)>,
}

impl Entry {
    /// `None` if something is missing or too long.
    pub(crate) fn from_form(fields: &[(String, String)]) -> Option<Self> {
        let value = |name: &str, len_max: usize| {
            let (_, value) = fields.iter().find(|(field, _)| field == name)?;
            let value = value.trim();
            (!value.is_empty() && value.len() <= len_max).then(|| value.to_owned())
        };
        Some(Self { name: value("name", NAME_MAX)?, text: value("text", TEXT_MAX)? })
    }
}

impl Book {
    pub(crate) fn sign(&mut self, entry: Entry) {
        self.entries.push_front(entry);
        self.entries.truncate(ENTRIES_MAX);
    }

    pub(crate) fn file(&mut self, name: String, len: usize) {
        self.files.push_front((name, len));
        self.files.truncate(ENTRIES_MAX);
    }
}
