//! The cache of answers: [`Cache`], a [`Store`] with the times of answers, and of their absence. Pure: the time is an argument.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use super::{
    answer::{Answer, Content, Negative},
    store::{Held, Store, StoreLimits},
};
use crate::codec::{Name, RecordType};

/// What was asked. Names are compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) name: Name,
    /// `None` is the existence of the name, whatever the type (RFC 2308, section 5).
    pub(super) record_type: Option<RecordType>,
    /// Whether the records of DNSSEC were asked for, that the server should not validate, and that it should ask others.
    pub(super) flags: (bool, bool, bool),
}

/// What is known.
#[derive(Clone, Debug)]
pub(super) enum Known {
    Answer(Answer),
    Negative(Negative),
}

#[derive(Clone, Debug)]
enum Value {
    Answer(Rc<Content>),
    Negative(Negative),
}

/// The limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct CacheLimits {
    pub(super) store: StoreLimits,
    pub(super) positive_max: Duration,
    pub(super) negative_max: Duration,
}

#[derive(Debug)]
pub(super) struct Cache {
    limits: CacheLimits,
    store: Store<Key, Value>,
}

impl Cache {
    pub(super) fn new(limits: CacheLimits) -> Self {
        Self { limits, store: Store::new(limits.store) }
    }

    pub(super) fn len(&self) -> usize {
        self.store.len()
    }

    pub(super) fn clear(&mut self) {
        self.store.clear();
    }

    /// What is known and still holds.
    pub(super) fn get(&mut self, key: &Key, now: Instant) -> Option<Known> {
        let held = self.store.get(key, now).or_else(|| {
            let exists = Key { record_type: None, ..key.clone() };
            self.store.get(&exists, now)
        });
        held.map(known)
    }

    /// An answer whose time is over, but not for longer than allowed (RFC 8767).
    pub(super) fn stale(&mut self, key: &Key, now: Instant) -> Option<Answer> {
        match known(self.store.stale(key, now)?) {
            Known::Answer(answer) => Some(answer),
            Known::Negative(_) => None,
        }
    }

    /// The servers have failed: an answer whose time is over is used for a while without asking.
    pub(super) fn servers_failed(&mut self, key: &Key, now: Instant) {
        self.store.servers_failed(key, now);
    }

    pub(super) fn insert_answer(&mut self, key: Key, answer: &Answer, now: Instant) {
        let keep = Duration::from_secs(answer.content.ttl.into()).min(self.limits.positive_max);
        let value = Value::Answer(answer.content.clone());
        self.store.insert(key, value, answer.content.bytes, now, keep);
    }

    /// That there is no answer; older ones are never used again. `for_all_types`: the name itself does not exist, not that which its
    /// aliases lead to.
    pub(super) fn insert_negative(
        &mut self,
        mut key: Key,
        negative: Negative,
        for_all_types: bool,
        now: Instant,
    ) {
        self.store.remove(&key);
        if for_all_types {
            key.record_type = Some(RecordType::CNAME);
            self.store.remove(&key);
            key.record_type = None;
        }
        let Some(ttl) = negative.ttl else { return };
        let keep = Duration::from_secs(ttl.into()).min(self.limits.negative_max);
        self.store.insert(key, Value::Negative(negative), 0, now, keep);
    }
}

fn known(held: Held<Value>) -> Known {
    let Held { value, age, is_stale } = held;
    match value {
        Value::Answer(content) => Known::Answer(Answer { content, age, is_stale }),
        Value::Negative(negative) => Known::Negative(negative),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::codec::{RData, Record};

    fn key(text: &str) -> Key {
        Key {
            name: text.parse().unwrap(),
            record_type: Some(RecordType::A),
            flags: (false, false, true),
        }
    }

    fn answer(ttl: u32) -> Answer {
        let record =
            Record::from_rdata("a.".parse().unwrap(), ttl, RData::A(Ipv4Addr::LOCALHOST.into()));
        let (aliases, records) = (Vec::new(), vec![record]);
        let content = Content { aliases, records, is_authentic: false, ttl, bytes: 100 };
        Answer { content: Rc::new(content), age: 0, is_stale: false }
    }

    fn cache(stale_max: Duration) -> Cache {
        let store = StoreLimits { entries_max: 3, bytes_max: 1 << 20, stale_max };
        let (positive_max, negative_max) = (seconds(86_400), seconds(300));
        Cache::new(CacheLimits { store, positive_max, negative_max })
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn answers_live_as_long_as_their_ttl() {
        let (mut cache, now) = (cache(Duration::ZERO), Instant::now());
        cache.insert_answer(key("a."), &answer(10), now);
        let Some(Known::Answer(found)) = cache.get(&key("A."), now + seconds(9)) else { panic!() };
        assert_eq!((found.ttl(), found.is_stale()), (1, false));
        assert!(cache.get(&key("a."), now + seconds(10)).is_none());
        // Not at all, and at most a day.
        cache.insert_answer(key("a."), &answer(0), now);
        assert_eq!(cache.len(), 0);
        cache.insert_answer(key("a."), &answer(1_000_000), now);
        assert!(cache.get(&key("a."), now + seconds(86_400)).is_none());
    }

    #[test]
    fn no_such_name_holds_for_all_types() {
        let (mut cache, now) = (cache(Duration::ZERO), Instant::now());
        let no_such_name = Negative { does_exist: false, ttl: Some(1000) };
        cache.insert_negative(key("a."), no_such_name, true, now);
        let other = Key { record_type: Some(RecordType::MX), ..key("a.") };
        assert!(matches!(cache.get(&other, now + seconds(299)), Some(Known::Negative(_))));
        assert!(cache.get(&other, now + seconds(300)).is_none());
        let no_record = Negative { does_exist: true, ttl: Some(10) };
        cache.insert_negative(key("b."), no_record, false, now);
        assert!(cache.get(&key("b."), now).is_some());
        assert!(cache.get(&Key { record_type: Some(RecordType::MX), ..key("b.") }, now).is_none());
        // Without an SOA record it is not kept.
        cache.insert_negative(key("c."), Negative { does_exist: true, ttl: None }, false, now);
        assert!(cache.get(&key("c."), now).is_none());
    }

    #[test]
    fn stale_answers_say_so() {
        let (mut cache, now) = (cache(seconds(100)), Instant::now());
        cache.insert_answer(key("a."), &answer(10), now);
        let stale = cache.stale(&key("a."), now + seconds(109)).unwrap();
        assert_eq!((stale.ttl(), stale.is_stale()), (30, true));
    }

    #[test]
    fn answers_are_not_used_after_it_was_said_that_there_is_none() {
        let alias = Key { record_type: Some(RecordType::CNAME), ..key("a.") };
        for (ttl, does_exist) in [(None, false), (Some(5), false), (None, true), (Some(5), true)] {
            let (mut cache, now) = (cache(seconds(100)), Instant::now());
            cache.insert_answer(key("a."), &answer(10), now);
            cache.insert_answer(alias.clone(), &answer(10), now);
            let later = now + seconds(40);
            cache.insert_negative(key("a."), Negative { does_exist, ttl }, !does_exist, later);
            let mut stale = |key: &Key| cache.stale(key, later + seconds(6));
            assert!(stale(&key("a.")).is_none(), "{ttl:?} {does_exist}");
            assert_eq!(stale(&alias).is_some(), does_exist, "{ttl:?} {does_exist}");
        }
    }
}
