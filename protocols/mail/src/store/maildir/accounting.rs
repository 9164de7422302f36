//! What all sessions of an account on the disk share, in the loop: [`Accounting`].

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::Future,
    path::PathBuf,
    rc::{Rc, Weak},
    sync::Arc,
    time::Duration,
};

use sinew_transports::reactor::{Deferred, Failure, Reactor, WeakReactor};

use super::{
    config::Settings,
    disk::{self, Done},
    folder_name,
    root::{ACCOUNT_LOCK, Root},
    unique::Unique,
};
use crate::store::{MailboxName, StoreError, index::seconds};

/// How long it takes until a lock is tried again.
const RETRY: Duration = Duration::from_millis(20);

/// A mailbox that is open, as its account knows it.
pub(super) trait OpenMailbox: Sized {
    /// One that is opened, whether or not it is there.
    fn open(account: Rc<Accounting<Self>>, name: MailboxName, path: PathBuf) -> Rc<Self>;

    /// After a rename in the account.
    fn set_name(&self, name: MailboxName, path: PathBuf);

    /// Goes on with its work.
    fn pump(self: &Rc<Self>, reactor: &Reactor);
}

pub(super) struct Accounting<M> {
    pub(super) reactor: WeakReactor,
    pub(super) root: PathBuf,
    pub(super) settings: Arc<Settings>,
    mailboxes: RefCell<BTreeMap<MailboxName, Weak<M>>>,
    /// Calls on threads that use paths of mailboxes.
    busy: Cell<usize>,
    /// Renames that need the paths to be used by nobody.
    held: Cell<usize>,
}

/// While this exists, a thread uses the path of a mailbox.
pub(super) struct Busy<M>(Rc<Accounting<M>>);

impl<M> Busy<M> {
    pub(super) fn new(account: &Rc<Accounting<M>>) -> Self {
        account.busy.set(account.busy.get() + 1);
        Self(Rc::clone(account))
    }
}

impl<M> Drop for Busy<M> {
    fn drop(&mut self) {
        self.0.busy.set(self.0.busy.get() - 1);
    }
}

/// While this exists, no work on mailboxes begins.
struct Held<M: OpenMailbox>(Rc<Accounting<M>>);

impl<M: OpenMailbox> Drop for Held<M> {
    fn drop(&mut self) {
        self.0.held.set(self.0.held.get() - 1);
        let Some(reactor) = self.0.reactor.upgrade() else { return };
        let open: Vec<_> = self.0.mailboxes.borrow().values().filter_map(Weak::upgrade).collect();
        open.iter().for_each(|shared| shared.pump(&reactor));
    }
}

impl<M: OpenMailbox> Accounting<M> {
    pub(super) fn new(reactor: &Reactor, root: PathBuf, settings: Arc<Settings>) -> Rc<Self> {
        Rc::new(Self {
            reactor: reactor.downgrade(),
            root,
            settings,
            mailboxes: RefCell::default(),
            busy: Cell::new(0),
            held: Cell::new(0),
        })
    }

    /// The mailbox of this name, whether or not it is there.
    pub(super) fn mailbox(self: &Rc<Self>, name: &MailboxName) -> Done<Rc<M>> {
        let open = self.mailboxes.borrow().get(name).and_then(Weak::upgrade);
        if let Some(open) = open {
            return Ok(open);
        }
        let path = self.path(name)?;
        let shared = M::open(Rc::clone(self), name.clone(), path);
        self.mailboxes.borrow_mut().insert(name.clone(), Rc::downgrade(&shared));
        Ok(shared)
    }

    fn path(&self, name: &MailboxName) -> Done<PathBuf> {
        if name.is_inbox() {
            return Ok(self.root.clone());
        }
        let missing = || StoreError::NoSuchMailbox { name: name.clone() };
        Ok(self.root.join(folder_name::encode(name).ok_or_else(missing)?))
    }

    /// The mailbox of this name is deleted, or nobody has it open any more.
    pub(super) fn forget(&self, name: &MailboxName, mailbox: &M) {
        let Ok(mut mailboxes) = self.mailboxes.try_borrow_mut() else { return };
        let is_it =
            |known: &Weak<M>| known.strong_count() == 0 || std::ptr::eq(known.as_ptr(), mailbox);
        if mailboxes.get(name).is_some_and(is_it) {
            mailboxes.remove(name);
        }
    }

    pub(super) fn is_held(&self) -> bool {
        self.held.get() > 0
    }

    /// Waits as long as mailboxes are renamed. Paths are true from then on for who has a [`Busy`].
    pub(super) async fn released(&self) -> Done {
        let reactor = self.reactor.upgrade().ok_or(Failure::Abandoned)?;
        while self.is_held() {
            reactor.sleep(RETRY / 4).await;
        }
        Ok(())
    }

    /// What the disk needs to know of the account and the time.
    pub(super) fn root(&self) -> Option<Root> {
        let reactor = self.reactor.upgrade()?;
        let (path, settings) = (self.root.clone(), Arc::clone(&self.settings));
        Some(Root { path, settings, unique: self.unique(&reactor) })
    }

    pub(super) fn unique(&self, reactor: &Reactor) -> Unique {
        let (time, random) = (reactor.wall_clock(), reactor.random());
        Unique { time, random, host: self.settings.host_name.clone() }
    }

    /// Seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.reactor.upgrade().map_or(0, |reactor| seconds(reactor.wall_clock()))
    }

    /// A deferred of a future that goes on also if nobody waits.
    pub(super) fn spawn<T: 'static>(
        &self,
        future: impl Future<Output = Done<T>> + 'static,
    ) -> Deferred<T, StoreError> {
        let (promise, deferred) = self.reactor.promise();
        if let Some(reactor) = self.reactor.upgrade() {
            reactor.spawn(async move { promise.settle(future.await) }).detach();
        }
        deferred
    }

    /// A call on a thread.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Root) -> Done<T> + Send + 'static,
    ) -> Done<T> {
        let (Some(reactor), Some(root)) = (self.reactor.upgrade(), self.root()) else {
            return Err(Failure::Abandoned.into());
        };
        reactor.defer_to_thread(move || call(&root)).await?
    }

    /// A call on a thread that has the lock of the account. It returns `None` if it needs another lock that is not free.
    pub(super) async fn call_locked<T: Send + 'static>(
        &self,
        call: impl Fn(&Root) -> Done<Option<T>> + Send + Sync + 'static,
    ) -> Done<T> {
        let reactor = self.reactor.upgrade().ok_or(Failure::Abandoned)?;
        let deadline = reactor.now() + self.settings.lock_timeout;
        let call = Arc::new(call);
        loop {
            let call = Arc::clone(&call);
            let tried =
                self.call(move |root| match disk::try_lock(&root.path.join(ACCOUNT_LOCK))? {
                    Some(Some(_lock)) => call(root),
                    Some(None) => Ok(None),
                    None => Err(root.missing()),
                });
            if let Some(done) = tried.await? {
                return Ok(done);
            }
            if reactor.now() >= deadline {
                return Err(StoreError::Locked { what: "the account" });
            }
            reactor.sleep(RETRY).await;
        }
    }

    /// Renames mailboxes, while no thread uses their paths.
    pub(super) async fn rename(self: &Rc<Self>, from: MailboxName, to: MailboxName) -> Done {
        let reactor = self.reactor.upgrade().ok_or(Failure::Abandoned)?;
        self.held.set(self.held.get() + 1);
        let held = Held(Rc::clone(self));
        while self.busy.get() > 0 {
            reactor.sleep(RETRY / 4).await;
        }
        let (renamed, error) = self.call_locked(move |root| root.rename(&from, &to)).await?;
        for (from, to) in renamed {
            let open = self.mailboxes.borrow_mut().remove(&from);
            if let Some(open) = open.and_then(|open| open.upgrade()) {
                open.set_name(to.clone(), self.path(&to)?);
                self.mailboxes.borrow_mut().insert(to, Rc::downgrade(&open));
            }
        }
        drop(held);
        error.map_or(Ok(()), Err)
    }
}
