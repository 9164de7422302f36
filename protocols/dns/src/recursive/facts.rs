//! What is known of names: [`Fact`], and the cache of it: [`Facts`]. Pure: the time is an argument.
//!
//! A fact is what one authoritative response says about the name that was asked for, and nothing else of that response. So nothing
//! can come into the cache beside a question, and an alias and what it leads to are known apart.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use super::delegation::ancestors;
use crate::{
    client::store::{Held, Store, StoreLimits},
    codec::{Name, Record, RecordType},
};

/// What a response says about a name and a type.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) kind: Kind,
    /// The zone whose server has said so.
    pub(super) zone: Name,
    /// The record set or the alias, with signatures.
    pub(super) answers: Vec<Record>,
    /// The SOA record of a zone where there is nothing, and proofs of DNSSEC.
    pub(super) authorities: Vec<Record>,
    /// For how many seconds it holds. With 0 it is not kept.
    pub(super) ttl: u32,
    /// Bytes of the response, and of the records that are kept of it.
    pub(super) bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Records,
    /// The name is an alias of this one.
    Alias(Name),
    /// The name exists, and has no records of the type.
    NoRecord,
    /// The name does not exist, and so none below it (RFC 8020).
    NoName,
}

impl Fact {
    /// Something that is known without a server.
    pub(super) fn own(kind: Kind, answers: Vec<Record>) -> Self {
        Self { kind, zone: Name::root(), answers, authorities: Vec::new(), ttl: 0, bytes: 0 }
    }
}

/// What was asked. Names are compared without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) name: Name,
    /// `None` is the existence of the name, whatever the type (RFC 2308, section 5).
    pub(super) record_type: Option<RecordType>,
    /// Whether the records of DNSSEC were asked for.
    pub(super) is_dnssec: bool,
}

impl Key {
    pub(super) const fn new(name: Name, record_type: RecordType, is_dnssec: bool) -> Self {
        Self { name, record_type: Some(record_type), is_dnssec }
    }
}

/// A fact that was found, and for how many seconds it has been known.
pub(super) type Known = Held<Rc<Fact>>;

#[derive(Debug)]
pub(super) struct Facts {
    store: Store<Key, Rc<Fact>>,
    positive_max: Duration,
    negative_max: Duration,
}

impl Facts {
    pub(super) fn new(limits: StoreLimits, positive_max: Duration, negative_max: Duration) -> Self {
        Self { store: Store::new(limits), positive_max, negative_max }
    }

    pub(super) fn len(&self) -> usize {
        self.store.len()
    }

    pub(super) fn clear(&mut self) {
        self.store.clear();
    }

    /// What is known and still holds: of this type; that the name is an alias; or that it, or a name above it, does not exist.
    pub(super) fn get(&mut self, key: &Key, now: Instant) -> Option<Known> {
        if let Some(known) = self.store.get(key, now) {
            return Some(known);
        }
        let alias = self.store.get(&alias(key), now);
        if let Some(known) = alias.filter(is_alias) {
            return Some(known);
        }
        ancestors(&key.name).find_map(|name| {
            let existence = Key { name, record_type: None, is_dnssec: key.is_dnssec };
            self.store.get(&existence, now)
        })
    }

    /// Records or an alias whose time is over, but not for longer than allowed (RFC 8767). The servers have failed: for a while they are
    /// used without asking.
    pub(super) fn stale(&mut self, key: &Key, now: Instant) -> Option<Known> {
        let has_records = |known: &Known| known.value.kind == Kind::Records;
        for (key, is_right) in
            [(key, &has_records as &dyn Fn(&Known) -> bool), (&alias(key), &is_alias)]
        {
            if let Some(known) = self.store.stale(key, now).filter(is_right) {
                self.store.servers_failed(key, now);
                return Some(known);
            }
        }
        None
    }

    /// Keeps a fact. Older ones that it contradicts are never used again.
    pub(super) fn insert(&mut self, mut key: Key, fact: &Rc<Fact>, now: Instant) {
        self.store.remove(&key);
        self.store.remove(&alias(&key));
        let max = match fact.kind {
            Kind::Records | Kind::Alias(_) => self.positive_max,
            Kind::NoRecord | Kind::NoName => self.negative_max,
        };
        match fact.kind {
            Kind::Alias(_) => key.record_type = Some(RecordType::CNAME),
            Kind::NoName => key.record_type = None,
            Kind::Records | Kind::NoRecord => {}
        }
        let keep = Duration::from_secs(fact.ttl.into()).min(max);
        self.store.insert(key, fact.clone(), fact.bytes, now, keep);
    }
}

/// Where it is that a name is an alias.
fn alias(key: &Key) -> Key {
    Key { record_type: Some(RecordType::CNAME), ..key.clone() }
}

fn is_alias(known: &Known) -> bool {
    matches!(known.value.kind, Kind::Alias(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, record_type: RecordType) -> Key {
        Key::new(name.parse().unwrap(), record_type, false)
    }

    fn fact(kind: Kind, ttl: u32) -> Rc<Fact> {
        Rc::new(Fact { ttl, ..Fact::own(kind, Vec::new()) })
    }

    #[test]
    fn what_was_known_of_an_absent_name_is_not_used_after_its_time() {
        let seconds = Duration::from_secs;
        for (old, none) in [
            (Kind::Records, Kind::NoName),
            (Kind::Alias("b.".parse().unwrap()), Kind::NoName),
            (Kind::Alias("b.".parse().unwrap()), Kind::NoRecord),
        ] {
            let limits = StoreLimits { entries_max: 9, bytes_max: 1 << 20, stale_max: seconds(99) };
            let (mut facts, now) = (Facts::new(limits, seconds(100), seconds(50)), Instant::now());
            facts.insert(key("a.", RecordType::A), &fact(old.clone(), 10), now);
            assert!(facts.stale(&key("a.", RecordType::A), now + seconds(11)).is_some());
            facts.insert(key("a.", RecordType::A), &fact(none.clone(), 5), now + seconds(40));
            let stale = facts.stale(&key("a.", RecordType::A), now + seconds(46));
            assert!(stale.is_none(), "{old:?}, then {none:?}: {stale:?}");
        }
    }

    #[test]
    fn aliases_and_absent_names_hold_for_all_types() {
        let limits = StoreLimits { entries_max: 10, bytes_max: 1 << 20, stale_max: Duration::ZERO };
        let seconds = Duration::from_secs;
        let (mut facts, now) = (Facts::new(limits, seconds(100), seconds(50)), Instant::now());
        let alias = Kind::Alias("b.".parse().unwrap());
        facts.insert(key("a.", RecordType::A), &fact(alias.clone(), 1000), now);
        facts.insert(key("none.", RecordType::A), &fact(Kind::NoName, 1000), now);
        facts.insert(key("some.", RecordType::A), &fact(Kind::NoRecord, 10), now);
        facts.insert(key("never.", RecordType::A), &fact(Kind::Records, 0), now);
        let mut kind = |name, record_type, at| {
            let known = facts.get(&key(name, record_type), now + seconds(at));
            known.map(|known| known.value.kind.clone())
        };
        assert_eq!(kind("A.", RecordType::MX, 99), Some(alias));
        assert_eq!(kind("a.", RecordType::MX, 100), None);
        assert_eq!(kind("deep.below.none.", RecordType::MX, 49), Some(Kind::NoName));
        assert_eq!(kind("none.", RecordType::MX, 50), None);
        assert_eq!(kind("some.", RecordType::A, 9), Some(Kind::NoRecord));
        assert_eq!(kind("some.", RecordType::MX, 0), None);
        assert_eq!(kind("below.some.", RecordType::A, 0), None);
        assert_eq!(kind("never.", RecordType::A, 0), None);
    }
}
