//! The backends of a reverse proxy, with their health and load: [`Backends`].

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use sinew_transports::endpoint::ClientEndpoint;

/// A server behind the proxy.
pub(super) struct Backend {
    pub(super) endpoint: ClientEndpoint,
    /// Its name in the pool and the log.
    pub(super) name: String,
    /// Requests in progress.
    active: Cell<usize>,
    /// Consecutive requests without a response.
    failures: Cell<u32>,
    /// Not used until then.
    down_until: Cell<Option<Instant>>,
    /// The result of health checks.
    pub(super) is_healthy: Cell<bool>,
}

/// All backends. Pure: the time is an argument.
pub(super) struct Backends {
    pub(super) all: Vec<Rc<Backend>>,
    /// Where to start, so that equally busy ones take turns.
    next: Cell<usize>,
    pub(super) failures_max: u32,
    pub(super) down_time: Duration,
}

/// A request in progress at a backend, until this is dropped.
pub(super) struct InWork(Rc<Backend>);

impl Backend {
    pub(super) const fn new(endpoint: ClientEndpoint, name: String) -> Self {
        Self {
            name,
            endpoint,
            active: Cell::new(0),
            failures: Cell::new(0),
            down_until: Cell::new(None),
            is_healthy: Cell::new(true),
        }
    }

    fn is_up(&self, now: Instant) -> bool {
        self.is_healthy.get() && self.down_until.get().is_none_or(|until| now >= until)
    }

    /// It has responded.
    pub(super) fn succeeded(&self) {
        self.failures.set(0);
        self.down_until.set(None);
    }

    pub(super) fn begin(self: &Rc<Self>) -> InWork {
        self.active.set(self.active.get() + 1);
        InWork(Rc::clone(self))
    }
}

impl Drop for InWork {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get().saturating_sub(1));
    }
}

impl Backends {
    pub(super) const fn new(all: Vec<Rc<Backend>>) -> Self {
        Self { all, next: Cell::new(0), failures_max: 3, down_time: Duration::from_secs(10) }
    }

    /// The least busy of those that are up and were not tried.
    pub(super) fn choose(&self, tried: &[String], now: Instant) -> Option<Rc<Backend>> {
        let count = self.all.len();
        let start = self.next.get();
        let in_turn = (0..count).map(|at| &self.all[(start + at) % count]);
        let fit = in_turn.filter(|backend| backend.is_up(now) && !tried.contains(&backend.name));
        let chosen = fit.min_by_key(|backend| backend.active.get()).map(Rc::clone)?;
        self.next.set((start + 1) % count);
        Some(chosen)
    }

    /// One has not responded. After several failures in a row it is not used for a while, unless it is the only one: then
    /// only a request can find out.
    pub(super) fn failed(&self, backend: &Backend, now: Instant) {
        let failures = backend.failures.get().saturating_add(1);
        backend.failures.set(failures);
        if failures >= self.failures_max && self.all.len() > 1 {
            backend.down_until.set(now.checked_add(self.down_time));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backends(count: usize) -> (Backends, Instant) {
        let backend = |at: usize| {
            let name = format!("memory:{at}");
            Rc::new(Backend::new(name.parse().unwrap(), name))
        };
        let all = (0..count).map(backend).collect();
        // Any time.
        let now = sinew_transports::reactor::Reactor::simulated(0).now();
        (Backends::new(all), now)
    }

    fn name(backend: Option<Rc<Backend>>) -> String {
        backend.map(|backend| backend.name.clone()).unwrap_or_default()
    }

    #[test]
    fn they_take_turns_and_the_least_busy_is_asked() {
        let (backends, now) = backends(3);
        let choose = |tried: &[&str]| {
            let tried: Vec<_> = tried.iter().map(|name| (*name).to_owned()).collect();
            name(backends.choose(&tried, now))
        };
        assert_eq!([choose(&[]), choose(&[]), choose(&[])], ["memory:0", "memory:1", "memory:2"]);
        let busy = backends.all[0].begin();
        let busier = [backends.all[1].begin(), backends.all[1].begin()];
        assert_eq!([choose(&[]), choose(&[]), choose(&[])], ["memory:2"; 3]);
        assert_eq!(choose(&["memory:2"]), "memory:0");
        assert_eq!(choose(&["memory:2", "memory:0"]), "memory:1");
        assert_eq!(choose(&["memory:2", "memory:0", "memory:1"]), "");
        drop((busy, busier));
        assert_eq!(choose(&["memory:1", "memory:2"]), "memory:0");
    }

    #[test]
    fn one_that_fails_is_left_alone_for_a_while() {
        let (backends, now) = backends(2);
        let first = Rc::clone(&backends.all[0]);
        let is_asked = |now| (0..2).any(|_| name(backends.choose(&[], now)) == first.name);
        backends.failed(&first, now);
        backends.failed(&first, now);
        first.succeeded();
        backends.failed(&first, now);
        backends.failed(&first, now);
        assert!(is_asked(now));
        backends.failed(&first, now);
        assert!(!is_asked(now) && !is_asked(now + Duration::from_millis(9_999)));
        let later = now + Duration::from_secs(10);
        assert!(is_asked(later));
        backends.failed(&first, later);
        assert!(!is_asked(later), "it has not recovered");
        first.succeeded();
        assert!(is_asked(later));
        first.is_healthy.set(false);
        assert!(!is_asked(later), "the checks count, too");
        let (alone, now) = super::tests::backends(1);
        (0..9).for_each(|_| alone.failed(&alone.all[0], now));
        assert!(alone.choose(&[], now).is_some());
    }
}
