//! Timer wheel. Pure: never reads a clock, never calls user code.
//!
//! Time is a `u64` of ticks (a millisecond each, says the caller). A timer lies in the level that its deadline's
//! highest digit (base 64) unlike the current time's names, in the slot of that digit. From this follows all the rest:
//!
//! - Level and slot are a function of time and deadline alone, so equal deadlines always share one list, and appending
//!   keeps them in the order made. Cascading walks that list from its head and appends.
//! - All of a lower level comes before all of a higher one, and within a level slots are met in rising order: the
//!   earliest timer is in the lowest bit of the lowest level in use, and nothing ever wraps around.
//! - A slot is taken apart when time enters it, so an empty stretch of any length is skipped in one step.
//!
//! Eleven levels of six bits hold every `u64`. The usual six reach two years and need an overflow list with rules of
//! its own; the other five cost 2,560 bytes a wheel, and a timer is moved once for each digit that its delay has.
//!
//! What costs is memory that is not in a cache, so an entry is small, links to no more than its two neighbours, and does
//! not say which list it is in: that follows from its deadline, and is asked only at a list's ends. A list whose timers
//! are all due moves in one step, since nothing in them changes.

use std::{mem, num::NonZeroU32};

const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;

/// The list of timers made when they were due already; the next `advance` takes them first.
const LATE: usize = LEVELS * SLOTS;
/// The list that `pop_due` serves.
const DUE: usize = LATE + 1;
const LISTS: usize = DUE + 1;

/// Retired payloads that there is always room for, once there have been so many.
const RETIRED_KEPT: usize = 1_024;

/// No entry: beyond either end of a list.
const NIL: u32 = u32::MAX;

/// Names a timer: the place it lies in and a generation, so that a place used again is not taken for the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerKey {
    index: u32,
    generation: NonZeroU32,
}

/// A timer, and its neighbours in the list that it is part of; or a vacant place.
struct Entry<T> {
    deadline: u64,
    next: u32,
    prev: u32,
    /// Zero while the place is vacant, and so no key's.
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

/// Timers by deadline; `insert`, `cancel`, `retire` and `reset` in O(1). A vacant place holds the payload's default.
pub(crate) struct Wheel<T> {
    entries: Vec<Entry<T>>,
    /// Vacant places, the one left last at the end. Not a list through the places themselves: to take the next one
    /// from there would be to wait for memory at every timer made after many were due in another order.
    vacant: Vec<u32>,
    /// Places before this one are in use or vacant, those from it on are untouched: all of them, once nothing waits any
    /// more. So the disorder in which a crowd of timers has left does not outlive it.
    used: u32,
    len: usize,
    /// The slots level by level, then `LATE` and `DUE`.
    lists: Box<[List; LISTS]>,
    /// A bit for each slot with timers in it.
    occupied: [u64; LEVELS],
    now: u64,
    /// Stamped on the next entry made, whatever its place, so that `drain` need not keep places to remember theirs. A
    /// stale key is taken for a live one only if its place is given away again exactly 2^32 - 1 timers later.
    generation: NonZeroU32,
    /// Payloads of timers that were retired, in that order.
    retired: Vec<T>,
    /// Entries read or written so far, to prove what O(1) means.
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

    /// A `deadline` that is past already is due at the next [`advance`](Self::advance), not before.
    pub(crate) fn insert(&mut self, deadline: u64, payload: T) -> TimerKey {
        let generation = self.generation;
        self.generation = generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        let index = self.vacant.pop().unwrap_or_else(|| self.untouched());
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

    /// `None` if the timer is gone.
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<T> {
        self.find(key)?;
        self.unlink(key.index);
        Some(self.vacate(key.index))
    }

    /// Cancels a timer and keeps its payload for [`take_retired`](Self::take_retired); `false` if it is gone.
    pub(crate) fn retire(&mut self, key: TimerKey) -> bool {
        let payload = self.cancel(key);
        let found = payload.is_some();
        self.retired.extend(payload);
        found
    }

    /// Gives a timer another deadline, behind all that have the same one; `false` if it is gone.
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

    /// How many timers have a deadline before `tick`, whatever list they are in. Looks at every place.
    pub(crate) fn overdue(&self, tick: u64) -> usize {
        let is_overdue = |entry: &&Entry<T>| entry.generation != 0 && entry.deadline < tick;
        self.entries.iter().filter(is_overdue).count()
    }

    pub(crate) fn payload(&self, key: TimerKey) -> Option<&T> {
        self.find(key).map(|entry| &entry.payload)
    }

    /// Sets the time, and makes due what was late, then what has a deadline up to `now`, by deadline and, where those
    /// are equal, in the order made or last reset. Nothing happens if `now` is before the current time.
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
        // No slot starts in between, so every timer left still has the level and the slot that `now` asks for.
        self.now = now;
    }

    /// The next timer that is due. Its place is free by the time that this returns.
    // Inlined, since most turns only ask in vain.
    #[inline]
    pub(crate) fn pop_due(&mut self) -> Option<(TimerKey, T)> {
        if self.has_due() { self.pop() } else { None }
    }

    fn pop(&mut self) -> Option<(TimerKey, T)> {
        let index = self.lists[DUE].first;
        let generation = self.entries.get(index as usize)?.generation;
        self.unlink(index);
        let generation = NonZeroU32::new(generation).expect("no list has a vacant place");
        Some((TimerKey { index, generation }, self.vacate(index)))
    }

    pub(crate) fn has_due(&self) -> bool {
        self.lists[DUE].first != NIL
    }

    /// When `advance` next has something to do: at the earliest deadline or before it, never after. That is the
    /// current time if a timer is due or late, and the start of its slot if the earliest one lies in a higher level.
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

    /// Takes out what was retired, in that order.
    pub(crate) fn take_retired(&mut self) -> Vec<T> {
        mem::take(&mut self.retired)
    }

    /// Takes back the emptied storage of [`take_retired`](Self::take_retired), for the next ones. What a crowd has left
    /// goes back to the allocator. That makes glibc's join what was freed before, which costs a tenth of a microsecond
    /// for each of 100,000 cancelled calls, and saves more when the next 100,000 are made and fire.
    pub(crate) fn reuse_retired(&mut self, storage: Vec<T>) {
        if self.retired.capacity() == 0 && storage.capacity() <= RETIRED_KEPT {
            self.retired = storage;
        }
    }

    /// Takes out everything: what was retired, then all others in no order. Time stays, and keys given out name nothing
    /// from now on.
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

    /// The list that an entry lies in which is the first or the last one there.
    fn list_with_end(&self, index: u32, deadline: u64) -> usize {
        let late = self.lists[LATE];
        match self.list_for(deadline) {
            LATE if index != late.first && index != late.last => DUE,
            list => list,
        }
    }

    /// The earliest slot in use: its level, its number, and the first tick of its time.
    fn first_slot(&self) -> Option<(usize, usize, u64)> {
        let level = self.occupied.iter().position(|&slots| slots != 0)?;
        let slot = self.occupied[level].trailing_zeros() as usize;
        let shift = DIGIT_BITS * level as u32;
        let digits = (self.now >> shift) & !(SLOTS as u64 - 1) | slot as u64;
        Some((level, slot, digits << shift))
    }

    /// Puts a whole list behind what is due.
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

    /// Empties the list of a slot that begins now, from its first timer on, into lower levels and what is due.
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

    /// Makes an entry the last one of a list, all but its own links; the one before it.
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

    /// The first place that is neither in use nor vacant; it may have to be pushed.
    fn untouched(&mut self) -> u32 {
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

    /// An entry that some list or a key just looked up names, and which therefore exists.
    fn entry(&mut self, index: u32) -> &mut Entry<T> {
        #[cfg(test)]
        {
            self.touches += 1;
        }
        &mut self.entries[index as usize]
    }
}

/// The list of a `deadline` that is after `now`.
fn slot_list(now: u64, deadline: u64) -> usize {
    let level = (now ^ deadline).ilog2() / DIGIT_BITS;
    let slot = (deadline >> (DIGIT_BITS * level)) as usize % SLOTS;
    level as usize * SLOTS + slot
}

#[cfg(test)]
mod tests;
