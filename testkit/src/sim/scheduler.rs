//! The run loop of a simulation: turns the reactors of all hosts with work, then advances time to the next event.

use std::{cell::Cell, rc::Rc};

use sinew_reactor::{Driver, Reactor, Turned};

use super::{
    error::SimError, event::Event, id::HostId, process::Boot, simulation::Simulation, time::Time,
};

/// Maximum rounds of turning hosts without advancing time.
const ROUNDS_PER_MOMENT_MAX: usize = 100_000;

/// Number of events between two checks of all hosts for calls made on their reactors by other hosts' code.
const EVENTS_PER_REFRESH: u64 = 1_024;

/// Clears the running flag on drop, also on errors and panics.
struct ClearOnDrop<'a>(&'a Cell<bool>);

impl Drop for ClearOnDrop<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Simulation {
    /// Runs until `limit`, or until the condition holds; returns whether it does.
    pub(super) fn run(
        &self,
        limit: Time,
        mut condition: impl FnMut() -> bool,
    ) -> Result<bool, SimError> {
        if self.running.replace(true) {
            return Err(SimError::AlreadyRunning);
        }
        let over = ClearOnDrop(&self.running);
        self.schedule_replacement();
        let ran = self.run_loop(limit, &mut condition);
        drop(over);
        self.set_clocks();
        ran
    }

    /// Calls the invariant checks, with the clocks of all hosts set to the current time.
    fn check(&self) {
        if self.checks.borrow().is_empty() {
            return;
        }
        self.set_clocks();
        // A check may add another.
        let mut checks = self.checks.take();
        checks.iter_mut().for_each(|check| check());
        checks.append(&mut self.checks.borrow_mut());
        self.checks.replace(checks);
    }

    fn run_loop(&self, limit: Time, condition: &mut dyn FnMut() -> bool) -> Result<bool, SimError> {
        self.refresh_wakeups();
        let mut until_refresh = EVENTS_PER_REFRESH;
        loop {
            self.turn_ready()?;
            self.check();
            if condition() {
                return Ok(true);
            }
            until_refresh -= 1;
            let event = if until_refresh == 0 {
                until_refresh = EVENTS_PER_REFRESH;
                self.refresh_wakeups();
                continue;
            } else {
                // Before skipping time, check whether a host's reactor was called by another host's code.
                if self.world.borrow().next_at().is_none_or(|at| at > limit) {
                    self.refresh_wakeups();
                    if self.world.borrow().has_ready() {
                        continue;
                    }
                }
                if limit == Time(u64::MAX) && self.world.borrow().next_at().is_none() {
                    return Ok(false);
                }
                self.world.borrow_mut().advance_to_next(limit)
            };
            let Some(event) = event else { return Ok(false) };
            self.handle(event);
        }
    }

    fn handle(&self, event: Event) {
        let mut world = self.world.borrow_mut();
        match event {
            Event::Syn(conn) => world.syn(conn),
            Event::SynAck(conn, answer) => world.syn_ack(conn, answer),
            Event::Ack(conn) => world.ack(conn),
            Event::Arrive(conn, side) => world.arrive(conn, side),
            Event::Writable(conn, side) => world.writable_again(conn, side),
            Event::Window(conn, side) => world.window_opened(conn, side),
            Event::Probe(conn, side) => world.probe(conn, side),
            Event::FinTimeout(conn, side) => world.fin_timeout(conn, side),
            Event::Datagram(packet) => world.datagram(packet),
            Event::Wake(host) => {
                if world.node(host).wake == Some(world.now) {
                    world.node_mut(host).wake = None;
                    world.make_ready(host);
                }
            }
            Event::Apply(act) => {
                drop(world);
                self.apply(act);
            }
        }
    }

    /// Turns the hosts with work, until none is left.
    fn turn_ready(&self) -> Result<(), SimError> {
        let mut last = None;
        for _ in 0..ROUNDS_PER_MOMENT_MAX {
            let ready = self.world.borrow_mut().take_ready();
            let Some(host) = ready.last() else { return Ok(()) };
            last = Some(*host);
            ready.into_iter().try_for_each(|host| self.turn_host(host))?;
        }
        let (host, seed) = self.name(last.unwrap_or(HostId(0)));
        Err(SimError::HostNeverIdle { host, seed })
    }

    fn turn_host(&self, host: HostId) -> Result<(), SimError> {
        let elapsed = {
            let world = self.world.borrow();
            let node = world.node(host);
            if node.is_paused {
                return Ok(());
            }
            node.clock.at(world.now)
        };
        let Some((driver, panics)) = self.driver(host) else { return Ok(()) };
        driver.advance_clock_to(elapsed);
        match driver.turn() {
            Ok(Turned::Asleep) => self.schedule_wakeup(host, &driver),
            Ok(_) => self.ended(host),
            Err(_) => {
                let (host, seed) = self.name(host);
                return Err(SimError::HostNeverIdle { host, seed });
            }
        }
        let now = driver.reactor().stats().panics;
        if now > panics {
            self.processes.borrow_mut()[host.0 as usize].panics = now;
            if !self.panics_allowed.get() {
                let (host, seed) = self.name(host);
                return Err(SimError::Panicked { host, seed });
            }
        }
        Ok(())
    }

    fn driver(&self, host: HostId) -> Option<(Rc<Driver>, u64)> {
        let processes = self.processes.borrow();
        let process = &processes[host.0 as usize];
        Some((process.driver.clone()?, process.panics))
    }

    /// Schedules the next wakeup of a host.
    fn schedule_wakeup(&self, host: HostId, driver: &Driver) {
        let Some(elapsed) = driver.next_wakeup() else { return };
        let mut world = self.world.borrow_mut();
        let at = world.node(host).clock.when(elapsed);
        world.wake_at(host, at);
    }

    fn refresh_wakeups(&self) {
        let count = self.processes.borrow().len();
        for host in (0..count).map(|n| HostId(n as u32)) {
            let paused = self.world.borrow().node(host).is_paused;
            if let Some((driver, _)) = self.driver(host).filter(|_| !paused) {
                self.schedule_wakeup(host, &driver);
            }
        }
    }

    /// Sets the clock of every reactor to the current time.
    fn set_clocks(&self) {
        let (world, processes) = (self.world.borrow(), self.processes.borrow());
        for (node, process) in world.nodes.iter().zip(&*processes) {
            if let Some(driver) = &process.driver {
                driver.advance_clock_to(node.clock.at(world.now));
            }
        }
    }

    fn name(&self, host: HostId) -> (String, u64) {
        let world = self.world.borrow();
        (world.node(host).name.to_string(), world.seed)
    }

    pub(super) fn reactor(&self, host: HostId) -> Reactor {
        self.processes.borrow()[host.0 as usize].reactor.clone()
    }

    pub(super) fn set_boot(&self, host: HostId, boot: Boot) {
        let mut processes = self.processes.borrow_mut();
        let process = &mut processes[host.0 as usize];
        process.boot = Some(boot);
        process.call_boot();
    }
}
