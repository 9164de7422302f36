//! An account in memory: [`Account`], and [`Entry`] while it is being read.

use std::rc::Rc;

use sinew_transports::reactor::{Failure, Promise};

use super::{session::SessionId, store::AccountData};
use crate::xmpp::codec::Element;

/// What is known of a local part.
pub(super) enum Entry {
    Loading(Loading),
    Ready(Account),
}

/// What waits until an account is read.
#[derive(Default)]
pub(super) struct Loading {
    pub(super) stanzas: Vec<Element>,
    /// The bytes of these.
    pub(super) bytes: usize,
    /// Logins; each is told whether the account was read.
    pub(super) logins: Vec<Promise<bool, Failure>>,
}

#[derive(Default)]
pub(super) struct Account {
    /// Shared only with a store that is just called.
    pub(super) data: Rc<AccountData>,
    /// The bytes of the messages that wait for it.
    pub(super) offline_bytes: usize,
    pub(super) sessions: Vec<SessionId>,
    /// Connections that have logged in to it.
    pub(super) connections: usize,
    /// It has changed, and is in the list of those that are to be saved.
    pub(super) is_dirty: bool,
    pub(super) is_saving: bool,
    /// Results of requests that have changed it. Their clients are told when the change is stored.
    pub(super) untold: Vec<Element>,
    /// Those of the changes that are just being saved.
    pub(super) telling: Vec<Element>,
    /// It could not be saved since somebody began to wait for it.
    pub(super) has_failed: bool,
}

impl Account {
    pub(super) const fn is_idle(&self) -> bool {
        self.sessions.is_empty() && self.connections == 0 && !self.is_dirty && !self.is_saving
    }
}
