//! A file that is not whole yet: [`PartFile`], `NAME.part` in its folder. Blocking: for threads of the pool.

use sinew_transports::reactor::with_causes;

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::DccError;

/// What becomes of a file that is there already, by [`IrcClient::receive_file`](crate::irc::client::IrcClient::receive_file).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Existing {
    /// It stays, and nothing is received. What is not whole at the end is deleted.
    #[default]
    Keep,
    /// It stays. A part of it (`NAME.part`) is completed, if the other can send the rest (RESUME); what is not whole at the end is kept. A
    /// part that is longer than the file, or a link, stays as well, and nothing is received.
    Resume,
    /// It is replaced, once the new one is whole.
    Replace,
}

/// The part that is written. It deletes itself when it is dropped before it is whole, unless it is to be resumed: so it does also if nobody
/// waits any more for the job that has opened it.
#[derive(Debug)]
pub(super) struct PartFile {
    file: File,
    path: PathBuf,
    target: PathBuf,
    existing: Existing,
    len: u64,
    is_whole: bool,
}

/// A name that is not that of the part of another file: who receives `a.part` whole must not find it taken for the beginning of `a`.
pub(super) fn not_of_a_part(mut name: String) -> String {
    if name.to_ascii_lowercase().ends_with(".part") {
        name.push('_');
    }
    name
}

/// The names of a file, and of its part.
pub(super) fn paths(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    (folder.join(name), folder.join(format!("{name}.part")))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DccError {
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::AlreadyExists => DccError::Exists { path },
        _ => DccError::File { action, path, source },
    }
}

impl PartFile {
    /// Opens the part of a file that will have `size` bytes.
    pub(super) fn open(
        folder: &Path,
        name: &str,
        size: u64,
        existing: Existing,
    ) -> Result<Self, DccError> {
        let (target, path) = paths(folder, name);
        // Also for a link that leads nowhere.
        if existing != Existing::Replace && target.symlink_metadata().is_ok() {
            return Err(DccError::Exists { path: target });
        }
        let mut options = OpenOptions::new();
        options.append(true);
        // What is there and no plain file is not written to.
        let part = path.symlink_metadata().ok();
        let part = part.filter(|found| existing == Existing::Resume && found.is_file());
        options.create_new(part.is_none());
        let file = options.open(&path).map_err(failed("open", &path))?;
        let opened = file.metadata().map_err(failed("read", &path))?;
        let mut len = opened.len();
        // One that was replaced meanwhile, or has another name elsewhere, or belongs to another file.
        if part.is_some_and(|found| !is_it_alone(&found, &opened)) || len > size {
            return Err(DccError::Exists { path });
        }
        if len == size {
            // There is no rest of it that could be asked for.
            file.set_len(0).map_err(failed("shorten", &path))?;
            len = 0;
        }
        Ok(Self { file, path, target, existing, len, is_whole: false })
    }

    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Forgets what is there behind this length.
    pub(super) fn shorten(&mut self, len: u64) -> Result<(), DccError> {
        self.file.set_len(len).map_err(failed("shorten", &self.path))?;
        self.len = len;
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), DccError> {
        self.file.write_all(bytes).map_err(failed("write", &self.path))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// It is whole: gives it its name.
    pub(super) fn complete(mut self) -> Result<PathBuf, DccError> {
        self.file.sync_all().map_err(failed("write", &self.path))?;
        if self.existing != Existing::Replace {
            // Takes the name, so that nothing is replaced that came to be meanwhile.
            File::create_new(&self.target).map_err(failed("create", &self.target))?;
        }
        if let Err(error) = fs::rename(&self.path, &self.target) {
            if self.existing != Existing::Replace {
                let _ = fs::remove_file(&self.target);
            }
            return Err(failed("rename", &self.path)(error));
        }
        self.is_whole = true;
        Ok(self.target.clone())
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if self.is_whole || self.existing == Existing::Resume {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), error = %with_causes(&error), "the part of a file by DCC was not deleted");
        }
    }
}

/// Whether the file that was opened is the one that was found, and has no other name.
#[cfg(unix)]
fn is_it_alone(found: &Metadata, opened: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (found.dev(), found.ino()) == (opened.dev(), opened.ino()) && opened.nlink() == 1
}

#[cfg(not(unix))]
fn is_it_alone(_: &Metadata, opened: &Metadata) -> bool {
    opened.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("sinew-part-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn nothing_is_replaced_unless_that_is_wanted() {
        let folder = Folder::new("replaced");
        let (target, part) = paths(&folder.0, "a");
        let open = |existing| PartFile::open(&folder.0, "a", 4, existing);
        let mut first = open(Existing::Keep).unwrap();
        first.write(b"new").unwrap();
        assert!(matches!(open(Existing::Keep), Err(DccError::Exists { path }) if path == part));
        // Somebody else makes the file meanwhile.
        fs::write(&target, "old").unwrap();
        assert!(matches!(first.complete(), Err(DccError::Exists { path }) if path == target));
        assert_eq!(fs::read(&target).unwrap(), b"old");
        assert!(!part.exists(), "what is not whole is deleted");
        for existing in [Existing::Keep, Existing::Resume] {
            assert!(matches!(open(existing), Err(DccError::Exists { path }) if path == target));
        }
        let mut second = open(Existing::Replace).unwrap();
        second.write(b"new").unwrap();
        assert_eq!(second.complete().unwrap(), target);
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert!(!part.exists());
    }

    #[test]
    fn a_part_is_completed() {
        let folder = Folder::new("completed");
        let (target, part) = paths(&folder.0, "a");
        let open = |size| PartFile::open(&folder.0, "a", size, Existing::Resume).unwrap();
        fs::write(&part, "abc").unwrap();
        let mut file = open(6);
        assert_eq!(file.len(), 3);
        file.shorten(2).unwrap();
        file.write(b"CDEF").unwrap();
        file.complete().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"abCDEF");
        fs::remove_file(&target).unwrap();
        fs::write(&part, "abc").unwrap();
        // One of another, longer file is not lost.
        let longer = PartFile::open(&folder.0, "a", 2, Existing::Resume);
        assert!(matches!(longer, Err(DccError::Exists { path }) if path == part));
        assert_eq!(fs::read(&part).unwrap(), b"abc");
        assert_eq!(open(3).len(), 0);
    }

    #[test]
    fn a_part_is_kept_only_to_be_resumed() {
        let folder = Folder::new("kept");
        let (_, part) = paths(&folder.0, "a");
        for (existing, is_kept) in
            [(Existing::Keep, false), (Existing::Replace, false), (Existing::Resume, true)]
        {
            drop(PartFile::open(&folder.0, "a", 4, existing).unwrap());
            assert_eq!(part.exists(), is_kept, "{existing:?}");
        }
    }

    #[test]
    fn a_name_of_a_part() {
        for (name, expected) in [
            ("a", "a"),
            ("a.part", "a.part_"),
            ("a.PART", "a.PART_"),
            ("a.part.part", "a.part.part_"),
            ("part", "part"),
        ] {
            assert_eq!(not_of_a_part(name.to_owned()), expected);
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let folder = Folder::new("links");
        let (target, part) = paths(&folder.0, "a");
        let elsewhere = folder.0.join("elsewhere");
        for existing in [Existing::Keep, Existing::Resume, Existing::Replace] {
            std::os::unix::fs::symlink(&elsewhere, &part).unwrap();
            assert!(matches!(
                PartFile::open(&folder.0, "a", 4, existing),
                Err(DccError::Exists { .. })
            ));
            fs::remove_file(&part).unwrap();
            std::os::unix::fs::symlink(&elsewhere, &target).unwrap();
            if existing == Existing::Replace {
                PartFile::open(&folder.0, "a", 4, existing).unwrap().complete().unwrap();
                assert!(target.symlink_metadata().unwrap().is_file());
            } else {
                assert!(PartFile::open(&folder.0, "a", 4, existing).is_err());
            }
            let _ = fs::remove_file(&target);
            assert!(!elsewhere.exists());
        }
        // A part that is also another file.
        fs::write(&elsewhere, "ab").unwrap();
        fs::hard_link(&elsewhere, &part).unwrap();
        let linked = PartFile::open(&folder.0, "a", 4, Existing::Resume);
        assert!(matches!(linked, Err(DccError::Exists { .. })));
        assert_eq!(fs::read(&elsewhere).unwrap(), b"ab");
    }
}
