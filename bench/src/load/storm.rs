//! Storm: all connections at once, as fast as they can be opened; each sends a message and stays open. A connection
//! that fails is counted, and the others continue.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bench::outcome::Outcome;
use mio::{Events, Poll};

use crate::SILENCE_MAX;
use crate::budget::Budget;
use crate::dialer::Dialer;
use crate::meter::Meter;
use crate::one_shot::OneShot;
use crate::pattern::Pattern;

const BUFFER_LEN: usize = 64 * 1024;

/// Connections dialled between two polls.
const DIALLED_AT_ONCE: usize = 64;

#[derive(Debug)]
pub(crate) struct Storm {
    poll: Poll,
    dialer: Dialer,
    pattern: Pattern,
    connections: usize,
    size: usize,
    /// Connections that were answered, and stay open.
    answered: Vec<OneShot>,
}

impl Storm {
    pub(crate) fn new(dialer: Dialer, connections: usize, size: usize) -> Result<Self> {
        let pattern = Pattern::bytes();
        Ok(Self { poll: Poll::new()?, dialer, pattern, connections, size, answered: Vec::new() })
    }

    /// One window: from the first connection until the last is answered, or has failed.
    pub(crate) fn run(&mut self, mut budget: Budget) -> Result<Outcome> {
        self.answered.clear();
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; BUFFER_LEN];
        let mut meter = Meter::new(Instant::now())?;
        let (mut slots, mut waiting, mut failures) = (Vec::new(), 0, 0);
        let count = budget.take(self.connections, Instant::now());
        while slots.len() < count || waiting > 0 {
            for slot in slots.len()..count.min(slots.len() + DIALLED_AT_ONCE) {
                let began = Instant::now();
                let connection =
                    OneShot::begin(self.dialer.dial_abortive(), &self.poll, slot, began).ok();
                failures += u64::from(connection.is_none());
                waiting += usize::from(connection.is_some());
                slots.push(connection);
            }
            let all_dialled = slots.len() == count;
            let wait = if all_dialled { SILENCE_MAX } else { Duration::ZERO };
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            ensure!(
                !(all_dialled && waiting > 0 && events.is_empty()),
                "no answer for {SILENCE_MAX:?}, {waiting} connections wait"
            );
            for event in &events {
                let slot = event.token().0;
                let Some(connection) = &mut slots[slot] else {
                    continue;
                };
                match connection.step(slot, &mut buffer, self.size, &self.pattern) {
                    Ok(false) => continue,
                    Ok(true) => {
                        meter.record(connection.began(), Instant::now());
                        self.answered.extend(slots[slot].take());
                    }
                    Err(_) => {
                        failures += 1;
                        slots[slot] = None;
                    }
                }
                waiting -= 1;
            }
        }
        Ok(meter.outcome(failures))
    }
}
