//! The result of one window of load: the line of JSON that `load` prints and the runner reads.

use serde::{Deserialize, Serialize};

/// One window of load, as measured by the sender.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Outcome {
    /// Messages answered and checked: connections with `churn` and `storm`, messages received by each receiver with
    /// `fanout`.
    pub messages: u64,
    /// Connections without an answer. Only `storm` continues after one.
    pub failures: u64,
    /// From the first message sent to the last answer received.
    pub elapsed_s: f64,
    /// The time from sending a message to receiving its whole answer, in microseconds, at each of [`QUANTILES`].
    pub latency_us: Vec<f64>,
}

/// The quantiles of the latency distribution.
pub const QUANTILES: [f64; 11] = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999, 1.0];

impl Outcome {
    /// Messages in a second.
    #[must_use]
    pub fn messages_per_s(&self) -> f64 {
        if self.messages == 0 { 0.0 } else { self.messages as f64 / self.elapsed_s }
    }

    /// The latency at one of [`QUANTILES`]; zero for any other.
    #[must_use]
    pub fn latency_us_at(&self, quantile: f64) -> f64 {
        let place = QUANTILES.iter().position(|known| *known == quantile);
        place.and_then(|place| self.latency_us.get(place)).copied().unwrap_or_default()
    }
}
