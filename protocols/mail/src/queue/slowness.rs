//! Which attempts take long, so that these do not keep all others waiting: [`Slowness`]. Pure: time is an argument.
//!
//! | pace | an attempt that takes, or whose destination has taken for the last one | places |
//! |---|---|---|
//! | fast | no longer than a minute, or nobody knows | those of all |
//! | slow | up to 8 minutes | half as many more, with those that are stuck; of those of all, if the others take them, a quarter |
//! | stuck | longer, as a tarpit does | a quarter of those of all at most, of the half |
//!
//! So a destination that was slow once does not wait for those that are stuck each time: they may take no place which it could have, for
//! longer than 8 minutes. More slow attempts than there are places for have begun as fast ones, and take the places of those.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// How long an attempt takes that is not slow: longer than the pause before a greeting, and than most messages.
pub(super) const SLOW_AFTER: Duration = Duration::from_secs(60);

/// How long one takes that is not stuck: long enough for a large message on a slow line.
pub(super) const STUCK_AFTER: Duration = Duration::from_secs(8 * 60);

/// How long attempts take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pace {
    #[default]
    Fast,
    Slow,
    Stuck,
}

#[derive(Debug)]
pub(super) struct Slowness<K> {
    /// Places of attempts that are slow or stuck.
    max: usize,
    now: Option<Instant>,
    /// When the attempts have begun that go on.
    begun: BTreeMap<K, Instant>,
    /// Those of them that are fast, and those that are slow.
    fast: BTreeSet<(Instant, K)>,
    slow: BTreeSet<(Instant, K)>,
}

impl<K: Ord + Clone> Slowness<K> {
    /// Beside so many places for all others.
    pub(super) fn new(places: usize) -> Self {
        Self {
            max: places / 2,
            now: None,
            begun: BTreeMap::new(),
            fast: BTreeSet::new(),
            slow: BTreeSet::new(),
        }
    }

    /// Whether slow attempts have places of their own: not if there is one place for all others.
    pub(super) fn has_places(&self) -> bool {
        self.max > 0
    }

    /// Whether an attempt of this pace may begin in one of the places that are not for all.
    pub(super) fn has_room(&self, pace: Pace) -> bool {
        let has_room = self.not_fast() < self.max;
        match pace {
            Pace::Fast => false,
            Pace::Slow => has_room,
            Pace::Stuck => has_room && self.stuck() < (self.max - self.reserve()).max(1),
        }
    }

    /// Whether a slow attempt may begin in one of the places that are for all, as those that are stuck have taken its own.
    pub(super) fn has_reserve(&self) -> bool {
        self.slow.len() < self.reserve()
    }

    /// How many attempts are in places that are not for all.
    pub(super) fn beside(&self) -> usize {
        self.not_fast().min(self.max)
    }

    fn reserve(&self) -> usize {
        self.max.div_ceil(2)
    }

    fn not_fast(&self) -> usize {
        self.begun.len() - self.fast.len()
    }

    fn stuck(&self) -> usize {
        self.not_fast() - self.slow.len()
    }

    /// It is this time.
    pub(super) fn age(&mut self, now: Instant) {
        self.now = Some(now);
        while self.fast.first().is_some_and(|(begun, _)| *begun + SLOW_AFTER <= now) {
            self.slow.extend(self.fast.pop_first());
        }
        // One that was expected to be slow is stuck after the same time.
        while self.slow.first().is_some_and(|(begun, _)| *begun + STUCK_AFTER <= now) {
            self.slow.pop_first();
        }
    }

    /// An attempt begins.
    pub(super) fn begin(&mut self, key: K, now: Instant, pace: Pace) {
        match pace {
            Pace::Fast => drop(self.fast.insert((now, key.clone()))),
            Pace::Slow => drop(self.slow.insert((now, key.clone()))),
            Pace::Stuck => {}
        }
        self.begun.insert(key, now);
    }

    /// It has ended by the time that was told last. How long it took.
    pub(super) fn end(&mut self, key: &K) -> Pace {
        let Some(begun) = self.begun.remove(key) else { return Pace::Fast };
        let entry = (begun, key.clone());
        self.fast.remove(&entry);
        self.slow.remove(&entry);
        match self.now {
            Some(now) if begun + STUCK_AFTER <= now => Pace::Stuck,
            Some(now) if begun + SLOW_AFTER <= now => Pace::Slow,
            _ => Pace::Fast,
        }
    }

    /// When the next attempt becomes slow, if that makes room for a fast one.
    pub(super) fn room_for_fast(&self) -> Option<Instant> {
        let first = self.fast.first().filter(|_| self.not_fast() < self.max);
        first.map(|(begun, _)| *begun + SLOW_AFTER)
    }

    /// When the next attempt is stuck, which makes room for a slow one.
    pub(super) fn room_for_slow(&self) -> Option<Instant> {
        let first = self.slow.first().filter(|_| !self.has_reserve());
        first.map(|(begun, _)| *begun + STUCK_AFTER)
    }
}
