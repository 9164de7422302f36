//! Whether a transfer goes on fast enough: [`Pace`]. Pure: time is an argument.

use std::time::{Duration, Instant};

use super::{DccConfig, DccError};

/// Counts how far a transfer gets in each span of time. The spans follow each other, so that a pause within one does no harm.
#[derive(Debug)]
pub(super) struct Pace {
    least: u64,
    within: Duration,
    /// The beginning of this span, and how far the transfer was then.
    since: Instant,
    from: u64,
}

impl Pace {
    pub(super) const fn new(config: &DccConfig, now: Instant, done: u64) -> Self {
        let (least, within) = config.rate_min;
        Self { least, within, since: now, from: done }
    }

    /// When this span ends.
    pub(super) fn end(&self) -> Instant {
        self.since + self.within
    }

    /// Time in which the other could do nothing does not count.
    pub(super) fn extend(&mut self, by: Duration) {
        self.since += by;
    }

    /// The transfer has got this far.
    ///
    /// # Errors
    ///
    /// [`DccError::TooSlow`] at the end of a span in which it did not get far enough.
    pub(super) fn check(&mut self, now: Instant, done: u64) -> Result<(), DccError> {
        if now < self.end() {
            return Ok(());
        }
        let bytes = done.saturating_sub(self.from);
        if bytes < self.least {
            return Err(DccError::TooSlow { bytes, least: self.least, within: self.within });
        }
        (self.since, self.from) = (now, done);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sinew_transports::reactor::Reactor;

    use super::*;

    #[test]
    fn each_span_counts_for_itself() {
        let start = Reactor::simulated(0).now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let config = DccConfig::default().rate_min(100, Duration::from_secs(10));
        let mut pace = Pace::new(&config, at(0), 1_000);
        assert!(pace.check(at(9), 1_000).is_ok(), "the span is not over");
        assert!(pace.check(at(10), 1_100).is_ok());
        assert_eq!(pace.end(), at(20));
        // What was too much before does not help.
        assert!(pace.check(at(20), 9_000).is_ok());
        pace.extend(Duration::from_secs(5));
        assert!(pace.check(at(34), 9_000).is_ok());
        let slow = pace.check(at(35), 9_099);
        assert!(matches!(slow, Err(DccError::TooSlow { bytes: 99, least: 100, .. })), "{slow:?}");
        let mut any = Pace::new(&config.rate_min(0, Duration::from_secs(10)), at(0), 0);
        assert!(any.check(at(10), 0).is_ok());
    }
}
