//! What is known for a time: [`Store`], bounded by entries and bytes; the least recently used goes. Pure: the time is an argument.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    rc::Rc,
    time::{Duration, Instant},
};

use crate::codec::Record;

/// Bytes that an entry takes beside its value, roughly.
const ENTRY_BYTES: usize = 256;

/// Bytes that decoded records take beside the data of their message, roughly. They take many times what they take in a message, where names
/// are compressed.
pub(crate) fn records_bytes<'a>(records: impl IntoIterator<Item = &'a Record>) -> usize {
    records.into_iter().map(|record| size_of::<Record>() + record.name.len()).sum()
}

/// How long servers that failed are not asked again for a value that is used after its time (RFC 8767, section 5).
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// The limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoreLimits {
    pub(crate) entries_max: usize,
    pub(crate) bytes_max: usize,
    /// How long after its time a value may be used.
    pub(crate) stale_max: Duration,
}

/// A value that was found.
#[derive(Clone, Debug)]
pub(crate) struct Held<V> {
    pub(crate) value: V,
    /// Seconds that it has been here.
    pub(crate) age: u32,
    /// Whether its time is over.
    pub(crate) is_stale: bool,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    since: Instant,
    until: Instant,
    bytes: usize,
    /// Its place in the order of use.
    used: u64,
    /// Until then it is used after its time, since the servers have just failed.
    retry_at: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct Store<K, V> {
    limits: StoreLimits,
    entries: HashMap<Rc<K>, Entry<V>>,
    /// Least recently used first.
    order: BTreeMap<u64, Rc<K>>,
    uses: u64,
    bytes: usize,
}

impl<K: Eq + Hash, V: Clone> Store<K, V> {
    pub(crate) fn new(limits: StoreLimits) -> Self {
        let (entries, order) = (HashMap::new(), BTreeMap::new());
        Self { limits, entries, order, uses: 0, bytes: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.order.clear();
        self.bytes = 0;
    }

    /// What still holds.
    pub(crate) fn get(&mut self, key: &K, now: Instant) -> Option<Held<V>> {
        self.find(key, now, false)
    }

    /// The same, also if its time is over, but not for longer than allowed (RFC 8767).
    pub(crate) fn stale(&mut self, key: &K, now: Instant) -> Option<Held<V>> {
        if self.limits.stale_max.is_zero() { None } else { self.find(key, now, true) }
    }

    /// The servers have failed: a value whose time is over is used for a while without asking.
    pub(crate) fn servers_failed(&mut self, key: &K, now: Instant) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.retry_at = Some(now + RETRY_AFTER);
        }
    }

    fn find(&mut self, key: &K, now: Instant, stale: bool) -> Option<Held<V>> {
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
        let age = u32::try_from(now.duration_since(entry.since).as_secs()).unwrap_or(u32::MAX);
        let held = Held { value: entry.value.clone(), age, is_stale };
        if let Some(key) = self.order.remove(&entry.used) {
            self.uses += 1;
            entry.used = self.uses;
            self.order.insert(self.uses, key);
        }
        Some(held)
    }

    /// Keeps a value of so many bytes for a time.
    pub(crate) fn insert(&mut self, key: K, value: V, bytes: usize, now: Instant, keep: Duration) {
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

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(change: impl FnOnce(&mut StoreLimits)) -> Store<char, u32> {
        let mut limits =
            StoreLimits { entries_max: 3, bytes_max: 1 << 20, stale_max: Duration::ZERO };
        change(&mut limits);
        Store::new(limits)
    }

    const TEN: Duration = Duration::from_secs(10);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn values_live_as_long_as_they_are_kept() {
        let (mut store, now) = (store(|_| {}), Instant::now());
        store.insert('a', 1, 100, now, TEN);
        let held = store.get(&'a', now + seconds(9)).unwrap();
        assert_eq!((held.value, held.age, held.is_stale), (1, 9, false));
        assert!(store.get(&'a', now + seconds(10)).is_none());
        assert_eq!((store.len(), store.bytes), (0, 0));
        store.insert('a', 1, 100, now, Duration::ZERO);
        assert_eq!(store.len(), 0);
    }

    #[test]
    fn the_least_recently_used_goes() {
        let (mut store, now) = (store(|_| {}), Instant::now());
        "abc".chars().for_each(|key| store.insert(key, 1, 100, now, TEN));
        assert!(store.get(&'a', now).is_some());
        store.insert('d', 1, 100, now, TEN);
        assert!(store.get(&'b', now).is_none());
        assert!("acd".chars().all(|key| store.get(&key, now).is_some()));
        store.clear();
        assert_eq!((store.len(), store.order.len(), store.bytes), (0, 0, 0));
    }

    #[test]
    fn bytes_are_bounded() {
        let (mut store, now) = (store(|limits| limits.bytes_max = 800), Instant::now());
        "abc".chars().for_each(|key| store.insert(key, 1, 100, now, TEN));
        assert_eq!((store.len(), store.bytes), (2, 712));
    }

    #[test]
    fn stale_values_only_if_allowed() {
        let (mut strict, now) = (store(|_| {}), Instant::now());
        strict.insert('a', 1, 100, now, TEN);
        assert!(strict.stale(&'a', now + seconds(11)).is_none());
        let mut store = store(|limits| limits.stale_max = seconds(100));
        store.insert('a', 1, 100, now, TEN);
        assert!(store.get(&'a', now + seconds(11)).is_none());
        assert!(store.stale(&'a', now + seconds(109)).unwrap().is_stale);
        store.servers_failed(&'a', now + seconds(50));
        assert!(store.get(&'a', now + seconds(79)).is_some());
        assert!(store.get(&'a', now + seconds(80)).is_none());
        assert!(store.stale(&'a', now + seconds(110)).is_none());
    }
}
