//! Storm: all connections at once, as fast as they can be opened; each sends a message and stays. A connection
//! that fails is counted, and the others go on.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bench::outcome::Outcome;
use mio::{Events, Poll};

use crate::SILENCE_MAX;
use crate::budget::Budget;
use crate::dialer::Dialer;
use crate::gauge::Gauge;
use crate::life::Life;
use crate::pattern::Pattern;

const BUFFER_LEN: usize = 64 * 1024;

/// Connections dialled between two looks at those that are open already.
const DIALLED_AT_ONCE: usize = 64;

#[derive(Debug)]
pub(crate) struct Storm {
    poll: Poll,
    dialer: Dialer,
    pattern: Pattern,
    connections: usize,
    size: usize,
    /// Those that have their answers, and stay.
    content: Vec<Life>,
}

impl Storm {
    pub(crate) fn new(dialer: Dialer, connections: usize, size: usize) -> Result<Self> {
        let pattern = Pattern::bytes();
        Ok(Self { poll: Poll::new()?, dialer, pattern, connections, size, content: Vec::new() })
    }

    /// One window: from the first connection until the last has its answer, or has failed.
    pub(crate) fn run(&mut self, mut budget: Budget) -> Result<Outcome> {
        self.content.clear();
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; BUFFER_LEN];
        let mut gauge = Gauge::new(Instant::now())?;
        let (mut places, mut waiting, mut failures) = (Vec::new(), 0, 0);
        let count = budget.take(self.connections, Instant::now());
        while places.len() < count || waiting > 0 {
            for place in places.len()..count.min(places.len() + DIALLED_AT_ONCE) {
                let began = Instant::now();
                let life = Life::begin(self.dialer.dial_abortive(), &self.poll, place, began).ok();
                failures += u64::from(life.is_none());
                waiting += usize::from(life.is_some());
                places.push(life);
            }
            let all_dialled = places.len() == count;
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
                let place = event.token().0;
                let Some(life) = &mut places[place] else {
                    continue;
                };
                match life.step(place, &mut buffer, self.size, &self.pattern) {
                    Ok(false) => continue,
                    Ok(true) => {
                        gauge.record(life.began(), Instant::now());
                        self.content.extend(places[place].take());
                    }
                    Err(_) => {
                        failures += 1;
                        places[place] = None;
                    }
                }
                waiting -= 1;
            }
        }
        Ok(gauge.outcome(failures))
    }
}
