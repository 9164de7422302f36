//! Mail on the disk, in the format Maildir++: [`MaildirStore`].
//!
//! | file | |
//! |---|---|
//! | `mod.rs`, `config.rs` | the store, and every limit |
//! | `file_name.rs`, `folder_name.rs`, `place.rs`, `uid_list.rs`, `keywords_file.rs`, `subscriptions.rs`, `maildir_size.rs`, `unique.rs` | what names and files say. Pure |
//! | `disk.rs` | calls of the file system. It and the next row block, on threads of the pool |
//! | `folder.rs`, `scan.rs`, `edits.rs`, `read.rs`, `root.rs`, `quota.rs` | a mailbox under its lock; what other programs have done; what is done with messages (the order of steps at its head); reading; folders; quotas |
//! | `shared.rs`, `accounting.rs`, `append.rs`, `account.rs`, `mailbox.rs` | what the loop has of a mailbox (the table at its head) and of an account; a message that is being added; what sessions hold |
//!
//! Locks are flock(2) on files of their own, in this order: account, mailbox, UIDVALIDITY. Nobody waits for one on a thread, but for the
//! last, which is held for one write.

mod account;
mod accounting;
mod append;
mod config;
mod disk;
mod edits;
mod file_name;
mod folder;
mod folder_name;
mod keywords_file;
mod mailbox;
mod maildir_size;
mod place;
mod quota;
mod read;
mod root;
mod scan;
mod shared;
mod stamp;
mod subscriptions;
mod uid_list;
mod unique;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    rc::{Rc, Weak},
    sync::Arc,
};

use sinew_transports::reactor::{Deferred, Reactor};

pub use self::config::MaildirConfig;
use self::{account::MaildirAccount, config::Settings, shared::Accounting};
use super::{Account, Store, StoreError, user_name::check_user};

/// Accounts on the disk: a folder for each user, which is a Maildir and the inbox; mailboxes are the folders `.Name` in it (Maildir++).
///
/// Other programs may deliver into the folders, and read and flag and delete messages, at any time. Several processes and several
/// reactors may have the same folders open with stores of their own.
///
/// # Examples
///
/// ```
/// use sinew_mail::store::{MaildirConfig, MaildirStore, Store, StoreLimits};
/// use sinew_transports::reactor::Reactor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("sinew-maildir-doc-{}", std::process::id()));
/// let limits = StoreLimits::default().quota_bytes(1 << 30);
/// let store = MaildirStore::new(&folder, MaildirConfig::default().limits(limits));
///
/// let reactor = Reactor::new()?;
/// reactor.run_until(store.create_account(&reactor, "ann"))??;
/// let account = reactor.run_until(store.account(&reactor, "ann"))??;
/// # drop(account);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MaildirStore {
    settings: Arc<Settings>,
    path_of: Rc<dyn Fn(&str) -> PathBuf>,
    accounts: Rc<RefCell<BTreeMap<PathBuf, Weak<Accounting>>>>,
}

impl MaildirStore {
    /// One whose accounts are folders in this folder, with the names of the users.
    #[must_use]
    pub fn new(folder: impl AsRef<Path>, config: MaildirConfig) -> Self {
        let folder = folder.as_ref().to_owned();
        Self::with_paths(move |user| folder.join(user), config)
    }

    /// One whose accounts are where this function says, such as `/home/ann/Maildir`. It is given names that are checked: they are not
    /// empty, do not begin with a dot, and have no `/`, no `\` and no control characters.
    #[must_use]
    pub fn with_paths(path_of: impl Fn(&str) -> PathBuf + 'static, config: MaildirConfig) -> Self {
        let settings = Arc::new(config.settings);
        Self { settings, path_of: Rc::new(path_of), accounts: Rc::default() }
    }

    /// Makes an account with an empty inbox, unless it is there already.
    ///
    /// # Errors
    ///
    /// [`StoreError::UserName`]; [`StoreError::Io`].
    pub fn create_account(&self, reactor: &Reactor, user: &str) -> Deferred<(), StoreError> {
        if let Err(error) = check_user(user) {
            return Deferred::failed_on(reactor, error);
        }
        let account = self.accounting(reactor, user);
        let clone = Rc::clone(&account);
        account.spawn(async move { clone.call(|root| root.create_account()).await })
    }

    fn accounting(&self, reactor: &Reactor, user: &str) -> Rc<Accounting> {
        let path = (self.path_of)(user);
        let mut accounts = self.accounts.borrow_mut();
        if let Some(account) = accounts.get(&path).and_then(Weak::upgrade) {
            return account;
        }
        // Accounts that nobody uses are forgotten when another one is opened.
        accounts.retain(|_, account| account.strong_count() > 0);
        let account = Accounting::new(reactor, path.clone(), Arc::clone(&self.settings));
        accounts.insert(path, Rc::downgrade(&account));
        account
    }
}

impl Store for MaildirStore {
    fn account(&self, reactor: &Reactor, user: &str) -> Deferred<Rc<dyn Account>, StoreError> {
        if let Err(error) = check_user(user) {
            return Deferred::failed_on(reactor, error);
        }
        let (shared, user) = (self.accounting(reactor, user), user.to_owned());
        let account = Rc::clone(&shared);
        shared.spawn(async move {
            let creates = account.settings.creates_accounts;
            let found = account.call(move |root| match root.exists() {
                true => Ok(()),
                false if creates => root.create_account(),
                false => Err(StoreError::NoSuchAccount { user }),
            });
            found.await?;
            let account: Rc<dyn Account> = Rc::new(MaildirAccount { shared: account });
            Ok(account)
        })
    }
}

impl fmt::Debug for MaildirStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaildirStore").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod crash_tests;
