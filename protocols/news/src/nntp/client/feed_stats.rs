//! What a feeder has done: [`FeedStats`]; and what its handle shares with its task.

use std::cell::{Cell, RefCell};

use sinew_transports::reactor::Promise;

/// What a feeder has done since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FeedStats {
    /// Articles that the peer has taken.
    pub taken: u64,
    /// Articles that it had, or did not want.
    pub not_wanted: u64,
    /// Articles that it has looked at and not taken.
    pub rejected: u64,
    /// Articles that were to be offered again later.
    pub later: u64,
    /// Connections that have failed, or could not be made.
    pub failures: u64,
    /// Up to this sequence number the peer has everything.
    pub position: u64,
}

#[derive(Default)]
pub(super) struct Shared {
    pub(super) stats: Cell<FeedStats>,
    /// Settled to end a pause.
    pub(super) waiting: RefCell<Option<Promise<()>>>,
}

impl Shared {
    pub(super) fn count(&self, change: impl FnOnce(&mut FeedStats)) {
        let mut stats = self.stats.get();
        change(&mut stats);
        self.stats.set(stats);
    }
}
