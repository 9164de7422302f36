//! A mailbox on the disk, as a session has it open: [`MaildirMailbox`].

use std::rc::Rc;

use bytes::Bytes;
use sinew_transports::reactor::{Deferred, Reactor};

use super::{
    append,
    disk::{self, Done},
    edits::{Source, Transfer},
    folder::POP3_LOCK,
    shared::Shared,
};
use crate::store::{
    Append, Changes, Copied, ExclusiveLock, Expunge, FlagChange, FlagsSet, Keyword, Mailbox,
    MailboxName, MessageInfo, ModSeq, NewMessage, Status, StoreError, Uid, UidSet, UidValidity,
    Watch,
};

pub(super) struct MaildirMailbox {
    pub(super) shared: Rc<Shared>,
}

impl MaildirMailbox {
    fn spawn<T: 'static>(
        &self,
        future: impl Future<Output = Done<T>> + 'static,
    ) -> Deferred<T, StoreError> {
        self.shared.account.spawn(future)
    }
}

impl Mailbox for MaildirMailbox {
    fn name(&self) -> MailboxName {
        self.shared.name()
    }

    fn is_deleted(&self) -> bool {
        self.shared.is_deleted()
    }

    fn status(&self) -> Status {
        // It has an index since it was opened.
        let none = || Status::new(UidValidity::after(None, 0));
        self.shared.status().unwrap_or_else(none)
    }

    fn keywords(&self) -> Vec<Keyword> {
        self.shared.ask(|index| index.keywords().to_vec()).unwrap_or_default()
    }

    fn takes_new_keywords(&self) -> bool {
        self.keywords().len() < self.shared.account.settings.limits.keywords_max
    }

    fn uids(&self) -> Vec<Uid> {
        self.shared.ask(|index| index.uids()).unwrap_or_default()
    }

    fn message(&self, uid: Uid) -> Option<MessageInfo> {
        self.shared.ask(|index| index.message(uid)).flatten()
    }

    fn messages(&self, from: Uid, max: usize) -> Vec<MessageInfo> {
        self.shared.ask(|index| index.messages(from, max)).unwrap_or_default()
    }

    fn changes_since(&self, since: ModSeq) -> Changes {
        self.shared.ask(|index| index.changes_since(since)).unwrap_or_else(|| Changes::none(since))
    }

    fn claim_recent(&self) -> UidSet {
        self.shared.claim_recent()
    }

    fn watch(&self, changed: Rc<dyn Fn(&Reactor)>) -> Watch {
        let watch = self.shared.watchers.add(changed);
        self.shared.poll();
        watch
    }

    fn refresh(&self) -> Deferred<(), StoreError> {
        self.shared.refresh()
    }

    fn lock(&self) -> Deferred<ExclusiveLock, StoreError> {
        let shared = Rc::clone(&self.shared);
        self.spawn(async move {
            if shared.is_deleted() {
                return Err(shared.missing());
            }
            let (path, missing) = (shared.path().join(POP3_LOCK), shared.missing());
            let tried = shared.account.call(move |_| disk::try_lock(&path)).await?;
            match tried {
                Some(Some(file)) => Ok(ExclusiveLock::new(file)),
                Some(None) => Err(StoreError::Locked { what: "the mailbox" }),
                None => Err(missing),
            }
        })
    }

    fn read(&self, uid: Uid, offset: u64, len: usize) -> Deferred<Bytes, StoreError> {
        self.shared.read(uid, offset, len)
    }

    fn read_many(
        &self,
        uids: &[Uid],
        len: usize,
    ) -> Option<Deferred<Vec<(Uid, Bytes)>, StoreError>> {
        Some(self.shared.read_many(uids.to_vec(), len))
    }

    fn append(&self, message: NewMessage) -> Deferred<Box<dyn Append>, StoreError> {
        let shared = Rc::clone(&self.shared);
        self.spawn(async move {
            if shared.is_deleted() {
                return Err(shared.missing());
            }
            append::begin(shared, message).await
        })
    }

    fn set_flags(
        &self,
        uids: &UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Deferred<FlagsSet, StoreError> {
        let uids = uids.clone();
        self.shared.work(move |work| work.set_flags(&uids, &change, unchanged_since))
    }

    fn expunge(&self, uids: &UidSet, which: Expunge) -> Deferred<UidSet, StoreError> {
        let uids = uids.clone();
        self.shared.work(move |work| work.expunge(&uids, which))
    }

    fn copy(&self, uids: &UidSet, to: &MailboxName) -> Deferred<Copied, StoreError> {
        let shared = Rc::clone(&self.shared);
        self.spawn(transfer(shared, uids.clone(), to.clone(), Transfer::Copy))
    }

    fn move_to(&self, uids: &UidSet, to: &MailboxName) -> Deferred<Copied, StoreError> {
        let shared = Rc::clone(&self.shared);
        self.spawn(transfer(shared, uids.clone(), to.clone(), Transfer::Move))
    }
}

/// Copies or moves messages into another mailbox of the account, or into the same.
pub(super) async fn transfer(
    from: Rc<Shared>,
    uids: UidSet,
    to: MailboxName,
    how: Transfer,
) -> Done<Copied> {
    if from.is_deleted() {
        return Err(from.missing());
    }
    let account = &from.account;
    let (target, root) = (account.mailbox(&to)?, account.root());
    let Some(root) = root else { return Err(from.missing()) };
    // What others have changed meanwhile is found where it is used.
    let folder = from.path();
    let sources = from.ask(|index| {
        let sources = index.select(&uids).map(|entry| Source {
            uid: entry.uid,
            folder: folder.clone(),
            place: entry.place.clone(),
            flags: index.flags(entry.flags),
            date: entry.date,
            size: entry.size,
        });
        sources.collect::<Vec<_>>()
    });
    let sources = sources.unwrap_or_default();
    let tried: Vec<_> = sources.iter().map(|source| source.uid).collect();
    let taken = target.work(move |work| work.take(&sources, how, &root.unique)).await;
    if how == Transfer::Move {
        // Also after a failure: some may have been moved.
        let moved: Vec<_> = match &taken {
            Ok(copied) => copied.uids.iter().map(|(uid, _)| *uid).collect(),
            Err(_) => tried,
        };
        if !moved.is_empty() {
            from.work(move |work| work.vanished(&moved)).await?;
        }
    }
    taken
}
