//! What was measured: [`Tally`], with latencies, counts, and [`Trouble`], the kinds of errors. Pure.

use std::{collections::BTreeMap, fmt, time::Duration};

use hdrhistogram::Histogram;
use sinew::reactor::Excerpt;

/// The longest latency that is told from longer ones.
const LATENCY_MAX: Duration = Duration::from_secs(3600);

/// Most kinds of errors that are counted apart; all others are counted as [`Trouble::Other`].
const KINDS_MAX: usize = 32;

/// What went wrong with a connection or a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// A connection could not be made, for this reason.
    Connect(String),
    /// A request had no answer within the time.
    NoAnswer,
    /// A request was planned and not sent, since no connection was free within the time.
    NotSent,
    /// The connection ended before the answer, for this reason.
    Lost(String),
    /// The answer was not the expected one; what was wrong.
    Wrong(String),
    /// The answer was an HTTP error.
    Status(u16),
    /// Bytes for which there was no request.
    Unasked,
    /// Of a kind beyond those that are counted apart.
    Other,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // It says itself that connecting failed, and to what.
            Self::Connect(why) => write!(f, "{}", Excerpt::new(why)),
            Self::NoAnswer => f.write_str("no answer in time"),
            Self::NotSent => f.write_str("not sent: no connection was free in time"),
            Self::Lost(why) => {
                write!(f, "connection ended before the answer: {}", Excerpt::new(why))
            }
            Self::Wrong(what) => write!(f, "wrong answer: {}", Excerpt::new(what)),
            Self::Status(status) => write!(f, "HTTP status {status}"),
            Self::Unasked => f.write_str("data for which there was no request"),
            Self::Other => f.write_str("others"),
        }
    }
}

impl Trouble {
    /// A word for programs that read the report.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::NoAnswer => "no-answer",
            Self::NotSent => "not-sent",
            Self::Lost(_) => "lost",
            Self::Wrong(_) => "wrong",
            Self::Status(_) => "status",
            Self::Unasked => "unasked",
            Self::Other => "other",
        }
    }
}

/// The measurements of one reactor, or of all.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    /// From the planned time of each request to its answer, in nanoseconds. Requests that failed count with the time that they had
    /// waited, which is the least that their answer would have taken.
    pub(crate) latency: Histogram<u64>,
    /// The same from when it was sent. Equal to `latency` in a closed loop.
    pub(crate) service: Histogram<u64>,
    /// All right answers to requests of the measured time.
    pub(crate) answers: u64,
    /// Those of them that arrived within the measured time.
    pub(crate) in_time: u64,
    /// Connections that were made.
    pub(crate) connected: u64,
    /// Bytes received and sent within the measured time.
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) troubles: BTreeMap<Trouble, u64>,
    /// How long was measured.
    pub(crate) measured: Duration,
    /// Whether the measurement ran to its end.
    pub(crate) is_complete: bool,
}

impl Default for Tally {
    fn default() -> Self {
        let max = u64::try_from(LATENCY_MAX.as_nanos()).unwrap_or(u64::MAX);
        let histogram = || Histogram::new_with_bounds(1_000, max, 3).expect("the bounds are right");
        Self {
            latency: histogram(),
            service: histogram(),
            answers: 0,
            in_time: 0,
            connected: 0,
            received: 0,
            sent: 0,
            troubles: BTreeMap::new(),
            measured: Duration::ZERO,
            is_complete: false,
        }
    }
}

impl Tally {
    /// An answer came, or cannot come any more, after these times.
    pub(crate) fn waited(&mut self, latency: Duration, service: Duration) {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.latency.saturating_record(nanos(latency));
        self.service.saturating_record(nanos(service));
    }

    pub(crate) fn trouble(&mut self, trouble: Trouble) {
        let is_known = self.troubles.contains_key(&trouble);
        let key =
            if is_known || self.troubles.len() < KINDS_MAX { trouble } else { Trouble::Other };
        *self.troubles.entry(key).or_default() += 1;
    }

    pub(crate) fn failures(&self) -> u64 {
        self.troubles.values().sum()
    }

    /// Adds what another reactor has measured in the same time.
    pub(crate) fn add(&mut self, other: &Self) {
        // Both have the same bounds.
        let _ = self.latency.add(&other.latency);
        let _ = self.service.add(&other.service);
        self.answers += other.answers;
        self.in_time += other.in_time;
        self.connected += other.connected;
        self.received += other.received;
        self.sent += other.sent;
        for (trouble, count) in &other.troubles {
            *self.troubles.entry(trouble.clone()).or_default() += count;
        }
        self.measured = self.measured.max(other.measured);
        self.is_complete &= other.is_complete;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_errors_are_bounded() {
        let mut tally = Tally::default();
        for number in 0..1_000 {
            tally.trouble(Trouble::Lost(number.to_string()));
        }
        assert_eq!(tally.troubles.len(), KINDS_MAX + 1);
        assert_eq!(tally.failures(), 1_000);
        assert_eq!(tally.troubles[&Trouble::Other], 1_000 - KINDS_MAX as u64);
    }

    #[test]
    fn tallies_are_added() {
        let (mut a, mut b) = (Tally::default(), Tally::default());
        a.is_complete = true;
        for (tally, ms) in [(&mut a, 1), (&mut b, 3)] {
            tally.waited(Duration::from_millis(ms), Duration::from_millis(ms));
            tally.trouble(Trouble::NoAnswer);
            tally.answers += 1;
        }
        b.measured = Duration::from_secs(2);
        a.add(&b);
        assert_eq!((a.answers, a.failures(), a.is_complete), (2, 2, false));
        assert_eq!(a.measured, Duration::from_secs(2));
        assert_eq!(a.latency.len(), 2);
        assert!(a.latency.max() >= 3_000_000);
    }

    #[test]
    fn a_latency_beyond_the_largest_counts_as_that() {
        let mut tally = Tally::default();
        tally.waited(Duration::MAX, Duration::ZERO);
        assert!(tally.latency.max() >= 3_600_000_000_000);
    }
}
