//! A caching resolver: [`Cached`], a wrapper around any resolver.

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use sinew_reactor::{Canceller, Deferred, Promise, Reactor};

use super::{Lookup, Resolve, ResolveError, failed, key};

/// A hundred years; the clocks of some systems cannot represent much more.
const KEEP_MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

/// A resolver that caches the answers of another. Concurrent lookups of the same name share one query.
///
/// Answers are cached for [`keep`](Self::keep), since a system's resolver does not report their TTL; failures for
/// [`keep_failures`](Self::keep_failures). At most [`names_max`](Self::names_max) names are cached.
pub struct Cached<R> {
    resolver: R,
    keep: Duration,
    keep_failures: Duration,
    names_max: usize,
    table: Rc<RefCell<Table>>,
}

#[derive(Default)]
struct Table {
    entries: HashMap<String, Entry>,
    queries: HashMap<String, Query>,
}

type Answer = Result<Vec<SocketAddr>, ResolveError>;

struct Entry {
    answer: Answer,
    until: Instant,
}

/// A query in progress, and the lookups that share it.
struct Query {
    canceller: Canceller<Vec<SocketAddr>, ResolveError>,
    waiting: Vec<Promise<Vec<SocketAddr>, ResolveError>>,
}

impl<R: Resolve> Cached<R> {
    /// Caches the answers of `resolver`.
    #[must_use]
    pub fn new(resolver: R) -> Self {
        Self {
            resolver,
            keep: Duration::from_secs(60),
            keep_failures: Duration::ZERO,
            names_max: 1024,
            table: Rc::default(),
        }
    }

    /// How long answers are cached. Default 60 s.
    #[must_use]
    pub fn keep(mut self, time: Duration) -> Self {
        self.keep = time;
        self
    }

    /// How long failures are cached. Default: not at all.
    #[must_use]
    pub fn keep_failures(mut self, time: Duration) -> Self {
        self.keep_failures = time;
        self
    }

    /// Maximum number of cached names. Default 1,024; beyond it, the one that expires first is evicted.
    #[must_use]
    pub fn names_max(mut self, names: usize) -> Self {
        self.names_max = names;
        self
    }

    /// Number of cached names, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.borrow().entries.len()
    }

    /// Whether no name is cached.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Empties the cache.
    pub fn clear(&self) {
        self.table.borrow_mut().entries.clear();
    }

    fn query(&self, reactor: &Reactor, host: &str, name: String) {
        let lookup = self.resolver.resolve(reactor, host);
        let canceller = lookup.canceller();
        if let Some(query) = self.table.borrow_mut().queries.get_mut(&name) {
            query.canceller = canceller;
        }
        let (keep, keep_failures, names_max) = (self.keep, self.keep_failures, self.names_max);
        let table = Rc::downgrade(&self.table);
        lookup.then(move |reactor, answer| {
            let Some(table) = table.upgrade() else { return };
            let keep_for = match &answer {
                Ok(_) => keep,
                // Cancelling says nothing about the name.
                Err(ResolveError::GivenUp(_)) => Duration::ZERO,
                Err(_) => keep_failures,
            };
            let mut table = table.borrow_mut();
            let waiting = table.queries.remove(&name).map(|query| query.waiting);
            if !keep_for.is_zero() {
                // If the sum cannot be represented, the answer is kept practically for ever.
                let now = reactor.now();
                let until = now.checked_add(keep_for).unwrap_or(now + KEEP_MAX);
                table.remember(name, Entry { answer: answer.clone(), until }, names_max);
            }
            drop(table);
            waiting.into_iter().flatten().for_each(|promise| promise.settle(answer.clone()));
        });
    }
}

impl Table {
    fn remember(&mut self, name: String, entry: Entry, names_max: usize) {
        if !self.entries.contains_key(&name) && self.entries.len() >= names_max {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.until);
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else { return };
            self.entries.remove(&oldest);
        }
        self.entries.insert(name, entry);
    }
}

impl<R: Resolve> Resolve for Cached<R> {
    fn resolve(&self, reactor: &Reactor, host: &str) -> Lookup {
        let name = key(host);
        let now = reactor.now();
        let mut table = self.table.borrow_mut();
        if let Some(entry) = table.entries.get(&name).filter(|entry| entry.until > now) {
            return match entry.answer.clone() {
                Ok(addrs) => Deferred::ready_on(reactor, addrs),
                Err(error) => failed(reactor, error),
            };
        }
        let (promise, lookup) = reactor.promise();
        let (weak, query_name) = (Rc::downgrade(&self.table), name.clone());
        promise.on_cancel(move |_| {
            let Some(table) = weak.upgrade() else { return };
            let table = table.borrow();
            // No lookup is left that shares the query.
            if let Some(query) = table.queries.get(&query_name)
                && !query.waiting.iter().any(Promise::is_pending)
            {
                query.canceller.cancel();
            }
        });
        match table.queries.get_mut(&name) {
            Some(query) => query.waiting.push(promise),
            None => {
                // Placeholder, replaced by the query's own canceller in `query`.
                let canceller = lookup.canceller();
                table.queries.insert(name.clone(), Query { canceller, waiting: vec![promise] });
                drop(table);
                self.query(reactor, host, name);
            }
        }
        lookup
    }
}

impl<R: fmt::Debug> fmt::Debug for Cached<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached")
            .field("resolver", &self.resolver)
            .field("keep", &self.keep)
            .field("names", &self.table.borrow().entries.len())
            .finish_non_exhaustive()
    }
}
