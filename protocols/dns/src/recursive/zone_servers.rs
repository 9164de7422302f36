//! The servers of a zone, asked in turn until one says something that can be used. Servers without an address are looked up on the way.

use std::{collections::HashSet, net::SocketAddr, ops::Range, pin::Pin, rc::Rc};

use super::{
    RecursiveError,
    delegation::Delegation,
    exchanged::Exchanged,
    facts::Key,
    response::{Found, Reading},
    upstreams::Upstream,
    work::Work,
};
use crate::{
    client::{
        ServerError, ServerFailure,
        asker::{AskError, Reply},
    },
    codec::{Name, Question, RecordType},
    counter::count,
    random::random,
};

/// How a response is read.
type Read<'a> = &'a dyn Fn(&Delegation, &Reply) -> Result<Reading, ServerError>;

/// A future on the heap, since it leads to itself.
type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, RecursiveError>> + 'a>>;

impl Work<'_> {
    pub(super) async fn ask_zone(
        &self,
        zone: &Delegation,
        question: &Question,
        is_whole: bool,
        rounds: Range<u32>,
    ) -> Result<Found, RecursiveError> {
        let read =
            |zone: &Delegation, reply: &Reply| self.reader(zone, question).read(&reply.0, reply.1);
        self.ask_servers(zone, question, is_whole, rounds, &read).await
    }

    /// Asks the servers of a zone in turn, those without known addresses last, until one says something that can be used.
    pub(super) async fn ask_servers(
        &self,
        zone: &Delegation,
        question: &Question,
        is_whole: bool,
        rounds: Range<u32>,
        read: Read<'_>,
    ) -> Result<Found, RecursiveError> {
        let mut unknown = self.unknown_servers(zone);
        let addrs: Vec<_> = zone.servers.iter().flat_map(|it| it.addrs.iter().copied()).collect();
        let mut known: HashSet<SocketAddr> = HashSet::new();
        let mut next = self.in_order(zone, addrs, &mut known);
        let (mut busy, mut others) = (0, 0);
        for round in rounds {
            let mut silent = Vec::new();
            loop {
                for upstream in std::mem::take(&mut next) {
                    let exchanged = self.exchange(&upstream, question, round).await?;
                    let cause = match self.read(&exchanged, zone, is_whole, read)? {
                        Ok(found) => return Ok(found),
                        Err(cause) => cause,
                    };
                    let of_kind = if exchanged.is_busy() { &mut busy } else { &mut others };
                    *of_kind += 1;
                    if exchanged.is_wrong() {
                        let now = self.reactor.now();
                        self.inner.upstreams.set_lame(upstream.addr, &zone.zone, now);
                    } else {
                        silent.push(upstream.clone());
                    }
                    tracing::debug!(server = %upstream.addr, zone = %zone.zone, %cause, "a name server is of no use");
                    let server = upstream.state.server.clone();
                    self.failures.borrow_mut().push(ServerFailure { server, cause });
                }
                let Some(server) = unknown.pop() else { break };
                let addrs = self.look_up(zone, server).await?;
                next = self.in_order(zone, addrs, &mut known);
            }
            if silent.is_empty() {
                break;
            }
            next = silent;
        }
        // Its parent may know others by the next question. If all are only busy, they are still the right ones; if it was for a part of the
        // name, they are asked once more.
        if is_whole && (busy == 0 || others > 0) {
            self.inner.delegations.borrow_mut().remove(&zone.zone);
        }
        Err(self.failed(&zone.zone))
    }

    /// What a query has brought: something that can be used, or why not.
    fn read(
        &self,
        exchanged: &Exchanged,
        zone: &Delegation,
        is_whole: bool,
        read: Read<'_>,
    ) -> Result<Result<Found, ServerError>, RecursiveError> {
        Ok(match &exchanged.result {
            Ok(reply) => match read(zone, reply) {
                Ok(reading) => Ok(Found::Reading(reading)),
                Err(ServerError::Response(_)) if !is_whole => Ok(Found::ErrorToPart),
                Err(cause) => {
                    count(&self.inner.counters.lame_responses);
                    Err(cause)
                }
            },
            Err(AskError::Server(cause)) => Err(cause.clone()),
            Err(AskError::Encode(error)) => return Err(error.clone().into()),
            Err(AskError::GivenUp(failure)) => return Err(failure.clone().into()),
        })
    }

    /// Those of some addresses that are new, in the order in which to ask them.
    fn in_order(
        &self,
        zone: &Delegation,
        addrs: impl IntoIterator<Item = SocketAddr>,
        known: &mut HashSet<SocketAddr>,
    ) -> Vec<Rc<Upstream>> {
        let is_allowed = |addr: &SocketAddr| addr.is_ipv4() || !self.inner.config.is_ipv4_only;
        let new = addrs.into_iter().filter(is_allowed).filter(|addr| known.insert(*addr));
        let new: Vec<_> = new.collect();
        self.inner.upstreams.in_order(self.reactor, &zone.zone, &new)
    }

    /// Servers whose addresses the delegation has not told, in random order. Those in the zone itself cannot be found.
    fn unknown_servers(&self, zone: &Delegation) -> Vec<Name> {
        let is_unknown = |name: &Name| !name.is_root() && !zone.zone.zone_of(name);
        let unknown = zone.servers.iter().filter(|it| it.addrs.is_empty()).map(|it| &it.name);
        let mut unknown: Vec<_> = unknown.filter(|name| is_unknown(name)).cloned().collect();
        for end in (1..unknown.len()).rev() {
            let at = random(self.reactor) % (end as u64 + 1);
            unknown.swap(end, at as usize);
        }
        unknown
    }

    /// The addresses of a server. None if they cannot be found within the bounds.
    async fn look_up(
        &self,
        zone: &Delegation,
        server: Name,
    ) -> Result<Vec<SocketAddr>, RecursiveError> {
        if !self.may_look_up(&zone.zone, &server) {
            return Ok(Vec::new());
        }
        let mut addrs = self.addresses(zone, &server, RecordType::A).await?;
        if addrs.is_empty() && !self.inner.config.is_ipv4_only {
            addrs = self.addresses(zone, &server, RecordType::AAAA).await?;
        }
        Ok(addrs)
    }

    /// Counts the servers that are looked up for a zone. What needs no query is free.
    fn may_look_up(&self, zone: &Name, server: &Name) -> bool {
        if self.is_looked_up(server) {
            return true;
        }
        let mut looked_up = self.looked_up.borrow_mut();
        let count = looked_up.entry(zone.clone()).or_default();
        *count += 1;
        *count <= self.inner.config.unknown_servers_max
    }

    /// Whether the addresses of a server, or that it has none, are known to the end of its aliases.
    fn is_looked_up(&self, server: &Name) -> bool {
        let types: &[_] = if self.inner.config.is_ipv4_only {
            &[RecordType::A]
        } else {
            &[RecordType::A, RecordType::AAAA]
        };
        for record_type in types {
            match self.known_chain(&Key::new(server.clone(), *record_type, false)) {
                Ok(None) => return false,
                Ok(Some(chain)) if !chain.records().is_empty() => return true,
                Ok(Some(_)) | Err(_) => {}
            }
        }
        true
    }

    fn addresses<'a>(
        &'a self,
        zone: &'a Delegation,
        server: &'a Name,
        record_type: RecordType,
    ) -> Boxed<'a, Vec<SocketAddr>> {
        Box::pin(async move {
            let key = Key::new(server.clone(), record_type, false);
            if !self.may_open(&key) {
                return Ok(Vec::new());
            }
            self.open.borrow_mut().push(key.clone());
            let found = self.chase(key.clone()).await;
            self.open.borrow_mut().pop();
            match found {
                Ok(chain) => {
                    let question = Question::new(server.clone(), record_type);
                    let reader = self.reader(zone, &question);
                    let data = chain.records().iter().map(|record| &record.data);
                    Ok(data.filter_map(|data| reader.addr(data)).collect())
                }
                Err(
                    error @ (RecursiveError::TooManyQueries { .. } | RecursiveError::GivenUp(_)),
                ) => Err(error),
                Err(error) => {
                    tracing::debug!(%error, "a name server has no address");
                    self.hopeless.borrow_mut().insert(key);
                    Ok(Vec::new())
                }
            }
        })
    }

    /// Whether a question for an address may be asked: not one that waits for this one already, nor one that has just failed.
    fn may_open(&self, key: &Key) -> bool {
        let open = self.open.borrow();
        let waits = open.contains(key) || *self.key == *key;
        let has_failed = || {
            let failed = self.inner.failures.borrow_mut().get(key, self.reactor.now());
            failed.is_some() || self.hopeless.borrow().contains(key)
        };
        !waits && open.len() < self.inner.config.depth_max && !has_failed()
    }
}
