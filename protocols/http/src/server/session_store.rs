//! Where sessions are kept between requests: [`SessionStore`], and [`MemoryStore`].

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fmt,
    time::{Duration, Instant},
};

use sinew_transports::reactor::{Deferred, Reactor};

/// What a session holds: names and values.
pub type SessionData = BTreeMap<String, String>;

/// Keeps sessions by their id. It may answer later, as one on another machine does.
pub trait SessionStore: 'static {
    /// The session of that id, unless it has expired.
    fn load(&self, reactor: &Reactor, id: &str) -> Deferred<Option<SessionData>>;

    /// Keeps a session until `lifetime` has passed without its being loaded or saved.
    fn save(
        &self,
        reactor: &Reactor,
        id: &str,
        data: SessionData,
        lifetime: Duration,
    ) -> Deferred<()>;

    /// Forgets a session.
    fn remove(&self, reactor: &Reactor, id: &str) -> Deferred<()>;
}

/// Sessions in the memory of this process: gone when it ends.
///
/// It holds 10,000 unless it is told otherwise. Past that, the one that would expire first goes.
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

    /// The same, for so many sessions at most.
    #[must_use]
    pub fn sessions_max(mut self, sessions: usize) -> Self {
        self.sessions_max = sessions.max(1);
        self
    }

    /// How many there are, those that have expired included until they make room.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.borrow().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for one more.
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
