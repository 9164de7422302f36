//! Archives in a folder, each in a file that is appended to: [`FolderArchive`].

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use sinew_transports::reactor::{Deferred, Reactor};

use super::{
    ArchiveId, ArchiveLimits, ArchiveStore, StoredMessage, StoredPage, StoredQuery,
    archive_file::ArchiveFile,
};
use crate::xmpp::server::{StoreError, store::file_stem};

/// Most files that are open.
const OPEN_MAX: usize = 32;
/// Most messages whose places are in memory, of all open files but one.
const PLACES_MAX: usize = 1_000_000;
/// What the names of files end with.
const ENDING: &str = "archive";

/// An [`ArchiveStore`] in a folder. Messages are appended to the file of their account, on a thread of the pool, and synchronised
/// (`fdatasync`) before the next ones are taken; those that come meanwhile are written together. A process that is killed while it writes
/// leaves a torn record at most, which is cut off when the file is opened again, and said in the log. Forgotten messages leave the file
/// when they are a quarter of it, or a day too old: the rest is copied to a new file, which is synchronised (`fsync`) and renamed.
///
/// In memory are the places of messages, 16 bytes for each, of at most 32 files and, if there are several, a million messages; a page is
/// read from the file.
///
/// The files are named as those of a [`FolderStore`](crate::xmpp::server::FolderStore), with `.archive` at the end. Only one program may
/// have the folder at a time.
///
/// # Examples
///
/// ```
/// use sinew_auth::Users;
/// use sinew_chat::xmpp::server::{
///     ServerConfig,
///     archive::{ArchiveConfig, FolderArchive},
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let archive = ArchiveConfig::new(FolderArchive::new("/var/lib/xmpp/archive"));
/// let users = Users::new().user("ann", "secret");
/// let config = ServerConfig::new("example.org", users)?.archive(archive);
/// # drop(config);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FolderArchive(Arc<Folder>);

#[derive(Debug)]
struct Folder {
    path: PathBuf,
    files: Mutex<Files>,
    /// Locked while all archives are looked at.
    sweeping: Mutex<()>,
    is_ended: AtomicBool,
}

#[derive(Debug, Default)]
struct Files {
    open: HashMap<PathBuf, Arc<OpenFile>>,
    /// Counts uses.
    uses: usize,
}

/// A file that is open, or is just being opened.
#[derive(Debug, Default)]
struct OpenFile {
    file: Mutex<Option<ArchiveFile>>,
    places: AtomicUsize,
    used: AtomicUsize,
}

impl FolderArchive {
    /// Archives in this folder, which is made when something is first stored.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Folder {
            path: folder.into(),
            files: Mutex::default(),
            sweeping: Mutex::default(),
            is_ended: AtomicBool::new(false),
        }))
    }

    /// Looks at all archives, and forgets what is beyond the limits, also of accounts that nobody uses any more. An archive that is empty
    /// then is removed. Returns how many there are still. [`end_sweep`](Self::end_sweep) ends it earlier.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: of the last archive that could not be read or written. The others are done.
    pub fn sweep(&self, reactor: &Reactor, limits: ArchiveLimits) -> Deferred<usize, StoreError> {
        let folder = Arc::clone(&self.0);
        reactor.defer_to_thread(move || folder.sweep(limits)).map(|swept: Result<_, _>| swept?)
    }

    /// Ends a sweep, and lets no other one begin. Resolves when no thread looks at archives any more, so that another program can have the
    /// folder.
    pub fn end_sweep(&self, reactor: &Reactor) -> Deferred<()> {
        self.0.is_ended.store(true, Ordering::Relaxed);
        let folder = Arc::clone(&self.0);
        reactor.defer_to_thread(move || drop(lock(&folder.sweeping)))
    }

    fn in_pool<T: Send + 'static>(
        &self,
        reactor: &Reactor,
        archive: &str,
        work: impl FnOnce(&Folder, PathBuf) -> Result<T, StoreError> + Send + 'static,
    ) -> Deferred<T, StoreError> {
        let folder = Arc::clone(&self.0);
        let path = folder.path.join(format!("{}.{ENDING}", file_stem(archive)));
        reactor.defer_to_thread(move || work(&folder, path)).map(|done: Result<_, _>| done?)
    }
}

impl ArchiveStore for FolderArchive {
    fn append(
        &self,
        reactor: &Reactor,
        archive: &str,
        messages: Arc<[StoredMessage]>,
        limits: ArchiveLimits,
    ) -> Deferred<(), StoreError> {
        self.in_pool(reactor, archive, move |folder, path| {
            folder.with(path, true, |file| file.append(&messages, limits)).map(drop)
        })
    }

    fn page(
        &self,
        reactor: &Reactor,
        archive: &str,
        query: StoredQuery,
        limits: ArchiveLimits,
    ) -> Deferred<Option<StoredPage>, StoreError> {
        self.in_pool(reactor, archive, move |folder, path| {
            let page = folder.with(path, false, |file| file.page(&query, limits))?;
            Ok(match page {
                Some(page) => page,
                None if query.after.is_some() || query.before.is_some() => None,
                None => Some(StoredPage::new(Vec::new(), true, Some(0))),
            })
        })
    }

    fn span(
        &self,
        reactor: &Reactor,
        archive: &str,
        limits: ArchiveLimits,
    ) -> Deferred<Option<(ArchiveId, ArchiveId)>, StoreError> {
        self.in_pool(reactor, archive, move |folder, path| {
            folder.with(path, false, |file| Ok(file.span(limits))).map(Option::flatten)
        })
    }
}

impl Folder {
    /// Does something with a file; `None` if there is none. After an error or a panic it is opened again.
    fn with<T>(
        &self,
        path: PathBuf,
        makes: bool,
        work: impl FnOnce(&mut ArchiveFile) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let open = self.entry(&path);
        let mut place = lock(&open.file);
        let file = match place.take() {
            Some(file) => Some(file),
            None if makes => Some(ArchiveFile::open_or_make(&path)?),
            None => ArchiveFile::open(&path)?,
        };
        let Some(mut file) = file else { return Ok(None) };
        let done = work(&mut file)?;
        open.places.store(file.len(), Ordering::Relaxed);
        *place = Some(file);
        Ok(Some(done))
    }

    /// The place of a file. Others that nobody uses are closed if there are too many, those first that were used least recently.
    fn entry(&self, path: &Path) -> Arc<OpenFile> {
        let mut files = lock(&self.files);
        files.uses += 1;
        let uses = files.uses;
        let open = Arc::clone(files.open.entry(path.to_owned()).or_default());
        open.used.store(uses, Ordering::Relaxed);
        loop {
            let places = files.open.values().map(|open| open.places.load(Ordering::Relaxed));
            let is_full = files.open.len() > OPEN_MAX || places.sum::<usize>() > PLACES_MAX;
            let unused = files.open.iter().filter(|(_, open)| Arc::strong_count(open) == 1);
            let oldest = unused.min_by_key(|(_, open)| open.used.load(Ordering::Relaxed));
            match oldest.map(|(path, _)| path.clone()).filter(|_| is_full) {
                Some(path) => drop(files.open.remove(&path)),
                None => return open,
            }
        }
    }

    fn sweep(&self, limits: ArchiveLimits) -> Result<usize, StoreError> {
        let _sweeping = lock(&self.sweeping);
        let failed = |source| StoreError::Read { path: self.path.clone(), source };
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            entries => entries.map_err(failed)?,
        };
        let (mut kept, mut error) = (0, None);
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if self.is_ended.load(Ordering::Relaxed) {
                break;
            }
            if path.extension().is_none_or(|ending| ending != ENDING) {
                continue;
            }
            match self.sweep_one(path, limits) {
                Ok(is_kept) => kept += usize::from(is_kept),
                Err(failed) => {
                    kept += 1;
                    error = Some(failed);
                }
            }
        }
        error.map_or(Ok(kept), Err)
    }

    /// Returns whether anything is left of an archive.
    fn sweep_one(&self, path: PathBuf, limits: ArchiveLimits) -> Result<bool, StoreError> {
        let open = self.entry(&path);
        let mut place = lock(&open.file);
        let Some(mut file) =
            place.take().map_or_else(|| ArchiveFile::open(&path), |file| Ok(Some(file)))?
        else {
            return Ok(false);
        };
        file.forget(limits);
        if file.len() > 0 {
            // It was opened for this only: places of messages are for those who read.
            open.places.store(0, Ordering::Relaxed);
            return Ok(true);
        }
        drop(file);
        fs::remove_file(&path)
            .map_err(|source| StoreError::Write { path: path.clone(), source })?;
        Ok(false)
    }
}

/// What a panic has left is a file out of its place, which is opened again.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
