//! What was found is kept for a while: [`Cached`], a wrapper around any resolver.

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

/// A hundred years: some clocks cannot tell of a time much farther off.
const KEPT_MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

/// A resolver that remembers the answers of another, and asks it once where several ask for the same name at the same time.
///
/// Answers are kept for [`keep`](Self::keep), since a system's resolver does not tell how long they are good for; failures for
/// [`keep_failures`](Self::keep_failures). No more than [`names_max`](Self::names_max) are kept.
pub struct Cached<R> {
    resolver: R,
    keep: Duration,
    keep_failures: Duration,
    names_max: usize,
    table: Rc<RefCell<Table>>,
}

#[derive(Default)]
struct Table {
    known: HashMap<String, Known>,
    asked: HashMap<String, Asked>,
}

type Answer = Result<Vec<SocketAddr>, ResolveError>;

struct Known {
    answer: Answer,
    until: Instant,
}

/// A lookup under way, and who waits for it.
struct Asked {
    canceller: Canceller<Vec<SocketAddr>, ResolveError>,
    waiting: Vec<Promise<Vec<SocketAddr>, ResolveError>>,
}

impl<R: Resolve> Cached<R> {
    /// Remembers the answers of `resolver`.
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

    /// How long an answer is good for. Default 60 s.
    #[must_use]
    pub fn keep(mut self, time: Duration) -> Self {
        self.keep = time;
        self
    }

    /// How long a failure is good for. Default: not at all, the next who asks has it looked up again.
    #[must_use]
    pub fn keep_failures(mut self, time: Duration) -> Self {
        self.keep_failures = time;
        self
    }

    /// How many names are kept. Default 1,024; past it, what would be forgotten first anyway goes.
    #[must_use]
    pub fn names_max(mut self, names: usize) -> Self {
        self.names_max = names;
        self
    }

    /// How many names are kept now, those among them that are too old.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.borrow().known.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets what was found.
    pub fn clear(&self) {
        self.table.borrow_mut().known.clear();
    }

    fn ask(&self, reactor: &Reactor, host: &str, name: String) {
        let lookup = self.resolver.resolve(reactor, host);
        let canceller = lookup.canceller();
        if let Some(asked) = self.table.borrow_mut().asked.get_mut(&name) {
            asked.canceller = canceller;
        }
        let (keep, keep_failures, names_max) = (self.keep, self.keep_failures, self.names_max);
        let table = Rc::downgrade(&self.table);
        lookup.then(move |reactor, answer| {
            let Some(table) = table.upgrade() else { return };
            let good_for = match &answer {
                Ok(_) => keep,
                // That says nothing of the name.
                Err(ResolveError::GivenUp(_)) => Duration::ZERO,
                Err(_) => keep_failures,
            };
            let mut table = table.borrow_mut();
            let waiting = table.asked.remove(&name).map(|asked| asked.waiting);
            if !good_for.is_zero() {
                // What is kept for longer than there is a time for is kept for good, or as good as that.
                let now = reactor.now();
                let until = now.checked_add(good_for).unwrap_or(now + KEPT_MAX);
                table.remember(name, Known { answer: answer.clone(), until }, names_max);
            }
            drop(table);
            waiting.into_iter().flatten().for_each(|promise| promise.settle(answer.clone()));
        });
    }
}

impl Table {
    fn remember(&mut self, name: String, known: Known, names_max: usize) {
        if !self.known.contains_key(&name) && self.known.len() >= names_max {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.until);
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else { return };
            self.known.remove(&oldest);
        }
        self.known.insert(name, known);
    }
}

impl<R: Resolve> Resolve for Cached<R> {
    fn resolve(&self, reactor: &Reactor, host: &str) -> Lookup {
        let name = key(host);
        let now = reactor.now();
        let mut table = self.table.borrow_mut();
        if let Some(known) = table.known.get(&name).filter(|known| known.until > now) {
            return match known.answer.clone() {
                Ok(addrs) => Deferred::ready_on(reactor, addrs),
                Err(error) => failed(reactor, error),
            };
        }
        let (promise, lookup) = reactor.promise();
        let (weak, waited_for) = (Rc::downgrade(&self.table), name.clone());
        promise.on_cancel(move |_| {
            let Some(table) = weak.upgrade() else { return };
            let table = table.borrow();
            // The last who waited has gone.
            if let Some(asked) = table.asked.get(&waited_for)
                && !asked.waiting.iter().any(Promise::is_pending)
            {
                asked.canceller.cancel();
            }
        });
        match table.asked.get_mut(&name) {
            Some(asked) => asked.waiting.push(promise),
            None => {
                // Whom to cancel is known a moment later.
                let canceller = lookup.canceller();
                table.asked.insert(name.clone(), Asked { canceller, waiting: vec![promise] });
                drop(table);
                self.ask(reactor, host, name);
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
            .field("names", &self.table.borrow().known.len())
            .finish_non_exhaustive()
    }
}
