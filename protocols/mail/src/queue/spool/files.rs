//! What a spool stands on: a folder of files, [`SpoolFiles`]. Declarations only. All calls block, and are made from threads of the pool.

use std::io;

/// A folder whose files belong to one spool.
///
/// The contract is that of a POSIX file system after a loss of power: what was written to a file is safe after [`SpoolFile::sync`], and
/// what was done to names (created, renamed, removed) after [`sync_names`](Self::sync_names). Before, each of them may be lost or kept,
/// in any order; of written bytes, any number from the front. A rename is whole or not there.
pub trait SpoolFiles: Send + Sync + 'static {
    /// Takes the folder, and makes it if it is missing. Until the returned lock is dropped, or the process ends, nobody else may take it.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] if another spool has it.
    fn take(&self) -> io::Result<Box<dyn Send + Sync>>;

    /// A new file, to be written.
    ///
    /// # Errors
    ///
    /// There is one of this name.
    fn create(&self, name: &str) -> io::Result<Box<dyn SpoolFile>>;

    /// An existing file, to be read.
    ///
    /// # Errors
    ///
    /// There is none of this name.
    fn open(&self, name: &str) -> io::Result<Box<dyn SpoolFile>>;

    /// Renames a file, over one that has the new name.
    ///
    /// # Errors
    ///
    /// There is no such file.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// There is no such file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Returns once all that was done to names before is safe.
    ///
    /// # Errors
    ///
    /// It is not known to be.
    fn sync_names(&self) -> io::Result<()>;

    /// The names of all files.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    fn names(&self) -> io::Result<Vec<String>>;
}

/// An open file of a spool.
#[allow(clippy::len_without_is_empty, reason = "a question to the disk")]
pub trait SpoolFile: Send {
    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// Not all of them were written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns once all that was appended is safe.
    ///
    /// # Errors
    ///
    /// It is not known to be. The file is of no more use then: a second call may succeed although bytes were lost.
    fn sync(&mut self) -> io::Result<()>;

    /// Reads bytes from this place on; fewer than fit only at the end of the file.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    fn read_at(&mut self, at: u64, into: &mut [u8]) -> io::Result<usize>;

    /// The length.
    ///
    /// # Errors
    ///
    /// It is not known.
    fn len(&self) -> io::Result<u64>;
}
