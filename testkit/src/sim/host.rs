//! A handle to a host of the simulation: [`Host`].

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

/// A host of a [`Network`](super::Network), with its own reactor on simulated time, addresses, and a clock that may
/// be skewed. Actions on its process (kill, restart) take effect when the network runs next.
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

    fn enqueue(&self, act: FaultAction) {
        self.with_world(|world| world.schedule(world.now, Event::Apply(act)));
    }

    // ---- properties ----

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        self.with_world(|world| world.node(self.id).name.to_string())
    }

    /// Its IPv4 address, to which its name resolves.
    #[must_use]
    pub fn addr(&self) -> IpAddr {
        self.with_world(|world| world.node(self.id).v4().into())
    }

    /// Its IPv6 address.
    #[must_use]
    pub fn addr_v6(&self) -> IpAddr {
        self.with_world(|world| world.node(self.id).v6().into())
    }

    /// The reactor of its process, or of the last process if none is running. The network drives it: do not run it
    /// yourself.
    #[must_use]
    pub fn reactor(&self) -> Reactor {
        self.inner().reactor(self.id)
    }

    /// Whether a process is running on it.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.inner().processes.borrow()[self.id.0 as usize].driver.is_some()
    }

    /// Whether its process is stopped, by [`pause`](Self::pause) or a fault.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.with_world(|world| world.node(self.id).is_paused)
    }

    // ---- its process ----

    /// Sets the program of the host: its reactor calls `program` now, and again in a new process whenever the host
    /// [restarts](Self::restart).
    pub fn boot(&self, program: impl Fn(&Reactor) + 'static) {
        self.inner().set_boot(self.id, Rc::new(program));
    }

    /// Kills its process: no callbacks run, and the operating system closes its sockets, with a reset where input was
    /// unread.
    pub fn kill(&self) {
        self.enqueue(FaultAction::Kill(self.id));
    }

    /// Cuts its power: nothing is closed, no callbacks run, and packets sent to it are lost until it restarts. After
    /// the restart its operating system answers segments of old connections with resets.
    pub fn power_off(&self) {
        self.enqueue(FaultAction::PowerOff(self.id));
    }

    /// Restarts it with a new process. A running process is killed first.
    pub fn restart(&self) {
        self.enqueue(FaultAction::Boot(self.id));
    }

    /// Stops its process, as `SIGSTOP` does: its operating system still receives until the buffers are full.
    pub fn pause(&self) {
        self.with_world(|world| world.apply(FaultAction::Pause(self.id)));
    }

    /// Resumes its process. Timers that were due in the meantime fire late.
    pub fn resume(&self) {
        self.with_world(|world| world.apply(FaultAction::Resume(self.id)));
    }

    // ---- its clock ----

    /// Sets the wall clock of its current process forward by `by`.
    pub fn skew_ahead(&self, by: Duration) {
        let reactor = self.reactor();
        reactor.set_wall_clock(reactor.wall_clock() + by);
    }

    /// Sets the wall clock of its current process back by `by`.
    pub fn skew_back(&self, by: Duration) {
        let reactor = self.reactor();
        if let Some(then) = reactor.wall_clock().checked_sub(by) {
            reactor.set_wall_clock(then);
        }
    }

    /// Makes its clock run fast (or slow, if negative) by `ppm` parts per million. Real clocks drift by some tens.
    pub fn set_drift(&self, ppm: i32) {
        self.with_world(|world| {
            let now = world.now;
            world.node_mut(self.id).clock.set_drift(now, ppm);
            // All scheduled wakeups move to other times.
            world.node_mut(self.id).wake = None;
            world.make_ready(self.id);
        });
    }

    // ---- its limits ----

    /// Maximum number of descriptors of its process: sockets of every kind, and the spare descriptor of each
    /// listener. Past it, accepting and connecting fail with `EMFILE`. Default: no limit.
    pub fn set_descriptors_max(&self, descriptors: usize) {
        self.with_world(|world| world.node_mut(self.id).descriptors_max = descriptors);
    }

    /// The number of open descriptors of its process.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.with_world(|world| world.node(self.id).descriptors)
    }

    /// Makes the next `times` accept attempts fail with `fault`.
    pub fn fail_next_accepts(&self, fault: AcceptFault, times: usize) {
        self.with_world(|world| {
            world.node_mut(self.id).accept_faults.extend((0..times).map(|_| fault));
        });
    }

    /// Makes all further accept attempts fail with `fault`; `None` ends that.
    pub fn fail_accepts(&self, fault: impl Into<Option<AcceptFault>>) {
        self.with_world(|world| world.apply(FaultAction::FailAccepts(self.id, fault.into())));
    }

    // ---- datagrams ----

    /// Opens a datagram socket bound to an address of the host.
    ///
    /// # Errors
    ///
    /// Those of `bind(2)`: the address does not belong to the host, or is in use; `EMFILE`.
    pub fn datagrams(&self, addr: SocketAddr) -> io::Result<Datagrams> {
        Datagrams::bind(&self.inner().world, self.id, addr)
    }

    /// Adds a note to the trace.
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
