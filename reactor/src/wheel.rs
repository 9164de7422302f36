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
//! its own; the other five cost 1,280 bytes a wheel, and a timer is moved once for each digit that its delay has.

use std::{mem, num::NonZeroU32};

use slab::Slab;

const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;

/// The list of timers made when they were due already; the next `advance` takes them first.
const LATE: usize = LEVELS * SLOTS;
/// The list that `pop_due` serves.
const DUE: usize = LATE + 1;
const LISTS: usize = DUE + 1;

/// No entry: the head of an empty list.
const NIL: u32 = u32::MAX;

/// Names a timer: the slot it lies in and a generation, so that a slot used again is not taken for the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerKey {
    index: u32,
    generation: NonZeroU32,
}

/// A timer, and its links in the circular list that it is part of.
struct Entry<T> {
    deadline: u64,
    next: u32,
    prev: u32,
    /// Never zero, and so the slab marks a vacant place in it instead of in a word of its own.
    generation: NonZeroU32,
    list: u16,
    payload: T,
}

/// Timers by deadline; `insert`, `cancel` and `reset` in O(1).
pub(crate) struct Wheel<T> {
    entries: Slab<Entry<T>>,
    /// First entry of each list: the slots level by level, then `LATE` and `DUE`. Its `prev` is the last one.
    heads: Box<[u32; LISTS]>,
    /// A bit for each slot with timers in it.
    occupied: [u64; LEVELS],
    now: u64,
    /// Stamped on the next entry made. Kept here since a vacant place of the slab remembers nothing; a stale key is
    /// taken for a live one only if its place is given away again exactly 2^32 - 1 timers later.
    generation: NonZeroU32,
    /// Entries read or written so far, to prove what O(1) means.
    #[cfg(test)]
    touches: u64,
}

impl<T> Wheel<T> {
    pub(crate) fn new() -> Self {
        Self {
            entries: Slab::new(),
            heads: Box::new([NIL; LISTS]),
            occupied: [0; LEVELS],
            now: 0,
            generation: NonZeroU32::MIN,
            #[cfg(test)]
            touches: 0,
        }
    }

    /// Timers that are neither popped nor cancelled, due or not.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A `deadline` that is past already is due at the next [`advance`](Self::advance), not before.
    pub(crate) fn insert(&mut self, deadline: u64, payload: T) -> TimerKey {
        let generation = self.generation;
        self.generation = generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        let index = self.entries.insert(Entry {
            deadline,
            next: NIL,
            prev: NIL,
            generation,
            list: 0,
            payload,
        });
        let index = u32::try_from(index)
            .ok()
            .filter(|&index| index != NIL)
            .expect("2^32 timers take 96 GiB for their links alone");
        self.append(index, self.list_for(deadline));
        TimerKey { index, generation }
    }

    /// `None` if the timer is gone.
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<T> {
        self.find(key)?;
        self.unlink(key.index);
        Some(self.entries.remove(key.index as usize).payload)
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

    pub(crate) fn payload(&self, key: TimerKey) -> Option<&T> {
        self.find(key).map(|entry| &entry.payload)
    }

    /// Sets the time, and makes due what was late, then what has a deadline up to `now`, by deadline and, where those
    /// are equal, in the order made or last reset. Nothing happens if `now` is before the current time.
    pub(crate) fn advance(&mut self, now: u64) {
        if now < self.now {
            return;
        }
        self.take_list(LATE, |_| DUE);
        while let Some((level, slot, start)) = self.first_slot()
            && start <= now
        {
            self.now = start;
            self.occupied[level] &= !(1 << slot);
            self.take_list(level * SLOTS + slot, |deadline| {
                if deadline == start { DUE } else { slot_list(start, deadline) }
            });
        }
        // No slot starts in between, so every timer left still has the level and the slot that `now` asks for.
        self.now = now;
    }

    /// The next timer that is due. Its place is free by the time that this returns.
    pub(crate) fn pop_due(&mut self) -> Option<(TimerKey, T)> {
        let index = self.heads[DUE];
        if index == NIL {
            return None;
        }
        self.unlink(index);
        let Entry { generation, payload, .. } = self.entries.remove(index as usize);
        Some((TimerKey { index, generation }, payload))
    }

    pub(crate) fn has_due(&self) -> bool {
        self.heads[DUE] != NIL
    }

    /// When `advance` next has something to do: at the earliest deadline or before it, never after. That is the
    /// current time if a timer is due or late, and the start of its slot if the earliest one lies in a higher level.
    pub(crate) fn next_wakeup(&self) -> Option<u64> {
        if self.heads[DUE] != NIL || self.heads[LATE] != NIL {
            return Some(self.now);
        }
        self.first_slot().map(|(_, _, start)| start)
    }

    /// Takes out everything, in no order. Time stays, and keys given out name nothing from now on.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        self.heads.fill(NIL);
        self.occupied.fill(0);
        mem::take(&mut self.entries).into_iter().map(|(_, entry)| entry.payload).collect()
    }

    fn find(&self, key: TimerKey) -> Option<&Entry<T>> {
        self.entries.get(key.index as usize).filter(|entry| entry.generation == key.generation)
    }

    fn list_for(&self, deadline: u64) -> usize {
        if deadline <= self.now { LATE } else { slot_list(self.now, deadline) }
    }

    /// The earliest slot in use: its level, its number, and the first tick of its time.
    fn first_slot(&self) -> Option<(usize, usize, u64)> {
        let level = self.occupied.iter().position(|&slots| slots != 0)?;
        let slot = self.occupied[level].trailing_zeros() as usize;
        let shift = DIGIT_BITS * level as u32;
        let digits = (self.now >> shift) & !(SLOTS as u64 - 1) | slot as u64;
        Some((level, slot, digits << shift))
    }

    /// Empties a list, from its head on, into the lists that `to` names by deadline.
    fn take_list(&mut self, list: usize, to: impl Fn(u64) -> usize) {
        let head = mem::replace(&mut self.heads[list], NIL);
        let mut index = head;
        while index != NIL {
            let entry = self.entry(index);
            let (next, deadline) = (entry.next, entry.deadline);
            self.append(index, to(deadline));
            index = if next == head { NIL } else { next };
        }
    }

    fn append(&mut self, index: u32, list: usize) {
        let head = self.heads[list];
        let (next, prev) = if head == NIL {
            self.heads[list] = index;
            if list < LATE {
                self.occupied[list / SLOTS] |= 1 << (list % SLOTS);
            }
            (index, index)
        } else {
            let tail = mem::replace(&mut self.entry(head).prev, index);
            self.entry(tail).next = index;
            (head, tail)
        };
        let entry = self.entry(index);
        entry.next = next;
        entry.prev = prev;
        entry.list = list as u16;
    }

    fn unlink(&mut self, index: u32) {
        let entry = self.entry(index);
        let (next, prev, list) = (entry.next, entry.prev, usize::from(entry.list));
        if next == index {
            self.heads[list] = NIL;
            if list < LATE {
                self.occupied[list / SLOTS] &= !(1 << (list % SLOTS));
            }
            return;
        }
        self.entry(prev).next = next;
        self.entry(next).prev = prev;
        if self.heads[list] == index {
            self.heads[list] = next;
        }
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
