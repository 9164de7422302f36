//! How a simulation goes on: hosts that have something to do are turned, then time passes to the next event.

use std::{cell::Cell, rc::Rc};

use sinew_reactor::{Driver, Reactor, Turned};

use super::{
    error::SimError, event::Event, id::HostId, process::Boot, simulation::Simulation, time::Time,
};

/// Rounds in which every host that is ready is turned while time stands.
const ROUNDS_PER_MOMENT_MAX: usize = 100_000;

/// Events between two looks at every host, for calls that one host's code has made to another's reactor.
const EVENTS_PER_LOOK: u64 = 1_024;

/// Whatever becomes of a run, at its end the network does not run.
struct Over<'a>(&'a Cell<bool>);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Simulation {
    /// Goes on until `limit`, or until something is so; whether it is.
    pub(super) fn run(
        &self,
        limit: Time,
        mut is_so: impl FnMut() -> bool,
    ) -> Result<bool, SimError> {
        if self.running.replace(true) {
            return Err(SimError::AlreadyRunning);
        }
        let over = Over(&self.running);
        self.arm_faults();
        let ran = self.run_entered(limit, &mut is_so);
        drop(over);
        self.set_clocks();
        ran
    }

    /// Whatever must hold at any time. The clocks of all hosts are right meanwhile.
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

    fn run_entered(&self, limit: Time, is_so: &mut dyn FnMut() -> bool) -> Result<bool, SimError> {
        self.look_at_all();
        let mut until_look = EVENTS_PER_LOOK;
        loop {
            self.turn_ready()?;
            self.check();
            if is_so() {
                return Ok(true);
            }
            until_look -= 1;
            let event = if until_look == 0 {
                until_look = EVENTS_PER_LOOK;
                self.look_at_all();
                continue;
            } else {
                // Before time goes by in vain, see whether somebody has called on another's reactor.
                if self.world.borrow().next_at().is_none_or(|at| at > limit) {
                    self.look_at_all();
                    if self.world.borrow().has_ready() {
                        continue;
                    }
                }
                if limit == Time(u64::MAX) && self.world.borrow().next_at().is_none() {
                    return Ok(false);
                }
                self.world.borrow_mut().pass_to_next(limit)
            };
            let Some(event) = event else { return Ok(false) };
            self.happen(event);
        }
    }

    fn happen(&self, event: Event) {
        let mut world = self.world.borrow_mut();
        match event {
            Event::Syn(conn) => world.syn(conn),
            Event::SynAck(conn, answer) => world.syn_ack(conn, answer),
            Event::Ack(conn) => world.ack(conn),
            Event::Arrive(conn, side) => world.arrive(conn, side),
            Event::Room(conn, side) => world.room_again(conn, side),
            Event::Window(conn, side) => world.window_opened(conn, side),
            Event::Again(conn, side) => world.ask_again(conn, side),
            Event::Forget(conn, side) => world.forget(conn, side),
            Event::Datagram(packet) => world.datagram(packet),
            Event::Wake(host) => {
                if world.node(host).wake == Some(world.now) {
                    world.node_mut(host).wake = None;
                    world.make_ready(host);
                }
            }
            Event::Do(act) => {
                drop(world);
                self.apply(act);
            }
        }
    }

    /// Turns the hosts that have something to do, until none has.
    fn turn_ready(&self) -> Result<(), SimError> {
        let mut last = None;
        for _ in 0..ROUNDS_PER_MOMENT_MAX {
            let ready = self.world.borrow_mut().take_ready();
            let Some(host) = ready.last() else { return Ok(()) };
            last = Some(*host);
            ready.into_iter().try_for_each(|host| self.turn_host(host))?;
        }
        let (host, seed) = self.name(last.unwrap_or(HostId(0)));
        Err(SimError::NeverRests { host, seed })
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
        driver.pass_to(elapsed);
        match driver.turn() {
            Ok(Turned::Asleep) => self.wake_by(host, &driver),
            Ok(_) => self.ended(host),
            Err(_) => {
                let (host, seed) = self.name(host);
                return Err(SimError::NeverRests { host, seed });
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

    /// Has a host turned when it next has something to do.
    fn wake_by(&self, host: HostId, driver: &Driver) {
        let Some(elapsed) = driver.next_wakeup() else { return };
        let mut world = self.world.borrow_mut();
        let at = world.node(host).clock.when(elapsed);
        world.wake_at(host, at);
    }

    fn look_at_all(&self) {
        let count = self.processes.borrow().len();
        for host in (0..count).map(|n| HostId(n as u32)) {
            let paused = self.world.borrow().node(host).is_paused;
            if let Some((driver, _)) = self.driver(host).filter(|_| !paused) {
                self.wake_by(host, &driver);
            }
        }
    }

    /// Has every reactor show the time.
    fn set_clocks(&self) {
        let (world, processes) = (self.world.borrow(), self.processes.borrow());
        for (node, process) in world.nodes.iter().zip(&*processes) {
            if let Some(driver) = &process.driver {
                driver.pass_to(node.clock.at(world.now));
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
