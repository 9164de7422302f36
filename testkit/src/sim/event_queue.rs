//! The event queue: [`EventQueue`], a priority queue ordered by time. Events at the same time run in the order in
//! which they were added. Pure.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

use super::{event::Event, time::Time};

/// A queue of scheduled events.
#[derive(Default)]
pub(super) struct EventQueue {
    entries: BinaryHeap<Reverse<Scheduled>>,
    /// Serial number of the last event added.
    made: u64,
}

impl EventQueue {
    pub(super) fn push(&mut self, at: Time, event: Event) {
        self.made += 1;
        self.entries.push(Reverse(Scheduled { at, serial: self.made, event }));
    }

    /// Time of the next event.
    pub(super) fn next_at(&self) -> Option<Time> {
        self.entries.peek().map(|Reverse(next)| next.at)
    }

    pub(super) fn pop(&mut self) -> Option<(Time, Event)> {
        self.entries.pop().map(|Reverse(Scheduled { at, event, .. })| (at, event))
    }
}

struct Scheduled {
    at: Time,
    serial: u64,
    event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.serial == other.serial
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.serial).cmp(&(other.at, other.serial))
    }
}
