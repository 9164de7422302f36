//! Which attempts take long, so that these do not keep all others waiting: [`Slowness`]. Pure: time is an argument.
//!
//! An attempt that takes longer than [`SLOW_AFTER`] is slow, and so is from its beginning one at a destination where the last one was. Slow
//! attempts have places of their own, half as many as there are for all others; what is more than that takes those of the others.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// How long an attempt takes that is not slow: longer than the pause before a greeting, and than most messages.
pub(super) const SLOW_AFTER: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Slowness<K> {
    /// Places of slow attempts.
    max: usize,
    now: Option<Instant>,
    /// When the attempts have begun that go on.
    begun: BTreeMap<K, Instant>,
    /// Those of them that are not slow.
    young: BTreeSet<(Instant, K)>,
}

impl<K: Ord + Clone> Slowness<K> {
    /// Beside so many places for all others.
    pub(super) fn new(places: usize) -> Self {
        Self { max: places / 2, now: None, begun: BTreeMap::new(), young: BTreeSet::new() }
    }

    /// Whether slow attempts have places of their own: not if there is one place for all others.
    pub(super) fn has_places(&self) -> bool {
        self.max > 0
    }

    /// Whether a slow attempt may begin.
    pub(super) fn has_room(&self) -> bool {
        self.slow() < self.max
    }

    /// How many attempts have places of their own.
    pub(super) fn beside(&self) -> usize {
        self.slow().min(self.max)
    }

    fn slow(&self) -> usize {
        self.begun.len() - self.young.len()
    }

    /// It is this time.
    pub(super) fn age(&mut self, now: Instant) {
        self.now = Some(now);
        while self.young.first().is_some_and(|(begun, _)| *begun + SLOW_AFTER <= now) {
            self.young.pop_first();
        }
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, key: K, now: Instant, is_slow: bool) {
        if !is_slow {
            self.young.insert((now, key.clone()));
        }
        self.begun.insert(key, now);
    }

    /// It has ended by the time that was told last. Whether it took long.
    pub(super) fn end(&mut self, key: &K) -> bool {
        let Some(begun) = self.begun.remove(key) else { return false };
        self.young.remove(&(begun, key.clone()));
        self.now.is_some_and(|now| begun + SLOW_AFTER <= now)
    }

    /// When the next attempt becomes slow, if that makes room for another one.
    pub(super) fn wakeup(&self) -> Option<Instant> {
        let first = self.young.first().filter(|_| self.has_room());
        first.map(|(begun, _)| *begun + SLOW_AFTER)
    }
}
