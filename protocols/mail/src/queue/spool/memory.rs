//! A spool in memory: [`MemoryFiles`], for tests. It can lose what was not synced, as a disk does when its power is cut, and fail from a
//! chosen step on, as a process does that is killed there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{SpoolFile, SpoolFiles};

/// Files in memory. Clones are the same files, and survive the reactors and the queues that use them.
///
/// # Examples
///
/// ```
/// use sinew_mail::queue::{MemoryFiles, Spool};
///
/// let files = MemoryFiles::default();
/// let spool = Spool::on(files.clone());
/// // … and after the program in the test has been killed:
/// files.lose_power(|| 0);
/// let spool = Spool::on(files);
/// # drop(spool);
/// ```
#[derive(Clone, Default)]
pub struct MemoryFiles(Arc<Mutex<Disk>>);

#[derive(Default)]
struct Disk {
    /// Who has opened files before this was restarted cannot use them any more.
    life: u64,
    is_taken: bool,
    files: Vec<Contents>,
    names: BTreeMap<String, usize>,
    safe_names: BTreeMap<String, usize>,
    /// What was done to names since they were synced.
    unsafe_changes: Vec<Change>,
    steps: u64,
    fails_at: Option<u64>,
}

#[derive(Default)]
struct Contents {
    bytes: Vec<u8>,
    safe_len: usize,
}

#[derive(Clone)]
enum Change {
    Created(String, usize),
    Renamed(String, String, usize),
    Removed(String),
}

/// The lock.
struct Taken {
    disk: MemoryFiles,
    life: u64,
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut disk = self.disk.disk();
        if disk.life == self.life {
            disk.is_taken = false;
        }
    }
}

struct Open {
    disk: MemoryFiles,
    life: u64,
    file: usize,
}

impl MemoryFiles {
    /// The power is cut: of what was not synced, `choose` says what is kept, a random number for each choice. A number that is even keeps
    /// a change of names; of bytes it keeps that many, modulo their number plus one. Open files can be used no more, and the lock is free.
    pub fn lose_power(&self, mut choose: impl FnMut() -> u64) {
        let mut disk = self.disk();
        let changes = std::mem::take(&mut disk.unsafe_changes);
        let mut names = std::mem::take(&mut disk.safe_names);
        for change in changes.iter().filter(|_| choose().is_multiple_of(2)) {
            change.apply(&mut names);
        }
        for contents in &mut disk.files {
            let unsafe_len = contents.bytes.len() - contents.safe_len;
            let kept = usize::try_from(choose() % (unsafe_len as u64 + 1)).unwrap_or(0);
            contents.safe_len += kept;
            contents.bytes.truncate(contents.safe_len);
        }
        disk.names.clone_from(&names);
        disk.safe_names = names;
        disk.restart();
    }

    /// The process is killed: all that was written stays. Open files can be used no more, and the lock is free.
    pub fn lose_process(&self) {
        self.disk().restart();
    }

    /// Every call that changes something fails from the `steps`-th from now on, until the power or the process is lost. Of bytes to
    /// append, half are there.
    pub fn fail_after(&self, steps: u64) {
        let mut disk = self.disk();
        disk.fails_at = Some(disk.steps + steps);
    }

    /// How many calls have changed something so far.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.disk().steps
    }

    /// How many files there are.
    #[must_use]
    pub fn names_left(&self) -> usize {
        self.disk().names.len()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    fn restart(&mut self) {
        self.life += 1;
        self.is_taken = false;
        self.fails_at = None;
        // What nothing names is gone; the places stay, since they are numbers.
        let named: BTreeSet<_> =
            self.names.values().chain(self.safe_names.values()).copied().collect();
        for (file, contents) in self.files.iter_mut().enumerate() {
            if !named.contains(&file) {
                *contents = Contents::default();
            }
        }
    }

    /// Counts a call that changes something. An error if it is to fail.
    fn step(&mut self) -> io::Result<()> {
        self.steps += 1;
        match self.fails_at {
            Some(at) if self.steps > at => Err(io::Error::other("a failure that was asked for")),
            _ => Ok(()),
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.unsafe_changes.push(change);
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Created(name, file) => drop(names.insert(name.clone(), *file)),
            Self::Renamed(from, to, file) => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
            Self::Removed(name) => drop(names.remove(name)),
        }
    }
}

impl SpoolFiles for MemoryFiles {
    fn take(&self) -> io::Result<Box<dyn Send + Sync>> {
        let mut disk = self.disk();
        if std::mem::replace(&mut disk.is_taken, true) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Taken { disk: self.clone(), life: disk.life }))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn SpoolFile>> {
        let mut disk = self.disk();
        disk.step()?;
        if disk.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = disk.files.len();
        disk.files.push(Contents::default());
        disk.change(Change::Created(name.to_owned(), file));
        Ok(Box::new(Open { disk: self.clone(), life: disk.life, file }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn SpoolFile>> {
        let disk = self.disk();
        Ok(Box::new(Open { disk: self.clone(), life: disk.life, file: disk.find(name)? }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        let file = disk.find(from)?;
        disk.change(Change::Renamed(from.to_owned(), to.to_owned(), file));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        disk.find(name)?;
        disk.change(Change::Removed(name.to_owned()));
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.step()?;
        disk.unsafe_changes.clear();
        let names = disk.names.clone();
        disk.safe_names = names;
        Ok(())
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.disk().names.keys().cloned().collect())
    }
}

impl Open {
    fn with<R>(&self, f: impl FnOnce(&mut Disk) -> io::Result<R>) -> io::Result<R> {
        let mut disk = self.disk.disk();
        if disk.life != self.life {
            return Err(io::Error::other("the file was open when the process ended"));
        }
        f(&mut disk)
    }
}

impl SpoolFile for Open {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = self.file;
        self.with(|disk| {
            let step = disk.step();
            let len = if step.is_ok() { bytes.len() } else { bytes.len() / 2 };
            disk.files[file].bytes.extend_from_slice(&bytes[..len]);
            step
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        let file = self.file;
        self.with(|disk| {
            disk.step()?;
            disk.files[file].safe_len = disk.files[file].bytes.len();
            Ok(())
        })
    }

    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.with(|disk| {
            let bytes = &disk.files[self.file].bytes;
            let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
            let len = rest.len().min(into.len());
            into[..len].copy_from_slice(&rest[..len]);
            Ok(len)
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|disk| Ok(disk.files[self.file].bytes.len() as u64))
    }
}

impl fmt::Debug for MemoryFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryFiles").field("names", &self.disk().names).finish_non_exhaustive()
    }
}
