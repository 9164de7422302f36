//! The unique ids of the messages that were fetched: [`Known`], a file with one in each line. All of it may block.
//!
//! A line is appended, and on the disk, before the next message is fetched. A line that a crash has cut has no line end, and does not count.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use sinew::mail::pop3::codec::UniqueId;

pub(crate) struct Known {
    file: File,
    path: PathBuf,
}

impl Known {
    /// Opens the file, and returns what is in it.
    pub(crate) fn open(path: &Path) -> io::Result<(Self, HashSet<UniqueId>)> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < text.len() {
            file.set_len(whole as u64)?;
        }
        let lines = text[..whole].split(|byte| *byte == b'\n');
        let ids = lines.filter_map(|line| str::from_utf8(line).ok()?.parse().ok()).collect();
        sync_folder_of(path)?;
        Ok((Self { file, path: path.to_owned() }, ids))
    }

    /// Remembers one.
    pub(crate) fn add(&self, id: &UniqueId) -> io::Result<()> {
        (&self.file).write_all(format!("{id}\n").as_bytes())?;
        self.file.sync_data()
    }

    /// Remembers these and no others. The old file is there until the new one is whole.
    pub(crate) fn replace(&self, ids: &HashSet<UniqueId>) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        let lines: String = ids.iter().map(|id| format!("{id}\n")).collect();
        file.write_all(lines.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        sync_folder_of(&self.path)
    }
}

/// The name of a file is on the disk once its folder is.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        #[cfg(unix)]
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}
