//! Counts and times the messages of one window.

use std::time::{Duration, Instant};

use anyhow::Result;
use bench::outcome::Outcome;
use hdrhistogram::Histogram;

/// The longest latency told apart from longer ones.
const LATENCY_MAX: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Gauge {
    latency_ns: Histogram<u64>,
    started: Instant,
    last: Instant,
}

impl Gauge {
    pub(crate) fn new(started: Instant) -> Result<Self> {
        Ok(Self {
            latency_ns: Histogram::new_with_bounds(1, LATENCY_MAX.as_nanos() as u64, 3)?,
            started,
            last: started,
        })
    }

    /// A message sent at `sent` has come back whole at `now`.
    pub(crate) fn record(&mut self, sent: Instant, now: Instant) {
        self.latency_ns.saturating_record((now - sent).as_nanos() as u64);
        self.last = now;
    }

    pub(crate) fn outcome(&self) -> Outcome {
        let messages = self.latency_ns.len();
        let elapsed_s = (self.last - self.started).as_secs_f64();
        let micros = |quantile| self.latency_ns.value_at_quantile(quantile) as f64 / 1e3;
        Outcome {
            messages,
            elapsed_s,
            messages_per_s: if messages == 0 { 0.0 } else { messages as f64 / elapsed_s },
            p50_us: micros(0.50),
            p99_us: micros(0.99),
            p999_us: micros(0.999),
        }
    }
}
