//! Files that one process has at a time: [`FileLock`].

use sinew_transports::reactor::with_causes;

use std::{
    fs::File,
    io::{self, ErrorKind},
};

use fs4::{FileExt, TryLockError};

/// A file that is locked by `flock(2)`. The lock ends with this, not only with the file: a process that is being started has the file open
/// for a moment, and would keep the lock.
#[derive(Debug)]
pub(crate) struct FileLock(File);

impl FileLock {
    /// Waits until no other file description has the lock.
    #[cfg(unix)]
    pub(crate) fn new(file: File) -> io::Result<Self> {
        FileExt::lock(&file)?;
        Ok(Self(file))
    }

    /// An error of the kind `WouldBlock` if another file description has the lock.
    pub(crate) fn try_new(file: File) -> io::Result<Self> {
        match FileExt::try_lock(&file) {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    pub(crate) const fn file(&self) -> &File {
        &self.0
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if let Err(error) = FileExt::unlock(&self.0) {
            tracing::warn!(error = %with_causes(&error), "a lock could not be given up");
        }
    }
}
