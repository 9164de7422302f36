//! The network from outside: [`Network`] is made, told what to do to its hosts, and run.

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

/// Lines of the trace that are printed when a test fails.
const TAIL: usize = 40;

/// A network of simulated hosts, and their time. Everything that is left to chance comes from its seed, so a run can be had
/// again. If the thread panics while it is there, it prints its seed and the last of what happened.
///
/// See [the module](super) for an example.
pub struct Network {
    pub(super) inner: Rc<Simulation>,
}

/// How far a simulation has come, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkStats {
    /// Events of the network: arrivals, wake-ups, faults.
    pub events: u64,
    /// Things entered into the trace.
    pub happenings: u64,
    /// Connections that are known to any system.
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

    /// The host of that name: a new one, with an address of its own and a process that does nothing yet, unless there is one
    /// already. Its name can be looked up by all others.
    #[must_use = "the host is where a program is put"]
    pub fn host(&self, name: &str) -> Host {
        let found = self.inner.world.borrow().find(name);
        let id = found.unwrap_or_else(|| {
            let id = self.inner.world.borrow_mut().add_machine(name);
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

    /// The time since the simulation began.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.inner.world.borrow().now.since_start()
    }

    // ---- what the network is like ----

    /// How the ways between hosts are that nothing else is said of.
    pub fn set_link(&self, link: Link) {
        self.inner.world.borrow_mut().links.set_default(link);
    }

    /// How the way between two hosts is.
    pub fn set_link_between(&self, a: &Host, b: &Host, link: Link) {
        self.inner.world.borrow_mut().links.set(a.id, b.id, link);
    }

    /// What a name is looked up as; no addresses for a name that does not exist.
    pub fn set_name(&self, name: &str, addrs: impl IntoIterator<Item = IpAddr>) {
        let addrs = addrs.into_iter().collect();
        self.inner.world.borrow_mut().names.insert(name.to_owned(), addrs);
    }

    /// Cuts the way between two hosts: nothing gets through until they are [joined](Self::join) as often as they were cut.
    /// TCP tries again and again, and gives up after a quarter of an hour.
    pub fn cut(&self, a: &Host, b: &Host) {
        self.inner.world.borrow_mut().apply(FaultAction::Cut(a.id, b.id));
    }

    /// Takes back one [`cut`](Self::cut).
    pub fn join(&self, a: &Host, b: &Host) {
        self.inner.world.borrow_mut().apply(FaultAction::Join(a.id, b.id));
    }

    /// Cuts the way from one host to another, and not the way back: what the one sends is lost, and with it what it has to
    /// say of what it receives. TCP in the other direction delivers what it sends, hears nothing of it, sends it again and
    /// again, and gives up as after a [`cut`](Self::cut).
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
        self.inner.world.borrow_mut().apply(FaultAction::CutWay(from.id, to.id));
    }

    /// Takes back one [`cut_way`](Self::cut_way).
    pub fn join_way(&self, from: &Host, to: &Host) {
        self.inner.world.borrow_mut().apply(FaultAction::JoinWay(from.id, to.id));
    }

    /// Parts two sets of hosts from each other, until the network is [healed](Self::heal).
    pub fn partition<'a>(
        &self,
        left: impl IntoIterator<Item = &'a Host>,
        right: impl IntoIterator<Item = &'a Host>,
    ) {
        let left: BTreeSet<_> = left.into_iter().map(|host| host.id).collect();
        let right = right.into_iter().map(|host| host.id).collect();
        self.inner.world.borrow_mut().apply(FaultAction::Part(left, right));
    }

    /// Takes back every cut and partition.
    pub fn heal(&self) {
        self.inner.world.borrow_mut().links.heal();
    }

    /// Lets the simulation go on after a panic in a callback, for tests that are about that.
    pub fn allow_panics(&self) {
        self.inner.panics_allowed.set(true);
    }

    /// Has `check` called after every event of the simulation, when the hosts that had something to do because of it have done
    /// it: for what must hold at any time. The reactors of all hosts show the present time then, also of those that sleep. A panic
    /// in it goes through whatever runs the network. Several are called in turn.
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
    /// drop(client.reactor().connect_tcp("server:7", |_: &Peer| Echo));
    /// network.run_for(Duration::from_secs(1))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn after_every_event(&self, check: impl FnMut() + 'static) {
        self.inner.checks.borrow_mut().push(Box::new(check));
    }

    // ---- running ----

    /// Goes on for so long.
    ///
    /// # Errors
    ///
    /// [`SimError`], if a callback panicked or a host does not come to rest.
    pub fn run_for(&self, time: Duration) -> Result<(), SimError> {
        let limit = self.inner.world.borrow().now + time;
        self.inner.run(limit, || false).map(drop)
    }

    /// Goes on until something is so, asked after every event, for `within` at most.
    ///
    /// # Errors
    ///
    /// [`SimError::NotReached`] if it is not so by then; else as [`run_for`](Self::run_for).
    pub fn run_until(&self, within: Duration, is_so: impl FnMut() -> bool) -> Result<(), SimError> {
        let limit = self.inner.world.borrow().now + within;
        if self.inner.run(limit, is_so)? {
            return Ok(());
        }
        Err(SimError::NotReached { within, seed: self.seed() })
    }

    /// Goes on until nothing is left to happen: no timer, nothing on its way, nothing planned.
    ///
    /// # Errors
    ///
    /// [`SimError::NeverIdle`] after fifty million events; else as [`run_for`](Self::run_for).
    pub fn run_until_idle(&self) -> Result<(), SimError> {
        let start = self.inner.world.borrow().events;
        let is_too_much = || self.inner.world.borrow().events - start > EVENTS_UNTIL_IDLE_MAX;
        if self.inner.run(Time(u64::MAX), is_too_much)? {
            let seed = self.seed();
            return Err(SimError::NeverIdle { events: EVENTS_UNTIL_IDLE_MAX, seed });
        }
        Ok(())
    }

    // ---- looking back ----

    /// A hash of all that happened: when, to whom, and every byte of it. The same for the same seed and program.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.inner.world.borrow().trace.hash()
    }

    /// The last of what happened, a line each.
    #[must_use]
    pub fn trace_tail(&self, lines: usize) -> Vec<String> {
        self.inner.world.borrow().trace.tail(lines).map(ToString::to_string).collect()
    }

    /// Enters something into the trace.
    pub fn note(&self, text: &str) {
        let name = Rc::from("the network");
        self.inner.world.borrow_mut().note_text(&name, Verb::Notes, text);
    }

    /// How far it has come.
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
            eprintln!("the last that happened, with SINEW_SEED={}:", world.seed);
            world.trace.tail(TAIL).for_each(|happening| eprintln!("{happening}"));
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
