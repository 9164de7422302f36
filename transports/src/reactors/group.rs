//! What all threads of the reactors that run together share: [`Group`]. Its locks are taken to start, stop and call
//! reactors, and never for a connection or a message.

use std::{
    collections::HashMap,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sinew_reactor::{Reactor, Remote, Stats};

use crate::{
    Address,
    sharing::{Distribution, Membership, Remotes, Share, SharedPort},
};

/// The shared state of the reactors that run together.
pub(super) struct Group {
    pub(super) remotes: Arc<Remotes>,
    /// All were asked to stop.
    stopping: AtomicBool,
    /// And not to wait for their connections.
    forced: AtomicBool,
    /// For threads that wait: the value of `stopping`.
    waiting: Mutex<bool>,
    stop_requested: Condvar,
    pub(super) tally: Mutex<Tally>,
    distribution: Distribution,
    /// Ports that were opened while the reactors ran, by their names.
    named_ports: Mutex<HashMap<String, Arc<SharedPort>>>,
}

/// What has ended, and where the ports listen.
#[derive(Default)]
pub(super) struct Tally {
    /// The counters of reactors that have ended.
    pub(super) ended: Stats,
    pub(super) restarts: u64,
    /// The addresses of the ports, in the order in which they were given.
    pub(super) addresses: Vec<Address>,
}

impl Group {
    pub(super) fn new(shards: usize, distribution: Distribution) -> Self {
        Self {
            remotes: Arc::new(Remotes::new(shards)),
            stopping: AtomicBool::new(false),
            forced: AtomicBool::new(false),
            waiting: Mutex::default(),
            stop_requested: Condvar::new(),
            tally: Mutex::default(),
            distribution,
            named_ports: Mutex::default(),
        }
    }

    /// The share of a reactor in the port of that name, which the first reactor makes anew each time. `None`: only the first
    /// reactor has the port.
    pub(super) fn share_of(&self, name: &str, shard: usize) -> Option<Share> {
        let mut ports = self.named_ports.lock().unwrap_or_else(PoisonError::into_inner);
        let port = if shard == 0 {
            let port = SharedPort::new(self.remotes.len(), self.distribution);
            ports.insert(name.to_owned(), port.clone());
            port
        } else {
            let port = ports.get(name)?.clone();
            // The first reactor has opened it.
            port.settle();
            port
        };
        (shard == 0 || !port.is_only_first()).then_some(Share { port, shard })
    }

    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(super) fn is_forced(&self) -> bool {
        self.forced.load(Ordering::SeqCst)
    }

    /// Whether any reactor runs.
    pub(super) fn is_running(&self) -> bool {
        self.remotes().next().is_some()
    }

    fn remotes(&self) -> impl Iterator<Item = Remote> {
        (0..self.remotes.len()).filter_map(|shard| self.remotes.get(shard))
    }

    /// Asks all reactors to stop, once.
    pub(super) fn stop(&self) {
        if !self.stopping.swap(true, Ordering::SeqCst) {
            *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = true;
            self.stop_requested.notify_all();
            for remote in self.remotes() {
                let _ = remote.call(stop);
            }
        }
    }

    /// Ends the drain of all reactors, once.
    pub(super) fn force(&self) {
        // First, so that a reactor that begins to stop does not begin to drain.
        let is_first = !self.forced.swap(true, Ordering::SeqCst);
        self.stop();
        if is_first {
            // A second stop ends the wait for connections.
            for remote in self.remotes() {
                let _ = remote.stop();
            }
        }
    }

    /// Waits for this time, or until a stop is requested.
    pub(super) fn wait(&self, time: Duration) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.stop_requested.wait_timeout_while(waiting, time, |stopping| !*stopping);
    }
}

/// Stops this reactor, unless it stops already: a second stop would end its drain.
fn stop(reactor: &Reactor) {
    let membership = reactor.local::<Membership>();
    let is_first = membership.member().is_none_or(|member| !member.is_stopping.replace(true));
    if is_first {
        let _ = reactor.stop();
    }
}
