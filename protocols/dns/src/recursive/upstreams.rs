//! The servers that were asked, and what is known of them: [`Upstream`]; and the order in which they are asked: [`Upstreams`].
//!
//! | a server | is asked |
//! |---|---|
//! | whose round-trip time is at most 50 ms above that of the fastest, or not known yet | first, in random order |
//! | that is slower | then, by its time; each time that it is not asked, its time shrinks by 2 %, so that its turn comes |
//! | that has answered wrongly for this zone (lame), for 30 s | then |
//! | that was silent, for 1 s and twice as long with each failure up to 60 s; whose family this machine cannot reach, for 60 s | last |

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use sinew_transports::reactor::Reactor;

use super::RecursiveConfig;
use crate::{
    client::{NameServer, servers::ServerState, store::Store},
    codec::Name,
    random::random,
};

/// Servers that are this much slower than the fastest are as good as it.
const BAND: Duration = Duration::from_millis(50);

/// How long a server that answers wrongly for a zone is asked after others.
const LAME: Duration = Duration::from_secs(30);

/// How long a family of addresses is asked last after the system has said that it cannot be reached.
const UNREACHABLE: Duration = Duration::from_secs(60);

/// How long what is known of a server is kept.
const KEEP: Duration = Duration::from_secs(3600);

/// The wait for a server whose round-trip time is known.
const WAIT_MIN: Duration = Duration::from_millis(400);
const WAIT_MAX: Duration = Duration::from_secs(5);

/// A server, with its round-trip time (RFC 6298, section 2).
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) addr: SocketAddr,
    pub(super) state: ServerState,
    smoothed: Cell<Option<Duration>>,
    variation: Cell<Duration>,
    failed_at: Cell<Option<Instant>>,
    /// Queries that wait for it.
    pub(super) in_flight: Cell<usize>,
}

impl Upstream {
    fn new(reactor: &Reactor, addr: SocketAddr) -> Self {
        Self {
            addr,
            state: ServerState::new(reactor, NameServer::new(addr)),
            smoothed: Cell::new(None),
            variation: Cell::new(Duration::ZERO),
            failed_at: Cell::new(None),
            in_flight: Cell::new(0),
        }
    }

    /// It has answered after this time.
    pub(super) fn answered(&self, after: Duration) {
        let (smoothed, variation) = match self.smoothed.get() {
            None => (after, after / 2),
            Some(old) => {
                let difference = old.abs_diff(after);
                (old * 7 / 8 + after / 8, self.variation.get() * 3 / 4 + difference / 4)
            }
        };
        self.smoothed.set(Some(smoothed));
        self.variation.set(variation);
    }

    /// It was silent, or could not be reached, by a query that was sent at `begun`. Of many at the same time, one counts.
    pub(super) fn failed(&self, begun: Instant, now: Instant) {
        if self.failed_at.get().is_some_and(|failed_at| begun < failed_at) {
            return;
        }
        self.failed_at.set(Some(now));
        self.state.failed(now);
        let slower = self.smoothed.get().unwrap_or(WAIT_MIN) * 2;
        self.smoothed.set(Some(slower.min(WAIT_MAX)));
    }

    /// It was not asked, since others are faster.
    fn passed_over(&self) {
        self.smoothed.set(self.smoothed.get().map(|smoothed| smoothed * 49 / 50));
    }

    /// How long to wait for it.
    pub(super) fn wait(&self, unknown: Duration, round: u32) -> Duration {
        let wait = self
            .smoothed
            .get()
            .map_or(unknown, |smoothed| (smoothed * 2 + self.variation.get() * 4).max(WAIT_MIN));
        (wait * (1 << round.min(4))).min(WAIT_MAX)
    }
}

/// All that are known.
#[derive(Debug)]
pub(super) struct Upstreams {
    all: RefCell<Store<SocketAddr, Rc<Upstream>>>,
    lame: RefCell<Store<(SocketAddr, Name), ()>>,
    /// Of IPv4 and IPv6.
    unreachable_until: [Cell<Option<Instant>>; 2],
}

impl Upstreams {
    pub(super) fn new(config: &RecursiveConfig) -> Self {
        let limits = config.limits(config.servers_max);
        Self {
            all: RefCell::new(Store::new(limits)),
            lame: RefCell::new(Store::new(limits)),
            unreachable_until: Default::default(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.borrow().len()
    }

    fn get(&self, reactor: &Reactor, addr: SocketAddr) -> Rc<Upstream> {
        let (mut all, now) = (self.all.borrow_mut(), reactor.now());
        if let Some(held) = all.get(&addr, now) {
            return held.value;
        }
        let new = Rc::new(Upstream::new(reactor, addr));
        all.insert(addr, new.clone(), size_of::<Upstream>(), now, KEEP);
        new
    }

    /// The server has answered wrongly for a zone.
    pub(super) fn set_lame(&self, addr: SocketAddr, zone: &Name, now: Instant) {
        self.lame.borrow_mut().insert((addr, zone.clone()), (), 64, now, LAME);
    }

    /// The system cannot reach addresses of this family.
    pub(super) fn set_unreachable(&self, addr: SocketAddr, now: Instant) {
        self.unreachable_until[usize::from(addr.is_ipv6())].set(Some(now + UNREACHABLE));
    }

    /// The servers of a zone in the order in which to ask them.
    pub(super) fn in_order(
        &self,
        reactor: &Reactor,
        zone: &Name,
        addrs: &[SocketAddr],
    ) -> Vec<Rc<Upstream>> {
        let now = reactor.now();
        let mut all: Vec<_> = addrs.iter().map(|addr| self.get(reactor, *addr)).collect();
        for end in (1..all.len()).rev() {
            all.swap(end, (random(reactor) % (end as u64 + 1)) as usize);
        }
        let fastest = all.iter().map(|it| it.smoothed.get().unwrap_or_default()).min();
        let band = fastest.unwrap_or_default() + BAND;
        let rest = |upstream: &Rc<Upstream>| {
            let addr = upstream.addr;
            let family = self.unreachable_until[usize::from(addr.is_ipv6())].get();
            let is_unreachable = family.is_some_and(|until| until > now);
            let is_lame = self.lame.borrow_mut().get(&(addr, zone.clone()), now).is_some();
            let slowness = upstream.smoothed.get().filter(|smoothed| *smoothed > band);
            (is_unreachable, upstream.state.rests_until(now), is_lame, slowness)
        };
        // Not `sort_by_key`, whose key is made again for each comparison.
        all.sort_by_cached_key(rest);
        all.iter().skip(1).for_each(|upstream| upstream.passed_over());
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(last: u8) -> SocketAddr {
        ([192, 0, 2, last], 53).into()
    }

    #[test]
    fn fast_servers_first_and_slow_ones_in_the_end() {
        let reactor = Reactor::simulated(1);
        let upstreams = Upstreams::new(&RecursiveConfig::default());
        let zone: Name = "test.".parse().unwrap();
        let all: Vec<_> = (1..=4).map(addr).collect();
        let of = |last| upstreams.get(&reactor, addr(last));
        of(1).answered(Duration::from_millis(400));
        of(2).answered(Duration::from_millis(20));
        of(3).answered(Duration::from_millis(40));
        upstreams.set_lame(addr(4), &zone, reactor.now());
        let order = |zone: &Name| -> Vec<u8> {
            let order = upstreams.in_order(&reactor, zone, &all);
            order.iter().map(|it| it.addr.to_string().as_bytes()[8] - b'0').collect()
        };
        let now = reactor.now();
        let mut firsts = [0; 5];
        for _ in 0..10 {
            let order = order(&zone);
            assert_eq!(order[2..], [1, 4]);
            firsts[usize::from(order[0])] += 1;
        }
        assert!(firsts[2] > 0 && firsts[3] > 0, "equal servers take turns: {firsts:?}");
        // For other zones, the last is a server that is not known yet.
        assert_eq!(order(&Name::root())[3], 1);
        // The turn of the slow one comes.
        let turns = (0..500).take_while(|_| order(&zone)[0] != 1).count();
        assert!((50..400).contains(&turns), "{turns}");
        of(2).failed(now, now);
        of(3).failed(now, now);
        of(3).failed(now, now);
        assert_eq!(order(&zone)[1..], [4, 2, 3]);
    }

    #[test]
    fn the_wait_follows_the_round_trip_time() {
        let reactor = Reactor::simulated(1);
        let upstream = Upstream::new(&reactor, addr(1));
        let (second, millis) = (Duration::from_secs(1), Duration::from_millis);
        assert_eq!([upstream.wait(second, 0), upstream.wait(second, 1)], [second, second * 2]);
        upstream.answered(millis(10));
        assert_eq!(upstream.wait(second, 0), millis(400));
        (0..20).for_each(|_| upstream.answered(millis(500)));
        let wait = upstream.wait(second, 0);
        assert!((millis(900)..millis(1300)).contains(&wait), "{wait:?}");
        let now = reactor.now();
        (0..9).for_each(|_| upstream.failed(now, now));
        assert_eq!(upstream.wait(second, 0), WAIT_MAX);
    }
}
