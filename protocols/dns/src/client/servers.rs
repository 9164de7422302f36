//! What is known of the servers: [`ServerState`] for each, and the order in which [`Servers`] are asked. Asks nobody itself.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use sinew_transports::reactor::Reactor;

use super::{NameServer, link::Link, settings::SERVERS_MAX};
use crate::random::random;

/// How long a server that failed is asked last: for the first failure, doubled with each, and at most.
const REST: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(60);

/// How long a server is asked without EDNS that did not understand it.
const NO_EDNS: Duration = Duration::from_secs(900);

/// What was learned of a server.
#[derive(Debug)]
pub(crate) struct ServerState {
    pub(crate) server: NameServer,
    /// Failures in a row.
    failures: Cell<u32>,
    rests_until: Cell<Option<Instant>>,
    no_edns_until: Cell<Option<Instant>>,
    /// Our cookie, and the server's behind it once it is known.
    cookie: RefCell<Vec<u8>>,
    /// The connection, for questions over TCP or TLS.
    pub(super) link: RefCell<Option<Rc<Link>>>,
}

impl ServerState {
    pub(crate) fn new(reactor: &Reactor, server: NameServer) -> Self {
        Self {
            server,
            failures: Cell::new(0),
            rests_until: Cell::new(None),
            no_edns_until: Cell::new(None),
            cookie: RefCell::new(random(reactor).to_be_bytes().to_vec()),
            link: RefCell::new(None),
        }
    }

    /// It has answered, whatever.
    pub(crate) fn answered(&self) {
        self.failures.set(0);
        self.rests_until.set(None);
    }

    /// It has not answered.
    pub(crate) fn failed(&self, now: Instant) {
        let failures = self.failures.get();
        self.failures.set(failures.saturating_add(1));
        let rest = REST.saturating_mul(1 << failures.min(16)).min(REST_MAX);
        self.rests_until.set(Some(now + rest));
    }

    pub(crate) fn rests_until(&self, now: Instant) -> Option<Instant> {
        self.rests_until.get().filter(|until| *until > now)
    }

    pub(crate) fn has_edns(&self, now: Instant) -> bool {
        self.no_edns_until.get().is_none_or(|until| until <= now)
    }

    pub(crate) fn has_no_edns(&self, now: Instant) {
        self.no_edns_until.set(Some(now + NO_EDNS));
    }

    /// The cookie to send.
    pub(super) fn cookie(&self) -> Vec<u8> {
        self.cookie.borrow().clone()
    }

    /// The server has sent a cookie, which begins with ours. Those of wrong lengths are ignored (RFC 7873, section 5.3).
    pub(super) fn received_cookie(&self, received: &[u8]) {
        let mut cookie = self.cookie.borrow_mut();
        if (16..=40).contains(&received.len()) && received[..8] == cookie[..8] {
            received.clone_into(&mut cookie);
        }
    }
}

/// The servers, in the order given.
#[derive(Debug, Default)]
pub(super) struct Servers {
    all: RefCell<Vec<Rc<ServerState>>>,
    /// Where to begin, for `rotate`.
    turn: Cell<usize>,
}

impl Servers {
    /// Replaces the servers. What is known of those that stay is kept.
    pub(super) fn set(&self, reactor: &Reactor, servers: &[NameServer]) {
        let old = self.all.take();
        let state = |server: &NameServer| {
            let known = old.iter().find(|state| state.server == *server).cloned();
            known.unwrap_or_else(|| Rc::new(ServerState::new(reactor, server.clone())))
        };
        let new = servers.iter().take(SERVERS_MAX).map(state).collect();
        self.all.replace(new);
    }

    /// The state of one that may be none of those.
    pub(super) fn one(&self, reactor: &Reactor, server: &NameServer) -> Rc<ServerState> {
        let known = self.all.borrow().iter().find(|state| state.server == *server).cloned();
        known.unwrap_or_else(|| Rc::new(ServerState::new(reactor, server.clone())))
    }

    /// The servers in the order in which to ask them: those that have failed lately last, the one first that rests for the shortest time.
    pub(super) fn in_order(&self, rotate: bool, now: Instant) -> Vec<Rc<ServerState>> {
        let mut all = self.all.borrow().clone();
        if rotate && !all.is_empty() {
            let turn = self.turn.get();
            self.turn.set(turn.wrapping_add(1));
            let first = turn % all.len();
            all.rotate_left(first);
        }
        all.sort_by_key(|state| state.rests_until(now));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_failed_are_asked_last() {
        let reactor = Reactor::simulated(1);
        let servers = Servers::default();
        let all: Vec<_> = (1..=3).map(|last| NameServer::new(([192, 0, 2, last], 53))).collect();
        servers.set(&reactor, &all);
        let now = reactor.now();
        let order = |at: Duration, rotate| -> Vec<u8> {
            let order = servers.in_order(rotate, now + at);
            order.iter().map(|state| state.server.to_string().as_bytes()[8] - b'0').collect()
        };
        let seconds = Duration::from_secs;
        assert_eq!(order(seconds(0), false), [1, 2, 3]);
        let first = servers.one(&reactor, &all[0]);
        first.failed(now);
        first.failed(now);
        servers.one(&reactor, &all[1]).failed(now);
        assert_eq!(order(seconds(0), false), [3, 2, 1]);
        assert_eq!(order(seconds(1), false), [2, 3, 1]);
        assert_eq!(order(seconds(2), false), [1, 2, 3]);
        // What is known survives a reload.
        servers.set(&reactor, &[all[0].clone(), all[2].clone()]);
        assert_eq!(order(seconds(0), false), [3, 1]);
        first.answered();
        assert_eq!([order(seconds(0), true), order(seconds(0), true)], [[1, 3], [3, 1]]);
        for _ in 0..50 {
            first.failed(now);
        }
        assert_eq!(order(seconds(60), false), [1, 3]);
    }

    #[test]
    fn cookies_of_the_server() {
        let reactor = Reactor::simulated(1);
        let state = ServerState::new(&reactor, NameServer::new(([192, 0, 2, 1], 53)));
        let ours = state.cookie();
        assert_eq!(ours.len(), 8);
        let full = [&ours[..], &[7; 8]].concat();
        state.received_cookie(&full);
        assert_eq!(state.cookie(), full);
        state.received_cookie(&[9; 16]);
        state.received_cookie(&ours);
        assert_eq!(state.cookie(), full);
    }
}
