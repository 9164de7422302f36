//! The index of a store: [`Index`]. Groups with the numbers of their articles, articles by identifier, the order of arrival. Pure: knows
//! no files and no clock.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map},
    ops::Bound,
    time::SystemTime,
};

use sinew_protocols::basic::{Text, Word};

use super::{
    Arrival, Direction, Found, GroupInfo, GroupStatus, Locator, NewGroup, StoreError, Stored,
};
use crate::nntp::codec::{GroupName, MessageId, Range, time_of};

/// All that is known, but for the texts. `S` is what a store notes of an article in a group.
#[derive(Debug)]
pub(super) struct Index<S> {
    pub(super) groups: BTreeMap<GroupName, Group<S>>,
    names: HashMap<u32, GroupName>,
    next_group: u32,
    pub(super) articles: BTreeMap<u64, Entry>,
    /// Identifiers that are here, or were.
    pub(super) history: HashMap<MessageId, Seen>,
    /// Those that were here, by the times of their arrival.
    pub(super) gone: BTreeSet<Gone>,
    pub(super) next_sequence: u64,
    /// Times of arrival do not go back, whatever the clock does.
    pub(super) last_at: u64,
}

#[derive(Debug)]
pub(super) struct Group<S> {
    pub(super) id: u32,
    pub(super) status: GroupStatus,
    pub(super) description: Text,
    pub(super) creator: Word,
    pub(super) created: u64,
    pub(super) high: u64,
    pub(super) articles: BTreeMap<u64, Slot<S>>,
}

/// An article in a group.
#[derive(Debug)]
pub(super) struct Slot<S> {
    pub(super) sequence: u64,
    pub(super) note: S,
}

/// An article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: MessageId,
    pub(super) at: u64,
    /// Its groups, by their ids, and its numbers in them.
    pub(super) places: Vec<(u32, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// `None` if it is not here any more.
    pub(super) sequence: Option<u64>,
    pub(super) at: u64,
}

/// An identifier of an article that is not here any more, behind the time of its arrival.
pub(super) type Gone = (u64, MessageId);

impl<S> Default for Index<S> {
    fn default() -> Self {
        Self {
            groups: BTreeMap::new(),
            names: HashMap::new(),
            next_group: 1,
            articles: BTreeMap::new(),
            history: HashMap::new(),
            gone: BTreeSet::new(),
            next_sequence: 1,
            last_at: 0,
        }
    }
}

impl<S: Default> Index<S> {
    // ---- groups ----

    /// The id of a group that is to be created.
    pub(super) fn new_group(&self, group: &NewGroup) -> Result<u32, StoreError> {
        match self.groups.contains_key(&group.name) {
            true => Err(StoreError::GroupExists(group.name.clone())),
            false => Ok(self.next_group),
        }
    }

    /// Creates a group, or changes one.
    pub(super) fn put_group(&mut self, id: u32, group: NewGroup, created: u64, high: u64) {
        self.next_group = self.next_group.max(id.saturating_add(1));
        self.names.insert(id, group.name.clone());
        let NewGroup { name, status, description, creator } = group;
        let articles = self.groups.remove(&name).map(|group| group.articles).unwrap_or_default();
        let group = Group { id, status, description, creator, created, high, articles };
        self.groups.insert(name, group);
    }

    /// Takes a group out, with the numbers of its articles, which are to [leave](Self::leave_group) it.
    pub(super) fn take_group(&mut self, id: u32) -> Option<Group<S>> {
        self.names.remove(&id).and_then(|name| self.groups.remove(&name))
    }

    /// Removes a group, and the articles that are in no other, which are returned.
    pub(super) fn remove_group(&mut self, id: u32) -> Vec<u64> {
        let articles = self.take_group(id).map(|group| group.articles).unwrap_or_default();
        let sequences: Vec<_> = articles.values().map(|slot| slot.sequence).collect();
        self.leave_group(id, &sequences)
    }

    pub(super) fn name_of(&self, id: u32) -> Option<&GroupName> {
        self.names.get(&id)
    }

    pub(super) fn group_of(&mut self, id: u32) -> Option<&mut Group<S>> {
        self.groups.get_mut(self.names.get(&id)?)
    }

    pub(super) fn group(&self, name: &GroupName) -> Option<GroupInfo> {
        self.groups.get(name).map(|group| group.info(name))
    }

    pub(super) fn list(&self, after: Option<&GroupName>, max: usize) -> Vec<GroupInfo> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let groups = self.groups.range::<GroupName, _>((start, Bound::Unbounded));
        groups.take(max).map(|(name, group)| group.info(name)).collect()
    }

    // ---- articles ----

    /// The numbers that a new article gets, in those of these groups that exist.
    pub(super) fn places(&self, groups: &[GroupName]) -> Vec<(u32, u64)> {
        let known = groups.iter().filter_map(|name| self.groups.get(name));
        known.map(|group| (group.id, group.high + 1)).collect()
    }

    /// Adds an article.
    pub(super) fn put_article(&mut self, sequence: u64, entry: Entry) {
        self.next_sequence = self.next_sequence.max(sequence.saturating_add(1));
        self.last_at = self.last_at.max(entry.at);
        for &(id, number) in &entry.places {
            if let Some(group) = self.group_of(id) {
                group.high = group.high.max(number);
                group.articles.insert(number, Slot { sequence, note: S::default() });
            }
        }
        let seen = Seen { sequence: Some(sequence), at: entry.at };
        if let Some(before) = self.history.insert(entry.id.clone(), seen) {
            self.gone.remove(&(before.at, entry.id.clone()));
        }
        self.articles.insert(sequence, entry);
    }

    /// Removes an article, and remembers it.
    pub(super) fn remove_article(&mut self, sequence: u64) {
        let Some(entry) = self.articles.remove(&sequence) else { return };
        for &(id, number) in &entry.places {
            if let Some(group) = self.group_of(id) {
                group.articles.remove(&number);
            }
        }
        if let Some(seen) = self.history.get_mut(&entry.id) {
            seen.sequence = None;
            self.gone.insert((seen.at, entry.id));
        }
    }

    /// Remembers an article that is not here.
    pub(super) fn remember(&mut self, id: MessageId, at: u64) {
        if let hash_map::Entry::Vacant(vacant) = self.history.entry(id) {
            self.gone.insert((at, vacant.key().clone()));
            vacant.insert(Seen { sequence: None, at });
        }
    }

    pub(super) fn stored(&self, sequence: u64, places: &[(u32, u64)]) -> Stored {
        let places = places.iter();
        let named = places.filter_map(|(id, number)| Some((self.name_of(*id)?.clone(), *number)));
        Stored::new(sequence, named.collect())
    }

    // ---- questions ----

    pub(super) fn find(&self, what: &Locator) -> Option<Found> {
        let (number, sequence) = match what {
            Locator::Number(group, number) => {
                (*number, self.groups.get(group)?.articles.get(number)?.sequence)
            }
            Locator::Id(id) => (0, self.history.get(id)?.sequence?),
        };
        let entry = self.articles.get(&sequence)?;
        let groups = entry.places.iter().filter_map(|(id, _)| self.name_of(*id).cloned());
        Some(Found::new(number, entry.id.clone(), sequence, groups.collect()))
    }

    /// The articles of a group in a range.
    pub(super) fn slots(
        &self,
        group: &GroupName,
        range: Range,
    ) -> impl DoubleEndedIterator<Item = (u64, &Slot<S>)> {
        let (first, last) = (range.first, range.end());
        let group = self.groups.get(group).filter(|_| first <= last);
        let slots = group.map(|group| group.articles.range(first..=last));
        slots.into_iter().flatten().map(|(number, slot)| (*number, slot))
    }

    pub(super) fn arrivals(&self, after: u64, since: SystemTime, max: usize) -> Vec<Arrival> {
        let first = self.first_since(after.saturating_add(1), since);
        let later = self.articles.range(first..);
        let arrived = later.map(|(sequence, entry)| {
            let groups = entry.places.iter().filter_map(|(id, _)| self.name_of(*id).cloned());
            Arrival::new(*sequence, time_of(entry.at), entry.id.clone(), groups.collect())
        });
        arrived.take(max).collect()
    }

    /// The sequence number, from `first` on, from which all articles have arrived at this time or later. Since times of arrival do not go
    /// back, it is found without looking at all that are older.
    fn first_since(&self, first: u64, since: SystemTime) -> u64 {
        let (mut from, mut to) = (first, self.next_sequence.max(first));
        while from < to {
            let middle = from + (to - from) / 2;
            match self.articles.range(middle..).next() {
                Some((_, entry)) if time_of(entry.at) < since => from = middle + 1,
                _ => to = middle,
            }
        }
        from
    }
}

impl<S> Group<S> {
    fn info(&self, name: &GroupName) -> GroupInfo {
        let low = self.articles.keys().next().copied();
        GroupInfo {
            name: name.clone(),
            low: low.unwrap_or(self.high + 1),
            high: self.high,
            count: self.articles.len() as u64,
            status: self.status,
            created: time_of(self.created),
            creator: self.creator.clone(),
            description: self.description.clone(),
        }
    }

    pub(super) fn as_new(&self, name: &GroupName) -> NewGroup {
        NewGroup {
            name: name.clone(),
            status: self.status,
            description: self.description.clone(),
            creator: self.creator.clone(),
        }
    }
}

/// The number next to one.
pub(super) fn neighbour<S: Default>(
    index: &Index<S>,
    group: &GroupName,
    number: u64,
    direction: Direction,
) -> Option<Found> {
    let found = match direction {
        Direction::Next => index.slots(group, Range::from(number.saturating_add(1))).next(),
        Direction::Last => {
            let range = Range::between(1, number.saturating_sub(1));
            index.slots(group, range).next_back()
        }
    };
    let (number, _) = found?;
    index.find(&Locator::Number(group.clone(), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_since_a_time_are_those_that_are_found_one_by_one() {
        let mut index = Index::<()>::default();
        // Some were removed, and several have the same time.
        for (sequence, at) in [(2, 10), (3, 10), (7, 11), (8, 20), (30, 20), (31, 25)] {
            let id: MessageId = format!("<{sequence}@a>").parse().unwrap();
            index.put_article(sequence, Entry { id, at, places: Vec::new() });
        }
        for after in 0..35 {
            for since in 8..28 {
                let found = index.arrivals(after, time_of(since), 4);
                let found: Vec<_> = found.iter().map(|arrival| arrival.sequence).collect();
                let expected = index
                    .articles
                    .iter()
                    .filter(|(sequence, entry)| **sequence > after && entry.at >= since);
                let expected: Vec<_> = expected.map(|(sequence, _)| *sequence).take(4).collect();
                assert_eq!(found, expected, "after {after}, since {since}");
            }
        }
        assert!(index.arrivals(u64::MAX, time_of(0), 9).is_empty());
    }
}
