//! The end of a host's process (killed, power loss, normal exit), the cleanup by its operating system, and the start
//! of the next process.

use std::rc::Rc;

use sinew_reactor::Driver;

use super::{
    conn::{EndState, Fin, Side, Stage},
    id::{ConnId, HostId, SocketId},
    process::Process,
    simulation::Simulation,
    trace::Verb,
    world::World,
};

impl Simulation {
    pub(super) fn kill(&self, host: HostId, power: bool) {
        let Some(driver) = self.take_driver(host) else {
            self.world.borrow_mut().node_mut(host).has_power &= !power;
            return;
        };
        {
            let mut world = self.world.borrow_mut();
            world.note(host, if power { Verb::LosesPower } else { Verb::IsKilled }, 0, 0);
            world.end_process(host, power);
        }
        driver.kill();
    }

    /// The process has ended by itself, after its own shutdown.
    pub(super) fn ended(&self, host: HostId) {
        if self.take_driver(host).is_some() {
            let mut world = self.world.borrow_mut();
            world.note(host, Verb::Ends, 0, 0);
            world.end_process(host, false);
        }
    }

    pub(super) fn boot(&self, host: HostId) {
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

impl World {
    /// Releases all sockets of a host's process: closed as an operating system does for a dead process or, on power
    /// loss, silently.
    pub(super) fn end_process(&mut self, host: HostId, power: bool) {
        let node = self.node_mut(host);
        node.process += 1;
        node.descriptors = 0;
        node.reactor = Default::default();
        node.wake = None;
        node.is_paused = false;
        node.has_power = !power;
        let ports: Vec<SocketId> =
            self.listening.iter().filter(|(_, l)| l.host == host).map(|(id, _)| *id).collect();
        self.datagrams.retain(|_, socket| socket.host != host);
        for port in ports {
            if power {
                self.listening.remove(&port);
            } else {
                self.stop_listening(port);
            }
        }
        let sides = self.conns.iter().flat_map(|(id, conn)| {
            let both = [Side::Dialler, Side::Acceptor].into_iter();
            both.filter(|side| conn.ends[*side as usize].host == Some(host)).map(|side| (*id, side))
        });
        for (id, side) in sides.collect::<Vec<(ConnId, Side)>>() {
            self.end_side(id, side, power);
        }
    }

    fn end_side(&mut self, id: ConnId, side: Side, power: bool) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let made = matches!(conn.stage, Stage::Confirming(_) | Stage::Made);
        match (side, made) {
            (Side::Dialler, false) => self.stop_dialling(id),
            (Side::Acceptor, false) => {}
            (_, true) if power => {
                let pipe = conn.pipe(side);
                pipe.unsent.clear();
                pipe.fin = Fin::Sent;
                let end = conn.end(side);
                (end.state, end.token) = (EndState::Gone, None);
                end.received.clear();
                self.probe_if_idle(id, side.other());
                self.remove_if_done(id);
            }
            (_, true) => self.close(id, side, false),
        }
    }
}
