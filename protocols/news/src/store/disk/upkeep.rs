//! What cleans a [`Spool`]: expiry, the removal of groups, files that are written anew. All of it goes through the index in slices: the loop
//! and other threads have it between two of them.

use std::time::SystemTime;

use super::{
    super::{
        Expired, ExpiryRule, StoreError,
        index::Gone,
        slices::{Keep, SLICE},
    },
    history::History,
    overviews::{self, LineAt},
    record::Record,
    spool::{Inner, Spool},
    texts,
};
use crate::nntp::codec::{GroupName, OverviewLine, Range, seconds};

/// Records of the history that are there in any case before it is written anew.
const RECORDS_MIN: usize = 1_000;

/// Bytes of an overview that may be about articles that are gone, beside as many as are about others.
const OVERVIEW_SPARE: u64 = 64 * 1024;

/// Articles that are removed by one record.
const REMOVED: usize = 500;

impl Spool {
    /// Removes a group, with the articles that are in no other.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoGroup`], or the history cannot be written.
    pub fn remove_group(&self, name: &GroupName) -> Result<(), StoreError> {
        let mut history = self.0.history();
        let id = self.0.index().groups.get(name).map(|group| group.id);
        let id = id.ok_or_else(|| StoreError::NoGroup(name.clone()))?;
        history.append(&[Record::GroupGone { id }])?;
        let group = self.0.index().take_group(id);
        let articles = group.map(|group| group.articles).unwrap_or_default();
        let sequences: Vec<_> = articles.into_values().map(|slot| slot.sequence).collect();
        for some in sequences.chunks(SLICE) {
            let homeless = self.0.index().leave_group(id, some);
            homeless.into_iter().for_each(|sequence| texts::remove(&self.0.root, sequence));
        }
        // The next group may get the same number: the history is held until its file is gone.
        overviews::remove(&self.0.root, id);
        drop(history);
        Ok(())
    }

    /// Removes articles whose time is over in all their groups, and forgets identifiers whose time is over. Groups without a rule
    /// keep their articles.
    ///
    /// Readers go on meanwhile. Articles that arrive wait while the history is written anew, which happens once most of it is about what is
    /// gone: some seconds, with a million of articles.
    ///
    /// # Errors
    ///
    /// The history cannot be written.
    pub fn expire(&self, rules: &[ExpiryRule], now: SystemTime) -> Result<Expired, StoreError> {
        self.0.history().check()?;
        let gone = self.0.expired(rules, now);
        for some in gone.chunks(REMOVED) {
            // For each some anew: articles that arrive do not wait for all that go.
            let mut history = self.0.history();
            history.append(&[Record::Gone { sequences: some.to_vec() }])?;
            let mut index = self.0.index();
            some.iter().for_each(|sequence| index.remove_article(*sequence));
            drop(index);
            drop(history);
            some.iter().for_each(|sequence| texts::remove(&self.0.root, *sequence));
        }
        let mut history = self.0.history();
        history.check()?;
        let forgotten =
            self.0.forget(seconds(now).saturating_sub(self.0.config.remember.as_secs()));
        self.0.compact(&mut history)?;
        self.0.compact_overviews()?;
        Ok(Expired { articles: gone.len(), forgotten })
    }
}

impl Inner {
    /// The names and ids of all groups.
    fn group_ids(&self) -> Vec<(GroupName, u32)> {
        let mut all: Vec<(GroupName, u32)> = Vec::new();
        loop {
            let (index, known) = (self.index(), all.len());
            let after = all.last().map(|(name, _)| name.clone());
            let some = index.groups_behind(after.as_ref());
            all.extend(some.map(|(name, group)| (name.clone(), group.id)));
            if all.len() == known {
                return all;
            }
        }
    }

    /// Articles that no group keeps any longer.
    fn expired(&self, rules: &[ExpiryRule], now: SystemTime) -> Vec<u64> {
        let mut keep = Keep::default();
        self.group_ids().iter().for_each(|(name, id)| keep.add(name, *id, rules));
        let (mut all, mut next) = (Vec::new(), Some(0));
        while let Some(first) = next {
            let gone;
            (gone, next) = self.index().expired(first, &keep, now);
            all.extend(gone);
        }
        all
    }

    fn forget(&self, before: u64) -> usize {
        let mut all = 0;
        loop {
            match self.index().forget(before) {
                0 => return all,
                some => all += some,
            }
        }
    }

    /// Writes the history anew, if most of it is about what is not here any more.
    fn compact(&self, history: &mut History) -> Result<(), StoreError> {
        let needed = {
            let index = self.index();
            1 + index.groups.len() + index.history.len()
        };
        if history.records < RECORDS_MIN.max(2 * needed) {
            return Ok(());
        }
        history.replace(&self.root, Records::new(self))
    }

    /// Writes overviews anew that are for the most part about articles that are gone. The history is held: no line is added meanwhile. Who
    /// reads at the same time finds no line where it was, and takes it from the article.
    fn compact_overviews(&self) -> Result<(), StoreError> {
        for (name, id) in self.group_ids() {
            let len = overviews::len(&self.root, id);
            if len <= OVERVIEW_SPARE || len <= OVERVIEW_SPARE + 2 * self.live(&name) {
                continue;
            }
            let mut rest = Range::all();
            let places = overviews::replace(&self.root, id, || {
                let lines = self.lines(&name, rest, SLICE)?;
                rest.first = lines.last().map_or(u64::MAX, OverviewLine::number).saturating_add(1);
                Ok(lines)
            })?;
            self.note_places(&name, &places);
        }
        Ok(())
    }

    /// Bytes of the overview of a group that are about articles that are here.
    fn live(&self, group: &GroupName) -> u64 {
        let (mut rest, mut live) = (Range::all(), 0);
        loop {
            let (index, from) = (self.index(), rest.first);
            for (number, slot) in index.slots(group, rest).take(SLICE) {
                live += u64::from(slot.note.len);
                rest.first = number.saturating_add(1);
            }
            if rest.first == from {
                return live;
            }
        }
    }

    /// Notes where the lines of a group are now, which are in the order of their numbers. Others have none.
    fn note_places(&self, group: &GroupName, places: &[(u64, LineAt)]) {
        let mut first = 0;
        loop {
            let mut index = self.index();
            let Some(group) = index.groups.get_mut(group) else { return };
            let mut last = None;
            for (number, slot) in group.articles.range_mut(first..).take(SLICE) {
                let place = places.binary_search_by_key(number, |(number, _)| *number);
                slot.note = place.map_or(LineAt::default(), |at| places[at].1);
                last = Some(*number);
            }
            let Some(next) = last.and_then(|number| number.checked_add(1)) else { return };
            first = next;
        }
    }
}

/// The records of all that is known. The index is held for a slice of them at a time, and not while they are written; the history is held
/// by the caller, so that nothing changes.
struct Records<'a> {
    inner: &'a Inner,
    next: Next,
    slice: std::vec::IntoIter<Record>,
}

/// What comes next, behind what.
enum Next {
    Begin,
    Groups(Option<GroupName>),
    Gone(Option<Gone>),
    Articles(u64),
    Nothing,
}

impl<'a> Records<'a> {
    fn new(inner: &'a Inner) -> Self {
        Self { inner, next: Next::Begin, slice: Vec::new().into_iter() }
    }

    /// The next slice; none where the next kind begins.
    fn next_slice(&mut self) -> Vec<Record> {
        let index = self.inner.index();
        match &self.next {
            Next::Begin => {
                self.next = Next::Groups(None);
                vec![Record::Begin { next_sequence: index.next_sequence }]
            }
            Next::Groups(after) => {
                let groups: Vec<_> = index.groups_behind(after.as_ref()).collect();
                let next = groups.last().map(|(name, _)| Next::Groups(Some((*name).clone())));
                self.next = next.unwrap_or(Next::Gone(None));
                let records = groups.into_iter().map(|(name, group)| Record::Group {
                    id: group.id,
                    group: group.as_new(name),
                    created: group.created,
                    high: group.high,
                });
                records.collect()
            }
            Next::Gone(after) => {
                let gone: Vec<_> = index.gone_behind(after.as_ref()).cloned().collect();
                let next = gone.last().cloned().map(|last| Next::Gone(Some(last)));
                self.next = next.unwrap_or(Next::Articles(0));
                gone.into_iter().map(|(at, id)| Record::Seen { id, at }).collect()
            }
            Next::Articles(first) => {
                let articles: Vec<_> = index.articles_from(*first).collect();
                let next = articles.last().and_then(|(sequence, _)| sequence.checked_add(1));
                self.next = next.map_or(Next::Nothing, Next::Articles);
                let records = articles.into_iter();
                let records = records
                    .map(|(sequence, entry)| Record::Article { sequence, entry: entry.clone() });
                records.collect()
            }
            Next::Nothing => Vec::new(),
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            if let Some(record) = self.slice.next() {
                return Some(record);
            }
            if matches!(self.next, Next::Nothing) {
                return None;
            }
            self.slice = self.next_slice().into_iter();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        sync::atomic::Ordering::Relaxed,
        time::{Duration, UNIX_EPOCH},
    };

    use super::{
        super::super::{
            NewGroup, SpoolConfig,
            index::{Entry, Index},
        },
        super::spool::apply,
        *,
    };

    const COUNT: u64 = 5 * SLICE as u64 + 7;
    const SLICES: usize = 6;

    /// So many groups, articles and identifiers of articles that are gone. All articles are in the last group.
    fn filled(name: &str) -> (std::path::PathBuf, Spool) {
        let root = std::env::temp_dir().join(format!("sinew-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let spool = Spool::open(&root, SpoolConfig::default().sync(false)).unwrap();
        let mut index = spool.0.index();
        let last = u32::try_from(COUNT).unwrap();
        for id in 1..=last {
            index.put_group(id, NewGroup::new(format!("a.g{id:09}").parse().unwrap()), 0, 0);
        }
        for at in 1..=COUNT {
            index.remember(format!("<gone.{at}@a>").parse().unwrap(), at);
            let id = format!("<{at}@a>").parse().unwrap();
            index.put_article(at, Entry { id, at: 1, places: vec![(last, at)] });
        }
        drop(index);
        (root, spool)
    }

    /// How often the index is held.
    fn holds<T>(spool: &Spool, work: impl FnOnce(&Inner) -> T) -> (T, usize) {
        let before = spool.0.holds.load(Relaxed);
        let done = work(&spool.0);
        (done, spool.0.holds.load(Relaxed) - before)
    }

    #[test]
    fn the_index_is_held_for_one_slice_at_a_time() {
        let (root, spool) = filled("slices");
        let all = ExpiryRule::new("*".parse().unwrap(), Duration::ZERO);
        let last: GroupName = format!("a.g{COUNT:09}").parse().unwrap();
        let (groups, held) = holds(&spool, Inner::group_ids);
        assert!(groups.len() as u64 == COUNT && held >= SLICES, "groups: {held}");
        let now = UNIX_EPOCH + Duration::from_secs(100);
        let (expired, held) = holds(&spool, |inner| inner.expired(&[all], now));
        assert!(expired.len() as u64 == COUNT && held >= 2 * SLICES, "expired: {held}");
        let places: Vec<_> = (1..=COUNT).map(|at| (at, LineAt { at, len: 2 })).collect();
        let ((), held) = holds(&spool, |inner| inner.note_places(&last, &places));
        assert!(held >= SLICES, "places: {held}");
        let (live, held) = holds(&spool, |inner| inner.live(&last));
        assert!(live == 2 * COUNT && held >= SLICES, "live: {held}");
        let (forgotten, held) = holds(&spool, |inner| inner.forget(COUNT));
        assert!(forgotten as u64 == COUNT - 1 && held >= SLICES, "forgotten: {held}");
        let (removed, held) = holds(&spool, |_| spool.remove_group(&last));
        assert!(removed.is_ok() && held >= SLICES, "removed: {held}");
        assert!(spool.0.index().articles.is_empty());
        drop(spool);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_history_that_is_written_anew_says_the_same() {
        let (root, spool) = filled("anew");
        let mut history = spool.0.history();
        for record in Records::new(&spool.0) {
            assert!(spool.0.index.try_lock().is_ok(), "it is held while {record:?} is written");
        }
        history.records = usize::MAX;
        let (done, held) = holds(&spool, |inner| inner.compact(&mut history));
        done.unwrap();
        assert!(held >= 3 * SLICES, "{held}");
        assert_eq!(history.records as u64, 1 + 3 * COUNT);
        let mut again = Index::default();
        History::open(&root, false, |record| drop(apply(&mut again, record))).unwrap();
        let index = spool.0.index();
        assert_eq!((&again.articles, &again.history), (&index.articles, &index.history));
        assert_eq!((&again.gone, again.next_sequence), (&index.gone, index.next_sequence));
        assert_eq!(again.list(None, usize::MAX), index.list(None, usize::MAX));
        drop((index, history));
        drop(spool);
        fs::remove_dir_all(root).unwrap();
    }
}
