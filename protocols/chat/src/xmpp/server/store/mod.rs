//! What outlives sessions, and where it is stored: a [`Store`] has the [`AccountData`] of each account.

mod account_data;
mod file_stem;
mod folder_store;
mod memory_store;
mod store_error;

pub(super) use account_data::{Contact, PepNode};
pub(super) use file_stem::file_stem;
pub use {
    account_data::AccountData, folder_store::FolderStore, memory_store::MemoryStore,
    store_error::StoreError,
};

use sinew_transports::reactor::{Deferred, Reactor};

/// Where a server stores accounts, each as a whole. User code: the server holds no borrow while it calls, and waits for the answer without
/// stopping the loop.
///
/// The server does not ask for the same account twice at a time, nor does it save one again before the last answer. A change is saved soon
/// after it was made, and a client that has asked for it is told when it is saved, or could not be. Others are told before: messages that
/// wait, and requests to see presence, are taken with the last moment by a crash.
pub trait Store: 'static {
    /// Reads an account; `None` if nothing was ever stored. The name is the local part of its address: at most 1,023 bytes, and of any
    /// script.
    fn load(&self, reactor: &Reactor, account: &str) -> Deferred<Option<AccountData>, StoreError>;

    /// Stores an account, in place of what was stored. [`AccountData::encode`] makes bytes of it.
    fn save(
        &self,
        reactor: &Reactor,
        account: &str,
        data: &AccountData,
    ) -> Deferred<(), StoreError>;
}
