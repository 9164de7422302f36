//! The handle of a resolver: [`DnsResolver`]. What it does is in the files beside.

use std::{cell::RefCell, fmt, net::SocketAddr, rc::Rc};

use sinew_transports::{
    names::{Lookup, ReactorNames, Resolve},
    reactor::{Deferred, Failure, Reactor, Task, WeakReactor},
};

use super::{
    Answer, DnsConfig, LookupError, NameServer, exchange::Exchange, lookup::settled,
    search::absolute, shared::Shared,
};
use crate::codec::{Message, Question, RecordType};

/// A stub resolver: asks name servers for addresses and other records, and caches the answers. It needs no thread. Cheap to clone; belongs to
/// one reactor.
///
/// - **Answers** come from a hosts file, the cache, or a server. Those who ask the same at the same time share one question. Each question
///   over UDP has its own socket at a random port, and a random identifier; only a response to exactly this question is taken.
/// - **Servers** are asked in turn, first those that have not failed lately; over TCP when a response does not fit into a datagram.
/// - **Names** for [`addresses`](Self::addresses) are completed by search domains; all others are absolute, with or without a dot at the
///   end.
///
/// # Examples
///
/// ```no_run
/// use sinew_dns::client::DnsResolver;
/// use sinew_transports::reactor::Reactor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let resolver = DnsResolver::system(&reactor);
/// // Connections to names use it from now on.
/// resolver.install();
/// for mx in reactor.run_until(resolver.mx("example.org"))?? {
///     println!("{} {}", mx.preference, mx.exchange);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DnsResolver {
    pub(super) shared: Rc<Shared>,
}

/// The resolver of a reactor, for what has no handle of it.
#[derive(Default)]
struct Installed(RefCell<Option<DnsResolver>>);

/// Counters of a resolver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DnsStats {
    /// Lookups of records.
    pub lookups: u64,
    /// Of these, how many the cache has answered.
    pub cache_hits: u64,
    /// Of these, how many have shared a question that was asked already.
    pub merged: u64,
    /// Queries that were sent over UDP.
    pub udp_queries: u64,
    /// Queries that were sent over TCP or TLS.
    pub tcp_queries: u64,
    /// Datagrams that were ignored, since they were not the response.
    pub wrong_responses: u64,
    /// Lookups for which no server has answered.
    pub failures: u64,
    /// Answers in the cache.
    pub cached: usize,
}

impl DnsResolver {
    /// A resolver with this configuration. Its files are read now, which blocks for as long as that takes.
    #[must_use]
    pub fn new(reactor: &Reactor, config: DnsConfig) -> Self {
        let shared = Shared::new(reactor, config);
        shared.read_files(reactor);
        Self { shared }
    }

    /// A resolver that is configured as the system is: [`DnsConfig::system`].
    #[must_use]
    pub fn system(reactor: &Reactor) -> Self {
        Self::new(reactor, DnsConfig::system())
    }

    /// Makes it the resolver of its reactor: connections to names, [`ReactorNames::resolve`] and [`DnsResolver::of`] use it from now on.
    pub fn install(&self) {
        if let Some(reactor) = self.shared.reactor.upgrade() {
            reactor.local::<Installed>().0.replace(Some(self.clone()));
            reactor.set_resolver(self.clone());
        }
    }

    /// The resolver that was [installed](Self::install) on the reactor; if there is none, one that is configured as the system is, the
    /// same for all who ask.
    #[must_use]
    pub fn of(reactor: &Reactor) -> Self {
        let installed = reactor.local::<Installed>();
        let mut installed = installed.0.borrow_mut();
        installed.get_or_insert_with(|| Self::system(reactor)).clone()
    }

    /// The addresses of a host, best first (RFC 6724), never an empty list; their ports are 0. The name is looked up in the hosts file,
    /// then as it is and in the search domains. An address is returned as it is.
    ///
    /// # Errors
    ///
    /// [`LookupError`], by the deferred.
    pub fn addresses(&self, host: &str) -> Deferred<Vec<SocketAddr>, LookupError> {
        let Some(reactor) = self.reactor() else { return self.abandoned() };
        if let Some(known) = self.shared.known_addresses(&reactor, host) {
            return settled(&reactor, known);
        }
        let (shared, host) = (self.shared.clone(), host.to_owned());
        spawn(&reactor, async move {
            let reactor = shared.reactor.upgrade().ok_or(Failure::Abandoned)?;
            shared.find_addresses(reactor, host).await
        })
    }

    /// The records of any type at a name.
    ///
    /// # Errors
    ///
    /// [`LookupError`], by the deferred; that there are none is [`LookupError::NoRecord`] or [`LookupError::NoSuchName`].
    pub fn lookup(&self, name: &str, record_type: RecordType) -> Deferred<Answer, LookupError> {
        match absolute(name) {
            Ok(name) => self.look_up(Question::new(name, record_type)),
            Err(error) => {
                let (promise, deferred) = self.shared.reactor.promise();
                promise.reject(error);
                deferred
            }
        }
    }

    /// The same for a question with flags. Its class is IN, whatever it says.
    ///
    /// # Errors
    ///
    /// As [`lookup`](Self::lookup).
    pub fn look_up(&self, question: Question) -> Deferred<Answer, LookupError> {
        self.shared.look_up(question.class(crate::codec::DNSClass::IN))
    }

    /// As [`look_up`](Self::look_up), if the answer is known: of a special name, or in the cache.
    pub(crate) fn look_up_known(&self, question: &Question) -> Option<Result<Answer, LookupError>> {
        self.shared.look_up_known(question)
    }

    /// Asks the servers in turn, without the cache, and returns the whole response of the first one that answers.
    ///
    /// # Errors
    ///
    /// [`LookupError::Failed`] if all servers respond with errors, or not at all; that there is no such name or record is a response.
    pub fn query(&self, question: Question) -> Deferred<Message, LookupError> {
        self.ask(question, None)
    }

    /// Asks one server, whichever it is, without the cache, and returns its response, whatever it says.
    ///
    /// # Errors
    ///
    /// [`LookupError::Failed`] if it does not respond.
    pub fn query_server(
        &self,
        server: &NameServer,
        question: Question,
    ) -> Deferred<Message, LookupError> {
        self.ask(question, Some(server.clone()))
    }

    fn ask(
        &self,
        question: Question,
        server: Option<NameServer>,
    ) -> Deferred<Message, LookupError> {
        let Some(reactor) = self.reactor() else { return self.abandoned() };
        let shared = self.shared.clone();
        shared.refresh(&reactor);
        spawn(&reactor, async move {
            let reactor = shared.reactor.upgrade().ok_or(Failure::Abandoned)?;
            let failures = RefCell::default();
            let exchange = Exchange {
                shared: &shared,
                reactor: &reactor,
                question: &question,
                failures: &failures,
            };
            let asking = async {
                match &server {
                    Some(server) => exchange.with_one(server).await,
                    None => exchange.with_all().await,
                }
            };
            match reactor.timeout(shared.config.total, asking).await {
                Ok(reply) => reply.map(|(message, _)| message),
                Err(late) => Err(LookupError::TimedOut {
                    name: Box::new(question.name().clone()),
                    record_type: question.record_type(),
                    after: late.after,
                    servers: failures.take().into(),
                }),
            }
        })
    }

    /// The servers, as configured now.
    #[must_use]
    pub fn servers(&self) -> Vec<NameServer> {
        self.shared.settings().servers.clone()
    }

    /// Empties the cache.
    pub fn clear_cache(&self) {
        self.shared.cache.borrow_mut().clear();
        self.shared.addresses.borrow_mut().clear();
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> DnsStats {
        let (counters, asked) = (&self.shared.stats, &self.shared.asker.counters);
        DnsStats {
            lookups: counters.lookups.get(),
            cache_hits: counters.cache_hits.get(),
            merged: counters.merged.get(),
            udp_queries: asked.udp.get(),
            tcp_queries: asked.tcp.get(),
            wrong_responses: asked.wrong.get(),
            failures: counters.failures.get(),
            cached: self.shared.cache.borrow().len(),
        }
    }

    pub(super) fn reactor(&self) -> Option<Reactor> {
        self.shared.reactor.upgrade()
    }

    /// A result that will never be there, since the reactor is gone.
    pub(super) fn abandoned<T: 'static>(&self) -> Deferred<T, LookupError> {
        let weak: &WeakReactor = &self.shared.reactor;
        weak.promise().1
    }
}

impl Resolve for DnsResolver {
    fn resolve(&self, _: &Reactor, host: &str) -> Lookup {
        self.addresses(host).map(|found| found.map_err(Into::into))
    }
}

impl fmt::Debug for DnsResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsResolver")
            .field("servers", &self.servers())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// Runs a future as a task; dropping the deferred cancels it.
pub(crate) fn spawn<T: 'static, E: From<Failure> + fmt::Display + 'static>(
    reactor: &Reactor,
    future: impl Future<Output = Result<T, E>> + 'static,
) -> Deferred<T, E> {
    let (promise, deferred) = reactor.promise();
    // The task is dropped with the promise, whether that is settled or cancelled.
    let place = Rc::<RefCell<Option<Task<()>>>>::default();
    let of_cancel = place.clone();
    promise.on_cancel(move |_| drop(of_cancel.take()));
    let task = reactor.spawn(async move { promise.settle(future.await) });
    place.replace(Some(task));
    deferred
}
