//! A host of the simulation, as a handle: [`Host`].

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    rc::{Rc, Weak},
    time::Duration,
};

use sinew_reactor::Reactor;

use super::{
    datagram::Datagrams, event::Event, fault_action::FaultAction, id::HostId, node::AcceptFault,
    simulation::Simulation, trace::Verb, world::World,
};

/// A host of a [`Network`](super::Network): a reactor of its own on the network's time, an address, and a clock that may be
/// wrong. What is done to its process (killing, booting) is done when the network next goes on.
#[derive(Clone)]
pub struct Host {
    inner: Weak<Simulation>,
    pub(super) id: HostId,
}

impl Host {
    pub(super) fn new(inner: &Rc<Simulation>, id: HostId) -> Self {
        Self { inner: Rc::downgrade(inner), id }
    }

    fn inner(&self) -> Rc<Simulation> {
        self.inner.upgrade().expect("the network of this host has been dropped")
    }

    fn with_world<R>(&self, f: impl FnOnce(&mut World) -> R) -> R {
        f(&mut self.inner().world.borrow_mut())
    }

    fn ask(&self, act: FaultAction) {
        self.with_world(|world| world.schedule(world.now, Event::Do(act)));
    }

    // ---- what it is ----

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        self.with_world(|world| world.node(self.id).name.to_string())
    }

    /// Its IPv4 address, which its name is looked up as.
    #[must_use]
    pub fn addr(&self) -> IpAddr {
        self.with_world(|world| world.node(self.id).v4().into())
    }

    /// Its IPv6 address.
    #[must_use]
    pub fn addr_v6(&self) -> IpAddr {
        self.with_world(|world| world.node(self.id).v6().into())
    }

    /// The reactor of its process, or that of the last one if none runs. The network turns it: do not run it.
    #[must_use]
    pub fn reactor(&self) -> Reactor {
        self.inner().reactor(self.id)
    }

    /// Whether a process runs on it.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.inner().processes.borrow()[self.id.0 as usize].driver.is_some()
    }

    /// Whether its process is stopped in its tracks, by [`pause`](Self::pause) or a fault.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.with_world(|world| world.node(self.id).is_paused)
    }

    // ---- what it runs ----

    /// Gives the host its program: `program` is called by the loop now, and again in a new process whenever the host
    /// [restarts](Self::restart).
    pub fn boot(&self, program: impl Fn(&Reactor) + 'static) {
        self.inner().set_boot(self.id, Rc::new(program));
    }

    /// Kills its process: nobody in it is told, and its system closes what it had open, with a reset where something was
    /// unread.
    pub fn kill(&self) {
        self.ask(FaultAction::Kill(self.id));
    }

    /// Takes its power: nothing is closed, nobody is told, and what others send to it is lost until it restarts. Then its
    /// system answers with resets what belongs to connections of before.
    pub fn power_off(&self) {
        self.ask(FaultAction::PowerOff(self.id));
    }

    /// Starts it again, in a new process; one that still runs is killed first.
    pub fn restart(&self) {
        self.ask(FaultAction::Boot(self.id));
    }

    /// Stops its process in its tracks, as `SIGSTOP` does: its system still receives until its buffers are full.
    pub fn pause(&self) {
        self.with_world(|world| world.apply(FaultAction::Pause(self.id)));
    }

    /// Has its process go on. Timers that were due meanwhile are late.
    pub fn resume(&self) {
        self.with_world(|world| world.apply(FaultAction::Resume(self.id)));
    }

    // ---- its clock ----

    /// Puts its wall clock ahead by so much; that of its present process only.
    pub fn skew_ahead(&self, by: Duration) {
        let reactor = self.reactor();
        reactor.set_wall_clock(reactor.wall_clock() + by);
    }

    /// Puts its wall clock back by so much; that of its present process only.
    pub fn skew_back(&self, by: Duration) {
        let reactor = self.reactor();
        if let Some(then) = reactor.wall_clock().checked_sub(by) {
            reactor.set_wall_clock(then);
        }
    }

    /// Has its clock go fast by so many parts in a million, or slow. A real one is off by some tens.
    pub fn set_drift(&self, ppm: i32) {
        self.with_world(|world| {
            let now = world.now;
            world.node_mut(self.id).clock.set_drift(now, ppm);
            // Whatever it waits for comes at another moment now.
            world.node_mut(self.id).wake = None;
            world.make_ready(self.id);
        });
    }

    // ---- its limits ----

    /// How many descriptors its process may have: sockets of every kind, and the spare one that a port keeps. Past it,
    /// accepting and connecting fail with `EMFILE`. Default: no limit.
    pub fn set_descriptors_max(&self, descriptors: usize) {
        self.with_world(|world| world.node_mut(self.id).descriptors_max = descriptors);
    }

    /// How many descriptors its process has.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.with_world(|world| world.node(self.id).descriptors)
    }

    /// Has the next `times` attempts to accept a connection fail.
    pub fn fail_next_accepts(&self, fault: AcceptFault, times: usize) {
        self.with_world(|world| {
            world.node_mut(self.id).accept_faults.extend((0..times).map(|_| fault));
        });
    }

    /// Has every attempt to accept a connection fail from now on, or none any more.
    pub fn fail_accepts(&self, fault: impl Into<Option<AcceptFault>>) {
        self.with_world(|world| world.apply(FaultAction::FailAccepts(self.id, fault.into())));
    }

    // ---- datagrams ----

    /// A socket for datagrams, bound to an address of the host.
    ///
    /// # Errors
    ///
    /// Those of `bind(2)`: the address is not the host's, or in use; `EMFILE`.
    pub fn datagrams(&self, addr: SocketAddr) -> io::Result<Datagrams> {
        Datagrams::bind(&self.inner().world, self.id, addr)
    }

    /// Enters something into the trace.
    pub fn note(&self, text: &str) {
        self.with_world(|world| {
            let name = world.node(self.id).name.clone();
            world.note_text(&name, Verb::Notes, text);
        });
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Host").field(&self.id.0).finish()
    }
}
