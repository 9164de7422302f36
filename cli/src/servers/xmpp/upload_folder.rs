//! Uploaded files in a folder: [`UploadFolder`]. It blocks: called on threads. Knows neither HTTP nor XMPP.
//!
//! | name | |
//! |---|---|
//! | `ID/NAME` | a file, as a client has called it |
//! | `ID.type` | its type, as a client has said it, if it has |
//! | `ID.part` | what has come of a file that is not whole |
//! | `key` | the key that signs slots |

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rustix::fs::{FlockOperation, flock};

/// Digits of an id.
const ID_LEN: usize = 32;
/// Longest name, as the service of slots has it.
const NAME_MAX: usize = 255;
/// Longest type.
const TYPE_MAX: u64 = 256;
/// Bytes of a key, in hexadecimal digits in its file.
const KEY_LEN: usize = 32;
/// What a file takes beside its bytes: its folder, its type, and the rest of its last block.
pub(super) const FILE_COST: u64 = 3 * 4_096;
/// How long a file that is not whole is left alone.
const PART_KEPT: Duration = Duration::from_secs(86_400);

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct UploadFolder(PathBuf);

/// Where a file is: an id, which nobody can guess, and a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    id: String,
    name: String,
}

impl Place {
    /// `None` if the parts could be another path than `ID/NAME` below the folder.
    pub(super) fn new(id: &str, name: &str) -> Option<Self> {
        let is_name = !name.trim_matches('.').is_empty()
            && name.len() <= NAME_MAX
            && !name.contains(|c: char| c.is_control() || matches!(c, '/' | '\\'));
        (is_id(id) && is_name).then(|| Self { id: id.to_owned(), name: name.to_owned() })
    }
}

impl UploadFolder {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Begins a file. It is locked while it is open, so that one that a killed process has left is begun anew.
    ///
    /// # Errors
    ///
    /// `AlreadyExists`: it is there, or another upload of it is running.
    pub(super) fn begin(&self, place: &Place) -> io::Result<File> {
        let (path, exists) = (self.part(place), io::ErrorKind::AlreadyExists);
        let part = private().create(true).truncate(false).open(&path)?;
        match flock(&part, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(exists.into()),
            Err(error) => return Err(error.into()),
        }
        // The upload that had it may have ended before it was locked: then its name is gone.
        match fs::metadata(&path) {
            Ok(metadata) if metadata.ino() == part.metadata()?.ino() => {}
            _ => return Err(exists.into()),
        }
        if self.0.join(&place.id).join(&place.name).exists() {
            fs::remove_file(&path)?;
            return Err(exists.into());
        }
        part.set_len(0)?;
        Ok(part)
    }

    /// Keeps a file that is whole: with its name, of this type. It is on the disk then.
    pub(super) fn keep(&self, place: &Place, file: &File, kind: Option<&str>) -> io::Result<()> {
        file.sync_all()?;
        if let Some(kind) = kind {
            fs::write(self.kind_path(place), kind)?;
        }
        let folder = self.0.join(&place.id);
        match fs::create_dir(&folder) {
            // A kill has left it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        fs::rename(self.part(place), folder.join(&place.name))?;
        File::open(&folder)?.sync_all()?;
        File::open(&self.0)?.sync_all()
    }

    /// Drops a file that is not whole.
    pub(super) fn drop_part(&self, place: &Place) -> io::Result<()> {
        fs::remove_file(self.part(place))
    }

    /// The type that a client has said.
    pub(super) fn kind(&self, place: &Place) -> Option<String> {
        let mut kind = String::new();
        File::open(self.kind_path(place)).ok()?.take(TYPE_MAX).read_to_string(&mut kind).ok()?;
        Some(kind).filter(|kind| !kind.is_empty())
    }

    /// Removes what was last changed before a time. Returns how many bytes the files that stay take, and how many files went. What is not
    /// of this folder, as `lost+found`, is left alone.
    pub(super) fn remove_older(&self, keep: Duration, now: SystemTime) -> io::Result<(u64, usize)> {
        let (mut bytes, mut removed) = (0, 0);
        for entry in fs::read_dir(&self.0)? {
            // Uploads end while this runs.
            match remove_if_older(&entry?.path(), keep, now) {
                Ok(Entry::Stays(len)) => bytes += len,
                Ok(Entry::Removed) => removed += 1,
                Ok(Entry::Other) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok((bytes, removed))
    }

    /// The key of the folder, which is made if there is none.
    pub(super) fn key(&self) -> io::Result<String> {
        let path = self.0.join("key");
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make_key(&path),
            key => match key?.trim() {
                key if key.len() >= 2 * KEY_LEN => Ok(key.to_owned()),
                _ => Err(io::Error::other(format!("{} is too short for a key", path.display()))),
            },
        }
    }

    fn make_key(&self, path: &Path) -> io::Result<String> {
        let mut random = [0; KEY_LEN];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let key: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        // Whole or not at all.
        let part = self.0.join("key.part");
        let mut file = private().create(true).truncate(true).open(&part)?;
        writeln!(file, "{key}")?;
        file.sync_all()?;
        fs::rename(part, path)?;
        Ok(key)
    }

    fn part(&self, place: &Place) -> PathBuf {
        self.0.join(format!("{}.part", place.id))
    }

    fn kind_path(&self, place: &Place) -> PathBuf {
        self.0.join(format!("{}.type", place.id))
    }
}

/// What became of something in the folder.
enum Entry {
    /// A file that takes so many bytes.
    Stays(u64),
    Removed,
    Other,
}

fn remove_if_older(path: &Path, keep: Duration, now: SystemTime) -> io::Result<Entry> {
    let is_over = |keep: Duration| {
        let modified = fs::symlink_metadata(path)?.modified()?;
        io::Result::Ok(now.duration_since(modified).is_ok_and(|age| age >= keep))
    };
    let is_own = path.file_stem().and_then(|stem| stem.to_str()).is_some_and(is_id);
    match path.extension().and_then(|ending| ending.to_str()) {
        _ if !is_own => Ok(Entry::Other),
        Some("part") if is_over(PART_KEPT)? => fs::remove_file(path).map(|()| Entry::Other),
        // A kill has left it, if its file has not come.
        Some("type") if is_over(keep)? && !path.with_extension("").exists() => {
            fs::remove_file(path).map(|()| Entry::Other)
        }
        None if is_over(keep)? => {
            fs::remove_dir_all(path)?;
            let _ = fs::remove_file(path.with_extension("type"));
            Ok(Entry::Removed)
        }
        None => {
            let lens = fs::read_dir(path)?.map(|file| Ok(file?.metadata()?.len()));
            lens.sum::<io::Result<u64>>().map(|len| Entry::Stays(len.saturating_add(FILE_COST)))
        }
        _ => Ok(Entry::Other),
    }
}

fn is_id(text: &str) -> bool {
    text.len() == ID_LEN
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// For the user of this process alone.
fn private() -> OpenOptions {
    let mut options = File::options();
    options.write(true).mode(0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    struct Scratch(UploadFolder);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("sinew-uploads-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(UploadFolder::new(path))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(self.0.path());
        }
    }

    #[test]
    fn places() {
        let long = "x".repeat(256);
        for (id, name, is_good) in [
            (ID, "cat.png", true),
            (ID, ".profile", true),
            (ID, "ü", true),
            (ID, "..", false),
            (ID, ".", false),
            (ID, "", false),
            (ID, "../x", false),
            (ID, "a\\b", false),
            (ID, "a\0", false),
            (ID, &long, false),
            ("..", "cat.png", false),
            ("key", "x", false),
            (&ID.to_uppercase(), "x", false),
        ] {
            assert_eq!(Place::new(id, name).is_some(), is_good, "{id}/{name}");
        }
    }

    #[test]
    fn a_file_is_kept_whole_and_once() {
        let scratch = Scratch::new("kept");
        let (folder, place) = (&scratch.0, Place::new(ID, "cat.png").unwrap());
        let mut file = folder.begin(&place).unwrap();
        assert_eq!(folder.begin(&place).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        file.write_all(b"meow").unwrap();
        folder.keep(&place, &file, Some("image/png")).unwrap();
        assert_eq!(fs::read(folder.path().join(ID).join("cat.png")).unwrap(), b"meow");
        assert_eq!(folder.kind(&place).as_deref(), Some("image/png"));
        assert_eq!(folder.begin(&place).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let now = SystemTime::now();
        let day = Duration::from_secs(86_400);
        assert_eq!(folder.remove_older(day, now).unwrap(), (4 + FILE_COST, 0));
        assert_eq!(folder.remove_older(day, now + 2 * day).unwrap(), (0, 1));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        drop(folder.begin(&place).unwrap());
        folder.drop_part(&place).unwrap();
        drop(folder.begin(&place).unwrap());
    }

    /// A kill leaves what is not whole, and perhaps an empty folder: neither is in the way of another attempt.
    #[test]
    fn after_a_kill() {
        let scratch = Scratch::new("kill");
        let (folder, place) = (&scratch.0, Place::new(ID, "cat.png").unwrap());
        folder.begin(&place).unwrap().write_all(b"longer than it will be").unwrap();
        fs::create_dir(folder.path().join(ID)).unwrap();
        let mut file = folder.begin(&place).unwrap();
        assert_eq!(folder.begin(&place).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        file.write_all(b"meow").unwrap();
        folder.keep(&place, &file, None).unwrap();
        drop(file);
        assert_eq!(fs::read(folder.path().join(ID).join("cat.png")).unwrap(), b"meow");
        assert_eq!(folder.begin(&place).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_not_an_upload_stays() {
        let scratch = Scratch::new("others");
        let folder = &scratch.0;
        let others = ["lost+found", "note.part", "note.type"];
        fs::create_dir(folder.path().join(others[0])).unwrap();
        for name in &others[1..] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        // Of uploads whose files did not come.
        for ending in ["part", "type"] {
            fs::write(folder.path().join(format!("{ID}.{ending}")), "x").unwrap();
        }
        let (day, now) = (Duration::from_secs(86_400), SystemTime::now());
        assert_eq!(folder.remove_older(day, now).unwrap(), (0, 0));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
        assert_eq!(folder.remove_older(day, now + 2 * day).unwrap(), (0, 0));
        let mut left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort_unstable();
        assert_eq!(left, others);
    }

    #[test]
    fn the_key_stays() {
        let scratch = Scratch::new("key");
        let key = scratch.0.key().unwrap();
        assert_eq!((key.len(), scratch.0.key().unwrap()), (64, key));
        fs::write(scratch.0.path().join("key"), "short").unwrap();
        assert!(scratch.0.key().is_err());
    }
}
