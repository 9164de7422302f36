//! How a folder was when it was looked at last: [`Stamp`].

use std::{fs, path::Path, time::SystemTime};

use super::disk::{self, Done, failed};

/// How the folders `new` and `cur` were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) new: SystemTime,
    pub(super) cur: SystemTime,
}

impl Stamp {
    pub(super) fn of(folder: &Path) -> Done<Option<Self>> {
        let modified = |name: &str| {
            let path = folder.join(name);
            let found = disk::if_there(fs::metadata(&path).and_then(|found| found.modified()));
            found.map_err(failed("look at", &path))
        };
        Ok(modified("new")?.zip(modified("cur")?).map(|(new, cur)| Self { new, cur }))
    }
}
