//! Archives of messages (XEP-0313): what is kept of them, and where. An [`ArchiveStore`] has an archive of each account.
//!
//! [`FolderArchive`] appends to a file of each account, [`MemoryArchive`] forgets all at the end of the program. Limits are in
//! [`ArchiveConfig`]. What is archived, and who may read it, is decided by the server.

mod archive_config;
mod archive_file;
mod archive_id;
mod archive_queue;
mod folder_archive;
mod limits;
mod memory_archive;
mod page;
mod record;
mod stored_message;

#[cfg(test)]
mod archive_file_tests;

pub(super) use archive_config::BYTES_AT_LEAST;
pub(super) use archive_queue::{ArchiveQueue, Job, Question, Wanted};
pub use {
    archive_config::ArchiveConfig,
    archive_id::{ArchiveId, ArchiveIdError},
    folder_archive::FolderArchive,
    limits::ArchiveLimits,
    memory_archive::MemoryArchive,
    page::{StoredPage, StoredQuery},
    stored_message::StoredMessage,
};

use std::sync::Arc;

use sinew_transports::reactor::{Deferred, Reactor};

use super::StoreError;

/// Where a server keeps archives. User code: the server holds no borrow while it calls, and waits for the answer without stopping the
/// loop.
///
/// An archive has the name of its account, which is the local part of its address: at most 1,023 bytes, and of any script. The server
/// calls once at a time for an archive, and waits for the result.
pub trait ArchiveStore: 'static {
    /// Adds messages, in this order, behind those that are there. Either all of them are stored then, or, after an error, none: the server
    /// tries it again. Each has an id of its own, and nearly always a greater one than those before; only where the clock of the machine
    /// was set back between two runs it is smaller.
    fn append(
        &self,
        reactor: &Reactor,
        archive: &str,
        messages: Arc<[StoredMessage]>,
        limits: ArchiveLimits,
    ) -> Deferred<(), StoreError>;

    /// Reads a page; `None`, if the archive has no message of an id that the question names. [`StoredQuery`] says what is asked.
    fn page(
        &self,
        reactor: &Reactor,
        archive: &str,
        query: StoredQuery,
        limits: ArchiveLimits,
    ) -> Deferred<Option<StoredPage>, StoreError>;

    /// The ids of the first and of the last message; `None`, if there are none.
    fn span(
        &self,
        reactor: &Reactor,
        archive: &str,
        limits: ArchiveLimits,
    ) -> Deferred<Option<(ArchiveId, ArchiveId)>, StoreError>;
}
