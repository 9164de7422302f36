//! What one window of load came to: the line of JSON that `load` prints and the runner reads.

use serde::{Deserialize, Serialize};

/// One window of load, as measured by the side that sent it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Outcome {
    /// Messages echoed and checked; with `--churn`, connections opened, echoed on and closed.
    pub messages: u64,
    /// From the first message sent to the last echo received.
    pub elapsed_s: f64,
    /// `messages / elapsed_s`.
    pub messages_per_s: f64,
    /// Median time from sending a message to having its whole echo.
    pub p50_us: f64,
    /// 99th percentile of the same.
    pub p99_us: f64,
    /// 99.9th percentile of the same.
    pub p999_us: f64,
}
