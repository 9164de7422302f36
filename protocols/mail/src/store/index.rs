//! What is known of the messages of a mailbox: [`Index`], and how it changes, [`Change`]. Pure: no text of messages, no files, no clock.
//!
//! Every change is made by [`apply`](Index::apply), whether it was just decided, or is read from the list of a mailbox on the disk. So
//! the index in memory is what would be read.
//!
//! `P` is where a store finds the text: a file name, or the text itself.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use super::{
    Changes, Expunge, FlagChange, Flags, Keyword, MessageInfo, ModSeq, Status, StoreLimits,
    SystemFlag, Uid, UidSet, UidValidity,
};

/// How many of the last changes are found without looking through all messages.
const LATEST_MAX: usize = 1_024;

/// Flags as bits: of the system, and of the keywords of the mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FlagBits {
    pub(crate) system: u8,
    pub(crate) keywords: u32,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry<P> {
    pub(crate) uid: Uid,
    pub(crate) mod_seq: ModSeq,
    /// Seconds since 1970; negative before.
    pub(crate) date: i64,
    /// With CRLFs.
    pub(crate) size: u64,
    pub(crate) flags: FlagBits,
    /// No session has claimed it.
    pub(crate) is_recent: bool,
    pub(crate) place: P,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change<P> {
    /// A message was added, behind all others.
    Added(Entry<P>),
    /// Flags have changed.
    Flags { uid: Uid, mod_seq: ModSeq, flags: FlagBits },
    /// Only the place has changed.
    Place { uid: Uid, place: P, is_recent: bool },
    /// A message was removed.
    Expunged { uid: Uid, mod_seq: ModSeq },
}

#[derive(Clone, Debug)]
pub(crate) struct Index<P> {
    validity: UidValidity,
    next: Uid,
    highest: ModSeq,
    keywords: Vec<Keyword>,
    /// Ascending.
    entries: Vec<Entry<P>>,
    expunged: VecDeque<(ModSeq, Uid)>,
    expunged_max: usize,
    /// All that was expunged after this is remembered.
    expunged_after: ModSeq,
    latest: VecDeque<(ModSeq, Uid)>,
    /// All that was changed after this is in `latest`.
    latest_after: ModSeq,
    counts: Counts,
}

/// Kept with each change, so that nothing is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    unseen: u32,
    deleted: u32,
    recent: u32,
    size: u64,
}

impl<P: Clone> Index<P> {
    pub(crate) fn new(validity: UidValidity, limits: &StoreLimits) -> Self {
        Self {
            validity,
            next: Uid::MIN,
            highest: ModSeq::MIN,
            keywords: Vec::new(),
            entries: Vec::new(),
            expunged: VecDeque::new(),
            expunged_max: limits.expunged_max,
            expunged_after: ModSeq::ZERO,
            latest: VecDeque::new(),
            latest_after: ModSeq::ZERO,
            counts: Counts::default(),
        }
    }

    pub(crate) fn validity(&self) -> UidValidity {
        self.validity
    }

    pub(crate) fn next(&self) -> Uid {
        self.next
    }

    pub(crate) fn highest(&self) -> ModSeq {
        self.highest
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn keywords(&self) -> &[Keyword] {
        &self.keywords
    }

    pub(crate) fn entries(&self) -> &[Entry<P>] {
        &self.entries
    }

    pub(crate) fn entry(&self, uid: Uid) -> Option<&Entry<P>> {
        Some(&self.entries[self.position(uid)?])
    }

    /// The messages of a set, ascending. Works on the ranges, which may be much larger than the mailbox.
    pub(crate) fn select(&self, uids: &UidSet) -> impl Iterator<Item = &Entry<P>> {
        let mut from = 0;
        uids.ranges().flat_map(move |range| {
            let first = from + self.entries[from..].partition_point(|e| e.uid < *range.start());
            let len = self.entries[first..].partition_point(|entry| entry.uid <= *range.end());
            from = first + len;
            &self.entries[first..from]
        })
    }

    pub(crate) fn status(&self) -> Status {
        let mut status = Status::new(self.validity);
        status.uid_next = self.next;
        status.highest_mod_seq = self.highest;
        status.messages = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        status.unseen = self.counts.unseen;
        status.deleted = self.counts.deleted;
        status.recent = self.counts.recent;
        status.size = self.counts.size;
        status
    }

    pub(crate) fn uids(&self) -> Vec<Uid> {
        self.entries.iter().map(|entry| entry.uid).collect()
    }

    pub(crate) fn message(&self, uid: Uid) -> Option<MessageInfo> {
        self.entry(uid).map(|entry| self.info(entry))
    }

    pub(crate) fn messages(&self, from: Uid, max: usize) -> Vec<MessageInfo> {
        let first = self.entries.partition_point(|entry| entry.uid < from);
        self.entries[first..].iter().take(max).map(|entry| self.info(entry)).collect()
    }

    fn info(&self, entry: &Entry<P>) -> MessageInfo {
        let mut info = MessageInfo::new(entry.uid, entry.size, entry.mod_seq);
        info.flags = self.flags(entry.flags);
        info.date = time(entry.date);
        info
    }

    pub(crate) fn flags(&self, bits: FlagBits) -> Flags {
        let has = |at: &usize| bits.keywords & (1 << at) != 0;
        let keywords = (0..self.keywords.len()).filter(has).map(|at| self.keywords[at].clone());
        Flags::from_bits(bits.system, keywords.collect())
    }

    /// The bits of those flags that the mailbox knows.
    pub(crate) fn bits(&self, flags: &Flags) -> FlagBits {
        FlagBits::of(flags, &self.keywords)
    }

    /// The keywords that the mailbox would have with these, if any is new and there is room.
    pub(crate) fn keywords_with(&self, flags: &Flags, max: usize) -> Option<Vec<Keyword>> {
        let mut keywords = self.keywords.clone();
        let is_new = |keyword: &&Keyword| !self.keywords.contains(keyword);
        for keyword in flags.keywords().iter().filter(is_new) {
            if keywords.len() < max {
                keywords.push(keyword.clone());
            }
        }
        (keywords.len() > self.keywords.len()).then_some(keywords)
    }

    /// Their order is that of the bits, so it never changes.
    pub(crate) fn set_keywords(&mut self, keywords: Vec<Keyword>) {
        self.keywords = keywords;
    }

    pub(crate) fn changes_since(&self, since: ModSeq) -> Changes {
        let mut changes = Changes::none(self.highest);
        if since >= self.highest {
            return changes;
        }
        if since >= self.latest_after {
            let recent = self.latest.iter().rev().take_while(|(mod_seq, _)| *mod_seq > since);
            changes.changed = recent.map(|(_, uid)| *uid).collect();
            changes.changed.sort_unstable();
            changes.changed.dedup();
            changes.changed.retain(|uid| self.position(*uid).is_some());
        } else {
            let changed = self.entries.iter().filter(|entry| entry.mod_seq > since);
            changes.changed = changed.map(|entry| entry.uid).collect();
        }
        changes.vanished = (since >= self.expunged_after).then(|| {
            let gone = self.expunged.iter().rev().take_while(|(mod_seq, _)| *mod_seq > since);
            let mut gone: Vec<_> = gone.map(|(_, uid)| *uid).collect();
            gone.sort_unstable();
            gone.into_iter().collect()
        });
        changes
    }

    /// Those that were expunged, for the list on the disk, and after which number these are all.
    pub(crate) fn expunged(&self) -> (&VecDeque<(ModSeq, Uid)>, ModSeq) {
        (&self.expunged, self.expunged_after)
    }

    /// What the change of flags does, whose flags are `named` as bits: the changes, those that are as wanted, and those that were changed after `unchanged_since`.
    pub(crate) fn flag_changes(
        &self,
        uids: &UidSet,
        change: &FlagChange,
        named: FlagBits,
        unchanged_since: Option<ModSeq>,
    ) -> (Vec<(Uid, FlagBits)>, UidSet, UidSet) {
        let (mut changes, mut done, mut modified) = (Vec::new(), UidSet::new(), UidSet::new());
        for entry in self.select(uids) {
            if unchanged_since.is_some_and(|since| entry.mod_seq > since) {
                modified.insert(entry.uid);
                continue;
            }
            let flags = match change {
                FlagChange::Replace(_) => named,
                FlagChange::Add(_) => entry.flags.with(named),
                FlagChange::Remove(_) => entry.flags.without(named),
            };
            if flags != entry.flags {
                changes.push((entry.uid, flags));
            }
            done.insert(entry.uid);
        }
        (changes, done, modified)
    }

    pub(crate) fn to_expunge(&self, uids: &UidSet, which: Expunge) -> Vec<&Entry<P>> {
        let is_meant =
            |entry: &&Entry<P>| which == Expunge::All || entry.flags.has(SystemFlag::Deleted);
        self.select(uids).filter(is_meant).collect()
    }

    /// The messages that no session has claimed. They are claimed from now on.
    pub(crate) fn claim_recent(&mut self) -> UidSet {
        let mut claimed = UidSet::new();
        if self.counts.recent > 0 {
            for entry in self.entries.iter_mut().filter(|entry| entry.is_recent) {
                entry.is_recent = false;
                claimed.insert(entry.uid);
            }
            self.counts.recent = 0;
        }
        claimed
    }

    /// Makes changes. Those to messages that are not there are ignored, and so are messages that would not be behind all others.
    pub(crate) fn apply(&mut self, changes: impl IntoIterator<Item = Change<P>>) {
        let mut gone = false;
        for change in changes {
            match change {
                Change::Added(entry) => self.add(entry),
                Change::Flags { uid, mod_seq, flags } => {
                    self.note(uid, mod_seq);
                    if let Some(at) = self.live(uid) {
                        let entry = &mut self.entries[at];
                        self.counts.remove(entry);
                        (entry.flags, entry.mod_seq) = (flags, mod_seq);
                        self.counts.add(entry);
                    }
                }
                Change::Place { uid, place, is_recent } => {
                    if let Some(at) = self.live(uid) {
                        let entry = &mut self.entries[at];
                        self.counts.remove(entry);
                        (entry.place, entry.is_recent) = (place, is_recent);
                        self.counts.add(entry);
                    }
                }
                Change::Expunged { uid, mod_seq } => {
                    if let Some(at) = self.live(uid) {
                        let entry = &mut self.entries[at];
                        self.counts.remove(entry);
                        entry.mod_seq = GONE;
                        gone = true;
                    }
                    self.forget(uid, mod_seq);
                }
            }
        }
        if gone {
            // All at once: a mailbox of 100,000 that is emptied moves each entry once at most.
            self.entries.retain(|entry| entry.mod_seq != GONE);
        }
    }

    fn add(&mut self, entry: Entry<P>) {
        if entry.uid < self.next || entry.uid == Uid::MAX {
            return;
        }
        self.next = entry.uid.next().unwrap_or(Uid::MAX);
        self.note(entry.uid, entry.mod_seq);
        self.counts.add(&entry);
        self.entries.push(entry);
    }

    /// Remembers that a message has changed.
    fn note(&mut self, uid: Uid, mod_seq: ModSeq) {
        self.highest = self.highest.max(mod_seq);
        self.latest.push_back((mod_seq, uid));
        if self.latest.len() > LATEST_MAX
            && let Some((mod_seq, _)) = self.latest.pop_front()
        {
            self.latest_after = self.latest_after.max(mod_seq);
        }
    }

    /// Remembers that a message was expunged.
    pub(crate) fn forget(&mut self, uid: Uid, mod_seq: ModSeq) {
        self.highest = self.highest.max(mod_seq);
        self.expunged.push_back((mod_seq, uid));
        if self.expunged.len() > self.expunged_max
            && let Some((mod_seq, _)) = self.expunged.pop_front()
        {
            self.expunged_after = self.expunged_after.max(mod_seq);
        }
    }

    /// What was expunged before this number is not known.
    pub(crate) fn forget_before(&mut self, mod_seq: ModSeq) {
        self.expunged_after = self.expunged_after.max(mod_seq);
        self.highest = self.highest.max(mod_seq);
    }

    /// No message gets a UID or a number below these. All that was changed before is found by looking at each message: after a list was
    /// read, whose messages are not in the order of their changes.
    pub(crate) fn loaded(&mut self, next: Uid, highest: ModSeq) {
        self.next = self.next.max(next);
        self.highest = self.highest.max(highest);
        self.latest.clear();
        self.latest_after = self.highest;
    }

    /// The position of a message that is not about to be removed.
    fn live(&self, uid: Uid) -> Option<usize> {
        self.position(uid).filter(|at| self.entries[*at].mod_seq != GONE)
    }

    fn position(&self, uid: Uid) -> Option<usize> {
        self.entries.binary_search_by_key(&uid, |entry| entry.uid).ok()
    }
}

/// The mark of an entry that is about to be removed. No message has this number.
const GONE: ModSeq = ModSeq::ZERO;

impl FlagBits {
    /// The bits of those flags that a mailbox with these keywords knows.
    pub(crate) fn of(flags: &Flags, known: &[Keyword]) -> Self {
        let position = |keyword: &Keyword| known.iter().position(|known| known == keyword);
        let keywords = flags.keywords().iter().filter_map(position);
        Self { system: flags.bits(), keywords: keywords.fold(0, |bits, at| bits | 1 << at) }
    }

    pub(crate) fn has(self, flag: SystemFlag) -> bool {
        self.system & flag.bit() != 0
    }

    fn with(self, other: Self) -> Self {
        Self { system: self.system | other.system, keywords: self.keywords | other.keywords }
    }

    fn without(self, other: Self) -> Self {
        Self { system: self.system & !other.system, keywords: self.keywords & !other.keywords }
    }
}

impl Counts {
    fn add<P>(&mut self, entry: &Entry<P>) {
        self.unseen += u32::from(!entry.flags.has(SystemFlag::Seen));
        self.deleted += u32::from(entry.flags.has(SystemFlag::Deleted));
        self.recent += u32::from(entry.is_recent);
        self.size = self.size.saturating_add(entry.size);
    }

    fn remove<P>(&mut self, entry: &Entry<P>) {
        self.unseen -= u32::from(!entry.flags.has(SystemFlag::Seen));
        self.deleted -= u32::from(entry.flags.has(SystemFlag::Deleted));
        self.recent -= u32::from(entry.is_recent);
        self.size = self.size.saturating_sub(entry.size);
    }
}

/// Whole seconds since 1970, rounded down.
pub(crate) fn seconds(time: SystemTime) -> i64 {
    let whole = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(error) => {
            let part = i64::from(error.duration().subsec_nanos() > 0);
            -whole(error.duration()).saturating_add(part)
        }
    }
}

/// The time of so many seconds since 1970; 1970 if the system cannot tell it.
pub(crate) fn time(seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let time = match seconds < 0 {
        true => SystemTime::UNIX_EPOCH.checked_sub(distance),
        false => SystemTime::UNIX_EPOCH.checked_add(distance),
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
