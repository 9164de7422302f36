//! The handle of a recursive resolver: [`RecursiveResolver`]. Its state is in `inner.rs`, what it does with a question in `work.rs`.

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
    time::Duration,
};

use sinew_transports::reactor::{Deferred, Failure, Reactor};

use super::{
    RecursiveConfig, RecursiveError, Resolved,
    facts::Key,
    inner::{Counters, Inner},
    upstreams::Upstreams,
    work::Work,
};
use crate::{
    client::{asker::Asker, flights::Flights, store::Store},
    codec::{DNSClass, Name, Question, RecordType},
    counter::count,
};

/// Answers questions from the root of DNS on: asks the servers of the root, then those that they name, down to those that know. It needs no
/// other resolver and no thread. Cheap to clone; belongs to one reactor.
///
/// How it goes on, what it believes and what bounds it, is in the documentation of the [module](super). As a name server, it is
/// [`server::Recursive`](crate::server::Recursive).
///
/// # Examples
///
/// ```no_run
/// use sinew_dns::{codec::{Question, RecordType}, recursive::{RecursiveConfig, RecursiveResolver}};
/// use sinew_transports::reactor::Reactor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let resolver = RecursiveResolver::new(&reactor, RecursiveConfig::default());
/// let question = Question::new("example.org.".parse()?, RecordType::MX);
/// let found = reactor.run_until(resolver.look_up(question))??;
/// for record in found.records() {
///     println!("{record}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RecursiveResolver {
    inner: Rc<Inner>,
}

/// Counters of a recursive resolver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecursiveStats {
    /// Questions.
    pub lookups: u64,
    /// Of these, how many the cache has answered, with all aliases.
    pub cache_hits: u64,
    /// Of these, how many have shared a question that was asked already.
    pub merged: u64,
    /// Of these, how many have found no answer.
    pub failures: u64,
    /// Of these, how many were refused, since too many waited.
    pub refused: u64,
    /// Queries that were sent over UDP.
    pub udp_queries: u64,
    /// Queries that were sent over TCP.
    pub tcp_queries: u64,
    /// Datagrams that were ignored, since they were not the response.
    pub wrong_responses: u64,
    /// Delegations that were followed.
    pub delegations_followed: u64,
    /// Responses that say nothing that the server is asked for or responsible for.
    pub lame_responses: u64,
    /// Queries that were not answered.
    pub unanswered: u64,
    /// Answers in the cache.
    pub cached: usize,
    /// Delegations in the cache.
    pub delegations: usize,
    /// Servers of which something is known.
    pub servers: usize,
}

/// When the root is asked again for its servers after that has failed.
const PRIME_AGAIN: Duration = Duration::from_secs(60);

impl RecursiveResolver {
    /// A resolver with this configuration. It asks nobody before the first question.
    #[must_use]
    pub fn new(reactor: &Reactor, config: RecursiveConfig) -> Self {
        let inner = Inner {
            reactor: reactor.downgrade(),
            asker: Asker::new(reactor.downgrade(), config.asking.clone()),
            facts: RefCell::new(config.facts()),
            delegations: RefCell::new(config.delegations()),
            upstreams: Upstreams::new(&config),
            failures: RefCell::new(Store::new(config.limits(config.cache_entries_max))),
            questions: Flights::new(),
            exchanges: Flights::new(),
            primes_at: Cell::new(config.primes.then(|| reactor.now())),
            counters: Counters::default(),
            config,
        };
        Self { inner: Rc::new(inner) }
    }

    /// Answers a question. Of its flags, only DO counts; its class is IN, whatever it says.
    ///
    /// # Errors
    ///
    /// [`RecursiveError`], by the deferred. That there is no such name or record is no error: see [`Resolved::code`].
    pub fn look_up(&self, question: Question) -> Deferred<Resolved, RecursiveError> {
        let inner = &self.inner;
        count(&inner.counters.lookups);
        let Some(reactor) = inner.reactor.upgrade() else { return inner.reactor.promise().1 };
        let question = question.class(DNSClass::IN);
        let (name, is_dnssec) = (question.name().clone(), question.is_dnssec_ok());
        let key = Key::new(name, question.record_type(), is_dnssec);
        if let Some(known) = inner.known(&reactor, &key) {
            count(&inner.counters.cache_hits);
            return settled(&reactor, known);
        }
        inner.prime(&reactor);
        let (of_task, of_flight, max) = (inner.clone(), key.clone(), inner.config.questions_max);
        let start = || async move { of_task.answer(&of_flight).await };
        let Some(joined) = inner.questions.join(&reactor, &key, max, start) else {
            count(&inner.counters.refused);
            return settled(&reactor, Err(RecursiveError::TooMany { max }));
        };
        if joined.is_merged {
            count(&inner.counters.merged);
        }
        joined.result
    }

    /// The records of a type at a name.
    ///
    /// # Errors
    ///
    /// As [`look_up`](Self::look_up).
    pub fn lookup(
        &self,
        name: Name,
        record_type: RecordType,
    ) -> Deferred<Resolved, RecursiveError> {
        self.look_up(Question::new(name, record_type))
    }

    /// Empties the cache of answers and delegations.
    pub fn clear_cache(&self) {
        self.inner.facts.borrow_mut().clear();
        self.inner.delegations.borrow_mut().clear();
        self.inner.failures.borrow_mut().clear();
        if let Some(reactor) = self.inner.reactor.upgrade() {
            self.inner.primes_at.set(self.inner.config.primes.then(|| reactor.now()));
        }
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> RecursiveStats {
        let (counters, asked) = (&self.inner.counters, &self.inner.asker.counters);
        RecursiveStats {
            lookups: counters.lookups.get(),
            cache_hits: counters.cache_hits.get(),
            merged: counters.merged.get(),
            failures: counters.failures.get(),
            refused: counters.refused.get(),
            udp_queries: asked.udp.get(),
            tcp_queries: asked.tcp.get(),
            wrong_responses: asked.wrong.get(),
            delegations_followed: counters.delegations_followed.get(),
            lame_responses: counters.lame_responses.get(),
            unanswered: counters.unanswered.get(),
            cached: self.inner.facts.borrow().len(),
            delegations: self.inner.delegations.borrow().len(),
            servers: self.inner.upstreams.len(),
        }
    }
}

impl Inner {
    /// What is known without asking anybody.
    fn known(
        self: &Rc<Self>,
        reactor: &Reactor,
        key: &Key,
    ) -> Option<Result<Resolved, RecursiveError>> {
        let failure = self.failures.borrow_mut().get(key, reactor.now());
        if let Some(failure) = failure {
            return Some(Err(failure.value));
        }
        Work::new(self, reactor, key).known().transpose()
    }

    /// The task of a question.
    async fn answer(self: Rc<Self>, key: &Key) -> Result<Resolved, RecursiveError> {
        let reactor = self.reactor.upgrade().ok_or(Failure::Abandoned)?;
        let work = Work::new(&self, &reactor, key);
        let after = self.config.total;
        let result = match reactor.timeout(after, work.answer()).await {
            Ok(result) => result,
            Err(_) => Err(work.timed_out(after)),
        };
        if let Err(error) = &result {
            count(&self.counters.failures);
            if let Some(stale) = work.stale() {
                return Ok(stale);
            }
            // What only this moment is to blame for may be asked again.
            if !error.is_busy() {
                let keep = self.config.failure_ttl;
                let mut failures = self.failures.borrow_mut();
                failures.insert(key.clone(), error.clone(), 256, reactor.now(), keep);
            }
        }
        result
    }

    /// Asks the root who its servers are, if that is not known, while questions go on with the hints.
    fn prime(self: &Rc<Self>, reactor: &Reactor) {
        let now = reactor.now();
        if self.primes_at.get().is_none_or(|at| at > now) {
            return;
        }
        self.primes_at.set(Some(now + PRIME_AGAIN));
        let inner = self.clone();
        let task = reactor.spawn(async move {
            let Some(reactor) = inner.reactor.upgrade() else { return };
            let key = Key::new(Name::root(), RecordType::NS, false);
            let work = Work::new(&inner, &reactor, &key);
            match reactor.timeout(inner.config.total, work.prime()).await {
                Ok(Ok(ttl)) => {
                    let keep = Duration::from_secs(ttl.into()).min(inner.config.positive_max);
                    inner.primes_at.set(Some(reactor.now() + keep.max(PRIME_AGAIN)));
                }
                Ok(Err(error)) => {
                    tracing::debug!(%error, "the root does not say who its servers are")
                }
                Err(_) => tracing::debug!("the root does not say who its servers are in time"),
            }
        });
        task.detach();
    }
}

fn settled(
    reactor: &Reactor,
    result: Result<Resolved, RecursiveError>,
) -> Deferred<Resolved, RecursiveError> {
    let (promise, deferred) = reactor.promise();
    promise.settle(result);
    deferred
}

impl fmt::Debug for RecursiveResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecursiveResolver").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
