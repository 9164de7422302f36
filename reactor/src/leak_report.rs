//! Leak report: everything that is still alive on a reactor, for tests that look for leaks ([`LeakReport`]).

use std::{fmt, panic::Location};

use crate::Reactor;

/// What is still alive on a reactor, as returned by [`Reactor::leak_report`]. Its `Display` names each item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeakReport {
    /// Pending timers.
    pub timers: usize,
    /// Calls queued for the next turn.
    pub calls: usize,
    /// Tasks that are not done, each with the place where it was spawned, oldest first.
    pub tasks: Vec<String>,
    /// Jobs of the thread pool without a result yet.
    pub jobs: usize,
    /// The descriptions of the registered handlers: connections, ports, descriptors.
    pub handlers: Vec<String>,
}

impl LeakReport {
    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn described(at: &Location<'_>) -> String {
    format!("a task spawned at {at}")
}

impl Reactor {
    /// Lists what is still alive now.
    #[must_use]
    pub fn leak_report(&self) -> LeakReport {
        let inner = &*self.inner;
        let handlers = inner.registry.borrow().handlers();
        LeakReport {
            timers: inner.wheel.borrow().len() - inner.pool.simulated(),
            calls: inner.soon.borrow().len() + inner.inbox.calls.len(),
            tasks: inner.tasks.borrow().places().into_iter().map(described).collect(),
            jobs: inner.pool.jobs(),
            handlers: handlers.iter().map(|handler| handler.describe()).collect(),
        }
    }

    /// The number of timers that were due at least one tick (a millisecond) ago and have not fired: zero after a turn
    /// that fired all due timers. For simulations that check for lost timers. O(n) in the number of timers.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use sinew_reactor::Reactor;
    ///
    /// let reactor = Reactor::simulated(7);
    /// reactor.call_later(Duration::from_secs(1), |_| ());
    /// let driver = reactor.take_over()?;
    /// driver.turn()?;
    /// driver.advance_clock_to(Duration::from_secs(2));
    /// assert_eq!(reactor.timers_overdue(), 1);
    /// driver.turn()?;
    /// assert_eq!(reactor.timers_overdue(), 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn timers_overdue(&self) -> usize {
        let inner = &*self.inner;
        inner.wheel.borrow().overdue(inner.clock.ticks())
    }
}

impl fmt::Display for LeakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        let counts = [(self.timers, "timer"), (self.calls, "call"), (self.jobs, "job")];
        let counted = counts.iter().filter(|(n, _)| *n > 0);
        let mut words: Vec<_> = counted
            .map(|(n, what)| format!("{n} {what}{}", if *n == 1 { "" } else { "s" }))
            .collect();
        words.extend(self.tasks.iter().chain(&self.handlers).cloned());
        f.write_str(&words.join(", "))
    }
}
