//! The cache of answers: [`Cache`], bounded by answers and bytes; the least recently used goes. Pure: the time is an argument.

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
    time::{Duration, Instant},
};

use super::answer::{Answer, Content, Negative};
use crate::codec::{Name, RecordType};

/// Bytes that an entry takes beside its messages, roughly.
const ENTRY_BYTES: usize = 256;

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

#[derive(Debug)]
enum Value {
    Answer(Rc<Content>),
    Negative(Negative),
}

#[derive(Debug)]
struct Entry {
    value: Value,
    since: Instant,
    until: Instant,
    bytes: usize,
    /// Its place in the order of use.
    used: u64,
    /// Until then it is used after its time, since the servers have just failed.
    retry_at: Option<Instant>,
}

/// How long servers that failed are not asked again for an answer that is used after its time (RFC 8767, section 5).
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// The limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct CacheLimits {
    pub(super) entries_max: usize,
    pub(super) bytes_max: usize,
    pub(super) positive_max: Duration,
    pub(super) negative_max: Duration,
    pub(super) stale_max: Duration,
}

#[derive(Debug)]
pub(super) struct Cache {
    limits: CacheLimits,
    entries: HashMap<Rc<Key>, Entry>,
    /// Least recently used first.
    order: BTreeMap<u64, Rc<Key>>,
    uses: u64,
    bytes: usize,
}

impl Cache {
    pub(super) fn new(limits: CacheLimits) -> Self {
        let (entries, order) = (HashMap::new(), BTreeMap::new());
        Self { limits, entries, order, uses: 0, bytes: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.order.clear();
        self.bytes = 0;
    }

    /// What is known and still holds.
    pub(super) fn get(&mut self, key: &Key, now: Instant) -> Option<Known> {
        self.find(key, now, false).or_else(|| {
            let exists = Key { record_type: None, ..key.clone() };
            self.find(&exists, now, false)
        })
    }

    /// An answer whose time is over, but not for longer than allowed (RFC 8767).
    pub(super) fn stale(&mut self, key: &Key, now: Instant) -> Option<Answer> {
        if self.limits.stale_max.is_zero() {
            return None;
        }
        match self.find(key, now, true)? {
            Known::Answer(answer) => Some(answer),
            Known::Negative(_) => None,
        }
    }

    /// The servers have failed: an answer whose time is over is used for a while without asking.
    pub(super) fn servers_failed(&mut self, key: &Key, now: Instant) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.retry_at = Some(now + RETRY_AFTER);
        }
    }

    fn find(&mut self, key: &Key, now: Instant, stale: bool) -> Option<Known> {
        let entry = self.entries.get_mut(key)?;
        let is_stale = entry.until <= now;
        if is_stale && now.duration_since(entry.until) >= self.limits.stale_max {
            self.remove(key);
            return None;
        }
        let must_ask = entry.retry_at.is_none_or(|retry_at| retry_at <= now);
        if is_stale && !stale && must_ask {
            return None;
        }
        let known = match &entry.value {
            Value::Answer(content) => {
                let age = now.duration_since(entry.since).as_secs();
                let age = u32::try_from(age).unwrap_or(u32::MAX);
                Known::Answer(Answer { content: content.clone(), age, is_stale })
            }
            Value::Negative(negative) => Known::Negative(*negative),
        };
        if let Some(key) = self.order.remove(&entry.used) {
            self.uses += 1;
            entry.used = self.uses;
            self.order.insert(self.uses, key);
        }
        Some(known)
    }

    pub(super) fn insert_answer(&mut self, key: Key, answer: &Answer, now: Instant) {
        let keep = Duration::from_secs(answer.content.ttl.into()).min(self.limits.positive_max);
        let value = Value::Answer(answer.content.clone());
        self.insert(key, value, answer.content.bytes, now, keep);
    }

    /// `for_all_types`: the name itself does not exist, not that which its aliases lead to.
    pub(super) fn insert_negative(
        &mut self,
        mut key: Key,
        negative: Negative,
        for_all_types: bool,
        now: Instant,
    ) {
        let Some(ttl) = negative.ttl else { return };
        if for_all_types {
            key.record_type = None;
        }
        let keep = Duration::from_secs(ttl.into()).min(self.limits.negative_max);
        self.insert(key, Value::Negative(negative), 0, now, keep);
    }

    fn insert(&mut self, key: Key, value: Value, bytes: usize, now: Instant, keep: Duration) {
        let bytes = bytes + ENTRY_BYTES;
        let is_in_limits = self.limits.entries_max > 0 && bytes <= self.limits.bytes_max;
        if keep.is_zero() || !is_in_limits {
            return;
        }
        self.remove(&key);
        self.uses += 1;
        let key = Rc::new(key);
        let until = now + keep;
        self.order.insert(self.uses, key.clone());
        self.entries.insert(
            key,
            Entry { value, since: now, until, bytes, used: self.uses, retry_at: None },
        );
        self.bytes += bytes;
        while self.entries.len() > self.limits.entries_max || self.bytes > self.limits.bytes_max {
            let Some((_, oldest)) = self.order.first_key_value() else { break };
            let oldest = oldest.clone();
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
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

    fn cache(change: impl FnOnce(&mut CacheLimits)) -> Cache {
        let mut limits = CacheLimits {
            entries_max: 3,
            bytes_max: 1 << 20,
            positive_max: Duration::from_secs(86_400),
            negative_max: Duration::from_secs(300),
            stale_max: Duration::ZERO,
        };
        change(&mut limits);
        Cache::new(limits)
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn answers_live_as_long_as_their_ttl() {
        let (mut cache, now) = (cache(|_| {}), Instant::now());
        cache.insert_answer(key("a."), &answer(10), now);
        let Some(Known::Answer(found)) = cache.get(&key("A."), now + seconds(9)) else { panic!() };
        assert_eq!((found.ttl(), found.is_stale()), (1, false));
        assert!(cache.get(&key("a."), now + seconds(10)).is_none());
        assert_eq!((cache.len(), cache.bytes), (0, 0));
        // Not at all, and at most a day.
        cache.insert_answer(key("a."), &answer(0), now);
        assert_eq!(cache.len(), 0);
        cache.insert_answer(key("a."), &answer(1_000_000), now);
        assert!(cache.get(&key("a."), now + seconds(86_400)).is_none());
    }

    #[test]
    fn no_such_name_holds_for_all_types() {
        let (mut cache, now) = (cache(|_| {}), Instant::now());
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
    fn the_least_recently_used_goes() {
        let (mut cache, now) = (cache(|_| {}), Instant::now());
        for name in ["a.", "b.", "c."] {
            cache.insert_answer(key(name), &answer(10), now);
        }
        assert!(cache.get(&key("a."), now).is_some());
        cache.insert_answer(key("d."), &answer(10), now);
        assert!(cache.get(&key("b."), now).is_none());
        assert!(["a.", "c.", "d."].iter().all(|name| cache.get(&key(name), now).is_some()));
        cache.clear();
        assert_eq!((cache.len(), cache.order.len(), cache.bytes), (0, 0, 0));
    }

    #[test]
    fn bytes_are_bounded() {
        let (mut cache, now) = (cache(|limits| limits.bytes_max = 800), Instant::now());
        for name in ["a.", "b.", "c."] {
            cache.insert_answer(key(name), &answer(10), now);
        }
        assert_eq!((cache.len(), cache.bytes), (2, 712));
    }

    #[test]
    fn stale_answers_only_if_allowed() {
        let (mut strict, now) = (cache(|_| {}), Instant::now());
        strict.insert_answer(key("a."), &answer(10), now);
        assert!(strict.stale(&key("a."), now + seconds(11)).is_none());
        let mut cache = cache(|limits| limits.stale_max = seconds(100));
        cache.insert_answer(key("a."), &answer(10), now);
        assert!(cache.get(&key("a."), now + seconds(11)).is_none());
        let stale = cache.stale(&key("a."), now + seconds(109)).unwrap();
        assert_eq!((stale.ttl(), stale.is_stale()), (30, true));
        cache.servers_failed(&key("a."), now + seconds(50));
        assert!(cache.get(&key("a."), now + seconds(79)).is_some());
        assert!(cache.get(&key("a."), now + seconds(80)).is_none());
        assert!(cache.stale(&key("a."), now + seconds(110)).is_none());
    }
}
