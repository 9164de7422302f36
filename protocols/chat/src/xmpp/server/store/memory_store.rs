//! Accounts that are forgotten at the end of the program: [`MemoryStore`].

use std::{cell::RefCell, collections::HashMap, fmt, rc::Rc};

use sinew_transports::reactor::{Deferred, Reactor};

use super::{AccountData, Store, StoreError};

/// A [`Store`] in memory. A handle: clones are the same store.
#[derive(Clone, Default)]
pub struct MemoryStore(Rc<RefCell<HashMap<String, AccountData>>>);

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many accounts are stored.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}

impl Store for MemoryStore {
    fn load(&self, reactor: &Reactor, account: &str) -> Deferred<Option<AccountData>, StoreError> {
        Deferred::ready_on(reactor, self.0.borrow().get(account).cloned())
    }

    fn save(
        &self,
        reactor: &Reactor,
        account: &str,
        data: &AccountData,
    ) -> Deferred<(), StoreError> {
        self.0.borrow_mut().insert(account.to_owned(), data.clone());
        Deferred::ready_on(reactor, ())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("accounts", &self.len()).finish_non_exhaustive()
    }
}
