//! The file of an archive: [`ArchiveFile`], which is appended to. It blocks, and belongs on a thread of the pool.
//!
//! | what | how |
//! |---|---|
//! | the file | [`MAGIC`], then a [`record`] for each message, in the order in which they were archived |
//! | in memory | the id and the place of each message that is still in the archive |
//! | to append | all records of a call in one write, then `fdatasync`. After an error the file is cut where it ended before |
//! | to open | all records are read. The torn last one is cut off; what is behind a damaged one is moved to a file `.damaged` |
//! | to forget | the oldest messages leave the memory. When they are a quarter of the file, or a day too old, the rest is copied to a new file, which is synchronised (`fsync`) and renamed. Then the folder is synchronised, before the next append at the latest |

use sinew_transports::reactor::with_causes;

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{
    ArchiveId, ArchiveLimits, StoredMessage, StoredPage, StoredQuery,
    page::{Ids, select},
    record::{self, Fault, HEAD},
    stored_message::Parts,
};
use crate::{replace_file::sync_folder, xmpp::server::StoreError};

/// The first bytes of a file.
const MAGIC: &[u8; 8] = b"sinewXA1";
/// Where the first record is.
const BEGIN: u64 = MAGIC.len() as u64;
/// Fewer forgotten bytes than these are left in the file, unless they are too old.
const FORGOTTEN_MIN: u64 = 64 << 10;
/// How much smaller than the limit the id of a forgotten message in the file may be: a day, in milliseconds.
const TOO_OLD: u64 = 86_400_000 << 20;

#[derive(Debug)]
pub(super) struct ArchiveFile {
    path: PathBuf,
    file: File,
    /// The messages that are still in the archive.
    entries: VecDeque<Entry>,
    /// The end of the last record.
    end: u64,
    /// The first message of the file, forgotten or not.
    first: Option<ArchiveId>,
    /// The greatest id.
    greatest: ArchiveId,
    /// Forgotten messages could not be removed. That is tried again when the file ends behind this place.
    stuck_until: Option<u64>,
    /// The file may have taken the place of another, here or before a crash, and the folder was not synchronised since then.
    is_new: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: ArchiveId,
    /// Where its record begins.
    at: u64,
}

impl Ids for VecDeque<Entry> {
    fn len(&self) -> usize {
        Self::len(self)
    }

    fn id(&self, at: usize) -> ArchiveId {
        self[at].id
    }
}

impl ArchiveFile {
    /// Opens a file; `None` if there is none.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let file = match options().open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|source| read_error(path, source))?,
        };
        Self::read(path, file).map(Some)
    }

    /// Opens a file, which is made if there is none.
    pub(super) fn open_or_make(path: &Path) -> Result<Self, StoreError> {
        if let Some(open) = Self::open(path)? {
            return Ok(open);
        }
        let failed = |source| write_error(path, source);
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(failed)?;
        let mut file = options().create(true).open(path).map_err(failed)?;
        let made = file.write_all(MAGIC).and_then(|()| file.sync_all());
        made.and_then(|()| sync_folder(path)).map_err(failed)?;
        Self::read(path, file)
    }

    fn read(path: &Path, file: File) -> Result<Self, StoreError> {
        let mut this = Self {
            path: path.to_owned(),
            file,
            entries: VecDeque::new(),
            end: BEGIN,
            first: None,
            greatest: ArchiveId(0),
            stuck_until: None,
            is_new: true,
        };
        // Of a process that was killed while it wrote it.
        drop(fs::remove_file(new_path(path)));
        let fault = this.scan().map_err(|source| read_error(path, source))?;
        match fault {
            Scanned::Whole => {}
            Scanned::Other => {
                return Err(bad_file(path, "it is no archive of messages"));
            }
            Scanned::Fault(fault) => {
                this.mend(fault).map_err(|source| write_error(path, source))?;
            }
        }
        Ok(this)
    }

    /// Reads all records, up to the end or the first that is none.
    fn scan(&mut self) -> io::Result<Scanned> {
        let len = self.file.metadata()?.len();
        self.file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(64 << 10, self.file.try_clone()?);
        let mut magic = Vec::new();
        reader.by_ref().take(BEGIN).read_to_end(&mut magic)?;
        if magic != MAGIC {
            // A crash when the file was made.
            let is_torn = len < BEGIN && MAGIC.starts_with(&magic);
            return Ok(if is_torn { Scanned::Fault(Fault::Torn) } else { Scanned::Other });
        }
        let mut payload = Vec::new();
        while self.end < len {
            let left = len - self.end;
            let mut head = [0; HEAD];
            if left < HEAD as u64 {
                return Ok(Scanned::Fault(Fault::Torn));
            }
            reader.read_exact(&mut head)?;
            let Some(payload_len) = record::payload_len(&head) else {
                return Ok(Scanned::Fault(Fault::Damaged));
            };
            let next = (HEAD + payload_len) as u64;
            if next > left {
                return Ok(Scanned::Fault(Fault::Torn));
            }
            payload.resize(payload_len, 0);
            reader.read_exact(&mut payload)?;
            let id = Parts::of(&payload).map(|parts| parts.id);
            let Some(id) = id.filter(|_| record::is_whole(&head, &payload)) else {
                // After a loss of power the length of a file may be on the disk before its contents.
                let fault = if next == left { Fault::Torn } else { Fault::Damaged };
                return Ok(Scanned::Fault(fault));
            };
            self.push(Entry { id, at: self.end });
            self.end += next;
        }
        Ok(Scanned::Whole)
    }

    fn push(&mut self, entry: Entry) {
        self.first.get_or_insert(entry.id);
        self.greatest = self.greatest.max(entry.id);
        self.entries.push_back(entry);
    }

    /// Cuts off what is no record. What may be more than a torn one is kept in another file.
    fn mend(&mut self, fault: Fault) -> io::Result<()> {
        let len = self.file.metadata()?.len();
        let (end, path) = (self.end.min(len), self.path.display());
        let rest = len - end;
        if fault == Fault::Torn {
            tracing::warn!(%path, rest, "the end of an archive of messages was torn, and is cut off");
        } else {
            self.keep_damaged(end, rest)?;
            tracing::error!(%path, rest, "an archive of messages is damaged; the end is moved to a file .damaged");
        }
        self.file.set_len(end)?;
        if end < BEGIN {
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(MAGIC)?;
        }
        self.file.sync_all()
    }

    /// Copies what is no record to the end of another file. If that fails, nothing is left of it there: it will be tried again.
    fn keep_damaged(&self, begin: u64, len: u64) -> io::Result<()> {
        let mut damaged = self.path.as_os_str().to_owned();
        damaged.push(".damaged");
        let mut kept = options().create(true).open(&damaged)?;
        let end = kept.seek(SeekFrom::End(0))?;
        let mut file = &self.file;
        file.seek(SeekFrom::Start(begin))?;
        let copied = io::copy(&mut file.take(len), &mut kept);
        if let Err(error) = copied.and_then(|_| kept.sync_all()) {
            drop(kept.set_len(end));
            return Err(error);
        }
        sync_folder(&self.path)
    }

    /// Adds messages. One whose id is there already is left out: it was stored by a call that has failed later.
    pub(super) fn append(
        &mut self,
        messages: &[StoredMessage],
        limits: ArchiveLimits,
    ) -> Result<(), StoreError> {
        let (mut bytes, mut entries) = (Vec::new(), Vec::new());
        for message in messages {
            if message.id <= self.greatest && self.entries.find(message.id).is_some() {
                continue;
            }
            let payload = message.encode().map_err(|error| StoreError::Other(error.into()))?;
            if payload.len() > record::PAYLOAD_MAX {
                return Err(StoreError::TooLong { max: record::PAYLOAD_MAX });
            }
            entries.push(Entry { id: message.id, at: self.end + bytes.len() as u64 });
            record::push(&mut bytes, &payload);
        }
        let written = self.write(&bytes);
        if let Err(source) = written {
            // If that fails as well, the next one who opens the file cuts the torn record off.
            drop(self.file.set_len(self.end));
            return Err(write_error(&self.path, source));
        }
        self.end += bytes.len() as u64;
        entries.into_iter().for_each(|entry| self.push(entry));
        self.forget(limits);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Else a loss of power could bring back the file that was before, without these messages.
        if self.is_new {
            sync_folder(&self.path)?;
            self.is_new = false;
        }
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(bytes)?;
        self.file.sync_data()
    }

    /// Forgets what is beyond the limits. If the file cannot be made shorter, that is tried again when it has grown by
    /// a quarter of what is kept.
    pub(super) fn forget(&mut self, limits: ArchiveLimits) {
        let is_beyond = |this: &Self| {
            this.entries.len() > limits.messages_max
                || this.end - this.begin() > limits.bytes_max
                || this.entries.front().is_some_and(|entry| entry.id < limits.oldest)
        };
        while !self.entries.is_empty() && is_beyond(self) {
            self.entries.pop_front();
        }
        let (forgotten, kept) = (self.begin() - BEGIN, self.end - self.begin());
        let is_much = forgotten >= FORGOTTEN_MIN && forgotten >= kept / 4;
        let is_old =
            self.first.is_some_and(|first| first.0.saturating_add(TOO_OLD) < limits.oldest.0);
        let is_stuck = self.stuck_until.is_some_and(|end| self.end < end);
        if forgotten == 0 || !(is_much || is_old) || is_stuck {
            return;
        }
        self.stuck_until = None;
        if let Err(error) = self.compact() {
            // There may be no room for another file.
            drop(fs::remove_file(new_path(&self.path)));
            self.stuck_until = Some(self.end + FORGOTTEN_MIN.max(kept / 4));
            let path = self.path.display();
            tracing::warn!(%path, error = %with_causes(&error), "forgotten messages could not be removed from an archive");
        }
    }

    /// Where the first message that is not forgotten begins.
    fn begin(&self) -> u64 {
        self.entries.front().map_or(self.end, |entry| entry.at)
    }

    /// Copies what is not forgotten to a new file, which takes the place of this one.
    fn compact(&mut self) -> io::Result<()> {
        let (begin, path) = (self.begin(), new_path(&self.path));
        let mut new = options().create(true).truncate(true).open(&path)?;
        new.set_permissions(self.file.metadata()?.permissions())?;
        new.write_all(MAGIC)?;
        self.file.seek(SeekFrom::Start(begin))?;
        io::copy(&mut (&self.file).take(self.end - begin), &mut new)?;
        new.sync_all()?;
        fs::rename(&path, &self.path)?;
        // From here on the new file is the archive. If the folder cannot be synchronised, the next one who appends does that first.
        self.is_new = true;
        self.file = new;
        self.end -= begin - BEGIN;
        self.entries.iter_mut().for_each(|entry| entry.at -= begin - BEGIN);
        self.first = self.entries.front().map(|entry| entry.id);
        if let Err(error) = sync_folder(&self.path) {
            let path = self.path.display();
            tracing::warn!(%path, error = %with_causes(&error), "the folder of an archive could not be synchronised");
            return Ok(());
        }
        self.is_new = false;
        Ok(())
    }

    /// A page, as [`ArchiveStore::page`](super::ArchiveStore::page) says.
    pub(super) fn page(
        &mut self,
        query: &StoredQuery,
        limits: ArchiveLimits,
    ) -> Result<Option<StoredPage>, StoreError> {
        self.forget(limits);
        let (file, path, end, entries) = (&mut self.file, &self.path, self.end, &self.entries);
        select(entries, query, |at| {
            let begin = entries[at].at;
            let next = entries.get(at + 1).map_or(end, |next| next.at);
            read_record(file, begin, next)
                .map_err(|source| read_error(path, source))?
                .ok_or_else(|| bad_file(path, "a message is damaged"))
        })
    }

    /// The first and the last message.
    pub(super) fn span(&mut self, limits: ArchiveLimits) -> Option<(ArchiveId, ArchiveId)> {
        self.forget(limits);
        let first_and_last = self.entries.front().zip(self.entries.back());
        first_and_last.map(|(first, last)| (first.id, last.id))
    }

    /// How many messages are in memory with their places.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// What was found in a file.
enum Scanned {
    Whole,
    Fault(Fault),
    /// The file is something else.
    Other,
}

/// The payload of a record; `None` if it is damaged.
fn read_record(file: &mut File, begin: u64, end: u64) -> io::Result<Option<Vec<u8>>> {
    let len = usize::try_from(end.saturating_sub(begin)).unwrap_or(usize::MAX);
    let len = len.min(HEAD + record::PAYLOAD_MAX);
    file.seek(SeekFrom::Start(begin))?;
    let mut record = vec![0; len];
    file.read_exact(&mut record)?;
    let Some((head, payload)) = record.split_first_chunk::<HEAD>() else { return Ok(None) };
    Ok(record::is_whole(head, payload).then(|| payload.to_vec()))
}

/// Where the file is written that takes the place of this one.
fn new_path(path: &Path) -> PathBuf {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    new.into()
}

/// For the user of this process alone: there are messages in it.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn bad_file(path: &Path, what: &'static str) -> StoreError {
    StoreError::BadFile { path: path.to_owned(), what }
}

fn read_error(path: &Path, source: io::Error) -> StoreError {
    StoreError::Read { path: path.to_owned(), source }
}

fn write_error(path: &Path, source: io::Error) -> StoreError {
    StoreError::Write { path: path.to_owned(), source }
}
