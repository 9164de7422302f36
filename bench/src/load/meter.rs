//! Counts the messages of one window and measures their latency.

use std::time::{Duration, Instant};

use anyhow::Result;
use bench::outcome::{Outcome, QUANTILES};
use hdrhistogram::Histogram;

/// The longest latency recorded; longer ones count as this.
const LATENCY_MAX: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Meter {
    latency_ns: Histogram<u64>,
    started: Instant,
    last: Instant,
}

impl Meter {
    pub(crate) fn new(started: Instant) -> Result<Self> {
        Ok(Self {
            latency_ns: Histogram::new_with_bounds(1, LATENCY_MAX.as_nanos() as u64, 3)?,
            started,
            last: started,
        })
    }

    /// A message sent at `sent` has been received completely at `now`.
    pub(crate) fn record(&mut self, sent: Instant, now: Instant) {
        self.latency_ns.saturating_record((now - sent).as_nanos() as u64);
        self.last = now;
    }

    pub(crate) fn outcome(&self, failures: u64) -> Outcome {
        let micros = |quantile| self.latency_ns.value_at_quantile(quantile) as f64 / 1e3;
        Outcome {
            messages: self.latency_ns.len(),
            failures,
            elapsed_s: (self.last - self.started).as_secs_f64(),
            latency_us: QUANTILES.map(micros).to_vec(),
        }
    }
}
