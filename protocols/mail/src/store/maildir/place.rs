//! Where the file of a message is: [`Place`]. Pure.

use std::path::{Path, PathBuf};

use super::file_name::FileName;
use crate::store::index::FlagBits;

/// The file of a message, as it was seen last. Other programs may have renamed it since; the base of its name stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The name of the file.
    pub(crate) file: Box<str>,
    /// It is in `new`, not in `cur`.
    pub(crate) in_new: bool,
}

impl Place {
    /// Where it is by the rules, before anyone has looked.
    pub(crate) fn guess(base: &str, flags: FlagBits) -> Self {
        let name =
            FileName::parse(base).map_or_else(|| base.to_owned(), |name| name.with_flags(flags));
        Self { file: name.into(), in_new: false }
    }

    /// The part of the name that never changes.
    pub(crate) fn base(&self) -> &str {
        self.file.split(':').next().unwrap_or_default()
    }

    pub(crate) fn path(&self, folder: &Path) -> PathBuf {
        folder.join(if self.in_new { "new" } else { "cur" }).join(&*self.file)
    }

    /// Its flags, by its name.
    pub(crate) fn flags(&self) -> FlagBits {
        FileName::parse(&self.file).map(FileName::flags).unwrap_or_default()
    }

    /// The place of the file with other flags: always in `cur`.
    pub(crate) fn with_flags(&self, flags: FlagBits) -> Self {
        let file = FileName::parse(&self.file).map(|name| name.with_flags(flags));
        Self { file: file.unwrap_or_else(|| self.file.to_string()).into(), in_new: false }
    }
}
