//! The process of a simulated host: [`Process`], and how it starts.

use std::rc::Rc;

use sinew_reactor::{Driver, Reactor};

use super::{endpoint::HostNet, id::HostId, time::HostClock, trace::Verb, world::Shared};
use sinew_transports::net;

/// A program: the function that a host runs when it boots.
pub(super) type Boot = Rc<dyn Fn(&Reactor)>;

/// A running or ended process.
pub(super) struct Process {
    /// The reactor of the process; of the last one if none is running.
    pub(super) reactor: Reactor,
    /// Present while the process is running.
    pub(super) driver: Option<Rc<Driver>>,
    pub(super) boot: Option<Boot>,
    /// Number of panics already reported.
    pub(super) panics: u64,
}

impl Process {
    pub(super) fn start(world: &Shared, host: HostId, boot: Option<Boot>) -> Self {
        let reactor = Reactor::simulated(world.borrow_mut().random.seeds.u64(..));
        let driver = reactor.take_over().expect("a new simulated reactor has no driver yet");
        {
            let world = &mut *world.borrow_mut();
            let now = world.now;
            let node = world.node_mut(host);
            node.reactor = reactor.downgrade();
            node.has_power = true;
            node.clock = HostClock::started(now, node.clock.drift_ppm());
            reactor.set_wall_clock(reactor.wall_clock() + now.since_start());
            world.note(host, Verb::Boots, 0, 0);
            world.make_ready(host);
        }
        let process = world.borrow().node(host).process;
        let (world, weak) = (world.clone(), reactor.downgrade());
        net::install(&reactor, Rc::new(HostNet { world, host, process, reactor: weak }))
            .expect("it has just been made, and is simulated");
        let process = Self { reactor, driver: Some(Rc::new(driver)), boot, panics: 0 };
        process.call_boot();
        process
    }

    /// Schedules the program on the reactor.
    pub(super) fn call_boot(&self) {
        if let Some(boot) = self.boot.clone().filter(|_| self.driver.is_some()) {
            self.reactor.call_soon(move |reactor| boot(reactor));
        }
    }
}
