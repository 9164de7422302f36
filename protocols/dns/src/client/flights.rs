//! The questions that are asked now: a [`Flight`] for all who ask the same. What it does is in `lookup.rs`.

use std::collections::HashMap;

use sinew_transports::reactor::{Promise, Task};

use super::{Answer, LookupError, cache::Key};

/// The questions that are asked now.
pub(super) type Flights = HashMap<Key, Flight>;

/// A question that is asked now, and those who wait for the answer.
#[derive(Debug)]
pub(super) struct Flight {
    /// Dropped, it stops.
    pub(super) task: Option<Task<()>>,
    pub(super) waiting: Vec<Promise<Answer, LookupError>>,
}

impl Flight {
    pub(super) fn is_alive(&self) -> bool {
        self.task.as_ref().is_some_and(|task| !task.is_done())
    }
}
