//! Mail in memory: [`MemoryStore`], for tests, and for programs that need no more. Accounts are here; mailboxes are in `mailbox.rs`.

mod append;
mod mailbox;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    fmt,
    rc::Rc,
};

use sinew_transports::reactor::{Deferred, Reactor, WeakReactor};

use self::{
    append::MemoryAppend,
    mailbox::{Content, MemoryMailbox},
};
use super::{
    Account, Append, Mailbox, MailboxInfo, MailboxName, NewMessage, Quota, Status, Store,
    StoreError, StoreLimits, UidSet, UidValidity, hierarchy, index::seconds, user_name::check_user,
};

/// Accounts in memory: gone with the last clone of the store. All clones share them.
///
/// It does what every store does, with the same limits; only nothing is kept, and a message is in memory whole.
///
/// # Examples
///
/// A store whose accounts have 100 messages at most:
///
/// ```
/// use sinew_mail::store::{MemoryStore, StoreLimits};
///
/// # fn main() -> Result<(), sinew_mail::store::StoreError> {
/// let store = MemoryStore::new(StoreLimits::default().quota_messages(100));
/// store.create_account("ann")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    accounts: Rc<RefCell<BTreeMap<String, Rc<Accounting>>>>,
    limits: Rc<StoreLimits>,
}

/// What all sessions of an account share.
struct Accounting {
    limits: Rc<StoreLimits>,
    mailboxes: RefCell<BTreeMap<MailboxName, Rc<Content>>>,
    subscribed: RefCell<BTreeSet<MailboxName>>,
    last_validity: Cell<Option<UidValidity>>,
}

/// An account, as one session has it.
#[derive(Clone)]
struct MemoryAccount {
    shared: Rc<Accounting>,
    reactor: WeakReactor,
}

impl MemoryStore {
    /// One without accounts, with these limits.
    #[must_use]
    pub fn new(limits: StoreLimits) -> Self {
        Self { accounts: Rc::default(), limits: Rc::new(limits) }
    }

    /// Adds an account with an empty inbox, unless it is there already.
    ///
    /// # Errors
    ///
    /// [`StoreError::UserName`].
    pub fn create_account(&self, user: &str) -> Result<(), StoreError> {
        check_user(user)?;
        let mut accounts = self.accounts.borrow_mut();
        accounts.entry(user.to_owned()).or_insert_with(|| {
            let shared = Accounting {
                limits: Rc::clone(&self.limits),
                mailboxes: RefCell::default(),
                subscribed: RefCell::default(),
                last_validity: Cell::new(None),
            };
            // Its validity does not tell when it was made: here is no clock.
            shared.add(MailboxName::inbox(), 0);
            Rc::new(shared)
        });
        Ok(())
    }
}

impl Default for MemoryStore {
    /// One without accounts, with the default limits.
    fn default() -> Self {
        Self::new(StoreLimits::default())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("accounts", &self.accounts.borrow().len()).finish()
    }
}

impl Store for MemoryStore {
    fn account(&self, reactor: &Reactor, user: &str) -> Deferred<Rc<dyn Account>, StoreError> {
        let shared = self.accounts.borrow().get(user).cloned();
        let reactor = reactor.downgrade();
        settled(
            &reactor,
            check_user(user).and_then(|()| {
                let missing = || StoreError::NoSuchAccount { user: user.to_owned() };
                let shared = shared.ok_or_else(missing)?;
                let account: Rc<dyn Account> =
                    Rc::new(MemoryAccount { shared, reactor: reactor.clone() });
                Ok(account)
            }),
        )
    }
}

/// A deferred that has its result.
fn settled<T: 'static>(
    reactor: &WeakReactor,
    result: Result<T, StoreError>,
) -> Deferred<T, StoreError> {
    let (promise, deferred) = reactor.promise();
    promise.settle(result);
    deferred
}

impl Accounting {
    fn add(&self, name: MailboxName, now: u64) -> Rc<Content> {
        let validity = UidValidity::after(self.last_validity.get(), now);
        self.last_validity.set(Some(validity));
        let content = Rc::new(Content::new(name.clone(), validity, &self.limits));
        self.mailboxes.borrow_mut().insert(name, Rc::clone(&content));
        content
    }

    fn content(&self, name: &MailboxName) -> Result<Rc<Content>, StoreError> {
        let missing = || StoreError::NoSuchMailbox { name: name.clone() };
        self.mailboxes.borrow().get(name).cloned().ok_or_else(missing)
    }

    fn names(&self) -> BTreeSet<MailboxName> {
        self.mailboxes.borrow().keys().cloned().collect()
    }

    fn quota(&self) -> Quota {
        let mut quota = Quota::default();
        for content in self.mailboxes.borrow().values() {
            let status = content.index.borrow().status();
            quota.bytes += status.size;
            quota.messages += u64::from(status.messages);
        }
        (quota.bytes_max, quota.messages_max) =
            (self.limits.quota_bytes, self.limits.quota_messages);
        quota
    }

    /// Whether a message of this size may be added.
    fn check_room(&self, bytes: u64, messages: u64) -> Result<(), StoreError> {
        if self.quota().has_room(bytes, messages) { Ok(()) } else { Err(StoreError::OverQuota) }
    }

    fn create(&self, name: &MailboxName, now: u64) -> Result<Rc<Content>, StoreError> {
        let mailboxes = self.mailboxes.borrow();
        if mailboxes.contains_key(name) {
            return Err(StoreError::AlreadyExists { name: name.clone() });
        }
        let max = self.limits.mailboxes_max;
        if mailboxes.len() >= max {
            return Err(StoreError::TooMany { what: "mailboxes", max: max as u64 });
        }
        drop(mailboxes);
        Ok(self.add(name.clone(), now))
    }

    fn rename(&self, from: &MailboxName, to: &MailboxName, now: u64) -> Result<(), StoreError> {
        if from.is_inbox() {
            let (inbox, new) = (self.content(from)?, self.create(to, now)?);
            let (all, now) = (UidSet::all(), None);
            return new.copy_from(&inbox, &all, &self.limits, now).map(|copied| {
                inbox.remove(copied.uids.iter().map(|(uid, _)| *uid).collect());
            });
        }
        for (from, to) in hierarchy::renames(&self.names(), from, to)? {
            let content = self.mailboxes.borrow_mut().remove(&from);
            if let Some(content) = content {
                *content.name.borrow_mut() = to.clone();
                self.mailboxes.borrow_mut().insert(to, content);
            }
        }
        Ok(())
    }

    fn delete(&self, name: &MailboxName) -> Result<Rc<Content>, StoreError> {
        if name.is_inbox() {
            return Err(StoreError::NotPermitted { what: "to delete the inbox" });
        }
        let content = self.content(name)?;
        self.mailboxes.borrow_mut().remove(name);
        content.delete();
        Ok(content)
    }

    fn subscribe(&self, name: &MailboxName, subscribed: bool) -> Result<(), StoreError> {
        let mut names = self.subscribed.borrow_mut();
        if !subscribed {
            names.remove(name);
            return Ok(());
        }
        let max = self.limits.mailboxes_max;
        if names.len() >= max && !names.contains(name) {
            return Err(StoreError::TooMany { what: "subscriptions", max: max as u64 });
        }
        names.insert(name.clone());
        Ok(())
    }
}

impl MemoryAccount {
    /// Seconds since 1970.
    fn now(&self) -> u64 {
        let now = self.reactor.upgrade().map(|reactor| seconds(reactor.wall_clock()));
        now.and_then(|now| u64::try_from(now).ok()).unwrap_or_default()
    }

    fn settled<T: 'static>(&self, result: Result<T, StoreError>) -> Deferred<T, StoreError> {
        settled(&self.reactor, result)
    }

    fn notify(&self, content: &Content) {
        if let Some(reactor) = self.reactor.upgrade() {
            content.watchers.notify(&reactor);
        }
    }

    /// Begins to add a message to a mailbox.
    fn begin(
        &self,
        content: Rc<Content>,
        message: NewMessage,
    ) -> Deferred<Box<dyn Append>, StoreError> {
        let append = MemoryAppend::new(self.clone(), content, message);
        self.settled(append.map(|append| -> Box<dyn Append> { Box::new(append) }))
    }
}

impl Account for MemoryAccount {
    fn mailboxes(&self) -> Deferred<Vec<MailboxInfo>, StoreError> {
        let subscribed = self.shared.subscribed.borrow();
        self.settled(Ok(hierarchy::listing(&self.shared.names(), &subscribed)))
    }

    fn create(&self, name: &MailboxName) -> Deferred<(), StoreError> {
        self.settled(self.shared.create(name, self.now()).map(drop))
    }

    fn delete(&self, name: &MailboxName) -> Deferred<(), StoreError> {
        let deleted = self.shared.delete(name);
        self.settled(deleted.map(|content| self.notify(&content)))
    }

    fn rename(&self, from: &MailboxName, to: &MailboxName) -> Deferred<(), StoreError> {
        let renamed = self.shared.rename(from, to, self.now());
        if from.is_inbox()
            && let Ok(inbox) = self.shared.content(from)
        {
            self.notify(&inbox);
        }
        self.settled(renamed)
    }

    fn subscribe(&self, name: &MailboxName, subscribed: bool) -> Deferred<(), StoreError> {
        self.settled(self.shared.subscribe(name, subscribed))
    }

    fn status(&self, name: &MailboxName) -> Deferred<Status, StoreError> {
        let content = self.shared.content(name);
        self.settled(content.map(|content| content.index.borrow().status()))
    }

    fn open(&self, name: &MailboxName) -> Deferred<Rc<dyn Mailbox>, StoreError> {
        let content = self.shared.content(name);
        self.settled(content.map(|content| -> Rc<dyn Mailbox> {
            Rc::new(MemoryMailbox { account: self.clone(), content })
        }))
    }

    fn deliver(
        &self,
        name: &MailboxName,
        message: NewMessage,
    ) -> Deferred<Box<dyn Append>, StoreError> {
        match self.shared.content(name) {
            Ok(content) => self.begin(content, message),
            Err(error) => self.settled(Err(error)),
        }
    }

    fn quota(&self) -> Deferred<Quota, StoreError> {
        self.settled(Ok(self.shared.quota()))
    }
}
