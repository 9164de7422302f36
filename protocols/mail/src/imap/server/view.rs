//! Which messages a session sees, and under which sequence numbers: [`View`]. Pure.
//!
//! Sequence numbers change when a message goes, so a message that is gone from the mailbox stays in the view of a session until that
//! session has been told (RFC 3501 7.4.1). A view has a run for UIDs that follow one another: twelve bytes for a mailbox of any size
//! from which nothing was deleted.

use crate::{
    imap::codec::merged_ranges,
    store::{Uid, UidSet},
};

/// The messages that a session knows, in ascending order of their UIDs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    runs: Vec<Run>,
}

/// UIDs that follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u32,
    last: u32,
    /// Messages before it.
    before: u32,
}

impl Run {
    fn len(self) -> u32 {
        self.last - self.first + 1
    }

    fn end(self) -> u32 {
        self.before + self.len()
    }
}

impl View {
    /// The number of messages.
    pub(super) fn len(&self) -> u32 {
        self.runs.last().map_or(0, |run| run.end())
    }

    /// The UID of the last message.
    pub(super) fn last(&self) -> Option<u32> {
        self.runs.last().map(|run| run.last)
    }

    /// The UID of the message with this number.
    #[cfg(test)]
    pub(super) fn uid(&self, number: u32) -> Option<Uid> {
        let index = number.checked_sub(1)?;
        let at = self.runs.partition_point(|run| run.end() <= index);
        let run = self.runs.get(at)?;
        Uid::new(run.first + (index - run.before))
    }

    /// The number of the message with this UID.
    pub(super) fn number(&self, uid: Uid) -> Option<u32> {
        let uid = uid.get();
        let at = self.runs.partition_point(|run| run.last < uid);
        let run = self.runs.get(at).filter(|run| run.first <= uid)?;
        Some(run.before + (uid - run.first) + 1)
    }

    /// Adds a message behind all others. Without effect if its UID is not larger than theirs.
    pub(super) fn push(&mut self, uid: Uid) {
        let (uid, before) = (uid.get(), self.len());
        match self.runs.last_mut() {
            Some(run) if run.last >= uid => {}
            Some(run) if run.last + 1 == uid => run.last = uid,
            _ => self.runs.push(Run { first: uid, last: uid, before }),
        }
    }

    /// Removes messages. Returns those that were there, and the numbers to tell of, each as it is when those before it are gone.
    pub(super) fn remove(&mut self, gone: &UidSet) -> (UidSet, Vec<u32>) {
        let mut removed = UidSet::new();
        let mut numbers = Vec::new();
        let mut left = Self::default();
        let mut gone =
            gone.ranges().map(|range| (range.start().get(), range.end().get())).peekable();
        for run in &self.runs {
            let mut from = run.first;
            while let Some(&(start, end)) = gone.peek() {
                if end < from {
                    gone.next();
                    continue;
                }
                if start > run.last {
                    break;
                }
                let (start, end) = (start.max(from), end.min(run.last));
                left.push_run(from, start);
                insert(&mut removed, start, end);
                numbers.extend((start..=end).map(|_| left.len() + 1));
                from = end.saturating_add(1);
                if from > run.last || end == u32::MAX {
                    break;
                }
            }
            if from <= run.last && from != 0 {
                left.push_run(from, run.last.saturating_add(1));
            }
        }
        *self = left;
        (removed, numbers)
    }

    /// Adds the UIDs before `end`.
    fn push_run(&mut self, first: u32, end: u32) {
        if first < end {
            let before = self.len();
            self.runs.push(Run { first, last: end - 1, before });
        }
    }

    /// The messages with these numbers. `None` if a number is larger than that of the last message.
    pub(super) fn of_numbers(&self, ranges: impl Iterator<Item = (u32, u32)>) -> Option<UidSet> {
        let mut uids = UidSet::new();
        for (from, to) in merged_ranges(ranges) {
            if from == 0 || to > self.len() {
                return None;
            }
            let mut at = self.runs.partition_point(|run| run.end() < from);
            while let Some(run) = self.runs.get(at).filter(|run| run.before < to) {
                let start = from.max(run.before + 1) - run.before - 1;
                let end = to.min(run.end()) - run.before - 1;
                insert(&mut uids, run.first + start, run.first + end);
                at += 1;
            }
        }
        Some(uids)
    }

    /// The messages with these UIDs; others do not count.
    pub(super) fn of_uids(&self, ranges: impl Iterator<Item = (u32, u32)>) -> UidSet {
        let mut uids = UidSet::new();
        for (from, to) in merged_ranges(ranges) {
            let mut at = self.runs.partition_point(|run| run.last < from);
            while let Some(run) = self.runs.get(at).filter(|run| run.first <= to) {
                insert(&mut uids, run.first.max(from), run.last.min(to));
                at += 1;
            }
        }
        uids
    }

    /// All messages.
    pub(super) fn all(&self) -> UidSet {
        self.of_uids(std::iter::once((1, u32::MAX)))
    }

    /// The numbers of messages, as ranges.
    pub(super) fn numbers(&self, uids: &UidSet) -> Vec<(u32, u32)> {
        let mut numbers: Vec<(u32, u32)> = Vec::new();
        for range in uids.ranges() {
            let (from, to) = (range.start().get(), range.end().get());
            let mut at = self.runs.partition_point(|run| run.last < from);
            while let Some(run) = self.runs.get(at).filter(|run| run.first <= to) {
                let start = run.before + (run.first.max(from) - run.first) + 1;
                let end = run.before + (run.last.min(to) - run.first) + 1;
                match numbers.last_mut() {
                    Some(last) if last.1 + 1 == start => last.1 = end,
                    _ => numbers.push((start, end)),
                }
                at += 1;
            }
        }
        numbers
    }
}

fn insert(uids: &mut UidSet, from: u32, to: u32) {
    if let (Some(from), Some(to)) = (Uid::new(from), Uid::new(to)) {
        uids.insert_range(from..=to);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn uid(number: u32) -> Uid {
        Uid::new(number).expect("a number that is not 0")
    }

    fn view(uids: &[u32]) -> View {
        let mut view = View::default();
        uids.iter().for_each(|&number| view.push(uid(number)));
        view
    }

    fn set(text: &str) -> UidSet {
        UidSet::parse(text, 100).expect("a set of UIDs")
    }

    #[test]
    fn expunged_messages_are_told_by_the_numbers_of_then() {
        /// UIDs, those that are gone, those of them that were there, the numbers that are told, the UIDs that are left.
        type Case<'a> = (&'a [u32], &'a str, &'a str, &'a [u32], &'a [u32]);
        let cases: &[Case<'_>] = &[
            (&[1, 2, 3, 4, 5], "3", "3", &[3], &[1, 2, 4, 5]),
            (&[1, 2, 3, 4, 5], "1:2", "1:2", &[1, 1], &[3, 4, 5]),
            (&[1, 2, 3, 4, 5], "2,4", "2,4", &[2, 3], &[1, 3, 5]),
            (&[1, 2, 3, 4, 5], "1:4294967295", "1:5", &[1, 1, 1, 1, 1], &[]),
            (&[10, 20, 30], "1:9,11:20,25", "20", &[2], &[10, 30]),
            (&[10, 20, 30], "40", "", &[], &[10, 20, 30]),
            (&[10, 11, 20], "11:20", "11,20", &[2, 2], &[10]),
            (&[4_294_967_294, 4_294_967_295], "4294967295", "4294967295", &[2], &[4_294_967_294]),
            (&[], "1", "", &[], &[]),
        ];
        for (uids, gone, removed, numbers, left) in cases {
            let mut view = view(uids);
            let (told, told_numbers) = view.remove(&set(gone));
            assert_eq!(
                (told.to_string().as_str(), &told_numbers[..]),
                (*removed, *numbers),
                "{gone}"
            );
            assert_eq!(
                (1..=view.len()).filter_map(|n| view.uid(n)).map(Uid::get).collect::<Vec<_>>(),
                *left
            );
        }
    }

    #[test]
    fn sets_of_numbers_and_of_uids() {
        let view = view(&[5, 6, 9, 20]);
        let numbers = |ranges: &[(u32, u32)]| {
            view.of_numbers(ranges.iter().copied()).map(|uids| uids.to_string())
        };
        assert_eq!(numbers(&[(1, 4)]).as_deref(), Some("5:6,9,20"));
        assert_eq!(numbers(&[(3, 3), (1, 1)]).as_deref(), Some("5,9"));
        assert_eq!(numbers(&[(4, 5)]), None);
        assert_eq!(numbers(&[(0, 0)]), None);
        let uids = |ranges: &[(u32, u32)]| view.of_uids(ranges.iter().copied()).to_string();
        assert_eq!(uids(&[(1, 6), (7, 8), (15, u32::MAX)]), "5:6,20");
        assert_eq!(uids(&[(100, 200)]), "");
        assert_eq!(view.numbers(&set("6:9,20")), [(2, 4)]);
        assert_eq!(view.numbers(&set("5,20")), [(1, 1), (4, 4)]);
        assert_eq!(view.all().to_string(), "5:6,9,20");
    }

    #[test]
    fn a_view_of_a_million_messages_is_small() {
        let mut view = View::default();
        (1..=1_000_000).for_each(|number| view.push(uid(number)));
        assert_eq!((view.runs.len(), view.len()), (1, 1_000_000));
    }

    proptest! {
        #[test]
        fn a_view_is_a_list(steps in prop::collection::vec((any::<bool>(), 1_u32..40, 0_u32..5), 0..30)) {
            let (mut view, mut model) = (View::default(), Vec::<u32>::new());
            for (is_new, number, len) in steps {
                if is_new {
                    let next = model.last().copied().unwrap_or_default().max(view.last().unwrap_or_default()) + len + 1;
                    view.push(uid(next));
                    model.push(next);
                } else {
                    let gone = UidSet::from(uid(number)..=uid(number + len));
                    let (removed, numbers) = view.remove(&gone);
                    // As a client does it.
                    for at in numbers {
                        let uid = model.remove(at as usize - 1);
                        prop_assert!(removed.contains(Uid::new(uid).unwrap()));
                    }
                }
                prop_assert_eq!(view.len() as usize, model.len());
                for (index, &number) in model.iter().enumerate() {
                    prop_assert_eq!(view.uid(index as u32 + 1), Some(uid(number)));
                    prop_assert_eq!(view.number(uid(number)), Some(index as u32 + 1));
                }
            }
        }
    }
}
