//! What goes through a whole index, in slices of [`SLICE`] entries, so that who holds it for one slice holds nobody up for long. Between two
//! slices the index may change: what is removed is not seen, and what is added behind is. Pure.

use std::{
    collections::HashMap,
    ops::Bound,
    time::{Duration, SystemTime},
};

use super::{
    ExpiryRule,
    index::{Entry, Gone, Group, Index},
};
use crate::nntp::codec::{GroupName, time_of};

/// Entries that are looked at in one slice, at most.
pub(super) const SLICE: usize = 1_000;

impl<S: Default> Index<S> {
    /// Groups by name, those behind `after`; none at the end.
    pub(super) fn groups_behind(
        &self,
        after: Option<&GroupName>,
    ) -> impl Iterator<Item = (&GroupName, &Group<S>)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.groups.range::<GroupName, _>((start, Bound::Unbounded)).take(SLICE)
    }

    /// Articles by sequence number, from this one on; none at the end.
    pub(super) fn articles_from(&self, first: u64) -> impl Iterator<Item = (u64, &Entry)> {
        self.articles.range(first..).take(SLICE).map(|(sequence, entry)| (*sequence, entry))
    }

    /// Identifiers of articles that are not here, those behind `after`; none at the end.
    pub(super) fn gone_behind(&self, after: Option<&Gone>) -> impl Iterator<Item = &Gone> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.gone.range::<Gone, _>((start, Bound::Unbounded)).take(SLICE)
    }

    /// Which of the articles from `first` on no group keeps any longer, and where to go on; `None` at the end.
    pub(super) fn expired(
        &self,
        first: u64,
        keep: &Keep,
        now: SystemTime,
    ) -> (Vec<u64>, Option<u64>) {
        let (mut gone, mut next) = (Vec::new(), None);
        for (sequence, entry) in self.articles_from(first) {
            next = sequence.checked_add(1);
            if !keep.keeps(entry, now) {
                gone.push(sequence);
            }
        }
        (gone, next)
    }

    /// Forgets identifiers of articles that are not here and have arrived before this time, a slice of them. Returns how many: 0 at the end.
    pub(super) fn forget(&mut self, before: u64) -> usize {
        let mut forgotten = 0;
        while forgotten < SLICE && self.gone.first().is_some_and(|(at, _)| *at < before) {
            let Some((_, id)) = self.gone.pop_first() else { break };
            self.history.remove(&id);
            forgotten += 1;
        }
        forgotten
    }

    /// Takes articles of a group that was removed out of it. Those that are in no other are removed, and returned.
    pub(super) fn leave_group(&mut self, id: u32, sequences: &[u64]) -> Vec<u64> {
        let is_homeless = |sequence: &&u64| {
            let Some(entry) = self.articles.get_mut(sequence) else { return false };
            entry.places.retain(|(of, _)| *of != id);
            entry.places.is_empty()
        };
        let homeless: Vec<u64> = sequences.iter().filter(is_homeless).copied().collect();
        homeless.iter().for_each(|sequence| self.remove_article(*sequence));
        homeless
    }
}

/// How long each group keeps its articles, by its id. Those without a rule keep them.
#[derive(Debug, Default)]
pub(super) struct Keep(HashMap<u32, Duration>);

impl Keep {
    /// Of several rules the last that matches decides.
    pub(super) fn add(&mut self, name: &GroupName, id: u32, rules: &[ExpiryRule]) {
        if let Some(rule) = rules.iter().rev().find(|rule| rule.groups.matches(name.as_str())) {
            self.0.insert(id, rule.keep);
        }
    }

    fn keeps(&self, entry: &Entry, now: SystemTime) -> bool {
        entry.places.iter().any(|(id, _)| match self.0.get(id) {
            Some(keep) => time_of(entry.at).checked_add(*keep).is_none_or(|end| end > now),
            None => true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nntp::codec::MessageId;

    #[test]
    fn a_slice_looks_at_a_thousand_entries_at_most() {
        let mut index = Index::<()>::default();
        let (count, removed) = (3 * SLICE as u64 + 1, SLICE as u64 + 5);
        for at in 1..=count {
            let id = format!("<{at}@a>").parse().unwrap();
            index.put_article(at, Entry { id, at, places: Vec::new() });
            index.remember(format!("<gone.{at}@a>").parse().unwrap(), at);
        }
        let (mut all, mut next, mut slices) = (Vec::new(), Some(0), 0);
        while let Some(first) = next {
            let gone;
            (gone, next) = index.expired(first, &Keep::default(), time_of(count));
            assert!(gone.len() <= SLICE);
            all.extend(gone);
            slices += 1;
            // What is removed between two slices is not seen, and nothing else is left out.
            index.remove_article(removed);
        }
        let expect: Vec<_> = (1..=count).filter(|at| *at != removed).collect();
        assert_eq!((all, slices), (expect, 4));
        let forgotten: Vec<_> = (0..5).map(|_| index.forget(count)).collect();
        assert_eq!(forgotten, [SLICE, SLICE, SLICE, 1, 0]);
        assert_eq!(index.gone_behind(None).count(), 1, "it has arrived at that time");
    }

    #[test]
    fn an_identifier_that_is_here_again_is_not_forgotten() {
        let mut index = Index::<()>::default();
        let id: MessageId = "<1@a>".parse().unwrap();
        index.remember(id.clone(), 5);
        index.put_article(1, Entry { id: id.clone(), at: 7, places: Vec::new() });
        assert_eq!((index.forget(100), index.history.len()), (0, 1));
        index.remove_article(1);
        assert_eq!(index.gone_behind(None).collect::<Vec<_>>(), [&(7, id)]);
        assert_eq!((index.forget(7), index.forget(8), index.history.len()), (0, 1, 0));
    }
}
