//! What the handles and the tasks of a recursive resolver have in common: [`Inner`].

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::Instant,
};

use sinew_transports::reactor::{Failure, WeakReactor};

use super::{
    RecursiveConfig, RecursiveError, Resolved,
    delegation::Delegations,
    exchanged::Exchanged,
    facts::{Facts, Key},
    upstreams::Upstreams,
};
use crate::client::{asker::Asker, flights::Flights, store::Store};

/// The counters that are no one else's.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) lookups: Cell<u64>,
    pub(super) cache_hits: Cell<u64>,
    pub(super) merged: Cell<u64>,
    pub(super) failures: Cell<u64>,
    pub(super) refused: Cell<u64>,
    pub(super) delegations_followed: Cell<u64>,
    pub(super) lame_responses: Cell<u64>,
    pub(super) unanswered: Cell<u64>,
}

/// A query to a server.
pub(super) type Exchange = (SocketAddr, Key);

/// What the handles and the tasks of a resolver have in common.
pub(super) struct Inner {
    pub(super) reactor: WeakReactor,
    pub(super) config: RecursiveConfig,
    pub(super) asker: Asker,
    pub(super) facts: RefCell<Facts>,
    pub(super) delegations: RefCell<Delegations>,
    pub(super) upstreams: Upstreams,
    /// Questions that have failed.
    pub(super) failures: RefCell<Store<Key, RecursiveError>>,
    pub(super) questions: Rc<Flights<Key, Resolved, RecursiveError>>,
    pub(super) exchanges: Rc<Flights<Exchange, Rc<Exchanged>, Failure>>,
    /// When the root is asked for its servers next.
    pub(super) primes_at: Cell<Option<Instant>>,
    pub(super) counters: Counters,
}
