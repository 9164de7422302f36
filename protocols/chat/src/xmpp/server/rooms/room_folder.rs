//! Rooms in a folder, each in a file of its own: [`RoomFolder`]. It blocks.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use sinew_transports::reactor::error_debug;

use super::{RecordError, RoomChange};
use crate::{replace_file, xmpp::codec::Jid};

/// Longest file that is read.
pub(super) const FILE_MAX: usize = 4 * 1_024 * 1_024;

/// Why rooms were not read or stored.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum RoomStoreError {
    /// A file or the folder cannot be read.
    #[error("could not read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written or removed. What was there before is there still.
    #[error("could not write {}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is no room of this service.
    #[error("could not understand {}", path.display())]
    Record {
        /// Which.
        path: PathBuf,
        /// Why.
        source: RecordError,
    },
    /// There are more rooms than the service may have.
    #[error("{} has more than {max} rooms", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// The limit.
        max: usize,
    },
}

error_debug!(RoomStoreError);

/// The name of a file is the SHA-256 of the room's local part, and `.xml`: a local part may be longer than a name of a file.
#[derive(Clone, Debug)]
pub(super) struct RoomFolder(PathBuf);

impl RoomFolder {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// All rooms, each with its file. No folder is an empty one.
    pub(super) fn read(&self, max: usize) -> Result<Vec<(PathBuf, String)>, RoomStoreError> {
        let failed = |source| RoomStoreError::Read { path: self.0.clone(), source };
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut rooms = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            // What a crash has left of a write ends in another way.
            if path.extension().is_some_and(|ending| ending == "xml") {
                if rooms.len() >= max {
                    return Err(RoomStoreError::TooMany { path: self.0.clone(), max });
                }
                let record = read(&path);
                let record =
                    record.map_err(|source| RoomStoreError::Read { path: path.clone(), source })?;
                rooms.push((path, record));
            }
        }
        Ok(rooms)
    }

    /// Stores what has changed.
    pub(super) fn store(&self, room: &Jid, change: &RoomChange) -> Result<(), RoomStoreError> {
        let name = HEXLOWER.encode(&Sha256::digest(room.local().unwrap_or_default().as_bytes()));
        let path = self.0.join(format!("{name}.xml"));
        let stored = match change {
            RoomChange::Save(record) => write(&path, record.as_bytes()),
            RoomChange::Remove => match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            },
        };
        stored.map_err(|source| RoomStoreError::Write { path, source })
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_MAX as u64 + 1).read_to_string(&mut text)?;
    match text.len() > FILE_MAX {
        true => Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file of a room is too long")),
        false => Ok(text),
    }
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    match replace_file::replace(path, text) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
            replace_file::replace(path, text)
        }
        written => written,
    }
}
