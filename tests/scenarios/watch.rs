//! [`Watch`]: the invariant checker. Tracks every protocol instance on all hosts, and checks invariants after every
//! event. The callback order of one protocol is checked in `watched.rs`.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    net::IpAddr,
    rc::Rc,
};

use sinew::{
    prelude::*,
    sim::{Host, Network},
};

use super::watched::{Pace, Watched};
use crate::watchdog::Watchdog;

/// The default watermarks of a connection.
const MARKS: Marks = Marks { high: 64 * 1024, low: 16 * 1024 };

/// The checker of a network.
#[derive(Clone, Default)]
pub(crate) struct Watch(Rc<Seen>);

#[derive(Default)]
struct Seen {
    hosts: RefCell<Vec<Rc<HostSeen>>>,
    /// Processes may be killed, so protocols may be dropped without `connection_lost`.
    kills: Cell<bool>,
    fault: RefCell<Option<String>>,
    /// Time limit: one run takes some milliseconds.
    watchdog: Cell<Option<Watchdog>>,
}

/// The watermarks of a connection: where it pauses and resumes.
#[derive(Clone, Copy)]
pub(super) struct Marks {
    pub(super) high: usize,
    pub(super) low: usize,
}

/// The state tracked for one host.
pub(super) struct HostSeen {
    host: Host,
    seen: Watch,
    /// Every connection of this host is tracked.
    is_whole: Cell<bool>,
    /// A protocol writes to other protocols' connections, so their state is not always visible.
    is_shared: Cell<bool>,
    queued_max: Cell<usize>,
    marks: Cell<Marks>,
    /// Live connections by number.
    live: RefCell<BTreeMap<u64, (Transport, Rc<Pace>)>>,
    made: Cell<u64>,
    /// How often a queue was above its high watermark.
    pauses: Cell<u64>,
}

impl Watch {
    /// A checker for a network, called after every event.
    pub(crate) fn over(network: &Network) -> Self {
        let watch = Self::default();
        watch.0.watchdog.set(Some(Watchdog::new(format!("the run of seed {}", network.seed()))));
        let looking = watch.clone();
        network.after_every_event(move || looking.look());
        watch
    }

    /// Tracks one host: all its connections, each with this write limit.
    pub(crate) fn on(&self, host: &Host, queued_max: usize) -> HostWatch {
        let seen = Rc::new(HostSeen {
            host: host.clone(),
            seen: self.clone(),
            is_whole: Cell::new(true),
            is_shared: Cell::new(false),
            queued_max: Cell::new(queued_max),
            marks: Cell::new(MARKS),
            live: RefCell::default(),
            made: Cell::default(),
            pauses: Cell::default(),
        });
        self.0.hosts.borrow_mut().push(seen.clone());
        HostWatch(seen)
    }

    /// From now on processes may be killed.
    pub(crate) fn allow_kills(&self) {
        self.0.kills.set(true);
    }

    fn fault(&self, what: String) {
        self.0.fault.borrow_mut().get_or_insert(what);
    }

    /// Invariants that hold at any time.
    fn look(&self) {
        if let Some(fault) = &*self.0.fault.borrow() {
            panic!("{fault}");
        }
        self.0.hosts.borrow().iter().for_each(|host| host.look());
    }

    /// Conditions that hold when everything has ended.
    pub(crate) fn assert_over(&self) {
        self.look();
        for HostSeen { host, live, .. } in self.0.hosts.borrow().iter().map(|host| &**host) {
            assert_eq!(live.borrow().len(), 0, "{}: protocols are still there", host.name());
        }
    }
}

impl HostSeen {
    fn look(&self) {
        let live = self.live.borrow();
        for (transport, pace) in live.values() {
            let (queued, max) = (transport.queued(), self.queued_max.get());
            assert!(queued <= max, "{}: {queued} bytes are queued, past {max}", self.host.name());
            if let Some(fault) = pace.at_rest(transport, self.marks.get()) {
                panic!("{}: a connection {fault}", self.host.name());
            }
        }
        let reactor = self.host.reactor();
        if self.is_whole.get() {
            let counted = reactor.stats().connections;
            assert_eq!(live.len() as u64, counted, "{}: alive, counted", self.host.name());
        }
        if self.host.is_up() && !self.host.is_paused() {
            let lost = reactor.timers_overdue();
            assert_eq!(lost, 0, "{}: timers that were due have not fired", self.host.name());
        }
    }

    pub(super) fn fault(&self, what: &str) {
        self.seen.fault(format!("{}: a protocol {what}", self.host.name()));
    }

    pub(super) fn marks(&self) -> Marks {
        self.marks.get()
    }

    pub(super) fn is_shared(&self) -> bool {
        self.is_shared.get()
    }

    pub(super) fn may_be_killed(&self) -> bool {
        self.seen.0.kills.get()
    }

    pub(super) fn note_pause(&self) {
        self.pauses.set(self.pauses.get() + 1);
    }

    /// Registers a new connection and returns its number.
    pub(super) fn begin(&self, transport: &Transport, pace: &Rc<Pace>) -> u64 {
        let number = self.made.get() + 1;
        self.made.set(number);
        self.live.borrow_mut().insert(number, (transport.clone(), pace.clone()));
        number
    }

    pub(super) fn end(&self, number: u64) {
        self.live.borrow_mut().remove(&number);
    }
}

/// Tracks the protocols of a host.
#[derive(Clone)]
pub(crate) struct HostWatch(Rc<HostSeen>);

impl HostWatch {
    /// The host also has connections that are not tracked.
    pub(crate) fn in_part(self) -> Self {
        self.0.is_whole.set(false);
        self
    }

    /// Its protocols write to each other's connections.
    pub(crate) fn shared(self) -> Self {
        self.0.is_shared.set(true);
        self
    }

    /// Sets the watermarks of its connections.
    pub(crate) fn watermarks(self, high: usize, low: usize) -> Self {
        self.0.marks.set(Marks { high, low });
        self
    }

    /// Sets the write limit of its connections.
    pub(crate) fn queued_max(self, bytes: usize) -> Self {
        self.0.queued_max.set(bytes);
        self
    }

    pub(crate) fn watch<P: Protocol>(&self, protocol: P) -> Watched<P> {
        Watched::new(protocol, self.0.clone())
    }

    /// Number of live connections.
    pub(crate) fn alive(&self) -> usize {
        self.0.live.borrow().len()
    }

    /// Number of live connections to one other host.
    pub(crate) fn alive_with(&self, ip: IpAddr) -> usize {
        let live = self.0.live.borrow();
        live.values().filter(|(transport, _)| transport.peer().ip() == Some(ip)).count()
    }

    /// Number of connections so far.
    pub(crate) fn made(&self) -> u64 {
        self.0.made.get()
    }

    /// Number of `writing_paused` calls.
    pub(crate) fn pauses(&self) -> u64 {
        self.0.pauses.get()
    }
}
