//! Storage of sessions between requests: [`SessionStore`], and [`MemoryStore`].

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fmt,
    time::{Duration, Instant},
};

use sinew_transports::reactor::{Deferred, Reactor};

/// The data of a session: names and values.
pub type SessionData = BTreeMap<String, String>;

/// Stores sessions by id. It may respond later, as one on another machine does.
pub trait SessionStore: 'static {
    /// Loads a session, unless it has expired.
    fn load(&self, reactor: &Reactor, id: &str) -> Deferred<Option<SessionData>>;

    /// Stores a session until it has not been loaded or saved for `lifetime`.
    fn save(
        &self,
        reactor: &Reactor,
        id: &str,
        data: SessionData,
        lifetime: Duration,
    ) -> Deferred<()>;

    /// Deletes a session.
    fn remove(&self, reactor: &Reactor, id: &str) -> Deferred<()>;
}

/// Sessions in the memory of this process, lost when it ends.
///
/// Holds 10,000 sessions by default. When it is full, the session that would expire first is deleted.
pub struct MemoryStore {
    sessions: RefCell<HashMap<String, Kept>>,
    sessions_max: usize,
}

struct Kept {
    data: SessionData,
    lifetime: Duration,
    expires: Instant,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { sessions: RefCell::default(), sessions_max: 10_000 }
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store for at most this many sessions.
    #[must_use]
    pub fn sessions_max(mut self, sessions: usize) -> Self {
        self.sessions_max = sessions.max(1);
        self
    }

    /// The number of sessions, including expired ones that have not been deleted yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.borrow().len()
    }

    /// Whether there are no sessions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for another session.
    fn make_room(&self, now: Instant) {
        let mut sessions = self.sessions.borrow_mut();
        if sessions.len() < self.sessions_max {
            return;
        }
        sessions.retain(|_, kept| kept.expires > now);
        while sessions.len() >= self.sessions_max {
            let first =
                sessions.iter().min_by_key(|(_, kept)| kept.expires).map(|(id, _)| id.clone());
            match first {
                Some(id) => drop(sessions.remove(&id)),
                None => break,
            }
        }
    }
}

impl SessionStore for MemoryStore {
    fn load(&self, reactor: &Reactor, id: &str) -> Deferred<Option<SessionData>> {
        let now = reactor.now();
        let mut sessions = self.sessions.borrow_mut();
        if sessions.get(id).is_some_and(|kept| kept.expires <= now) {
            sessions.remove(id);
        }
        let data = sessions.get_mut(id).map(|kept| {
            kept.expires = now + kept.lifetime;
            kept.data.clone()
        });
        Deferred::ready_on(reactor, data)
    }

    fn save(
        &self,
        reactor: &Reactor,
        id: &str,
        data: SessionData,
        lifetime: Duration,
    ) -> Deferred<()> {
        let now = reactor.now();
        if !self.sessions.borrow().contains_key(id) {
            self.make_room(now);
        }
        let kept = Kept { data, lifetime, expires: now + lifetime };
        self.sessions.borrow_mut().insert(id.to_owned(), kept);
        Deferred::ready_on(reactor, ())
    }

    fn remove(&self, reactor: &Reactor, id: &str) -> Deferred<()> {
        self.sessions.borrow_mut().remove(id);
        Deferred::ready_on(reactor, ())
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("sessions", &self.len()).finish_non_exhaustive()
    }
}
