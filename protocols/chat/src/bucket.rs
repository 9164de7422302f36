//! How fast commands and stanzas of a client may come: [`Bucket`]. Pure: time is an argument.

use std::time::{Duration, Instant};

/// A token bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// When it will be full again.
    full_at: Option<Instant>,
}

impl Bucket {
    pub(crate) const fn new() -> Self {
        Self { full_at: None }
    }

    /// Takes a token, or says how long to wait for one.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        burst: u32,
        interval: Duration,
    ) -> Result<(), Duration> {
        let from = self.full_at.filter(|full_at| *full_at > now).unwrap_or(now);
        let allowed = interval.saturating_mul(burst.saturating_sub(1));
        let wait = from.saturating_duration_since(now).saturating_sub(allowed);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.full_at = from.checked_add(interval);
        Ok(())
    }

    /// Takes more tokens, also if they are not there yet: what was done has cost so much.
    pub(crate) fn charge(&mut self, now: Instant, tokens: u32, interval: Duration) {
        let from = self.full_at.filter(|full_at| *full_at > now).unwrap_or(now);
        self.full_at = from.checked_add(interval.saturating_mul(tokens));
    }
}

#[cfg(test)]
mod tests {
    use sinew_transports::reactor::Reactor;

    use super::*;

    #[test]
    fn a_burst_and_then_an_interval() {
        let start = Reactor::simulated(0).now();
        let second = |seconds| start + Duration::from_secs(seconds);
        let mut bucket = Bucket::new();
        let mut take = |at| bucket.take(at, 2, Duration::from_secs(1));
        assert_eq!((take(second(0)), take(second(0))), (Ok(()), Ok(())));
        assert_eq!(take(second(0)), Err(Duration::from_secs(1)));
        assert_eq!((take(second(1)), take(second(9)), take(second(9))), (Ok(()), Ok(()), Ok(())));
    }

    #[test]
    fn what_costs_more_is_paid_for_later() {
        let start = Reactor::simulated(0).now();
        let mut bucket = Bucket::new();
        let second = Duration::from_secs(1);
        assert_eq!(bucket.take(start, 2, second), Ok(()));
        bucket.charge(start, 5, second);
        assert_eq!(bucket.take(start, 2, second), Err(second * 5));
        assert_eq!(bucket.take(start + second * 5, 2, second), Ok(()));
    }
}
