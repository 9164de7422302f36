//! All figures by name, and how they are shown: [`Figure`]. The figures of each case are in `columns.rs`.

/// One kind of figure.
#[derive(Debug)]
pub(crate) struct Figure {
    /// The key in a [`Sample`](crate::results::Sample).
    pub(crate) name: &'static str,
    pub(crate) heading: &'static str,
    pub(crate) decimals: usize,
    /// Whether the minimum and the maximum are shown beside the median.
    pub(crate) spread: bool,
}

/// A figure shown as its median.
pub(crate) const fn plain(name: &'static str, heading: &'static str, decimals: usize) -> Figure {
    Figure { name, heading, decimals, spread: false }
}

/// A figure shown with its minimum and maximum, too.
pub(crate) const fn spread(name: &'static str, heading: &'static str, decimals: usize) -> Figure {
    Figure { name, heading, decimals, spread: true }
}

pub(crate) const RATE: &str = "rate";
pub(crate) const CPU: &str = "cpu_us";
pub(crate) const CPU_PER_MB: &str = "cpu_us_per_mb";
pub(crate) const MB_RATE: &str = "mb_per_s";
pub(crate) const P50: &str = "p50_us";
pub(crate) const P99: &str = "p99_us";
pub(crate) const P999: &str = "p999_us";
pub(crate) const BUSY: &str = "busy_percent";
pub(crate) const SLEEPS: &str = "sleeps_per_1000";
pub(crate) const FORCED: &str = "forced_off";
pub(crate) const ELAPSED: &str = "elapsed_ms";
pub(crate) const FAILURES: &str = "failures";
pub(crate) const RESIDENT: &str = "resident_bytes";
pub(crate) const ANONYMOUS: &str = "anonymous_bytes";
pub(crate) const EMPTY: &str = "empty_kib";
pub(crate) const CONNECTIONS: &str = "connections";
pub(crate) const END: &str = "end_ms";
pub(crate) const MAKE: &str = "make_ns";
pub(crate) const RESET: &str = "reset_ns";
pub(crate) const CANCEL: &str = "cancel_ns";
pub(crate) const FIRE: &str = "fire_ns";
pub(crate) const INSTRUCTIONS: &str = "instructions";
pub(crate) const SYSTEM_CALLS: &str = "system_calls";
