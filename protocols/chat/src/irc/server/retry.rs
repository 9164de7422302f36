//! When a file that could not be written is tried again: [`Retry`]. Pure: reads no clock.

use std::{cell::Cell, time::Duration};

/// The first wait, and the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// A wait after this many failures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    pub(super) delay: Duration,
    failures: u32,
}

/// Waits that double with each failure.
#[derive(Debug, Default)]
pub(super) struct Retry {
    failures: Cell<u32>,
    is_waiting: Cell<bool>,
}

impl Retry {
    /// Whether nothing is to be tried before the wait is over.
    pub(super) fn is_waiting(&self) -> bool {
        self.is_waiting.get()
    }

    /// It is not waited for.
    pub(super) fn begin(&self) {
        self.is_waiting.set(false);
    }

    /// A wait is over. Returns whether it is the last one, so that there is never more than one.
    pub(super) fn passed(&self, wait: Wait) -> bool {
        self.failures.get() == wait.failures && self.is_waiting.replace(false)
    }

    pub(super) fn succeeded(&self) {
        self.failures.set(0);
    }

    /// Begins a wait.
    pub(super) fn failed(&self) -> Wait {
        let before = self.failures.get();
        let failures = before.wrapping_add(1);
        self.failures.set(failures);
        self.is_waiting.set(true);
        let delay = FIRST.saturating_mul(1 << before.min(16)).min(LONGEST);
        Wait { delay, failures }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double() {
        let retry = Retry::default();
        let waits: Vec<_> = (0..8).map(|_| retry.failed().delay.as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(retry.is_waiting());
        retry.begin();
        retry.succeeded();
        assert!(!retry.is_waiting());
        let (first, second) = (retry.failed(), retry.failed());
        assert_eq!(first.delay.as_secs(), 1);
        // Only the last wait counts, and once.
        assert_eq!([first, second, second].map(|wait| retry.passed(wait)), [false, true, false]);
    }
}
