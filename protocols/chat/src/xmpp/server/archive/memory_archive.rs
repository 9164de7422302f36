//! Archives that are forgotten at the end of the program: [`MemoryArchive`].

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    fmt,
    rc::Rc,
    sync::Arc,
};

use sinew_transports::reactor::{Deferred, Reactor};

use super::{
    ArchiveId, ArchiveLimits, ArchiveStore, StoredMessage, StoredPage, StoredQuery,
    page::{Ids, select},
};
use crate::xmpp::{codec::EncodeError, server::StoreError};

/// An [`ArchiveStore`] in memory. A handle: clones are the same store.
#[derive(Clone, Default)]
pub struct MemoryArchive(Rc<RefCell<HashMap<String, Messages>>>);

#[derive(Default)]
struct Messages {
    /// Ids and bytes, the oldest first.
    list: VecDeque<(ArchiveId, Vec<u8>)>,
    bytes: u64,
}

impl Ids for VecDeque<(ArchiveId, Vec<u8>)> {
    fn len(&self) -> usize {
        Self::len(self)
    }

    fn id(&self, at: usize) -> ArchiveId {
        self[at].0
    }
}

impl MemoryArchive {
    /// Without messages.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many messages an archive has.
    #[must_use]
    pub fn messages_of(&self, archive: &str) -> usize {
        self.0.borrow().get(archive).map_or(0, |messages| messages.list.len())
    }

    /// Something with the messages of an archive, if it has some.
    fn with<T>(
        &self,
        reactor: &Reactor,
        archive: &str,
        limits: ArchiveLimits,
        f: impl FnOnce(Option<&Messages>) -> Result<T, StoreError>,
    ) -> Deferred<T, StoreError> {
        let mut archives = self.0.borrow_mut();
        let messages = archives.get_mut(archive).map(|messages| {
            messages.forget(limits);
            &*messages
        });
        match f(messages) {
            Ok(found) => Deferred::ready_on(reactor, found),
            Err(error) => Deferred::failed_on(reactor, error),
        }
    }
}

impl Messages {
    /// All of them, or none.
    fn append(&mut self, messages: &[StoredMessage]) -> Result<(), StoreError> {
        let encode = |message: &StoredMessage| Ok((message.id, message.encode()?));
        let encoded: Result<Vec<_>, EncodeError> = messages.iter().map(encode).collect();
        for (id, bytes) in encoded.map_err(|error| StoreError::Other(error.into()))? {
            self.bytes += bytes.len() as u64;
            self.list.push_back((id, bytes));
        }
        Ok(())
    }

    fn forget(&mut self, limits: ArchiveLimits) {
        while let Some((id, bytes)) = self.list.front() {
            let is_beyond = self.list.len() > limits.messages_max
                || self.bytes > limits.bytes_max
                || *id < limits.oldest;
            if !is_beyond {
                break;
            }
            self.bytes -= bytes.len() as u64;
            self.list.pop_front();
        }
    }
}

impl ArchiveStore for MemoryArchive {
    fn append(
        &self,
        reactor: &Reactor,
        archive: &str,
        messages: Arc<[StoredMessage]>,
        limits: ArchiveLimits,
    ) -> Deferred<(), StoreError> {
        let mut archives = self.0.borrow_mut();
        let stored = archives.entry(archive.to_owned()).or_default();
        let appended = stored.append(&messages);
        stored.forget(limits);
        match appended {
            Ok(()) => Deferred::ready_on(reactor, ()),
            Err(error) => Deferred::failed_on(reactor, error),
        }
    }

    fn page(
        &self,
        reactor: &Reactor,
        archive: &str,
        query: StoredQuery,
        limits: ArchiveLimits,
    ) -> Deferred<Option<StoredPage>, StoreError> {
        self.with(reactor, archive, limits, |messages| {
            let none = VecDeque::new();
            let list = messages.map_or(&none, |messages| &messages.list);
            select(list, &query, |at| Ok(list[at].1.clone()))
        })
    }

    fn span(
        &self,
        reactor: &Reactor,
        archive: &str,
        limits: ArchiveLimits,
    ) -> Deferred<Option<(ArchiveId, ArchiveId)>, StoreError> {
        self.with(reactor, archive, limits, |messages| {
            let list = messages.map(|messages| &messages.list);
            Ok(list.and_then(|list| Some((list.front()?.0, list.back()?.0))))
        })
    }
}

impl fmt::Debug for MemoryArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryArchive")
            .field("archives", &self.0.borrow().len())
            .finish_non_exhaustive()
    }
}
