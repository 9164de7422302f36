//! The work on one question: [`Work`]. Its bounds are those of the question, shared by all questions for addresses of servers that it needs.
//! The table of its states is at the head of the module; how the servers of a zone are asked is in `zone_servers.rs`.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    net::{Ipv4Addr, Ipv6Addr},
    rc::Rc,
    time::Duration,
};

use sinew_transports::reactor::Reactor;

use super::{
    RecursiveError, Resolved,
    chain::Chain,
    delegation::{Delegation, labels},
    facts::{Fact, Key, Kind, Known},
    inner::Inner,
    minimise::Minimiser,
    response::{Found, Reader, Reading},
};
use crate::{
    client::{
        ServerError, ServerFailure,
        asker::Reply,
        special::{Special, special},
    },
    codec::{Name, Question, RData, Record, RecordType},
    counter::count,
};

/// A question, and what was done for it.
pub(super) struct Work<'a> {
    pub(super) inner: &'a Rc<Inner>,
    pub(super) reactor: &'a Reactor,
    pub(super) key: &'a Key,
    /// Queries that were sent.
    pub(super) queries: Cell<usize>,
    /// How many servers were looked up, by the zone that named them.
    pub(super) looked_up: RefCell<HashMap<Name, usize>>,
    /// The questions for addresses of servers that wait for one another.
    pub(super) open: RefCell<Vec<Key>>,
    /// Those that have found none.
    pub(super) hopeless: RefCell<HashSet<Key>>,
    pub(super) failures: RefCell<Vec<ServerFailure>>,
}

impl<'a> Work<'a> {
    pub(super) fn new(inner: &'a Rc<Inner>, reactor: &'a Reactor, key: &'a Key) -> Self {
        Self {
            inner,
            reactor,
            key,
            queries: Cell::new(0),
            looked_up: RefCell::default(),
            open: RefCell::default(),
            hopeless: RefCell::default(),
            failures: RefCell::default(),
        }
    }

    /// The answer, if all of it is known.
    pub(super) fn known(&self) -> Result<Option<Resolved>, RecursiveError> {
        Ok(self.known_chain(self.key)?.map(|chain| chain.resolved()))
    }

    /// All aliases and what is at their end, if that is known.
    pub(super) fn known_chain(&self, key: &Key) -> Result<Option<Chain>, RecursiveError> {
        let mut chain = Chain::new(key);
        while let Some(known) = self.known_fact(&chain.key) {
            if chain.follow(known, self.inner.config.chain_max)? {
                return Ok(Some(chain));
            }
        }
        Ok(None)
    }

    /// What was the answer, if that may still be used.
    pub(super) fn stale(&self) -> Option<Resolved> {
        let (mut chain, now) = (Chain::new(self.key), self.reactor.now());
        loop {
            let known = self.known_fact(&chain.key);
            let known = known.or_else(|| self.inner.facts.borrow_mut().stale(&chain.key, now))?;
            if chain.follow(known, self.inner.config.chain_max).ok()? {
                return Some(chain.resolved());
            }
        }
    }

    /// The answer.
    pub(super) async fn answer(&self) -> Result<Resolved, RecursiveError> {
        Ok(self.chase(self.key.clone()).await?.resolved())
    }

    /// Follows aliases.
    pub(super) async fn chase(&self, key: Key) -> Result<Chain, RecursiveError> {
        let mut chain = Chain::new(&key);
        loop {
            let known = match self.known_fact(&chain.key) {
                Some(known) => known,
                None => self.find(&chain.key).await?,
            };
            if chain.follow(known, self.inner.config.chain_max)? {
                return Ok(chain);
            }
        }
    }

    pub(super) fn known_fact(&self, key: &Key) -> Option<Known> {
        if let Some(special) = special(&key.name) {
            return Some(known_now(of_special(special, key)));
        }
        self.inner.facts.borrow_mut().get(key, self.reactor.now())
    }

    /// Goes down from the closest zone that is known, until a server says what is at the name.
    async fn find(&self, key: &Key) -> Result<Known, RecursiveError> {
        let name = &key.name;
        let record_type = key.record_type.unwrap_or(RecordType::ANY);
        let whole = Question::new(name.clone(), record_type)
            .recursion_desired(false)
            .dnssec_ok(key.is_dnssec);
        let total = labels(name);
        // The DS records of a zone are above it (RFC 4035, section 3.1.4.1).
        let is_above = record_type == RecordType::DS && !name.is_root();
        let below = if is_above { name.base_name() } else { name.clone() };
        let mut zone = self.closest(&below);
        let mut known = labels(&zone.zone);
        // Its servers may have changed since its parent has told them.
        let mut is_remembered = true;
        let mut outdated: Option<Rc<Delegation>> = None;
        let mut minimiser = Minimiser::new(total, self.inner.config.minimises);
        loop {
            let asked = minimiser.labels(known);
            let is_whole = asked == total;
            let part = Key::new(name.trim_to(asked), RecordType::A, false);
            if !is_whole && self.exists(&part, &zone.zone) {
                known = asked;
                continue;
            }
            let question = if is_whole {
                whole.clone()
            } else {
                minimiser.asked();
                Question::new(part.name.clone(), RecordType::A).recursion_desired(false)
            };
            let rounds = minimiser.rounds(asked, self.inner.config.attempts);
            let found = match self.ask_zone(&zone, &question, is_whole, rounds).await {
                Err(RecursiveError::Failed { .. }) if !is_whole => {
                    minimiser.fail();
                    continue;
                }
                Err(error @ RecursiveError::Failed { .. })
                    if is_remembered && !zone.zone.is_root() =>
                {
                    let above = self.closest(&below);
                    // The servers are not forgotten if they are only busy.
                    if above.zone == zone.zone {
                        return Err(error);
                    }
                    outdated = Some(std::mem::replace(&mut zone, above));
                    known = labels(&zone.zone);
                    minimiser.change_zone();
                    continue;
                }
                found => found?,
            };
            match found {
                Found::Reading(Reading::Delegation(delegation)) => {
                    count(&self.inner.counters.delegations_followed);
                    if outdated.as_ref().is_some_and(|it| it.has_same_servers(&delegation)) {
                        return Err(self.failed(&delegation.zone));
                    }
                    let mut delegations = self.inner.delegations.borrow_mut();
                    zone = delegations.insert(delegation, &zone, self.reactor.now());
                    known = labels(&zone.zone);
                    is_remembered = false;
                    minimiser.change_zone();
                }
                Found::Reading(Reading::Fact(fact)) => {
                    // A server may not know that a name without records exists, if there are names below it.
                    if !is_whole && fact.kind == Kind::NoName {
                        minimiser.give_up();
                        continue;
                    }
                    let of = if is_whole { key.clone() } else { part };
                    self.inner.facts.borrow_mut().insert(of, &fact, self.reactor.now());
                    if is_whole {
                        return Ok(known_now(fact));
                    }
                    known = asked;
                }
                Found::ErrorToPart => minimiser.give_up(),
            }
        }
    }

    fn closest(&self, name: &Name) -> Rc<Delegation> {
        self.inner.delegations.borrow_mut().closest(name, self.reactor.now())
    }

    /// Whether it is known that a part of a name exists in the zone.
    fn exists(&self, part: &Key, zone: &Name) -> bool {
        let known = self.inner.facts.borrow_mut().get(part, self.reactor.now());
        known.is_some_and(|known| known.value.kind != Kind::NoName && known.value.zone == *zone)
    }

    /// Asks the root for its servers, and returns for how many seconds they hold.
    pub(super) async fn prime(&self) -> Result<u32, RecursiveError> {
        let question = Question::new(Name::root(), RecordType::NS).recursion_desired(false);
        let hints = self.inner.delegations.borrow().hints();
        let read = |zone: &Delegation, reply: &Reply| {
            let servers = self.reader(zone, &question).read_priming(&reply.0)?;
            let has_addrs = servers.servers.iter().any(|server| !server.addrs.is_empty());
            if has_addrs { Ok(Reading::Delegation(servers)) } else { Err(ServerError::Referral) }
        };
        let rounds = 0..self.inner.config.attempts;
        match self.ask_servers(&hints, &question, true, rounds, &read).await? {
            Found::Reading(Reading::Delegation(root)) => {
                let ttl = root.ttl;
                let mut delegations = self.inner.delegations.borrow_mut();
                delegations.insert(root, &hints, self.reactor.now());
                Ok(ttl)
            }
            _ => Err(self.failed(&hints.zone)),
        }
    }

    pub(super) fn reader<'b>(&self, zone: &'b Delegation, question: &'b Question) -> Reader<'b> {
        Reader {
            zone: &zone.zone,
            question,
            is_dnssec: question.is_dnssec_ok(),
            port: self.inner.config.port,
            allows_loopback: self.inner.config.allows_loopback,
        }
    }

    pub(super) fn failed(&self, zone: &Name) -> RecursiveError {
        RecursiveError::Failed {
            name: Box::new(self.key.name.clone()),
            record_type: self.record_type(),
            zone: Box::new(zone.clone()),
            servers: self.failures.borrow().clone().into(),
        }
    }

    pub(super) fn too_many_queries(&self, max: usize) -> RecursiveError {
        RecursiveError::TooManyQueries {
            name: Box::new(self.key.name.clone()),
            record_type: self.record_type(),
            max,
            servers: self.failures.borrow().clone().into(),
        }
    }

    pub(super) fn timed_out(&self, after: Duration) -> RecursiveError {
        RecursiveError::TimedOut {
            name: Box::new(self.key.name.clone()),
            record_type: self.record_type(),
            after,
            servers: self.failures.borrow().clone().into(),
        }
    }

    fn record_type(&self) -> RecordType {
        self.key.record_type.unwrap_or(RecordType::ANY)
    }
}

fn known_now(value: Rc<Fact>) -> Known {
    Known { value, age: 0, is_stale: false }
}

/// Names that have their meaning without DNS are not asked for.
fn of_special(special: Special, key: &Key) -> Rc<Fact> {
    let data = match (special, key.record_type) {
        (Special::Loopback, Some(RecordType::A)) => RData::A(Ipv4Addr::LOCALHOST.into()),
        (Special::Loopback, Some(RecordType::AAAA)) => RData::AAAA(Ipv6Addr::LOCALHOST.into()),
        (Special::Loopback, _) => return Rc::new(Fact::own(Kind::NoRecord, Vec::new())),
        _ => return Rc::new(Fact::own(Kind::NoName, Vec::new())),
    };
    let record = Record::from_rdata(key.name.clone(), 0, data);
    Rc::new(Fact::own(Kind::Records, vec![record]))
}
