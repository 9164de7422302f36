//! The lookups that the system makes on threads, and which of them still wait for one: so that a connection that was not made
//! in time can say what it waited for.

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

/// Those of a reactor.
#[derive(Default)]
struct Lookups(RefCell<Vec<UnderWay>>);

struct UnderWay {
    host: String,
    /// Whether it has a thread. The job holds it, too, until it is done or dropped.
    begun: Arc<AtomicBool>,
}

/// Looks up a name by the system, on a thread for lookups.
pub(crate) fn look_up(reactor: &Reactor, host: String) -> Found {
    let begun = Arc::new(AtomicBool::new(false));
    let lookup = UnderWay { host: host.clone(), begun: begun.clone() };
    let is_under_way = |lookup: &UnderWay| Arc::strong_count(&lookup.begun) > 1;
    push_waiter_unless_gone(&reactor.local::<Lookups>().0, lookup, is_under_way);
    reactor.defer_to_lookup_thread(move || {
        begun.store(true, Ordering::Relaxed);
        (host.as_str(), 0).to_socket_addrs().map(Iterator::collect)
    })
}

/// Whether a lookup of this name is under way and has no thread yet.
pub(crate) fn waits_for_thread(reactor: &Reactor, host: &str) -> bool {
    let Ok(host) = to_ascii(host) else { return false };
    let lookups = reactor.local::<Lookups>();
    lookups.0.borrow().iter().any(|lookup| {
        lookup.host.eq_ignore_ascii_case(&host)
            && Arc::strong_count(&lookup.begun) > 1
            && !lookup.begun.load(Ordering::Relaxed)
    })
}
