//! Who has a mailbox: the trait [`Users`], for a list in memory ([`UserList`]) and for the accounts of a store ([`StoreUsers`]).

use std::{collections::BTreeMap, fmt, fs::File, io::Read, path::PathBuf, rc::Rc};

use sinew_transports::reactor::{Deferred, Failure, Reactor};

use super::RouteError;
use crate::store::{Store, StoreError};

/// Most bytes of a file of forwarding.
const FORWARD_MAX: u64 = 64 * 1024;

/// The users of a domain. Only the loop calls it.
pub trait Users: 'static {
    /// The user whose mailbox a name has. `local` is the part before the `@`, without its quotes, as it was written.
    fn find(
        &self,
        reactor: &Reactor,
        local: &str,
        domain: &str,
    ) -> Deferred<Option<User>, RouteError>;
}

/// A user who has a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct User {
    pub(super) account: String,
    pub(super) forward: Option<String>,
}

impl User {
    /// A user with an account of this name in the store.
    pub fn new(account: impl Into<String>) -> Self {
        Self { account: account.into(), forward: None }
    }

    /// Mail goes where this list of targets says, in the place of the mailbox. The mailbox is among them as `\name`, or as the name of the
    /// user.
    pub fn forward(mut self, targets: impl Into<String>) -> Self {
        self.forward = Some(targets.into());
        self
    }
}

/// Users in memory. Names are compared without regard to the case of ASCII.
///
/// # Examples
///
/// ```
/// use sinew_mail::routing::{User, UserList};
///
/// let users = UserList::default()
///     .with("ann", User::new("ann"))
///     .with("bob", User::new("bob").forward("\\bob, bob@example.net"));
/// # drop(users);
/// ```
#[derive(Clone, Debug, Default)]
pub struct UserList(BTreeMap<String, User>);

impl UserList {
    /// Adds a user.
    #[must_use]
    pub fn with(mut self, local: &str, user: User) -> Self {
        self.0.insert(local.to_ascii_lowercase(), user);
        self
    }
}

impl Users for UserList {
    fn find(&self, reactor: &Reactor, local: &str, _: &str) -> Deferred<Option<User>, RouteError> {
        Deferred::ready_on(reactor, self.0.get(&local.to_ascii_lowercase()).cloned())
    }
}

/// The accounts of a store: each is a user of its name, in lower case.
#[derive(Clone)]
pub struct StoreUsers {
    store: Rc<dyn Store>,
    has_domain: bool,
    forwards: Option<PathBuf>,
}

impl StoreUsers {
    /// The accounts of this store.
    pub fn new(store: Rc<dyn Store>) -> Self {
        Self { store, has_domain: false, forwards: None }
    }

    /// The names of accounts are whole addresses: `ann@example.org`, for a store with several domains.
    #[must_use]
    pub fn with_domain(mut self) -> Self {
        self.has_domain = true;
        self
    }

    /// Reads where mail of a user is forwarded from the file of the account's name in this folder, if there is one, for each message. At
    /// most 64 KiB.
    #[must_use]
    pub fn forwards(mut self, folder: impl Into<PathBuf>) -> Self {
        self.forwards = Some(folder.into());
        self
    }
}

impl Users for StoreUsers {
    fn find(
        &self,
        reactor: &Reactor,
        local: &str,
        domain: &str,
    ) -> Deferred<Option<User>, RouteError> {
        let (local, domain) = (local.to_ascii_lowercase(), domain.to_ascii_lowercase());
        let account = if self.has_domain { format!("{local}@{domain}") } else { local };
        let finding = self.store.account(reactor, &account);
        let (of_task, forwards) = (reactor.clone(), self.forwards.clone());
        let found = async move {
            match finding.await {
                Ok(_) => {}
                Err(StoreError::NoSuchAccount { .. } | StoreError::UserName { .. }) => {
                    return Ok(None);
                }
                Err(error) => return Err(RouteError::Unavailable(error.to_string())),
            }
            let mut user = User::new(account.clone());
            if let Some(folder) = forwards {
                // The name of an account is checked by the store: it is not a path.
                let read = of_task.defer_to_thread(move || read_forward(folder.join(account)));
                let read =
                    read.await.map_err(|failure| RouteError::Unavailable(failure.to_string()))?;
                user.forward = read.map_err(|error| RouteError::Unavailable(error.to_string()))?;
            }
            Ok(Some(user))
        };
        super::run(reactor, found)
    }
}

fn read_forward(path: PathBuf) -> std::io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    let read = file.take(FORWARD_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > FORWARD_MAX {
        return Err(std::io::Error::other("a file of forwarding longer than 64 KiB"));
    }
    Ok(Some(text))
}

impl From<Failure> for RouteError {
    fn from(failure: Failure) -> Self {
        Self::Unavailable(failure.to_string())
    }
}

impl fmt::Debug for StoreUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreUsers").field("forwards", &self.forwards).finish_non_exhaustive()
    }
}
