//! A log file that is rotated by size: [`LogFile`]. `FILE` becomes `FILE.1`, that `FILE.2`, and so on.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, fchown},
    path::{Path, PathBuf},
};

use sinew::reactor::Excerpt;

use super::Owner;
use crate::exit::{Code, Failure};

/// The most rotated files that are kept.
const KEEP_MAX: u32 = 1_000;

#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    /// Bytes in the file.
    size: u64,
    /// Rotates when the file would grow over this; 0 for never.
    size_max: u64,
    keep: u32,
    /// After a rotation that failed: not tried again below this size.
    next_attempt: u64,
}

impl LogFile {
    /// Opens a file for appending. A new one belongs to `owner`.
    pub(super) fn open(
        path: &Path,
        size_max: u64,
        keep: u32,
        owner: Owner,
    ) -> Result<Self, Failure> {
        let failed = |error: io::Error| {
            let text = format!("cannot open the log file {}", Excerpt::path(path));
            Failure::io(Code::CannotCreate, text, &error)
        };
        let path = std::path::absolute(path).map_err(failed)?;
        let file = append(&path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        if let (Some((uid, gid)), 0) = (owner, size) {
            fchown(&file, Some(uid), Some(gid)).map_err(failed)?;
        }
        Ok(Self { path, file, size, size_max, keep: keep.min(KEEP_MAX), next_attempt: 0 })
    }

    /// Appends one message, after a rotation if it is due.
    pub(super) fn append(&mut self, message: &[u8]) -> io::Result<()> {
        let after = self.size + message.len() as u64;
        let is_due = self.size_max > 0 && self.size > 0 && after > self.size_max;
        if is_due && after > self.next_attempt {
            // The messages go on into the old file, rather than nowhere.
            self.next_attempt = match self.rotate() {
                Ok(()) => 0,
                Err(_) => self.size + self.size_max,
            };
        }
        self.file.write_all(message)?;
        self.size += message.len() as u64;
        Ok(())
    }

    /// Takes over from another writer of the same path, which may have rotated the file since this one was opened.
    pub(super) fn take_over(&mut self) -> io::Result<()> {
        if !self.is_at_path()? {
            self.file = append(&self.path)?;
        }
        self.size = self.file.metadata()?.len();
        Ok(())
    }

    /// Begins a new file. The old one is renamed, unless somebody else, such as logrotate(8), has done so.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        if !self.file.metadata()?.is_file() {
            return Ok(());
        }
        if self.is_at_path()? {
            self.rename()?;
        }
        self.file = append(&self.path)?;
        self.size = self.file.metadata()?.len();
        Ok(())
    }

    fn is_at_path(&self) -> io::Result<bool> {
        let ours = self.file.metadata()?;
        let there = fs::metadata(&self.path);
        Ok(there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())))
    }

    fn rename(&self) -> io::Result<()> {
        if self.keep == 0 {
            return fs::remove_file(&self.path);
        }
        for number in (1..self.keep).rev() {
            match fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, self.numbered(1))
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        name.into()
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("sinew-log-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_else(|_| "missing".to_owned())
    }

    #[test]
    fn rotates_before_the_limit_is_passed_and_keeps_so_many() {
        let directory = directory("size");
        let path = directory.join("log");
        let mut log = LogFile::open(&path, 10, 2, None).unwrap();
        for message in ["first", "1234\n", "second", "third 789", "fourth"] {
            log.append(message.as_bytes()).unwrap();
        }
        assert_eq!(read(&path), "fourth");
        assert_eq!(read(&directory.join("log.1")), "third 789");
        assert_eq!(read(&directory.join("log.2")), "second");
        assert_eq!(read(&directory.join("log.3")), "missing");
        // One that is longer than the limit has a file of its own.
        log.append(b"0123456789abcdef").unwrap();
        assert_eq!(read(&path), "0123456789abcdef");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_file_that_was_moved_is_not_rotated_but_begun_anew() {
        let directory = directory("moved");
        let path = directory.join("log");
        let mut log = LogFile::open(&path, 0, 3, None).unwrap();
        log.append(b"old").unwrap();
        fs::rename(&path, directory.join("elsewhere")).unwrap();
        log.rotate().unwrap();
        log.append(b"new").unwrap();
        assert_eq!(
            (read(&path).as_str(), read(&directory.join("elsewhere")).as_str()),
            ("new", "old")
        );
        assert_eq!(read(&directory.join("log.1")), "missing");
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn keeps_none_and_follows_what_is_there() {
        let directory = directory("none");
        let path = directory.join("log");
        fs::write(&path, "before ").unwrap();
        let mut log = LogFile::open(&path, 12, 0, None).unwrap();
        log.append(b"after").unwrap();
        assert_eq!(read(&path), "before after");
        log.append(b"x").unwrap();
        assert_eq!(read(&path), "x");
        assert_eq!(read(&directory.join("log.1")), "missing");
        fs::remove_dir_all(directory).unwrap();
    }
}
