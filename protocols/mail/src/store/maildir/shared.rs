//! A mailbox on the disk, as the loop sees it: [`Shared`], by all sessions that have it open. It has the index, and a queue of work.
//!
//! One piece of work is on a thread at a time, so what it is told of the index is true until it returns. Then the loop applies the changes
//! and only then tells who waits.
//!
//! | | idle | working | waiting for a lock | deleted |
//! |---|---|---|---|---|
//! | work is asked for | begins | waits its turn | waits its turn | fails |
//! | work returns | | changes are applied; the next begins | | |
//! | another process has the lock | | waiting | after 20 ms, working | |
//! | the lock timeout | | | fails; the next begins | |
//! | the folder is gone | | deleted | | |
//! | a rename of the account | waits for nobody | is waited for | is not tried meanwhile | |
//!
//! A session asks the index at any time.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::VecDeque,
    path::PathBuf,
    rc::{Rc, Weak},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sinew_transports::reactor::{Deferred, Failure, LoopingCall, Reactor, with_causes};

use super::{
    accounting::{self, Busy, OpenMailbox},
    disk::Done,
    folder::{Folder, Outcome, Tried, Work},
    place::Place,
    read::{self, Cursors, Piece, Wanted},
};
use crate::store::{
    MailboxName, READ_LEN_MAX, Status, StoreError, Uid, UidSet, Watchers,
    index::{Change, Index, seconds},
};

/// How long it takes until a lock is tried again.
const RETRY: Duration = Duration::from_millis(20);

/// Most messages that are read by one call on a thread.
const READ_MANY_MAX: usize = 256;

type Answer = Box<dyn Any + Send>;
type Call = Box<dyn FnOnce(Result<&mut Work<'_>, StoreError>) -> Answer + Send>;
type Tell = Box<dyn FnOnce(Result<Answer, StoreError>)>;

/// An account whose mailboxes are these.
pub(super) type Accounting = accounting::Accounting<Shared>;

pub(super) struct Shared {
    pub(super) account: Rc<Accounting>,
    pub(super) watchers: Watchers,
    state: RefCell<State>,
    is_deleted: Cell<bool>,
    polling: RefCell<Option<LoopingCall>>,
    is_looked_at: Cell<bool>,
}

struct State {
    name: MailboxName,
    path: PathBuf,
    /// Not while work is done, nor after work that was lost.
    folder: Option<Folder>,
    is_working: bool,
    /// None before the first work.
    index: Option<Arc<Index<Place>>>,
    /// The messages before this UID are recent to nobody else.
    claimed_below: Uid,
    queue: VecDeque<(Call, Tell)>,
    cursors: Cursors,
}

/// What comes back from a thread.
enum Returned {
    Busy(Folder, Call),
    Done(Folder, Outcome, Answer),
}

impl OpenMailbox for Shared {
    fn open(account: Rc<Accounting>, name: MailboxName, path: PathBuf) -> Rc<Self> {
        let state = State {
            name,
            path,
            folder: None,
            is_working: false,
            index: None,
            claimed_below: Uid::MIN,
            queue: VecDeque::new(),
            cursors: Cursors::default(),
        };
        Rc::new(Self {
            account,
            watchers: Watchers::default(),
            state: RefCell::new(state),
            is_deleted: Cell::new(false),
            polling: RefCell::default(),
            is_looked_at: Cell::new(false),
        })
    }

    fn set_name(&self, name: MailboxName, path: PathBuf) {
        let mut state = self.state.borrow_mut();
        (state.name, state.path) = (name, path);
    }

    /// Begins the next work, if none is done.
    fn pump(self: &Rc<Self>, reactor: &Reactor) {
        if self.is_deleted() {
            let queue = std::mem::take(&mut self.state.borrow_mut().queue);
            queue.into_iter().for_each(|(_, tell)| tell(Err(self.missing())));
            return;
        }
        let mut state = self.state.borrow_mut();
        if state.is_working || self.account.is_held() {
            return;
        }
        let Some((call, tell)) = state.queue.pop_front() else { return };
        state.is_working = true;
        let folder = state.folder.take();
        drop(state);
        let deadline = reactor.now() + self.account.settings.lock_timeout;
        self.attempt(reactor, folder, call, tell, deadline);
    }
}

impl Shared {
    pub(super) fn name(&self) -> MailboxName {
        self.state.borrow().name.clone()
    }

    pub(super) fn path(&self) -> PathBuf {
        self.state.borrow().path.clone()
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.is_deleted.get()
    }

    pub(super) fn missing(&self) -> StoreError {
        StoreError::NoSuchMailbox { name: self.name() }
    }

    /// Asks the index, which is there once it was opened.
    pub(super) fn ask<T>(&self, ask: impl FnOnce(&Index<Place>) -> T) -> Option<T> {
        self.state.borrow().index.as_deref().map(ask)
    }

    pub(super) fn status(&self) -> Option<Status> {
        let state = self.state.borrow();
        let index = state.index.as_ref()?;
        let mut status = index.status();
        if state.claimed_below > Uid::MIN {
            let recent = recent(index, state.claimed_below).count();
            status.recent = u32::try_from(recent).unwrap_or(u32::MAX);
        }
        Some(status)
    }

    pub(super) fn claim_recent(self: &Rc<Self>) -> UidSet {
        let mut state = self.state.borrow_mut();
        let Some(index) = &state.index else { return UidSet::new() };
        let claimed: UidSet = recent(index, state.claimed_below).collect();
        let below = index.next();
        state.claimed_below = below;
        drop(state);
        if !claimed.is_empty() {
            self.work(move |work| work.settle(below)).then(|_, settled: Result<(), _>| {
                if let Err(error) = settled {
                    tracing::warn!(error = %with_causes(&error), "recent messages will be recent once more");
                }
            });
        }
        claimed
    }

    /// Looks at the disk.
    pub(super) fn refresh(self: &Rc<Self>) -> Deferred<(), StoreError> {
        self.work(|work| {
            work.sync()?;
            work.scan()
        })
    }

    /// Has work done, behind all that was asked for before. It is done also if nobody waits for it.
    pub(super) fn work<T: Send + 'static>(
        self: &Rc<Self>,
        work: impl FnOnce(&mut Work<'_>) -> Done<T> + Send + 'static,
    ) -> Deferred<T, StoreError> {
        let (promise, deferred) = self.account.reactor.promise();
        let Some(reactor) = self.account.reactor.upgrade() else { return deferred };
        let call: Call = Box::new(move |begun| Box::new(begun.and_then(work)) as Answer);
        let tell: Tell = Box::new(move |answer| {
            promise.settle(answer.and_then(|answer| match answer.downcast::<Done<T>>() {
                Ok(result) => *result,
                // It is the answer to the call above.
                Err(_) => Err(Failure::Abandoned.into()),
            }));
        });
        self.state.borrow_mut().queue.push_back((call, tell));
        self.pump(&reactor);
        deferred
    }

    fn attempt(
        self: &Rc<Self>,
        reactor: &Reactor,
        folder: Option<Folder>,
        call: Call,
        tell: Tell,
        deadline: Instant,
    ) {
        let shared = Rc::clone(self);
        if self.account.is_held() {
            reactor.call_later(RETRY, move |reactor| {
                shared.attempt(reactor, folder, call, tell, deadline);
            });
            return;
        }
        let (mut folder, index) = (self.folder(folder), self.state.borrow().index.clone());
        let now = seconds(reactor.wall_clock());
        let busy = Busy::new(&self.account);
        let returned = reactor.defer_to_thread(move || {
            let (mut call, mut answer) = (Some(call), None);
            let tried = folder.work(index, now, &mut |work| {
                answer = call.take().map(|call| call(work));
            });
            match (tried, call, answer) {
                (Tried::Done(outcome), _, Some(answer)) => Returned::Done(folder, outcome, answer),
                (_, Some(call), _) => Returned::Busy(folder, call),
                // Work is called once or not at all.
                (_, None, _) => Returned::Done(folder, Outcome::default(), Box::new(())),
            }
        });
        returned.then(move |reactor, returned| {
            drop(busy);
            match returned {
                Ok(Returned::Busy(folder, call)) if reactor.now() < deadline => {
                    reactor.call_later(RETRY, move |reactor| {
                        shared.attempt(reactor, Some(folder), call, tell, deadline);
                    });
                }
                Ok(Returned::Busy(folder, _)) => {
                    let locked = Err(StoreError::Locked { what: "the mailbox" });
                    shared.returned(reactor, Some(folder), Outcome::default(), tell, locked);
                }
                Ok(Returned::Done(folder, outcome, answer)) => {
                    shared.returned(reactor, Some(folder), outcome, tell, Ok(answer));
                }
                Err(failure) => {
                    let lost = Err(failure.into());
                    shared.returned(reactor, None, Outcome::default(), tell, lost);
                }
            }
        });
    }

    /// What is remembered of the files, with the name and the path as they are now.
    fn folder(&self, folder: Option<Folder>) -> Folder {
        let state = self.state.borrow();
        let (name, path) = (state.name.clone(), state.path.clone());
        let account = &self.account;
        match folder {
            Some(folder) => folder.renamed(name, path),
            None => Folder::new(name, path, account.root.clone(), Arc::clone(&account.settings)),
        }
    }

    fn returned(
        self: &Rc<Self>,
        reactor: &Reactor,
        folder: Option<Folder>,
        outcome: Outcome,
        tell: Tell,
        answer: Result<Answer, StoreError>,
    ) {
        let Outcome { replaced, keywords, changes, is_gone } = outcome;
        let mut state = self.state.borrow_mut();
        (state.folder, state.is_working) = (folder, false);
        let has_changed = replaced.is_some() || keywords.is_some() || !changes.is_empty();
        state.index = replaced.or_else(|| state.index.take());
        if let Some(index) = state.index.as_mut().filter(|_| has_changed) {
            // The thread has given up its reference, so this copies nothing.
            let index = Arc::make_mut(index);
            if let Some(keywords) = keywords {
                index.set_keywords(keywords);
            }
            index.apply(changes);
        }
        drop(state);
        if is_gone {
            self.set_deleted();
        }
        if has_changed || is_gone {
            self.watchers.notify(reactor);
        }
        tell(answer);
        self.pump(reactor);
    }

    /// It is not there any more. What sessions see is empty.
    fn set_deleted(&self) {
        self.is_deleted.set(true);
        self.account.forget(&self.name(), self);
        let mut state = self.state.borrow_mut();
        if let Some(index) = &mut state.index {
            let index = Arc::make_mut(index);
            let (mod_seq, uids) = (index.highest().next(), index.uids());
            index.apply(uids.into_iter().map(|uid| Change::Expunged { uid, mod_seq }));
        }
    }

    /// Looks at the disk now and then, as long as anyone watches.
    pub(super) fn poll(self: &Rc<Self>) {
        let Some(reactor) = self.account.reactor.upgrade() else { return };
        if self.polling.borrow().as_ref().is_some_and(LoopingCall::is_active) {
            return;
        }
        let weak: Weak<Self> = Rc::downgrade(self);
        let polling = reactor.call_every(self.account.settings.poll_interval, move |_| {
            let Some(shared) = weak.upgrade() else { return };
            if shared.watchers.is_empty() || shared.is_deleted() {
                if let Some(polling) = shared.polling.borrow().as_ref() {
                    polling.stop();
                }
            } else {
                shared.look();
            }
        });
        *self.polling.borrow_mut() = Some(polling);
    }

    /// Looks at the disk, unless that is being done, for nobody who waits. Also if a file is not where it was: then the others are not
    /// either, and each would be looked for.
    fn look(self: &Rc<Self>) {
        if self.is_deleted() || self.is_looked_at.replace(true) {
            return;
        }
        let weak = Rc::downgrade(self);
        self.refresh().then(move |_, refreshed| {
            if let Some(shared) = weak.upgrade() {
                shared.is_looked_at.set(false);
            }
            if let Err(error) = refreshed {
                tracing::warn!(error = %with_causes(&error), "a mailbox could not be looked at");
            }
        });
    }

    /// A piece of the text of a message.
    pub(super) fn read(
        self: &Rc<Self>,
        uid: Uid,
        offset: u64,
        len: usize,
    ) -> Deferred<Bytes, StoreError> {
        if self.account.is_held() {
            let shared = Rc::clone(self);
            return self.account.spawn(async move {
                shared.account.released().await?;
                shared.read(uid, offset, len).await
            });
        }
        let reactor = &self.account.reactor;
        let mut state = self.state.borrow_mut();
        let entry = state.index.as_ref().and_then(|index| index.entry(uid));
        let found = entry.map(|entry| (entry.place.clone(), entry.size));
        let (Some((place, size)), Some(reactor)) = (found, reactor.upgrade()) else {
            let (promise, deferred) = reactor.promise();
            promise.reject(StoreError::NoSuchMessage { uid });
            return deferred;
        };
        let (path, cursor) = (state.path.clone(), state.cursors.take(uid, offset));
        drop(state);
        let busy = Busy::new(&self.account);
        let shared = Rc::clone(self);
        let read =
            reactor.defer_to_thread(move || read::read(&path, place, size, offset, len, cursor));
        read.map(move |read: Result<_, Failure>| {
            drop(busy);
            let Some(Piece { bytes, cursor, has_moved }) = read?? else {
                shared.look();
                return Err(StoreError::NoSuchMessage { uid });
            };
            shared.state.borrow_mut().cursors.put(uid, cursor);
            if has_moved {
                shared.look();
            }
            Ok(bytes)
        })
    }

    /// The beginnings of those messages that are there, as many as there is room for.
    pub(super) fn read_many(
        self: &Rc<Self>,
        uids: Vec<Uid>,
        len: usize,
    ) -> Deferred<Vec<(Uid, Bytes)>, StoreError> {
        if self.account.is_held() {
            let shared = Rc::clone(self);
            return self.account.spawn(async move {
                shared.account.released().await?;
                shared.read_many(uids, len).await
            });
        }
        let len = len.min(READ_LEN_MAX);
        let wanted = self.ask(|index| wanted(index, &uids, len)).unwrap_or_default();
        let reactor = self.account.reactor.upgrade().filter(|_| !wanted.is_empty());
        let Some(reactor) = reactor else {
            let (promise, deferred) = self.account.reactor.promise();
            promise.resolve(Vec::new());
            return deferred;
        };
        let (path, busy, shared) = (self.path(), Busy::new(&self.account), Rc::clone(self));
        let read = reactor.defer_to_thread(move || read::read_many(&path, wanted, len));
        read.map(move |read: Result<_, Failure>| {
            drop(busy);
            let mut state = shared.state.borrow_mut();
            let taken = read?.into_iter().map(|(uid, Piece { bytes, cursor, .. })| {
                state.cursors.put(uid, cursor);
                (uid, bytes)
            });
            Ok(taken.collect())
        })
    }
}

/// The first messages of a list that are not longer together than what is read at once.
fn wanted(index: &Index<Place>, uids: &[Uid], len: usize) -> Vec<Wanted> {
    let (mut wanted, mut room) = (Vec::with_capacity(uids.len().min(READ_MANY_MAX)), READ_LEN_MAX);
    for uid in uids {
        let Some(entry) = index.entry(*uid) else { continue };
        let needed = usize::try_from(entry.size).map_or(len, |size| size.min(len));
        if needed > room || wanted.len() == READ_MANY_MAX {
            break;
        }
        room -= needed;
        wanted.push(Wanted { uid: *uid, place: entry.place.clone(), size: entry.size });
    }
    wanted
}

fn recent(index: &Index<Place>, from: Uid) -> impl Iterator<Item = Uid> + '_ {
    let entries = index.entries();
    let first = entries.partition_point(|entry| entry.uid < from);
    entries[first..].iter().filter(|entry| entry.is_recent).map(|entry| entry.uid)
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.account.forget(&self.name(), self);
        if let Some(polling) = self.polling.get_mut() {
            polling.stop();
        }
    }
}
