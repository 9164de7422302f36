//! The messages of a queue on disk: [`Spool`]. Blocking: all of this runs on threads of the pool.
//!
//! # What is written when
//!
//! A message is accepted in this order, and 250 is replied after the last step:
//!
//! 1. `ID.tmp` is created; envelope, message and trailer are appended as they arrive;
//! 2. the file is synced (`fsync`);
//! 3. it is renamed to `ID.mail`;
//! 4. the names of the folder are synced.
//!
//! After an attempt that leaves something to do: `ID.new` is written and synced, renamed to `ID.state` over the old one, and the names are
//! synced. A report is accepted as any message, after a state that says it is due, and before one that says it was made; it has the same
//! name each time, so it is not made twice. When nothing is left to do: `ID.mail` is removed, the names are synced, and only then
//! `ID.state` is removed, so that a message that is still there after a failure is never there without its state. No name is used for a
//! second message.
//!
//! # What is found at the start
//!
//! | file | what has happened | what is done |
//! |---|---|---|
//! | `ID.tmp` | a message was being received, and not acknowledged | removed |
//! | `ID.new` | a state was being written; the old one counts | removed |
//! | `ID.mail` that is whole, alone | accepted, not tried yet or nothing known | all recipients are due |
//! | `ID.mail` that is whole, `ID.state` | some attempts were made | it goes on as the state says |
//! | `ID.mail` that is whole, `ID.state` that is damaged | something else wrote there | all recipients are due, but the message is held, for a person to see |
//! | `ID.mail` that is not whole | something else wrote there: never the result of a failure at any step | renamed to `ID.damaged`, and reported |
//! | `ID.state` alone | its message was removed | removed |
//! | `lock`, `ID.damaged`, any other name | | left alone |

mod draft;
mod files;
mod folder;
mod memory;
mod reader;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt, io, path::Path, sync::Arc};

use self::folder::Folder;
use super::{
    MessageId, Progress, QueuedEnvelope,
    record::{Damaged, EnvelopeRecord, HEAD_MAX, StateRecord, TRAILER_LEN, Trailer, record_len},
};

pub(crate) use self::{
    draft::{Draft, DraftError},
    folder::sync_folder,
    reader::Reader,
};
pub use self::{
    files::{SpoolFile, SpoolFiles},
    memory::MemoryFiles,
};

/// Where a queue keeps its messages: a folder on disk, or files in memory.
///
/// A folder belongs to one queue at a time: it is locked. It should be on a local file system that syncs when it is told to.
#[derive(Clone)]
pub struct Spool {
    files: Arc<dyn SpoolFiles>,
}

/// A message of the spool.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) id: MessageId,
    pub(crate) arrived: u64,
    pub(crate) envelope: QueuedEnvelope,
    /// Where the message begins in its file.
    pub(crate) offset: u64,
    pub(crate) trailer: Trailer,
}

/// What was found at the start.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) messages: Vec<(Stored, StateRecord)>,
    /// Messages that were put aside.
    pub(crate) damaged: Vec<MessageId>,
}

impl Spool {
    /// A spool in this folder, which is made if it is missing.
    #[must_use]
    pub fn in_folder(path: impl AsRef<Path>) -> Self {
        Self::on(Folder::new(path.as_ref()))
    }

    /// A spool on files of another kind, as [`MemoryFiles`].
    #[must_use]
    pub fn on(files: impl SpoolFiles) -> Self {
        Self { files: Arc::new(files) }
    }

    /// Takes the folder, which nobody else can take until the lock is dropped.
    pub(crate) fn take(&self) -> io::Result<Box<dyn Send + Sync>> {
        self.files.take()
    }

    /// Begins to write a message.
    pub(crate) fn begin(&self, id: &MessageId, record: &EnvelopeRecord) -> io::Result<Draft> {
        Draft::begin(&self.files, id, record)
    }

    /// As [`begin`](Self::begin), in the place of what an attempt to write the same has left.
    pub(crate) fn begin_again(&self, id: &MessageId, record: &EnvelopeRecord) -> io::Result<Draft> {
        self.forget(&name(id, TMP))?;
        self.begin(id, record)
    }

    /// The message of this name, if there is one that is whole.
    pub(crate) fn find(&self, id: &MessageId) -> io::Result<Option<Stored>> {
        let mut file = match self.files.open(&name(id, MAIL)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match read_message(&mut *file, id) {
            Ok(stored) => Ok(Some(stored)),
            // It is written again.
            Err(ReadError::Damaged(_)) => Ok(None),
            Err(ReadError::Io(error)) => Err(error),
        }
    }

    /// Writes a state, safely, in the place of the one before.
    pub(crate) fn save(&self, id: &MessageId, state: &StateRecord) -> io::Result<()> {
        let new = name(id, NEW);
        // One that was left by a failure.
        self.forget(&new)?;
        let mut file = self.files.create(&new)?;
        let written = file.append(&state.encode()).and_then(|()| file.sync());
        drop(file);
        if let Err(error) = written {
            let _ = self.files.remove(&new);
            return Err(error);
        }
        self.files.rename(&new, &name(id, STATE))?;
        self.files.sync_names()
    }

    /// Removes a message, safely.
    pub(crate) fn remove(&self, id: &MessageId) -> io::Result<()> {
        self.forget(&name(id, MAIL))?;
        self.files.sync_names()?;
        self.forget(&name(id, STATE))
    }

    /// Opens a message to read it.
    pub(crate) fn open(&self, stored: &Stored) -> io::Result<Reader> {
        let file = self.files.open(&name(&stored.id, MAIL))?;
        Ok(Reader::new(file, stored.offset, stored.trailer))
    }

    /// Reads what is there, and tidies up, as the table at the head of this file says.
    pub(crate) fn recover(&self) -> io::Result<Recovered> {
        let names: BTreeSet<String> = self.files.names()?.into_iter().collect();
        let mut recovered = Recovered::default();
        for name in &names {
            let Some((id, kind)) = parse(name) else {
                tracing::warn!(name, "a file in the folder of the queue that is none of its own");
                continue;
            };
            let has_mail = || names.contains(&self::name(&id, MAIL));
            match kind {
                MAIL => self.recover_message(&id, &mut recovered)?,
                TMP | NEW => self.forget(name)?,
                STATE if !has_mail() => self.forget(name)?,
                _ => {}
            }
        }
        self.files.sync_names()?;
        Ok(recovered)
    }

    fn recover_message(&self, id: &MessageId, recovered: &mut Recovered) -> io::Result<()> {
        let mut file = self.files.open(&name(id, MAIL))?;
        let stored = match read_message(&mut *file, id) {
            Ok(stored) => stored,
            Err(ReadError::Damaged(damaged)) => {
                tracing::error!(%id, %damaged, "a message of the queue is put aside");
                self.files.rename(&name(id, MAIL), &name(id, DAMAGED))?;
                recovered.damaged.push(id.clone());
                return Ok(());
            }
            Err(ReadError::Io(error)) => return Err(error),
        };
        let fresh = || StateRecord::fresh(&stored.envelope, stored.arrived);
        let state = match self.read_state(id)? {
            None => fresh(),
            Some(Ok(state)) if state.progress.len() == stored.envelope.recipients.len() => state,
            Some(_) => {
                tracing::error!(%id, "what is known of a message in the queue is damaged: it is held");
                StateRecord { is_held: true, ..fresh() }
            }
        };
        recovered.messages.push((stored, state));
        Ok(())
    }

    /// The state of a message, if there is one.
    fn read_state(&self, id: &MessageId) -> io::Result<Option<Result<StateRecord, Damaged>>> {
        let mut file = match self.files.open(&name(id, STATE)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let len = usize::try_from(file.len()?).unwrap_or(usize::MAX);
        if len > super::record::RECORD_MAX {
            return Ok(Some(Err(Damaged("longer than any"))));
        }
        let mut bytes = vec![0; len];
        let read = file.read_at(0, &mut bytes)?;
        Ok(Some(StateRecord::decode(&bytes[..read])))
    }

    /// Removes a file if it is there.
    fn forget(&self, name: &str) -> io::Result<()> {
        match self.files.remove(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Stored {
    /// Bytes of its file.
    pub(crate) fn file_len(&self) -> u64 {
        self.offset + self.trailer.facts.len() + TRAILER_LEN as u64
    }
}

impl StateRecord {
    /// Nothing was tried yet.
    pub(crate) fn fresh(envelope: &QueuedEnvelope, arrived: u64) -> Self {
        let progress = envelope.recipients.iter();
        let progress: Vec<_> = progress.map(|to| Progress::new(envelope, to, arrived)).collect();
        let reports = u32::from(progress.iter().any(|progress| progress.report.is_some()));
        Self { is_held: false, reports, progress }
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").finish_non_exhaustive()
    }
}

const MAIL: &str = "mail";
const STATE: &str = "state";
const TMP: &str = "tmp";
const NEW: &str = "new";
const DAMAGED: &str = "damaged";

fn name(id: &MessageId, kind: &str) -> String {
    format!("{id}.{kind}")
}

/// The parts of a name of ours.
fn parse(name: &str) -> Option<(MessageId, &'static str)> {
    let (id, kind) = name.split_once('.')?;
    let kind = [MAIL, STATE, TMP, NEW, DAMAGED].into_iter().find(|known| *known == kind)?;
    Some((id.parse().ok()?, kind))
}

enum ReadError {
    Io(io::Error),
    Damaged(Damaged),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Damaged> for ReadError {
    fn from(damaged: Damaged) -> Self {
        Self::Damaged(damaged)
    }
}

/// Reads all but the message itself.
fn read_message(file: &mut dyn SpoolFile, id: &MessageId) -> Result<Stored, ReadError> {
    let len = file.len()?;
    let mut head = [0; HEAD_MAX];
    let read = file.read_at(0, &mut head)?;
    let record = record_len(&head[..read])?;
    let offset = record as u64;
    let text = len.checked_sub(offset + TRAILER_LEN as u64).ok_or(Damaged("it is cut"))?;
    let mut bytes = vec![0; record];
    let read = file.read_at(0, &mut bytes)?;
    let (EnvelopeRecord { arrived, envelope }, _) = EnvelopeRecord::decode(&bytes[..read])?;
    let mut end = [0; TRAILER_LEN];
    let read = file.read_at(offset + text, &mut end)?;
    let trailer = Trailer::decode(&end[..read])?;
    if trailer.facts.len() != text {
        return Err(Damaged("its length").into());
    }
    Ok(Stored { id: id.clone(), arrived, envelope, offset, trailer })
}
