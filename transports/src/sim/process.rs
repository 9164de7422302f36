//! Programs on hosts: how a process begins, is killed, and begins anew. [`Process`].

use std::rc::Rc;

use sinew_reactor::{Driver, Reactor};

use super::{
    act::Act,
    endpoint::HostNet,
    host::Boot,
    network::Inner,
    time::HostClock,
    trace::Verb,
    world::{HostId, Shared},
};
use crate::net;

/// See the head of this file.
pub(super) struct Process {
    /// The last one there was, if none runs.
    pub(super) reactor: Reactor,
    /// While it runs.
    pub(super) driver: Option<Rc<Driver>>,
    pub(super) boot: Option<Boot>,
    /// Panics that have been told of.
    pub(super) panics: u64,
}

impl Process {
    pub(super) fn start(world: &Shared, host: HostId, boot: Option<Boot>) -> Self {
        let reactor = Reactor::simulated(world.borrow_mut().random.seeds.u64(..));
        let driver = reactor.take_over().expect("it has just been made, and is simulated");
        {
            let world = &mut *world.borrow_mut();
            let now = world.now;
            let machine = world.machine_mut(host);
            machine.reactor = reactor.downgrade();
            machine.has_power = true;
            machine.clock = HostClock::started(now, machine.clock.drift_ppm());
            reactor.set_wall_clock(reactor.wall_clock() + now.since_start());
            world.note(host, Verb::Boots, 0, 0);
            world.make_ready(host);
        }
        let process = world.borrow().machine(host).process;
        let (world, weak) = (world.clone(), reactor.downgrade());
        net::install(&reactor, Rc::new(HostNet { world, host, process, reactor: weak }));
        let process = Self { reactor, driver: Some(Rc::new(driver)), boot, panics: 0 };
        process.call_boot();
        process
    }

    /// Has the loop call the program.
    pub(super) fn call_boot(&self) {
        if let Some(boot) = self.boot.clone().filter(|_| self.driver.is_some()) {
            self.reactor.call_soon(move |reactor| boot(reactor));
        }
    }
}

impl Inner {
    /// Does something to hosts or links.
    pub(super) fn act(&self, act: Act) {
        match act {
            Act::Kill(host) => self.kill(host, false),
            Act::PowerOff(host) => self.kill(host, true),
            Act::Boot(host) => self.boot(host),
            Act::Begin(entry) => self.begin(entry),
            Act::Chance => self.take_chance(),
            act => self.world.borrow_mut().act(act),
        }
    }

    fn kill(&self, host: HostId, power: bool) {
        let Some(driver) = self.take_driver(host) else {
            self.world.borrow_mut().machine_mut(host).has_power &= !power;
            return;
        };
        {
            let mut world = self.world.borrow_mut();
            world.note(host, if power { Verb::LosesPower } else { Verb::IsKilled }, 0, 0);
            world.end_process(host, power);
        }
        driver.kill();
    }

    /// The process has stopped by itself, and has seen to its own ends.
    pub(super) fn ended(&self, host: HostId) {
        if self.take_driver(host).is_some() {
            let mut world = self.world.borrow_mut();
            world.note(host, Verb::Ends, 0, 0);
            world.end_process(host, false);
        }
    }

    fn boot(&self, host: HostId) {
        self.kill(host, false);
        let boot = self.processes.borrow()[host.0 as usize].boot.clone();
        let process = Process::start(&self.world, host, boot);
        let old = std::mem::replace(&mut self.processes.borrow_mut()[host.0 as usize], process);
        drop(old);
    }

    fn take_driver(&self, host: HostId) -> Option<Rc<Driver>> {
        self.processes.borrow_mut()[host.0 as usize].driver.take()
    }
}
