//! The texts of articles: a file each, named by the sequence number, a thousand in a folder.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use sinew_transports::reactor::{Deferred, Reactor, with_causes};

use super::{
    super::{ArticleText, StoreError},
    folder,
};

/// How much is read at once.
const PIECE: usize = 64 * 1024;

const IN_A_FOLDER: u64 = 1_000;

pub(super) fn path(root: &Path, sequence: u64) -> PathBuf {
    let folder = format!("{:06}", sequence / IN_A_FOLDER);
    root.join("articles").join(folder).join(sequence.to_string())
}

/// Writes a text. It is on the disk afterwards, also by its name.
pub(super) fn write(
    root: &Path,
    sequence: u64,
    text: &[u8],
    is_synced: bool,
) -> Result<(), StoreError> {
    let path = path(root, sequence);
    let parent = path.parent().unwrap_or(root);
    folder::create(parent, is_synced)?;
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(text)?;
        if is_synced { file.sync_all() } else { Ok(()) }
    });
    written.map_err(StoreError::file("write", &path))?;
    folder::sync(parent, is_synced)
}

/// Removes a text. One that is gone is no error.
pub(super) fn remove(root: &Path, sequence: u64) {
    let path = path(root, sequence);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), error = %with_causes(&error), "an article could not be removed");
        }
        _ => {}
    }
}

/// The whole text; `None` if the file is gone.
pub(super) fn read(root: &Path, sequence: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let path = path(root, sequence);
    match fs::read(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::file("read", path)(error)),
    }
}

/// A text that is read piece by piece, on threads of the pool.
#[derive(Debug)]
pub(super) struct OpenText {
    path: PathBuf,
    /// What was read when the file was opened.
    first: Option<Bytes>,
    /// Shared with the job that reads, for jobs cannot borrow. `None` once all is read.
    file: Option<std::sync::Arc<File>>,
}

impl OpenText {
    /// Opens a text, and reads its first piece. `None` if the file is gone.
    pub(super) fn open(root: &Path, sequence: u64) -> Result<Option<Self>, StoreError> {
        let path = path(root, sequence);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::file("open", path)(error)),
        };
        let first = piece(&file).map_err(StoreError::file("read", &path))?;
        let file = (first.len() == PIECE).then(|| file.into());
        Ok(Some(Self { path, first: Some(first), file }))
    }
}

/// The next piece: as long as it can be, but at the end.
fn piece(mut file: &File) -> io::Result<Bytes> {
    let left = file.metadata()?.len();
    let mut piece = Vec::with_capacity(usize::try_from(left).unwrap_or(PIECE).min(PIECE));
    Read::take(&mut file, PIECE as u64).read_to_end(&mut piece)?;
    Ok(piece.into())
}

impl ArticleText for OpenText {
    fn read(&mut self, reactor: &Reactor) -> Deferred<Bytes, StoreError> {
        if let Some(first) = self.first.take() {
            return Deferred::ready_on(reactor, first);
        }
        let Some(file) = self.file.clone() else {
            return Deferred::ready_on(reactor, Bytes::new());
        };
        let path = self.path.clone();
        let job =
            reactor.defer_to_thread(move || piece(&file).map_err(StoreError::file("read", path)));
        job.map(|read| read?)
    }
}
