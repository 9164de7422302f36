//! A mailbox in memory: what it holds, [`Content`], and a session that has it open, [`MemoryMailbox`].

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use bytes::Bytes;
use sinew_transports::reactor::{Deferred, Reactor};

use super::MemoryAccount;
use crate::store::{
    Append, Changes, Copied, ExclusiveLock, Expunge, FlagChange, Flags, FlagsSet, Keyword, Mailbox,
    MailboxName, MessageInfo, ModSeq, NewMessage, READ_LEN_MAX, Status, StoreError, StoreLimits,
    Uid, UidSet, UidValidity, Watch, Watchers,
    index::{Change, Entry, Index},
};

/// What all sessions share that have it open.
pub(super) struct Content {
    pub(super) name: RefCell<MailboxName>,
    pub(super) index: RefCell<Index<Bytes>>,
    pub(super) watchers: Watchers,
    is_deleted: Cell<bool>,
    is_locked: Cell<bool>,
}

pub(super) struct MemoryMailbox {
    pub(super) account: MemoryAccount,
    pub(super) content: Rc<Content>,
}

impl Content {
    pub(super) fn new(name: MailboxName, validity: UidValidity, limits: &StoreLimits) -> Self {
        Self {
            name: RefCell::new(name),
            index: RefCell::new(Index::new(validity, limits)),
            watchers: Watchers::default(),
            is_deleted: Cell::new(false),
            is_locked: Cell::new(false),
        }
    }

    /// Whether it can be changed.
    fn check(&self) -> Result<(), StoreError> {
        match self.is_deleted.get() {
            true => Err(StoreError::NoSuchMailbox { name: self.name.borrow().clone() }),
            false => Ok(()),
        }
    }

    pub(super) fn delete(&self) {
        self.is_deleted.set(true);
        self.remove(UidSet::all());
    }

    /// The next number for a change.
    fn next_mod_seq(&self) -> ModSeq {
        self.index.borrow().highest().next()
    }

    pub(super) fn add(
        &self,
        text: Bytes,
        flags: &Flags,
        date: i64,
        limits: &StoreLimits,
    ) -> Result<Uid, StoreError> {
        self.check()?;
        self.check_count(1, limits)?;
        self.learn(flags, limits);
        let mod_seq = self.next_mod_seq();
        let mut index = self.index.borrow_mut();
        let (uid, flags) = (index.next(), index.bits(flags));
        let size = text.len() as u64;
        let entry = Entry { uid, mod_seq, date, size, flags, is_recent: true, place: text };
        index.apply([Change::Added(entry)]);
        Ok(uid)
    }

    /// Whether so many more messages may be in it.
    fn check_count(&self, more: usize, limits: &StoreLimits) -> Result<(), StoreError> {
        let max = limits.messages_max;
        let index = self.index.borrow();
        let uids_left = Uid::MAX.get() - index.next().get();
        let has_room = index.len().saturating_add(more) <= max as usize;
        match has_room && u32::try_from(more).is_ok_and(|more| more <= uids_left) {
            true => Ok(()),
            false => Err(StoreError::TooMany { what: "messages in a mailbox", max: max.into() }),
        }
    }

    /// Makes room for keywords.
    fn learn(&self, flags: &Flags, limits: &StoreLimits) {
        let mut index = self.index.borrow_mut();
        if let Some(keywords) = index.keywords_with(flags, limits.keywords_max) {
            index.set_keywords(keywords);
        }
    }

    /// Copies messages of another, or of this one. With `room`, only if that says that there is enough.
    pub(super) fn copy_from(
        &self,
        source: &Self,
        uids: &UidSet,
        limits: &StoreLimits,
        room: Option<&MemoryAccount>,
    ) -> Result<Copied, StoreError> {
        source.check()?;
        self.check()?;
        let found: Vec<_> = {
            let index = source.index.borrow();
            index.select(uids).map(|entry| (entry.clone(), index.flags(entry.flags))).collect()
        };
        self.check_count(found.len(), limits)?;
        if let Some(account) = room {
            let bytes = found.iter().map(|(entry, _)| entry.size).sum();
            account.shared.check_room(bytes, found.len() as u64)?;
        }
        let mod_seq = self.next_mod_seq();
        let mut pairs = Vec::with_capacity(found.len());
        for (entry, flags) in found {
            self.learn(&flags, limits);
            let mut index = self.index.borrow_mut();
            let (uid, flags) = (index.next(), index.bits(&flags));
            pairs.push((entry.uid, uid));
            index.apply([Change::Added(Entry { uid, mod_seq, flags, is_recent: true, ..entry })]);
        }
        Ok(Copied::new(self.index.borrow().validity(), pairs))
    }

    /// Removes those messages that are there, and returns which.
    pub(super) fn remove(&self, uids: UidSet) -> UidSet {
        self.expunge(&uids, Expunge::All)
    }

    fn expunge(&self, uids: &UidSet, which: Expunge) -> UidSet {
        let mod_seq = self.next_mod_seq();
        let mut index = self.index.borrow_mut();
        let gone: Vec<_> = index.to_expunge(uids, which).iter().map(|entry| entry.uid).collect();
        index.apply(gone.iter().map(|uid| Change::Expunged { uid: *uid, mod_seq }));
        gone.into_iter().collect()
    }

    fn set_flags(
        &self,
        uids: &UidSet,
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
        limits: &StoreLimits,
    ) -> FlagsSet {
        if !matches!(change, FlagChange::Remove(_)) {
            self.learn(change.flags(), limits);
        }
        let mod_seq = self.next_mod_seq();
        let mut index = self.index.borrow_mut();
        let (changes, done, modified) =
            index.flag_changes(uids, change, index.bits(change.flags()), unchanged_since);
        index.apply(changes.into_iter().map(|(uid, flags)| Change::Flags { uid, mod_seq, flags }));
        FlagsSet { done, modified, mod_seq: index.highest() }
    }
}

/// Keeps a mailbox locked.
struct Held(Rc<Content>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.is_locked.set(false);
    }
}

impl MemoryMailbox {
    fn limits(&self) -> &StoreLimits {
        &self.account.shared.limits
    }

    fn transfer(&self, uids: &UidSet, to: &MailboxName, moves: bool) -> Result<Copied, StoreError> {
        let target = self.account.shared.content(to)?;
        let room = (!moves).then_some(&self.account);
        let copied = target.copy_from(&self.content, uids, self.limits(), room)?;
        if moves {
            self.content.remove(copied.uids.iter().map(|(uid, _)| *uid).collect());
            self.account.notify(&self.content);
        }
        self.account.notify(&target);
        Ok(copied)
    }
}

impl Mailbox for MemoryMailbox {
    fn name(&self) -> MailboxName {
        self.content.name.borrow().clone()
    }

    fn is_deleted(&self) -> bool {
        self.content.is_deleted.get()
    }

    fn status(&self) -> Status {
        self.content.index.borrow().status()
    }

    fn keywords(&self) -> Vec<Keyword> {
        self.content.index.borrow().keywords().to_vec()
    }

    fn takes_new_keywords(&self) -> bool {
        self.content.index.borrow().keywords().len() < self.limits().keywords_max
    }

    fn uids(&self) -> Vec<Uid> {
        self.content.index.borrow().uids()
    }

    fn message(&self, uid: Uid) -> Option<MessageInfo> {
        self.content.index.borrow().message(uid)
    }

    fn messages(&self, from: Uid, max: usize) -> Vec<MessageInfo> {
        self.content.index.borrow().messages(from, max)
    }

    fn changes_since(&self, since: ModSeq) -> Changes {
        self.content.index.borrow().changes_since(since)
    }

    fn claim_recent(&self) -> UidSet {
        self.content.index.borrow_mut().claim_recent()
    }

    fn watch(&self, changed: Rc<dyn Fn(&Reactor)>) -> Watch {
        self.content.watchers.add(changed)
    }

    /// There are no others.
    fn refresh(&self) -> Deferred<(), StoreError> {
        self.account.settled(self.content.check())
    }

    fn lock(&self) -> Deferred<ExclusiveLock, StoreError> {
        let locked =
            self.content.check().and_then(|()| match self.content.is_locked.replace(true) {
                true => Err(StoreError::Locked { what: "the mailbox" }),
                false => Ok(ExclusiveLock::new(Held(Rc::clone(&self.content)))),
            });
        self.account.settled(locked)
    }

    fn read(&self, uid: Uid, offset: u64, len: usize) -> Deferred<Bytes, StoreError> {
        let index = self.content.index.borrow();
        let text = index.entry(uid).map(|entry| entry.place.clone());
        drop(index);
        self.account.settled(text.ok_or(StoreError::NoSuchMessage { uid }).map(|text| {
            let from = usize::try_from(offset).map_or(text.len(), |from| from.min(text.len()));
            let len = len.min(READ_LEN_MAX).min(text.len() - from);
            text.slice(from..from + len)
        }))
    }

    fn append(&self, message: NewMessage) -> Deferred<Box<dyn Append>, StoreError> {
        match self.content.check() {
            Ok(()) => self.account.begin(Rc::clone(&self.content), message),
            Err(error) => self.account.settled(Err(error)),
        }
    }

    fn set_flags(
        &self,
        uids: &UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Deferred<FlagsSet, StoreError> {
        let set = self.content.check().map(|()| {
            let set = self.content.set_flags(uids, &change, unchanged_since, self.limits());
            self.account.notify(&self.content);
            set
        });
        self.account.settled(set)
    }

    fn expunge(&self, uids: &UidSet, which: Expunge) -> Deferred<UidSet, StoreError> {
        let expunged = self.content.check().map(|()| {
            let expunged = self.content.expunge(uids, which);
            self.account.notify(&self.content);
            expunged
        });
        self.account.settled(expunged)
    }

    fn copy(&self, uids: &UidSet, to: &MailboxName) -> Deferred<Copied, StoreError> {
        self.account.settled(self.transfer(uids, to, false))
    }

    fn move_to(&self, uids: &UidSet, to: &MailboxName) -> Deferred<Copied, StoreError> {
        self.account.settled(self.transfer(uids, to, true))
    }
}
