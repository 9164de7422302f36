//! Lookups by the system on threads, and which of them still wait for a thread, so that a connect timeout can report
//! that as its cause.

use std::{
    cell::RefCell,
    net::ToSocketAddrs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sinew_reactor::Reactor;

use super::to_ascii;
use crate::{net::Found, waiters::push_waiter_unless_gone};

/// The lookups of a reactor.
#[derive(Default)]
struct Lookups(RefCell<Vec<PendingLookup>>);

struct PendingLookup {
    host: String,
    /// Set when a thread starts it. The job holds a reference until it is done or dropped.
    started: Arc<AtomicBool>,
}

/// Looks up a name by the system's resolver, on a lookup thread.
pub(crate) fn look_up(reactor: &Reactor, host: String) -> Found {
    let started = Arc::new(AtomicBool::new(false));
    let lookup = PendingLookup { host: host.clone(), started: started.clone() };
    let is_pending = |lookup: &PendingLookup| Arc::strong_count(&lookup.started) > 1;
    push_waiter_unless_gone(&reactor.local::<Lookups>().0, lookup, is_pending);
    reactor.defer_to_lookup_thread(move || {
        started.store(true, Ordering::Relaxed);
        (host.as_str(), 0).to_socket_addrs().map(Iterator::collect)
    })
}

/// Whether a lookup of this name still waits for a thread.
pub(crate) fn is_queued(reactor: &Reactor, host: &str) -> bool {
    let Ok(host) = to_ascii(host) else { return false };
    let lookups = reactor.local::<Lookups>();
    lookups.0.borrow().iter().any(|lookup| {
        lookup.host.eq_ignore_ascii_case(&host)
            && Arc::strong_count(&lookup.started) > 1
            && !lookup.started.load(Ordering::Relaxed)
    })
}
