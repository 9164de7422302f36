//! What is known of waits for events that fail: [`WaitFailures`]. Data only; `wait.rs` retries.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// Consecutive waits that failed.
#[derive(Clone, Copy)]
pub(crate) struct Failing {
    pub(crate) since: Instant,
    pub(crate) backoff: Duration,
}

/// The state of failing waits of a reactor.
#[derive(Default)]
pub(crate) struct WaitFailures {
    /// The failure was logged, and no wait that may block has succeeded since.
    pub(crate) degraded: Cell<bool>,
    /// The failures since the last success.
    pub(crate) failing: Cell<Option<Failing>>,
}

impl WaitFailures {
    /// Forgets the failures of an earlier run.
    pub(crate) fn reset(&self) {
        self.failing.set(None);
    }
}
