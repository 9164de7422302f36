//! What is done with files: each call once, with an error that says what and where. All of it blocks, so only threads of the pool call it.
//!
//! Tests end the process, so to speak, between any two steps that change something: see `faults`, at the end.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
    time::SystemTime,
};

use self::faults::step;
use crate::{file_lock::FileLock, store::StoreError};

/// Only the owner reads mail.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// Longest file that is read into memory whole: a list of UIDs, or a file beside it.
const READ_LEN_MAX: u64 = 1 << 30;

pub(super) type Done<T = ()> = Result<T, StoreError>;

/// The error of an operation.
pub(super) fn failed(
    operation: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Io { operation, path, source: source.into() }
}

/// Turns "there is no such file" into `None`.
pub(super) fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Which file it is, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
    pub(super) len: u64,
    modified: (i64, i64),
    /// The number of a file that was removed is given to another one. `None` if the file system does not tell it.
    created: Option<SystemTime>,
}

impl FileId {
    pub(super) fn of(path: &Path) -> Done<Option<Self>> {
        let found = if_there(fs::metadata(path)).map_err(failed("look at", path))?;
        Ok(found.as_ref().map(Self::from))
    }

    /// Whether it is the same file, with more in it.
    pub(super) fn is_grown_from(&self, before: &Self) -> bool {
        let identity = |id: &Self| (id.device, id.inode, id.created);
        identity(self) == identity(before) && self.len > before.len
    }
}

impl From<&Metadata> for FileId {
    fn from(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            len: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            created: found.created().ok(),
        }
    }
}

/// A file from this offset on; `None` if there is none.
pub(super) fn read(path: &Path, offset: u64) -> Done<Option<Vec<u8>>> {
    let read = || {
        let Some(mut file) = if_there(File::open(path))? else { return Ok(None) };
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(READ_LEN_MAX).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    };
    read().map_err(failed("read", path))
}

/// The file of a message, and its length; `None` if there is none, or if it is something else: a link would lead to a file that is no mail, and a pipe
/// would keep the thread.
pub(super) fn open_message(path: &Path) -> Done<Option<(File, u64)>> {
    let open = || {
        let Some(found) = if_there(fs::symlink_metadata(path))? else { return Ok(None) };
        if !found.is_file() {
            return Ok(None);
        }
        let Some(file) = if_there(File::open(path))? else { return Ok(None) };
        let opened = file.metadata()?;
        let is_it = (opened.dev(), opened.ino()) == (found.dev(), found.ino());
        Ok(is_it.then_some((file, opened.len())))
    };
    open().map_err(failed("open", path))
}

/// The beginning and the end of a file.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) first: Vec<u8>,
    /// All of it if it is not longer.
    pub(super) last: Vec<u8>,
    pub(super) len: u64,
}

/// The first and the last bytes of a file, of at most this length; `None` if there is none.
pub(super) fn read_ends(path: &Path, max: u64) -> Done<Option<Ends>> {
    let read = || {
        let Some(mut file) = if_there(File::open(path))? else { return Ok(None) };
        let len = file.metadata()?.len();
        let (mut first, mut last) = (Vec::new(), Vec::new());
        (&mut file).take(max).read_to_end(&mut first)?;
        file.seek(SeekFrom::Start(len.saturating_sub(max)))?;
        file.take(max).read_to_end(&mut last)?;
        Ok(Some(Ends { first, last, len }))
    };
    read().map_err(failed("read", path))
}

/// As [`read`], as text; what is no UTF-8 is replaced.
pub(super) fn read_text(path: &Path) -> Done<Option<String>> {
    Ok(read(path, 0)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The names in a folder that are UTF-8; `None` if there is no folder.
pub(super) fn names(path: &Path) -> Done<Option<Vec<String>>> {
    let read = || {
        let Some(entries) = if_there(fs::read_dir(path))? else { return Ok(None) };
        let mut names = Vec::new();
        for entry in entries {
            match entry?.file_name().into_string() {
                Ok(name) => names.push(name),
                Err(name) => tracing::warn!(
                    ?name,
                    ?path,
                    "a file in a Maildir is left out: its name is no UTF-8"
                ),
            }
        }
        Ok(Some(names))
    };
    read().map_err(failed("read the folder", path))
}

/// What a name is of; `None` if there is none. Links are not followed.
pub(super) fn look(path: &Path) -> Done<Option<Metadata>> {
    step("look at", path)?;
    if_there(fs::symlink_metadata(path)).map_err(failed("look at", path))
}

pub(super) fn is_folder(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_dir())
}

/// Whether it was there to be renamed.
pub(super) fn rename(from: &Path, to: &Path) -> Done<bool> {
    step("rename", from)?;
    let renamed = if_there(fs::rename(from, to)).map_err(failed("rename", from))?;
    Ok(renamed.is_some())
}

/// Whether it was there to be removed.
pub(super) fn remove(path: &Path) -> Done<bool> {
    step("remove", path)?;
    let removed = if_there(fs::remove_file(path)).map_err(failed("remove", path))?;
    Ok(removed.is_some())
}

pub(super) fn remove_folder(path: &Path) -> Done {
    step("remove", path)?;
    if_there(fs::remove_dir_all(path)).map_err(failed("remove the folder", path))?;
    Ok(())
}

/// A second name for a file. Whether it was there; an error if the file system does not do this.
pub(super) fn link(from: &Path, to: &Path) -> io::Result<bool> {
    step("link", from).map_err(io::Error::other)?;
    Ok(if_there(fs::hard_link(from, to))?.is_some())
}

pub(super) fn create_folder(path: &Path) -> Done {
    step("create", path)?;
    let made = fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path);
    made.map_err(failed("create the folder", path))
}

/// A new file, which must not be there.
pub(super) fn create(path: &Path) -> Done<File> {
    step("create", path)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path);
    file.map_err(failed("create", path))
}

pub(super) fn write(file: &mut File, path: &Path, bytes: &[u8]) -> Done {
    let written = match faults::tear(bytes, path)? {
        None => file.write_all(bytes),
        Some(part) => file.write_all(part).and_then(|()| Err(io::Error::other("torn"))),
    };
    written.map_err(failed("write", path))
}

/// Has the contents of a file on the disk.
pub(super) fn sync(file: &File, path: &Path) -> Done {
    step("synchronise", path)?;
    file.sync_all().map_err(failed("synchronise", path))
}

/// Has the names of a folder on the disk.
pub(super) fn sync_folder(path: &Path) -> Done {
    step("synchronise", path)?;
    let folder = File::open(path).map_err(failed("open", path))?;
    folder.sync_all().map_err(failed("synchronise", path))
}

pub(super) fn set_modified(file: &File, path: &Path, time: SystemTime) -> Done {
    step("date", path)?;
    file.set_modified(time).map_err(failed("set the time of", path))
}

/// As [`set_modified`], by name. Whether there is such a file.
pub(super) fn date(path: &Path, time: SystemTime) -> Done<bool> {
    let opened = if_there(OpenOptions::new().write(true).open(path));
    let Some(file) = opened.map_err(failed("open", path))? else { return Ok(false) };
    set_modified(&file, path, time)?;
    Ok(true)
}

/// Replaces a file: programs that open it find the old contents or the new, also after a crash.
pub(super) fn replace(path: &Path, contents: &[u8]) -> Done<FileId> {
    let new = path.with_extension("new");
    // One that a crash has left. The lock that callers hold keeps others away.
    remove(&new)?;
    let mut file = create(&new)?;
    write(&mut file, &new, contents)?;
    sync(&file, &new)?;
    let id = FileId::from(&file.metadata().map_err(failed("look at", &new))?);
    rename(&new, path)?;
    sync_folder(path.parent().unwrap_or(path))?;
    Ok(id)
}

/// Appends to a file, and has it on the disk. If that fails, the file is as long as before, unless that fails, too.
pub(super) fn append(path: &Path, bytes: &[u8]) -> Done<FileId> {
    let opened = OpenOptions::new().append(true).open(path);
    let mut file = opened.map_err(failed("open", path))?;
    let len = file.metadata().map_err(failed("look at", path))?.len();
    let written = write(&mut file, path, bytes).and_then(|()| sync(&file, path));
    if let Err(error) = written {
        if step("shorten", path).is_ok() {
            let _ = file.set_len(len);
        }
        return Err(error);
    }
    Ok(FileId::from(&file.metadata().map_err(failed("look at", path))?))
}

/// Appends a line to a file that others append to, without a lock: in one call.
pub(super) fn append_line(path: &Path, line: &str) -> Done {
    step("append to", path)?;
    let append = || OpenOptions::new().append(true).open(path)?.write_all(line.as_bytes());
    if_there(append()).map_err(failed("append to", path))?;
    Ok(())
}

/// A lock that ends when it is dropped, and with the process. `None` if another has it; an outer `None` if there is no such folder.
pub(super) fn try_lock(path: &Path) -> Done<Option<Option<FileLock>>> {
    let Some(file) = open_lock(path)? else { return Ok(None) };
    match FileLock::try_new(file) {
        Ok(lock) if !is_at(lock.file(), path)? => Ok(Some(None)),
        Ok(lock) => Ok(Some(Some(lock))),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Some(None)),
        Err(error) => Err(failed("lock", path)(error)),
    }
}

/// Whether this file is what is at the path. A folder that was renamed or deleted since the file was opened has taken it along, and
/// others lock the one that is there now.
fn is_at(file: &File, path: &Path) -> Done<bool> {
    let look = || {
        let locked = file.metadata()?;
        let found = if_there(fs::metadata(path))?;
        Ok(found.is_some_and(|found| (found.dev(), found.ino()) == (locked.dev(), locked.ino())))
    };
    look().map_err(failed("look at", path))
}

/// As [`try_lock`], but waits: only for locks that are held for the time of one write, inside all others.
pub(super) fn lock(path: &Path) -> Done<Option<FileLock>> {
    let Some(file) = open_lock(path)? else { return Ok(None) };
    FileLock::new(file).map(Some).map_err(failed("lock", path))
}

fn open_lock(path: &Path) -> Done<Option<File>> {
    let opened =
        OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(path);
    if_there(opened).map_err(failed("open", path))
}

#[cfg(not(test))]
mod faults {
    //! No faults outside of tests.

    use std::path::Path;

    use super::Done;

    #[allow(clippy::unnecessary_wraps, reason = "tests have another, which fails")]
    pub(super) const fn step(_: &'static str, _: &Path) -> Done {
        Ok(())
    }

    #[allow(clippy::unnecessary_wraps, reason = "tests have another, which fails")]
    pub(super) const fn tear<'a>(_: &'a [u8], _: &Path) -> Done<Option<&'a [u8]>> {
        Ok(None)
    }
}

#[cfg(test)]
pub(super) mod faults {
    //! Ends the process, so to speak: after so many steps none does anything any more. On a simulated reactor the jobs of the pool run
    //! on the thread of the test, so each test has its own count.

    use std::{cell::Cell, io, path::Path};

    use super::{Done, failed};

    thread_local! {
        static STEPS_LEFT: Cell<u32> = const { Cell::new(u32::MAX) };
        static GOES_ON: Cell<bool> = const { Cell::new(false) };
    }

    /// After so many steps one fails, and all others work.
    pub(in crate::store::maildir) fn fail_after(steps: u32) {
        STEPS_LEFT.set(steps);
        GOES_ON.set(true);
    }

    /// From now on so many steps are made.
    pub(in crate::store::maildir) fn crash_after(steps: u32) {
        STEPS_LEFT.set(steps);
        GOES_ON.set(false);
    }

    /// Whether the step has failed that was to.
    pub(in crate::store::maildir) fn has_failed() -> bool {
        STEPS_LEFT.get() == u32::MAX
    }

    /// Whether it has crashed.
    pub(in crate::store::maildir) fn has_crashed() -> bool {
        STEPS_LEFT.get() == 0
    }

    pub(super) fn step(operation: &'static str, path: &Path) -> Done {
        match STEPS_LEFT.get() {
            0 => {
                if GOES_ON.get() {
                    STEPS_LEFT.set(u32::MAX);
                }
                Err(failed(operation, path)(io::Error::other("the process has ended")))
            }
            u32::MAX => Ok(()),
            left => {
                STEPS_LEFT.set(left - 1);
                Ok(())
            }
        }
    }

    /// A write, which is a step; the process ends in the middle of the last.
    pub(super) fn tear<'a>(bytes: &'a [u8], path: &Path) -> Done<Option<&'a [u8]>> {
        step("write", path)?;
        let is_torn = has_crashed();
        if is_torn && GOES_ON.get() {
            STEPS_LEFT.set(u32::MAX);
        }
        Ok(is_torn.then(|| &bytes[..bytes.len() / 2]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_that_of_the_folder_that_is_there() {
        let name = format!("sinew-maildir-lock-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        let (folder, renamed) = (root.join("a"), root.join("b"));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("lock");
        let opened = open_lock(&path).unwrap().unwrap();
        assert!(is_at(&opened, &path).unwrap());
        fs::rename(&folder, &renamed).unwrap();
        assert!(!is_at(&opened, &path).unwrap());
        fs::create_dir(&folder).unwrap();
        let other = try_lock(&path).unwrap().unwrap().unwrap();
        assert!(is_at(other.file(), &path).unwrap() && !is_at(&opened, &path).unwrap());
        assert!(try_lock(&path).unwrap().unwrap().is_none());
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_file_that_has_grown_is_not_another_one() {
        let created = Some(SystemTime::UNIX_EPOCH);
        let later = created.map(|created| created + std::time::Duration::from_secs(1));
        let known = FileId { device: 1, inode: 2, len: 10, modified: (0, 0), created };
        for (now, has_grown) in [
            (FileId { len: 11, modified: (1, 0), ..known }, true),
            // Something else was done than to append.
            (FileId { modified: (1, 0), ..known }, false),
            (FileId { len: 9, ..known }, false),
            (FileId { len: 11, inode: 3, ..known }, false),
            // It was replaced twice, and has the number of the first.
            (FileId { len: 11, created: later, ..known }, false),
        ] {
            assert_eq!(now.is_grown_from(&known), has_grown, "{now:?}");
        }
    }
}
