//! The bound on failed logins: [`FailureLimiter`]. Pure: times are arguments, and it delays nobody itself.

use std::{
    collections::{HashMap, VecDeque, hash_map::RandomState},
    hash::BuildHasher,
    net::IpAddr,
    time::{Duration, Instant},
};

use sinew_transports::client_network;

use crate::login_log::LockedOut;

/// The bits of an IPv6 address that are one client.
const IPV6_PREFIX: u8 = 64;

/// Delays and bounds failed logins, by the client's address and by the user's name.
///
/// Each failure is answered late: after a second, then after two, four and eight. An address (one of IPv4, a /64 of IPv6) with 20
/// failures within 15 minutes, and a user with 100, are refused unchecked until 15 minutes after the first of them. A success
/// takes nothing back, so that someone who has one password cannot use it to try others for ever.
///
/// A check that is under way counts as a failure until it has succeeded, so at most as many are under way as failures are left. More
/// at once wait for them, up to 1,000 of an address and of a user; above that they fail with
/// [`AuthError::Unavailable`](crate::AuthError::Unavailable). So right logins at once all succeed, and wrong ones at once learn no
/// more than one after the other.
///
/// The limit for a user lets an attacker with many addresses keep that user out: it is higher for that reason, and can be set to
/// `usize::MAX`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_auth::FailureLimiter;
///
/// let strict = FailureLimiter::default().failures_max(5, 20).window(Duration::from_secs(3600));
/// # drop(strict);
/// ```
#[derive(Debug)]
#[must_use]
pub struct FailureLimiter {
    delay_first: Duration,
    delay_max: Duration,
    address_failures_max: usize,
    user_failures_max: usize,
    window: Duration,
    entries_max: usize,
    counts: HashMap<Key, Count>,
    /// Keys of `counts` in the order of their first failures, which is that of their ends.
    ends: VecDeque<(Instant, Key)>,
    /// How many checks are under way.
    begun: HashMap<Key, usize>,
    names: RandomState,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Address(IpAddr),
    /// A keyed hash of the name, so that long names take no more memory than short ones.
    User(u64),
}

/// What a failure leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed {
    /// How late it is to be answered.
    pub(crate) delay: Duration,
    /// What is refused unchecked from now on, and was not before.
    pub(crate) locked_out: LockedOut,
    /// Until when at most.
    pub(crate) window: Duration,
}

/// What a check counts for: the address and the user, as far as they are known.
pub(crate) type Keys = [Option<Key>; 2];

/// Whether a check may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It has begun, until [`FailureLimiter::end`].
    Begun,
    /// Not before one that is under way for this key has ended.
    Full(Key),
    /// There were too many failures. It may in this time.
    Blocked(Duration),
}

#[derive(Clone, Copy, Debug)]
struct Count {
    failures: usize,
    /// When it is forgotten.
    end: Instant,
}

impl Default for FailureLimiter {
    fn default() -> Self {
        Self {
            delay_first: Duration::from_secs(1),
            delay_max: Duration::from_secs(8),
            address_failures_max: 20,
            user_failures_max: 100,
            window: Duration::from_secs(15 * 60),
            entries_max: 10_000,
            counts: HashMap::new(),
            ends: VecDeque::new(),
            begun: HashMap::new(),
            names: RandomState::new(),
        }
    }
}

impl FailureLimiter {
    /// Neither delays nor bounds: for tests, and behind something else that does.
    pub fn off() -> Self {
        Self::default().delay(Duration::ZERO, Duration::ZERO).failures_max(usize::MAX, usize::MAX)
    }

    /// How late the first failure is answered, and how late any is; in between the time doubles. Default 1 s and 8 s.
    pub fn delay(mut self, first: Duration, max: Duration) -> Self {
        (self.delay_first, self.delay_max) = (first, max);
        self
    }

    /// The failures within the window for an address and for a user, at which they are refused unchecked. Default 20 and 100.
    pub fn failures_max(mut self, address: usize, user: usize) -> Self {
        (self.address_failures_max, self.user_failures_max) = (address, user);
        self
    }

    /// How long a first failure is remembered, with all that follow it. Default 15 minutes.
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// The most addresses and users that are remembered. Above it, the oldest are forgotten. Default 10,000, about 1 MiB.
    pub fn entries_max(mut self, entries: usize) -> Self {
        self.entries_max = entries;
        self
    }

    pub(crate) fn keys(&self, address: Option<IpAddr>, user: &str) -> Keys {
        let user = (!user.is_empty()).then(|| Key::User(self.names.hash_one(user)));
        [address.map(|address| Key::Address(client_network(address, IPV6_PREFIX))), user]
    }

    /// If there were too many failures, how long they are remembered.
    pub(crate) fn blocked(&mut self, now: Instant, keys: Keys) -> Option<Duration> {
        self.forget_until(now);
        let blocked = keys.into_iter().flatten().filter_map(|key| {
            let count = self.counts.get(&key)?;
            (count.failures >= self.max(key)).then(|| count.end.saturating_duration_since(now))
        });
        blocked.max()
    }

    /// Begins a check, if those under way could all be failures and leave one for it.
    pub(crate) fn begin(&mut self, now: Instant, keys: Keys) -> Admission {
        if let Some(retry_after) = self.blocked(now, keys) {
            return Admission::Blocked(retry_after);
        }
        let is_full = |key: &Key| {
            let failures = self.counts.get(key).map_or(0, |count| count.failures);
            let begun = self.begun.get(key).copied().unwrap_or(0);
            // One is always possible, also if no failure is allowed.
            begun > 0 && begun.saturating_add(failures) >= self.max(*key)
        };
        if let Some(key) = keys.into_iter().flatten().find(is_full) {
            return Admission::Full(key);
        }
        for key in keys.into_iter().flatten() {
            *self.begun.entry(key).or_default() += 1;
        }
        Admission::Begun
    }

    /// A check has ended that had begun.
    pub(crate) fn end(&mut self, keys: Keys) {
        for key in keys.into_iter().flatten() {
            if let Some(begun) = self.begun.get_mut(&key) {
                *begun -= 1;
                if *begun == 0 {
                    self.begun.remove(&key);
                }
            }
        }
    }

    /// Counts a failure.
    pub(crate) fn failed(&mut self, now: Instant, keys: Keys) -> Failed {
        self.forget_until(now);
        let mut locked_out = LockedOut::default();
        let counted = keys.into_iter().flatten().map(|key| {
            let failures = self.count(now, key);
            // At the first failure, if none is allowed.
            let is_last = failures == self.max(key).max(1);
            match key {
                Key::Address(_) => locked_out.address = is_last,
                Key::User(_) => locked_out.user = is_last,
            }
            failures
        });
        let failures = counted.max();
        let doublings = u32::try_from(failures.unwrap_or(1).saturating_sub(1)).unwrap_or(u32::MAX);
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let delay = self.delay_first.saturating_mul(factor).min(self.delay_max);
        Failed { delay, locked_out, window: self.window }
    }

    const fn max(&self, key: Key) -> usize {
        match key {
            Key::Address(_) => self.address_failures_max,
            Key::User(_) => self.user_failures_max,
        }
    }

    /// The failures of a key, with one more.
    fn count(&mut self, now: Instant, key: Key) -> usize {
        if let Some(count) = self.counts.get_mut(&key) {
            count.failures = count.failures.saturating_add(1);
            return count.failures;
        }
        while self.counts.len() >= self.entries_max {
            let Some((_, oldest)) = self.ends.pop_front() else { return 1 };
            self.counts.remove(&oldest);
        }
        let end = now + self.window;
        self.counts.insert(key, Count { failures: 1, end });
        self.ends.push_back((end, key));
        1
    }

    fn forget_until(&mut self, now: Instant) {
        while let Some((_, key)) = self.ends.front().filter(|(end, _)| *end <= now) {
            self.counts.remove(key);
            self.ends.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_secs(60);

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    /// What is left of the time in which nothing is checked.
    fn admit(
        limiter: &mut FailureLimiter,
        now: Instant,
        address: Option<IpAddr>,
        user: &str,
    ) -> Result<(), Duration> {
        limiter.blocked(now, limiter.keys(address, user)).map_or(Ok(()), Err)
    }

    fn failed(
        limiter: &mut FailureLimiter,
        now: Instant,
        address: Option<IpAddr>,
        user: &str,
    ) -> Duration {
        limiter.failed(now, limiter.keys(address, user)).delay
    }

    fn now() -> Instant {
        sinew_transports::reactor::Reactor::simulated(0).now()
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        let (mut limiter, now) = (FailureLimiter::default(), now());
        let delays = [1, 2, 4, 8, 8, 8];
        for (at, seconds) in delays.into_iter().enumerate() {
            // The same user from elsewhere, and the other way round.
            let from = if at % 2 == 0 { ip("192.0.2.1") } else { ip("192.0.2.2") };
            assert_eq!(failed(&mut limiter, now, from, "ann"), seconds * SECOND);
        }
        assert_eq!(failed(&mut limiter, now, ip("192.0.2.3"), "bob"), SECOND);
        for _ in 0..80 {
            assert!(failed(&mut limiter, now, None, "carl") <= 8 * SECOND);
        }
        assert_eq!(failed(&mut FailureLimiter::off(), now, None, "ann"), Duration::ZERO);
    }

    #[test]
    fn addresses_and_users_are_bounded() {
        let (mut limiter, begin) = (FailureLimiter::default().failures_max(3, 5), now());
        for at in 0..3_u32 {
            let now = begin + at * MINUTE;
            assert_eq!(admit(&mut limiter, now, ip("2001:db8::1"), "ann"), Ok(()));
            failed(&mut limiter, now, ip("2001:db8::1"), "ann");
        }
        let now = begin + 3 * MINUTE;
        assert_eq!(
            admit(&mut limiter, now, ip("2001:db8::ffff"), "bob"),
            Err(12 * MINUTE),
            "one /64"
        );
        assert_eq!(admit(&mut limiter, now, ip("2001:db8:0:1::1"), "bob"), Ok(()));
        assert_eq!(admit(&mut limiter, now, ip("192.0.2.1"), "ann"), Ok(()));
        failed(&mut limiter, now, ip("192.0.2.1"), "ann");
        failed(&mut limiter, now, ip("::ffff:192.0.2.1"), "ann");
        assert_eq!(admit(&mut limiter, now, ip("192.0.2.9"), "ann"), Err(12 * MINUTE), "the user");
        assert_eq!(admit(&mut limiter, now, ip("192.0.2.1"), "bob"), Ok(()));
        failed(&mut limiter, now, ip("192.0.2.1"), "bob");
        assert!(admit(&mut limiter, now, ip("::ffff:192.0.2.1"), "carl").is_err(), "IPv4 in IPv6");
        let later = begin + 15 * MINUTE;
        assert_eq!(admit(&mut limiter, later, ip("2001:db8::1"), "ann"), Ok(()));
        assert_eq!(
            failed(&mut limiter, later, None, "ann"),
            SECOND,
            "it is counted from one again"
        );
    }

    #[test]
    fn what_is_under_way_counts() {
        let (mut limiter, now) = (FailureLimiter::default().failures_max(3, 4), now());
        let ann = limiter.keys(ip("192.0.2.1"), "ann");
        let [address, user] = ann.map(Option::unwrap);
        failed(&mut limiter, now, ip("192.0.2.1"), "bob");
        for _ in 0..2 {
            assert_eq!(limiter.begin(now, ann), Admission::Begun);
        }
        assert_eq!(limiter.begin(now, ann), Admission::Full(address), "two, and one failure");
        let elsewhere = limiter.keys(ip("192.0.2.2"), "ann");
        for _ in 0..2 {
            assert_eq!(limiter.begin(now, elsewhere), Admission::Begun);
        }
        assert_eq!(limiter.begin(now, elsewhere), Admission::Full(user));
        limiter.end(ann);
        assert_eq!(limiter.begin(now, ann), Admission::Begun, "a success leaves room");
        for _ in 0..2 {
            limiter.failed(now, ann);
            limiter.end(ann);
        }
        assert_eq!(limiter.begin(now, ann), Admission::Blocked(15 * MINUTE));
        for _ in 0..2 {
            limiter.end(elsewhere);
        }
        assert!(limiter.begun.is_empty());
        let mut strict = FailureLimiter::default().failures_max(0, 0);
        assert_eq!(strict.begin(now, ann), Admission::Begun);
        assert_eq!(strict.begin(now, ann), Admission::Full(address), "one at a time");
    }

    #[test]
    fn the_table_is_bounded() {
        let (mut limiter, now) = (FailureLimiter::default().entries_max(10), now());
        for at in 0..1_000_u32 {
            failed(&mut limiter, now, Some(Ipv6Addr::from_bits(u128::from(at) << 64).into()), "");
            assert!(limiter.counts.len() <= 10 && limiter.ends.len() == limiter.counts.len());
        }
        admit(&mut limiter, now + 16 * MINUTE, None, "").unwrap();
        assert!(limiter.counts.is_empty() && limiter.ends.is_empty());
        let mut none = FailureLimiter::default().entries_max(0);
        assert_eq!(failed(&mut none, now, None, "ann"), SECOND);
        assert!(none.counts.is_empty());
    }
}
