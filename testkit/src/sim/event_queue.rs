//! What is to come, in order: [`EventQueue`]. Of what comes at the same moment, what was entered first comes first. Pure.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

use super::{event::Event, time::Time};

/// See the head of this file.
#[derive(Default)]
pub(super) struct EventQueue {
    entries: BinaryHeap<Reverse<Scheduled>>,
    /// Entries that were ever made.
    made: u64,
}

impl EventQueue {
    pub(super) fn enter(&mut self, at: Time, event: Event) {
        self.made += 1;
        self.entries.push(Reverse(Scheduled { at, serial: self.made, event }));
    }

    /// When the next is to come.
    pub(super) fn next_at(&self) -> Option<Time> {
        self.entries.peek().map(|Reverse(next)| next.at)
    }

    pub(super) fn take_next(&mut self) -> Option<(Time, Event)> {
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
