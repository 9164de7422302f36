//! The messages that may still be sent in a window. Pure: time is an argument.

use std::time::Instant;

/// Messages left, or the time at which sending ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Budget {
    Messages(u64),
    Until(Instant),
}

impl Budget {
    pub(crate) fn messages(count: u64) -> Self {
        Self::Messages(count)
    }

    pub(crate) fn until(end: Instant) -> Self {
        Self::Until(end)
    }

    /// Reserves up to `wanted` messages; returns how many may be sent.
    pub(crate) fn take(&mut self, wanted: usize, now: Instant) -> usize {
        match self {
            Self::Messages(left) => {
                let taken = (*left).min(wanted as u64);
                *left -= taken;
                taken as usize
            }
            Self::Until(end) if now < *end => wanted,
            Self::Until(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_count_is_spent_once() {
        let now = Instant::now();
        let mut budget = Budget::messages(5);
        assert_eq!([3, 3, 3].map(|wanted| budget.take(wanted, now)), [3, 2, 0]);
    }

    #[test]
    fn a_deadline_allows_messages_until_it_has_passed() {
        let now = Instant::now();
        let mut budget = Budget::until(now + Duration::from_secs(1));
        assert_eq!(budget.take(7, now), 7);
        assert_eq!(budget.take(7, now + Duration::from_secs(1)), 0);
    }
}
