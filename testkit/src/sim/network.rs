//! The simulated network, as tests use it: [`Network`] creates hosts, sets up links and faults, and runs the
//! simulation.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    fmt,
    net::IpAddr,
    rc::Rc,
    time::Duration,
};

use super::{
    error::SimError, fault_action::FaultAction, faults::Faults, host::Host, link::Link,
    process::Process, simulation::Simulation, time::Time, trace::Verb, world::World,
};

/// Events after which [`Network::run_until_idle`] gives up.
const EVENTS_UNTIL_IDLE_MAX: u64 = 50_000_000;

/// Number of trace lines printed when a test fails.
const TAIL: usize = 40;

/// A network of simulated hosts, and their clock. All randomness comes from its seed, so a run can be replayed. If
/// the thread panics while it exists, it prints its seed and the end of the trace.
///
/// See [the module](super) for an example.
pub struct Network {
    pub(super) inner: Rc<Simulation>,
}

/// Progress of a simulation, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkStats {
    /// Events processed: arrivals, wakeups, faults.
    pub events: u64,
    /// Entries added to the trace.
    pub happenings: u64,
    /// Connections known to at least one operating system.
    pub connections: usize,
}

impl Network {
    /// An empty network.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with(seed, Faults::default())
    }

    pub(super) fn with(seed: u64, faults: Faults) -> Self {
        Self {
            inner: Rc::new(Simulation {
                world: Rc::new(RefCell::new(World::new(seed))),
                processes: RefCell::default(),
                faults,
                checks: RefCell::default(),
                running: Cell::new(false),
                panics_allowed: Cell::new(false),
            }),
        }
    }

    /// The host of that name. If it does not exist yet, it is created, with its own address and an idle process. Its
    /// name can be resolved by all hosts.
    #[must_use = "a host does nothing until it runs a program"]
    pub fn host(&self, name: &str) -> Host {
        let found = self.inner.world.borrow().find(name);
        let id = found.unwrap_or_else(|| {
            let id = self.inner.world.borrow_mut().add_node(name);
            let process = Process::start(&self.inner.world, id, None);
            self.inner.processes.borrow_mut().push(process);
            id
        });
        Host::new(&self.inner, id)
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.inner.world.borrow().seed
    }

    /// The simulated time since the start.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.inner.world.borrow().now.since_start()
    }

    // ---- links and names ----

    /// Sets the link between all hosts without a link of their own.
    pub fn set_link(&self, link: Link) {
        self.inner.world.borrow_mut().links.set_default(link);
    }

    /// Sets the link between two hosts.
    pub fn set_link_between(&self, a: &Host, b: &Host, link: Link) {
        self.inner.world.borrow_mut().links.set(a.id, b.id, link);
    }

    /// Sets the addresses of a name; without addresses, the name does not exist.
    pub fn set_name(&self, name: &str, addrs: impl IntoIterator<Item = IpAddr>) {
        let addrs = addrs.into_iter().collect();
        self.inner.world.borrow_mut().names.insert(name.to_owned(), addrs);
    }

    /// Cuts the link between two hosts: nothing gets through until [`join`](Self::join) has been called as often as
    /// `cut`. TCP retransmits, and gives up after about 15 minutes.
    pub fn cut(&self, a: &Host, b: &Host) {
        self.inner.world.borrow_mut().apply(FaultAction::Cut(a.id, b.id));
    }

    /// Undoes one [`cut`](Self::cut).
    pub fn join(&self, a: &Host, b: &Host) {
        self.inner.world.borrow_mut().apply(FaultAction::Join(a.id, b.id));
    }

    /// Cuts one direction only (asymmetric fault): everything from `from` to `to` is lost, including its
    /// acknowledgements. In the other direction TCP delivers data, receives no acknowledgements, retransmits, and
    /// gives up as after a [`cut`](Self::cut).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use sinew_testkit::sim::Network;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let network = Network::new(7);
    /// let (a, b) = (network.host("a"), network.host("b"));
    /// let sockets = (a.datagrams("0.0.0.0:53".parse()?)?, b.datagrams("0.0.0.0:53".parse()?)?);
    /// network.cut_way(&a, &b);
    /// sockets.0.send_to(b"lost", (b.addr(), 53).into())?;
    /// sockets.1.send_to(b"comes", (a.addr(), 53).into())?;
    /// network.run_for(Duration::from_secs(1))?;
    /// let mut buffer = [0; 16];
    /// assert_eq!(sockets.0.receive_from(&mut buffer)?.0, 5);
    /// assert!(sockets.1.receive_from(&mut buffer).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn cut_way(&self, from: &Host, to: &Host) {
        self.inner.world.borrow_mut().apply(FaultAction::CutOneWay(from.id, to.id));
    }

    /// Undoes one [`cut_way`](Self::cut_way).
    pub fn join_way(&self, from: &Host, to: &Host) {
        self.inner.world.borrow_mut().apply(FaultAction::JoinOneWay(from.id, to.id));
    }

    /// Partitions two sets of hosts from each other, until [`heal`](Self::heal) is called.
    pub fn partition<'a>(
        &self,
        left: impl IntoIterator<Item = &'a Host>,
        right: impl IntoIterator<Item = &'a Host>,
    ) {
        let left: BTreeSet<_> = left.into_iter().map(|host| host.id).collect();
        let right = right.into_iter().map(|host| host.id).collect();
        self.inner.world.borrow_mut().apply(FaultAction::Partition(left, right));
    }

    /// Removes every cut and partition.
    pub fn heal(&self) {
        self.inner.world.borrow_mut().links.heal();
    }

    /// Lets the simulation continue after a panic in a callback, for tests of panics.
    pub fn allow_panics(&self) {
        self.inner.panics_allowed.set(true);
    }

    /// Calls `check` after every event, once all hosts have processed it: for invariants. At that time the reactors
    /// of all hosts, including idle ones, show the current time. A panic in `check` propagates out of the method that
    /// runs the network. Several checks are called in the order in which they were added.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use sinew_transports::{Peer, Protocol, ReactorTcp, Transport};
    /// use sinew_testkit::sim::Network;
    ///
    /// struct Echo;
    ///
    /// impl Protocol for Echo {
    ///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
    ///         transport.write(data);
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let network = Network::new(7);
    /// let (server, client) = (network.host("server"), network.host("client"));
    /// server.reactor().listen_tcp("0.0.0.0:7", |_: &Peer| Echo)?;
    /// let watched = server.clone();
    /// network.after_every_event(move || assert!(watched.reactor().stats().connections <= 1));
    /// client.reactor().connect_tcp("server:7", |_: &Peer| Echo).detach();
    /// network.run_for(Duration::from_secs(1))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn after_every_event(&self, check: impl FnMut() + 'static) {
        self.inner.checks.borrow_mut().push(Box::new(check));
    }

    // ---- running ----

    /// Runs for `time` of simulated time.
    ///
    /// # Errors
    ///
    /// [`SimError`] if a callback panicked or a host never becomes idle.
    pub fn run_for(&self, time: Duration) -> Result<(), SimError> {
        let limit = self.inner.world.borrow().now + time;
        self.inner.run(limit, || false).map(drop)
    }

    /// Runs until `is_so` returns true, checked after every event, for at most `within`.
    ///
    /// # Errors
    ///
    /// [`SimError::NotReached`] if it is not true by then; otherwise as [`run_for`](Self::run_for).
    pub fn run_until(&self, within: Duration, is_so: impl FnMut() -> bool) -> Result<(), SimError> {
        let limit = self.inner.world.borrow().now + within;
        if self.inner.run(limit, is_so)? {
            return Ok(());
        }
        Err(SimError::NotReached { within, seed: self.seed() })
    }

    /// Runs until nothing is left to happen: no timers, no packets in flight, no scheduled faults.
    ///
    /// # Errors
    ///
    /// [`SimError::NeverIdle`] after fifty million events; otherwise as [`run_for`](Self::run_for).
    pub fn run_until_idle(&self) -> Result<(), SimError> {
        let start = self.inner.world.borrow().events;
        let limit_reached = || self.inner.world.borrow().events - start > EVENTS_UNTIL_IDLE_MAX;
        if self.inner.run(Time(u64::MAX), limit_reached)? {
            let seed = self.seed();
            return Err(SimError::NeverIdle { events: EVENTS_UNTIL_IDLE_MAX, seed });
        }
        Ok(())
    }

    // ---- the trace ----

    /// A hash of the whole trace: times, hosts, events, and every byte received. The same for the same seed and
    /// program.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.inner.world.borrow().trace.hash()
    }

    /// The last entries of the trace, one line each.
    #[must_use]
    pub fn trace_tail(&self, lines: usize) -> Vec<String> {
        self.inner.world.borrow().trace.tail(lines).map(ToString::to_string).collect()
    }

    /// Adds a note to the trace.
    pub fn note(&self, text: &str) {
        let name = Rc::from("the network");
        self.inner.world.borrow_mut().note_text(&name, Verb::Notes, text);
    }

    /// Progress so far.
    #[must_use]
    pub fn stats(&self) -> NetworkStats {
        let world = self.inner.world.borrow();
        NetworkStats {
            events: world.events,
            happenings: world.trace.count(),
            connections: world.conns.len(),
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        if let Ok(world) = self.inner.world.try_borrow() {
            eprintln!("end of the trace, with SINEW_SEED={}:", world.seed);
            world.trace.tail(TAIL).for_each(|entry| eprintln!("{entry}"));
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("seed", &self.seed())
            .field("age", &self.age())
            .field("hosts", &self.inner.processes.borrow().len())
            .finish_non_exhaustive()
    }
}
