//! What a reactor still has to see to: [`LeakReport`], for tests that want to know whether anything was forgotten.

use std::fmt;

use crate::Reactor;

/// What is left on a reactor, as [`Reactor::leak_report`] gives it. Its `Display` names each thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeakReport {
    /// Timers that wait.
    pub timers: usize,
    /// Calls that wait for the next turn.
    pub calls: usize,
    /// Tasks that are not done.
    pub tasks: usize,
    /// Jobs of the thread pool whose value is still to come.
    pub jobs: usize,
    /// What the handlers call themselves: connections, ports, descriptors.
    pub handlers: Vec<String>,
}

impl LeakReport {
    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Reactor {
    /// What is left to see to at this moment.
    #[must_use]
    pub fn leak_report(&self) -> LeakReport {
        let inner = &*self.inner;
        let handlers = inner.registry.borrow().handlers();
        LeakReport {
            timers: inner.wheel.borrow().len() - inner.pool.simulated(),
            calls: inner.soon.borrow().len() + inner.inbox.calls.len(),
            tasks: inner.tasks.borrow().len(),
            jobs: inner.pool.jobs(),
            handlers: handlers.iter().map(|handler| handler.describe()).collect(),
        }
    }
}

impl fmt::Display for LeakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        let counts = [
            (self.timers, "timer"),
            (self.calls, "call"),
            (self.tasks, "task"),
            (self.jobs, "job"),
        ];
        let counted = counts.iter().filter(|(n, _)| *n > 0);
        let mut words: Vec<_> = counted
            .map(|(n, what)| format!("{n} {what}{}", if *n == 1 { "" } else { "s" }))
            .collect();
        words.extend(self.handlers.iter().cloned());
        f.write_str(&words.join(", "))
    }
}
