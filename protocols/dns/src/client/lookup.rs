//! Lookups of records: the cache first, then one flight for all who ask the same, along aliases. Names are absolute here.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_transports::reactor::{Deferred, Failure, Reactor};

use super::{
    Answer, LookupError, ServerFailure,
    answer::{Chain, Step},
    cache::{Key, Known},
    exchange::Exchange,
    shared::Shared,
    special::{Special, special},
};
use crate::{
    codec::{Name, Question, RData, Record, RecordType},
    counter::count,
};

/// How long an answer is waited for, if there is an old one (RFC 8767, section 5).
const STALE_AFTER: Duration = Duration::from_millis(1800);

impl Key {
    fn new(name: Name, question: &Question) -> Self {
        Self { name, record_type: Some(question.record_type()), flags: question.cache_flags() }
    }
}

impl Shared {
    /// Looks up what was asked, from the cache if it is there.
    pub(super) fn look_up(self: &Rc<Self>, question: Question) -> Deferred<Answer, LookupError> {
        count(&self.stats.lookups);
        let Some(reactor) = self.reactor.upgrade() else {
            let (_, deferred) = self.reactor.promise();
            return deferred;
        };
        let key = Key::new(question.name().clone(), &question);
        match self.known(&reactor, &key, &question) {
            Some(known) => settled(&reactor, known),
            None => self.join(&reactor, key, question),
        }
    }

    /// What was asked, if it is known without asking.
    pub(super) fn look_up_known(
        self: &Rc<Self>,
        question: &Question,
    ) -> Option<Result<Answer, LookupError>> {
        let reactor = self.reactor.upgrade()?;
        let key = Key::new(question.name().clone(), question);
        let known = self.known(&reactor, &key, question)?;
        count(&self.stats.lookups);
        Some(known)
    }

    fn known(
        self: &Rc<Self>,
        reactor: &Reactor,
        key: &Key,
        question: &Question,
    ) -> Option<Result<Answer, LookupError>> {
        self.refresh(reactor);
        if let Some(known) = of_special(question) {
            return Some(known);
        }
        let known = self.cache.borrow_mut().get(key, reactor.now())?;
        count(&self.stats.cache_hits);
        Some(self.result(key, known))
    }

    fn result(&self, key: &Key, known: Known) -> Result<Answer, LookupError> {
        let name = Box::new(key.name.clone());
        match known {
            Known::Answer(answer) => Ok(answer),
            Known::Negative(negative) if negative.does_exist => {
                let record_type = key.record_type.unwrap_or(RecordType::ANY);
                Err(LookupError::NoRecord { name, record_type })
            }
            Known::Negative(_) => Err(LookupError::NoSuchName { name }),
        }
    }

    /// Waits for the answer with all others who ask the same.
    fn join(
        self: &Rc<Self>,
        reactor: &Reactor,
        key: Key,
        question: Question,
    ) -> Deferred<Answer, LookupError> {
        let (shared, of_task) = (self.clone(), key.clone());
        let max = self.config.questions_max;
        let fly = move || async move { shared.fly(&of_task, question).await };
        let Some(joined) = self.flights.join(reactor, &key, max, fly) else {
            return settled(reactor, Err(LookupError::TooMany { max }));
        };
        if joined.is_merged {
            count(&self.stats.merged);
        } else {
            self.serve_stale_later(reactor, key);
        }
        joined.result
    }

    /// If there is an old answer, those who wait get it when no new one has come in time. The question goes on.
    fn serve_stale_later(self: &Rc<Self>, reactor: &Reactor, key: Key) {
        if self.cache.borrow_mut().stale(&key, reactor.now()).is_none() {
            return;
        }
        let weak = Rc::downgrade(self);
        reactor.call_later(STALE_AFTER, move |reactor| {
            let Some(shared) = weak.upgrade() else { return };
            let stale = shared.cache.borrow_mut().stale(&key, reactor.now());
            if let Some(stale) = stale {
                shared.flights.serve(&key, &stale);
            }
        });
    }

    /// The task of a flight.
    async fn fly(self: Rc<Self>, key: &Key, question: Question) -> Result<Answer, LookupError> {
        let reactor = self.reactor.upgrade().ok_or(Failure::Abandoned)?;
        let failures = RefCell::default();
        let after = self.config.total;
        let chasing = self.chase(&reactor, key, &question, &failures);
        let mut result = match reactor.timeout(after, chasing).await {
            Ok(result) => result,
            Err(_) => Err(LookupError::TimedOut {
                name: Box::new(key.name.clone()),
                record_type: question.record_type(),
                after,
                servers: failures.take().into(),
            }),
        };
        if let Err(error) = &result
            && !error.is_negative()
        {
            count(&self.stats.failures);
            let (mut cache, now) = (self.cache.borrow_mut(), reactor.now());
            if let Some(stale) = cache.stale(key, now) {
                cache.servers_failed(key, now);
                result = Ok(stale);
            }
        }
        result
    }

    /// Asks, follows aliases, and stores what is found.
    async fn chase(
        self: &Rc<Self>,
        reactor: &Reactor,
        key: &Key,
        question: &Question,
        failures: &RefCell<Vec<ServerFailure>>,
    ) -> Result<Answer, LookupError> {
        let settings = self.settings();
        let record_type = question.record_type();
        let mut chain = Chain::new(key.name.clone(), record_type, self.config.chain_max);
        loop {
            let question =
                question.clone().at(chain.name().clone()).authentic_data(settings.trust_ad);
            let exchange = Exchange { shared: self, reactor, question: &question, failures };
            let (response, len) = exchange.with_all().await?;
            let now = reactor.now();
            match chain.read(&response, len)? {
                Step::Found => {
                    let answer = chain.into_answer(settings.trust_ad);
                    self.cache.borrow_mut().insert_answer(key.clone(), &answer, now);
                    return Ok(answer);
                }
                Step::None(negative) => {
                    // An alias exists, and has other records than those that it leads to.
                    let for_all_types = !negative.does_exist && !chain.has_aliases();
                    let mut cache = self.cache.borrow_mut();
                    cache.insert_negative(key.clone(), negative, for_all_types, now);
                    return self.result(key, Known::Negative(negative));
                }
                Step::Ask => {}
            }
        }
    }
}

/// What is known of a special name without asking.
fn of_special(question: &Question) -> Option<Result<Answer, LookupError>> {
    let name = question.name();
    let boxed = || Box::new(name.clone());
    Some(match special(name)? {
        Special::Elsewhere(why) => Err(LookupError::NotInDns { name: boxed(), why }),
        Special::Absent => Err(LookupError::NoSuchName { name: boxed() }),
        Special::Loopback => {
            let data = match question.record_type() {
                RecordType::A => RData::A(std::net::Ipv4Addr::LOCALHOST.into()),
                RecordType::AAAA => RData::AAAA(std::net::Ipv6Addr::LOCALHOST.into()),
                record_type => {
                    return Some(Err(LookupError::NoRecord { name: boxed(), record_type }));
                }
            };
            Ok(Answer::of_record(Record::from_rdata(name.clone(), 0, data)))
        }
    })
}

pub(super) fn settled<T: 'static>(
    reactor: &Reactor,
    result: Result<T, LookupError>,
) -> Deferred<T, LookupError> {
    let (promise, deferred) = reactor.promise();
    promise.settle(result);
    deferred
}
