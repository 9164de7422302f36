//! Churn: connect, send one message, check its echo, close; so many at a time.

use std::io::ErrorKind;
use std::time::Instant;

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

#[derive(Debug)]
pub(crate) struct Churn {
    poll: Poll,
    dialer: Dialer,
    pattern: Pattern,
    connections: usize,
    size: usize,
}

impl Churn {
    /// Opens nothing yet, but has the server take and close one connection for each place.
    pub(crate) fn new(dialer: Dialer, connections: usize, size: usize) -> Result<Self> {
        let mut churn =
            Self { poll: Poll::new()?, dialer, pattern: Pattern::bytes(), connections, size };
        churn.run(Budget::messages(connections as u64))?;
        Ok(churn)
    }

    /// One window; a message is a connection, and its latency the connection's life.
    pub(crate) fn run(&mut self, mut budget: Budget) -> Result<Outcome> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; BUFFER_LEN];
        let mut gauge = Gauge::new(Instant::now())?;
        let mut places = Vec::with_capacity(self.connections);
        for place in 0..self.connections {
            places.push(self.replace(place, &mut budget)?);
        }
        let mut open = places.iter().flatten().count();
        while open > 0 {
            match self.poll.poll(&mut events, Some(SILENCE_MAX)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            ensure!(!events.is_empty(), "no echo for {SILENCE_MAX:?}, {open} connections open");
            for event in &events {
                let place = event.token().0;
                let Some(life) = &mut places[place] else {
                    continue;
                };
                if life.step(place, &mut buffer, self.size, &self.pattern)? {
                    gauge.record(life.began(), Instant::now());
                    // Closed before the next is opened: one descriptor for each place.
                    places[place] = None;
                    places[place] = self.replace(place, &mut budget)?;
                    open -= usize::from(places[place].is_none());
                }
            }
        }
        Ok(gauge.outcome(0))
    }

    /// The next connection for this place, while the budget lasts.
    fn replace(&mut self, place: usize, budget: &mut Budget) -> Result<Option<Life>> {
        let began = Instant::now();
        if budget.take(1, began) == 0 {
            return Ok(None);
        }
        Ok(Some(Life::begin(self.dialer.dial(), &self.poll, place, began)?))
    }
}
