//! The waits before the restarts of a program: exponential backoff, pure.

use std::time::Duration;

/// The waits, and the next one.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    first: Duration,
    max: Duration,
    good_run: Duration,
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        let first = Duration::from_secs(1);
        Self {
            first,
            max: Duration::from_secs(3600),
            good_run: Duration::from_secs(10),
            next: first,
        }
    }
}

impl Backoff {
    pub(super) fn set_delay(&mut self, first: Duration, max: Duration) {
        // Without a wait, a program that exits at once would be started without end.
        self.first = first.clamp(Duration::from_millis(1), max.max(Duration::from_millis(1)));
        self.max = max.max(self.first);
        self.next = self.first;
    }

    pub(super) fn set_good_run(&mut self, time: Duration) {
        self.good_run = time;
    }

    /// The wait after a run of this length.
    pub(super) fn next(&mut self, ran: Duration) -> Duration {
        let wait = if ran >= self.good_run { self.first } else { self.next };
        self.next = wait.saturating_mul(2).min(self.max);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Duration = Duration::ZERO;

    #[test]
    fn waits_double_up_to_an_hour_and_begin_anew_after_a_good_run() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..14).map(|_| backoff.next(NONE).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]);
        assert_eq!(backoff.next(Duration::from_millis(9_999)).as_secs(), 3600);
        assert_eq!(backoff.next(Duration::from_secs(10)).as_secs(), 1);
        assert_eq!(backoff.next(NONE).as_secs(), 2);
    }

    #[test]
    fn no_setting_makes_a_busy_loop_or_overflows() {
        let mut backoff = Backoff::default();
        backoff.set_delay(NONE, NONE);
        assert_eq!(backoff.next(NONE), Duration::from_millis(1));
        assert_eq!(backoff.next(NONE), Duration::from_millis(1));
        backoff.set_delay(Duration::MAX, Duration::MAX);
        assert_eq!(backoff.next(NONE), Duration::MAX);
        assert_eq!(backoff.next(NONE), Duration::MAX);
        backoff.set_delay(Duration::from_secs(9), Duration::from_secs(2));
        assert_eq!(backoff.next(NONE), Duration::from_secs(2));
    }
}
