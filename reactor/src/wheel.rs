//! Timer wheel. Pure: never reads a clock, never calls user code.
//!
//! Time is a `u64` of ticks (the caller uses milliseconds). A timer's level is the highest digit (base 64) in which its
//! deadline differs from the current time; its slot in that level is that digit of the deadline. It follows that:
//!
//! - Level and slot are a function of time and deadline alone, so equal deadlines always share one list, and appending
//!   keeps them in the order made. Cascading walks that list from its head and appends.
//! - All timers of a lower level are earlier than all of a higher one, and within a level slots are visited in rising
//!   order: the earliest timer is at the lowest bit of the lowest level in use, and nothing ever wraps around.
//! - A slot is cascaded when time enters it, so an empty stretch of any length is skipped in one step.
//!
//! Eleven levels of six bits cover every `u64`. The usual six reach two years and need an overflow list with rules of
//! its own; the other five cost 2,560 bytes a wheel, and a timer is moved at most once for each digit of its delay.
//!
//! The main cost is cache misses, so an entry is small, links only to its two neighbours, and does not store its list: that
//! follows from its deadline, and is needed only at a list's ends. A list whose timers are all due is moved in one step,
//! since its entries do not change.

use std::{mem, num::NonZeroU32};

const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;

/// The list of timers inserted with a deadline in the past; the next `advance` takes them first.
const LATE: usize = LEVELS * SLOTS;
/// The list that `pop_due` pops from.
const DUE: usize = LATE + 1;
const LISTS: usize = DUE + 1;

/// The largest capacity of `retired` that is kept for reuse.
const RETIRED_KEPT: usize = 1_024;

/// Null index: beyond either end of a list.
const NIL: u32 = u32::MAX;

/// Identifies a timer: an index and a generation, so that a stale key never matches the entry's next user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerKey {
    index: u32,
    generation: NonZeroU32,
}

/// A timer and its neighbours in its list; or a vacant entry.
struct Entry<T> {
    deadline: u64,
    next: u32,
    prev: u32,
    /// Zero while the entry is vacant, so that no key matches.
    generation: u32,
    payload: T,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct List {
    first: u32,
    last: u32,
}

impl List {
    const EMPTY: Self = Self { first: NIL, last: NIL };
}

/// Timers by deadline; `insert`, `cancel`, `retire` and `reset` in O(1). A vacant entry holds the payload's default.
pub(crate) struct Wheel<T> {
    entries: Vec<Entry<T>>,
    /// Indexes of vacant entries, the last vacated at the end. Not a free list through the entries themselves: that would
    /// be a cache miss for every insertion after many timers fired in another order.
    vacant: Vec<u32>,
    /// Entries below this index are in use or vacant, the others are untouched. Reset to zero when the last timer is
    /// gone, so that a burst of timers does not leave the indexes in disorder.
    used: u32,
    len: usize,
    /// The slots level by level, then `LATE` and `DUE`.
    lists: Box<[List; LISTS]>,
    /// A bit for each slot with timers in it.
    occupied: [u64; LEVELS],
    now: u64,
    /// The generation of the next entry, whatever its index, so that `drain` need not keep entries to remember theirs. A
    /// stale key matches a live timer only if its entry is reused exactly 2^32 - 1 timers later.
    generation: NonZeroU32,
    /// Payloads of retired timers, in that order.
    retired: Vec<T>,
    /// Entries read or written so far, so that tests can check O(1).
    #[cfg(test)]
    touches: u64,
}

impl<T: Default> Wheel<T> {
    pub(crate) fn new() -> Self {
        Self {
            entries: Vec::new(),
            vacant: Vec::new(),
            used: 0,
            len: 0,
            lists: Box::new([List::EMPTY; LISTS]),
            occupied: [0; LEVELS],
            now: 0,
            generation: NonZeroU32::MIN,
            retired: Vec::new(),
            #[cfg(test)]
            touches: 0,
        }
    }

    /// Timers that are neither popped nor cancelled, due or not.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A `deadline` in the past is due at the next [`advance`](Self::advance), not before.
    pub(crate) fn insert(&mut self, deadline: u64, payload: T) -> TimerKey {
        let generation = self.generation;
        self.generation = generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        let index = self.vacant.pop().unwrap_or_else(|| self.next_untouched());
        let prev = self.join(self.list_for(deadline), index);
        let entry = Entry { deadline, next: NIL, prev, generation: generation.get(), payload };
        if index as usize == self.entries.len() {
            self.entries.push(entry);
        } else {
            *self.entry(index) = entry;
        }
        self.len += 1;
        TimerKey { index, generation }
    }

    /// `None` if the timer has fired or been cancelled.
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<T> {
        self.find(key)?;
        self.unlink(key.index);
        Some(self.vacate(key.index))
    }

    /// Cancels a timer and keeps its payload for [`take_retired`](Self::take_retired); `false` if it has fired or been
    /// cancelled.
    pub(crate) fn retire(&mut self, key: TimerKey) -> bool {
        let payload = self.cancel(key);
        let found = payload.is_some();
        self.retired.extend(payload);
        found
    }

    /// Changes a timer's deadline; it is ordered after all timers with the same one. `false` if it has fired or been
    /// cancelled.
    pub(crate) fn reset(&mut self, key: TimerKey, deadline: u64) -> bool {
        if self.find(key).is_none() {
            return false;
        }
        self.unlink(key.index);
        self.entry(key.index).deadline = deadline;
        self.append(key.index, self.list_for(deadline));
        true
    }

    pub(crate) fn deadline(&self, key: TimerKey) -> Option<u64> {
        self.find(key).map(|entry| entry.deadline)
    }

    /// How many timers have a deadline before `tick`, in any list. O(n).
    pub(crate) fn overdue(&self, tick: u64) -> usize {
        let is_overdue = |entry: &&Entry<T>| entry.generation != 0 && entry.deadline < tick;
        self.entries.iter().filter(is_overdue).count()
    }

    pub(crate) fn payload(&self, key: TimerKey) -> Option<&T> {
        self.find(key).map(|entry| &entry.payload)
    }

    /// Sets the time. Moves to the due list first the late timers, then those with a deadline up to `now`, by deadline
    /// and, where equal, in the order in which they were inserted or last reset. Does nothing if `now` is before the
    /// current time.
    pub(crate) fn advance(&mut self, now: u64) {
        if now < self.now {
            return;
        }
        self.make_due(LATE);
        while let Some((level, slot, start)) = self.first_slot()
            && start <= now
        {
            self.now = start;
            self.occupied[level] &= !(1 << slot);
            if level == 0 {
                self.make_due(slot);
            } else {
                self.cascade(level * SLOTS + slot);
            }
        }
        // No slot starts in between, so the level and slot of every remaining timer are valid for `now`.
        self.now = now;
    }

    /// The next timer that is due. Its entry is vacant when this returns.
    // Inlined, since in most turns nothing is due.
    #[inline]
    pub(crate) fn pop_due(&mut self) -> Option<(TimerKey, T)> {
        if self.has_due() { self.pop() } else { None }
    }

    fn pop(&mut self) -> Option<(TimerKey, T)> {
        let index = self.lists[DUE].first;
        let generation = self.entries.get(index as usize)?.generation;
        self.unlink(index);
        let generation = NonZeroU32::new(generation).expect("no list contains a vacant entry");
        Some((TimerKey { index, generation }, self.vacate(index)))
    }

    /// The deadline of the timer that `pop_due` takes next.
    pub(crate) fn first_due(&self) -> Option<u64> {
        self.entries.get(self.lists[DUE].first as usize).map(|entry| entry.deadline)
    }

    pub(crate) fn has_due(&self) -> bool {
        self.lists[DUE].first != NIL
    }

    /// When `advance` next has work: at the earliest deadline or before it, never after. That is the current time if a
    /// timer is due or late, and the start of its slot if the earliest timer is in a higher level.
    pub(crate) fn next_wakeup(&self) -> Option<u64> {
        if self.is_empty() {
            return None;
        }
        if self.has_due() || self.lists[LATE].first != NIL {
            return Some(self.now);
        }
        self.first_slot().map(|(_, _, start)| start)
    }

    pub(crate) fn has_retired(&self) -> bool {
        !self.retired.is_empty()
    }

    /// Whether something is due or retired.
    pub(crate) fn has_work(&self) -> bool {
        self.has_due() || self.has_retired()
    }

    /// Removes and returns the retired payloads, in that order.
    pub(crate) fn take_retired(&mut self) -> Vec<T> {
        mem::take(&mut self.retired)
    }

    /// Takes back the empty storage of [`take_retired`](Self::take_retired) for reuse. Storage above `RETIRED_KEPT` is
    /// freed. With glibc, freeing it coalesces earlier free chunks, which costs a tenth of a microsecond for each of
    /// 100,000 cancelled calls, and saves more when the next 100,000 are made and fire.
    pub(crate) fn reuse_retired(&mut self, storage: Vec<T>) {
        if self.retired.capacity() == 0 && storage.capacity() <= RETIRED_KEPT {
            self.retired = storage;
        }
    }

    /// Removes and returns everything: the retired payloads, then all others in no order. Time stays, and all keys
    /// become stale.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        self.lists.fill(List::EMPTY);
        self.occupied.fill(0);
        self.vacant = Vec::new();
        self.used = 0;
        self.len = 0;
        let entries = mem::take(&mut self.entries);
        let mut drained = self.take_retired();
        let live = entries.into_iter().filter(|entry| entry.generation != 0);
        drained.extend(live.map(|entry| entry.payload));
        drained
    }

    fn find(&self, key: TimerKey) -> Option<&Entry<T>> {
        self.entries
            .get(key.index as usize)
            .filter(|entry| entry.generation == key.generation.get())
    }

    fn list_for(&self, deadline: u64) -> usize {
        if deadline <= self.now { LATE } else { slot_list(self.now, deadline) }
    }

    /// The list of an entry that is the first or the last one in it.
    fn list_with_end(&self, index: u32, deadline: u64) -> usize {
        let late = self.lists[LATE];
        match self.list_for(deadline) {
            LATE if index != late.first && index != late.last => DUE,
            list => list,
        }
    }

    /// The earliest slot in use: its level, its number, and its first tick.
    fn first_slot(&self) -> Option<(usize, usize, u64)> {
        let level = self.occupied.iter().position(|&slots| slots != 0)?;
        let slot = self.occupied[level].trailing_zeros() as usize;
        let shift = DIGIT_BITS * level as u32;
        let digits = (self.now >> shift) & !(SLOTS as u64 - 1) | slot as u64;
        Some((level, slot, digits << shift))
    }

    /// Appends a whole list to the due list.
    fn make_due(&mut self, list: usize) {
        let List { first, last } = mem::replace(&mut self.lists[list], List::EMPTY);
        if first == NIL {
            return;
        }
        let tail = mem::replace(&mut self.lists[DUE].last, last);
        if tail == NIL {
            self.lists[DUE].first = first;
        } else {
            self.entry(tail).next = first;
            self.entry(first).prev = tail;
        }
    }

    /// Empties the list of a slot that begins now, from its first timer on, into lower levels and the due list.
    fn cascade(&mut self, list: usize) {
        let mut index = mem::replace(&mut self.lists[list], List::EMPTY).first;
        while index != NIL {
            let entry = self.entry(index);
            let (next, deadline) = (entry.next, entry.deadline);
            let to = if deadline == self.now { DUE } else { slot_list(self.now, deadline) };
            self.append(index, to);
            index = next;
        }
    }

    fn append(&mut self, index: u32, list: usize) {
        let prev = self.join(list, index);
        let entry = self.entry(index);
        entry.next = NIL;
        entry.prev = prev;
    }

    /// Makes an entry the last one of a list, except for its own links. Returns the one before it.
    fn join(&mut self, list: usize, index: u32) -> u32 {
        let prev = mem::replace(&mut self.lists[list].last, index);
        if prev == NIL {
            self.lists[list].first = index;
            if list < LATE {
                self.occupied[list / SLOTS] |= 1 << (list % SLOTS);
            }
        } else {
            self.entry(prev).next = index;
        }
        prev
    }

    fn unlink(&mut self, index: u32) {
        let &mut Entry { deadline, next, prev, .. } = self.entry(index);
        if prev != NIL {
            self.entry(prev).next = next;
        }
        if next != NIL {
            self.entry(next).prev = prev;
        }
        if prev != NIL && next != NIL {
            return;
        }
        let list = self.list_with_end(index, deadline);
        let ends = &mut self.lists[list];
        if prev == NIL {
            ends.first = next;
        }
        if next == NIL {
            ends.last = prev;
        }
        if *ends == List::EMPTY && list < LATE {
            self.occupied[list / SLOTS] &= !(1 << (list % SLOTS));
        }
    }

    /// The first untouched index; the entry may have to be pushed.
    fn next_untouched(&mut self) -> u32 {
        let index = self.used;
        assert!(index != NIL, "2^32 timers take 96 GiB for their links alone");
        self.used += 1;
        index
    }

    /// Takes the payload out of an entry that is in no list any more.
    fn vacate(&mut self, index: u32) -> T {
        self.len -= 1;
        if self.len == 0 {
            self.vacant.clear();
            self.used = 0;
        } else {
            self.vacant.push(index);
        }
        let entry = self.entry(index);
        entry.generation = 0;
        mem::take(&mut entry.payload)
    }

    /// An entry whose index comes from a list or from a key just looked up, so it exists.
    fn entry(&mut self, index: u32) -> &mut Entry<T> {
        #[cfg(test)]
        {
            self.touches += 1;
        }
        &mut self.entries[index as usize]
    }
}

/// The list for a `deadline` after `now`.
fn slot_list(now: u64, deadline: u64) -> usize {
    let level = (now ^ deadline).ilog2() / DIGIT_BITS;
    let slot = (deadline >> (DIGIT_BITS * level)) as usize % SLOTS;
    level as usize * SLOTS + slot
}

#[cfg(test)]
mod tests;
