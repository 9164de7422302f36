//! Churn: connect, send one message, check its echo, close; a fixed number of connections at a time.

use std::io::ErrorKind;
use std::time::Instant;

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

#[derive(Debug)]
pub(crate) struct Churn {
    poll: Poll,
    dialer: Dialer,
    pattern: Pattern,
    connections: usize,
    size: usize,
}

impl Churn {
    /// Opens and closes one connection per slot, as a warm-up; none stays open.
    pub(crate) fn new(dialer: Dialer, connections: usize, size: usize) -> Result<Self> {
        let mut churn =
            Self { poll: Poll::new()?, dialer, pattern: Pattern::bytes(), connections, size };
        churn.run(Budget::messages(connections as u64))?;
        Ok(churn)
    }

    /// One window; a message is a connection, and its latency is the connection's lifetime.
    pub(crate) fn run(&mut self, mut budget: Budget) -> Result<Outcome> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; BUFFER_LEN];
        let mut meter = Meter::new(Instant::now())?;
        let mut slots = Vec::with_capacity(self.connections);
        for slot in 0..self.connections {
            slots.push(self.replace(slot, &mut budget)?);
        }
        let mut open = slots.iter().flatten().count();
        while open > 0 {
            match self.poll.poll(&mut events, Some(SILENCE_MAX)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            ensure!(!events.is_empty(), "no echo for {SILENCE_MAX:?}, {open} connections open");
            for event in &events {
                let slot = event.token().0;
                let Some(connection) = &mut slots[slot] else {
                    continue;
                };
                if connection.step(slot, &mut buffer, self.size, &self.pattern)? {
                    meter.record(connection.began(), Instant::now());
                    // Closed before the next is opened: one descriptor for each slot.
                    slots[slot] = None;
                    slots[slot] = self.replace(slot, &mut budget)?;
                    open -= usize::from(slots[slot].is_none());
                }
            }
        }
        Ok(meter.outcome(0))
    }

    /// The next connection for this slot, while the budget lasts.
    fn replace(&mut self, slot: usize, budget: &mut Budget) -> Result<Option<OneShot>> {
        let began = Instant::now();
        if budget.take(1, began) == 0 {
            return Ok(None);
        }
        Ok(Some(OneShot::begin(self.dialer.dial(), &self.poll, slot, began)?))
    }
}
