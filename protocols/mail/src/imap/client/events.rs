//! What a task takes events out of: [`Events`]. The queue itself is in `event_queue.rs`.

use std::{
    fmt,
    future::{Future, poll_fn},
    rc::Rc,
};

use super::{Event, shared::Shared};

/// The events of a connection, from [`ImapClient::events`](super::ImapClient::events). Dropping the last one forgets those that were not taken.
pub struct Events {
    shared: Rc<Shared>,
}

impl Events {
    pub(super) fn new(shared: Rc<Shared>) -> Self {
        shared.events.add_taker();
        Self { shared }
    }

    /// The next event; `None` once the connection has ended, and all events before that were taken.
    ///
    /// Cancel safe.
    pub fn next_event(&mut self) -> impl Future<Output = Option<Event>> {
        poll_fn(|context| self.shared.events.poll_next(context))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.shared.events.remove_taker();
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
