//! Lines that wait to be sent: [`Outgoing`], a queue behind a token bucket. Pure: time is an argument.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

/// A queue of lines, of which some may be sent at once and the others one in each interval.
#[derive(Debug)]
pub(super) struct Outgoing {
    burst: u32,
    interval: Duration,
    /// When the bucket will be full again.
    full_at: Option<Instant>,
    waiting: VecDeque<Bytes>,
}

impl Outgoing {
    pub(super) fn new(burst: u32, interval: Duration) -> Self {
        Self { burst, interval, full_at: None, waiting: VecDeque::new() }
    }

    pub(super) fn push(&mut self, line: Bytes) {
        self.waiting.push_back(line);
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many lines may be sent now.
    pub(super) fn allowed(&self, now: Instant) -> usize {
        let missing = self.full_at.map(|full_at| full_at.saturating_duration_since(now));
        let missing = match missing.map(|missing| (missing.as_nanos(), self.interval.as_nanos())) {
            None | Some((0, _) | (_, 0)) => 0,
            Some((missing, interval)) => missing.div_ceil(interval),
        };
        let left = u128::from(self.burst).saturating_sub(missing);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// The next line, if it may be sent now.
    pub(super) fn next(&mut self, now: Instant) -> Option<Bytes> {
        if self.wait(now) > Duration::ZERO {
            return None;
        }
        let line = self.waiting.pop_front()?;
        let from = self.full_at.filter(|full_at| *full_at > now).unwrap_or(now);
        self.full_at = from.checked_add(self.interval);
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
        Some(line)
    }

    /// How long the next line has to wait, if there is one.
    pub(super) fn next_in(&self, now: Instant) -> Option<Duration> {
        (!self.waiting.is_empty()).then(|| self.wait(now))
    }

    fn wait(&self, now: Instant) -> Duration {
        let Some(full_at) = self.full_at else { return Duration::ZERO };
        // Full in so long means that this many tokens are missing.
        let missing = full_at.saturating_duration_since(now);
        let allowed = self.interval.saturating_mul(self.burst.saturating_sub(1));
        missing.saturating_sub(allowed)
    }
}

#[cfg(test)]
mod tests {
    use sinew_transports::reactor::Reactor;

    use super::*;

    #[test]
    fn a_burst_and_then_one_in_each_interval() {
        let reactor = Reactor::simulated(0);
        let start = reactor.now();
        let second = |seconds| start + Duration::from_secs(seconds);
        let mut outgoing = Outgoing::new(3, Duration::from_secs(2));
        for _ in 0..9 {
            outgoing.push(Bytes::from_static(b"x"));
        }
        let mut sent = |at: Instant| {
            let (allowed, waiting) = (outgoing.allowed(at), outgoing.len());
            let sent = std::iter::from_fn(|| outgoing.next(at)).count();
            assert_eq!(sent, allowed.min(waiting));
            sent
        };
        assert_eq!((sent(second(0)), sent(second(0)), sent(second(1))), (3, 0, 0));
        assert_eq!((sent(second(2)), sent(second(3)), sent(second(4))), (1, 0, 1));
        // Silence fills it again, but not over the burst.
        assert_eq!(sent(second(100)), 3);
        assert_eq!(outgoing.next_in(second(100)), Some(Duration::from_secs(2)));
    }
}
