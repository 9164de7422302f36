//! Carries out a [`FaultAction`]: cuts and restores links, pauses hosts, resets connections. Actions on processes are
//! in `host_shutdown.rs`.

use std::{collections::BTreeSet, io::ErrorKind, rc::Rc};

use super::{
    conn::{Side, Stage},
    fault_action::FaultAction,
    id::HostId,
    link::Partition,
    node::AcceptFault,
    simulation::Simulation,
    trace::Verb,
    world::World,
};

impl Simulation {
    /// Applies an action to hosts or links.
    pub(super) fn apply(&self, act: FaultAction) {
        match act {
            FaultAction::Kill(host) => self.kill(host, false),
            FaultAction::PowerOff(host) => self.kill(host, true),
            FaultAction::Boot(host) => self.boot(host),
            FaultAction::Begin(entry) => self.begin(entry),
            FaultAction::RandomFaults => self.draw_random_fault(),
            act => self.world.borrow_mut().apply(act),
        }
    }
}

impl World {
    /// Applies the actions that do not involve a process.
    pub(super) fn apply(&mut self, act: FaultAction) {
        match act {
            FaultAction::Cut(a, b) => {
                self.links.cut_one_way(a, b);
                self.links.cut_one_way(b, a);
                self.note_pair(a, Verb::IsCutFrom, b);
            }
            FaultAction::Join(a, b) => {
                self.links.join_one_way(a, b);
                self.links.join_one_way(b, a);
                self.note_pair(a, Verb::IsJoinedTo, b);
            }
            FaultAction::CutOneWay(from, to) => {
                self.links.cut_one_way(from, to);
                self.note_pair(from, Verb::CannotReach, to);
            }
            FaultAction::JoinOneWay(from, to) => {
                self.links.join_one_way(from, to);
                self.note_pair(from, Verb::CanReach, to);
            }
            FaultAction::Partition(left, right) => {
                self.note_sets(Verb::IsPartitioned, &left, &right);
                self.links.add_partition(Partition { left, right });
            }
            FaultAction::HealPartition(left, right) => {
                self.note_sets(Verb::IsWhole, &left, &right);
                self.links.heal_partition(&left, &right);
            }
            FaultAction::Reset(a, b) => self.reset_between(a, b),
            FaultAction::FailAccepts(host, fault) => self.fail_accepts(host, fault),
            FaultAction::Pause(host) => {
                self.node_mut(host).is_paused = true;
                self.note(host, Verb::Pauses, 0, 0);
            }
            FaultAction::Resume(host) => {
                self.node_mut(host).is_paused = false;
                self.note(host, Verb::Resumes, 0, 0);
                self.make_ready(host);
            }
            FaultAction::Kill(_)
            | FaultAction::PowerOff(_)
            | FaultAction::Boot(_)
            | FaultAction::Begin(_)
            | FaultAction::RandomFaults => {}
        }
    }

    fn note_pair(&mut self, a: HostId, verb: Verb, b: HostId) {
        let (a, b) = (self.node(a).name.clone(), self.node(b).name.clone());
        self.note_text(&a, verb, &b);
    }

    fn note_sets(&mut self, verb: Verb, left: &BTreeSet<HostId>, right: &BTreeSet<HostId>) {
        let names = |set: &BTreeSet<HostId>| {
            let names: Vec<_> = set.iter().map(|host| &*self.node(*host).name).collect();
            names.join(",")
        };
        let text = format!("{} | {}", names(left), names(right));
        self.note_text(&Rc::from("the network"), verb, &text);
    }

    /// Resets every connection between two hosts, as a middlebox might: both sides see the reset.
    fn reset_between(&mut self, a: HostId, b: HostId) {
        let is_between = |ends: (HostId, HostId)| ends == (a, b) || ends == (b, a);
        let conns: Vec<_> = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.stage == Stage::Made)
            .filter(|(_, conn)| conn.hosts(Side::Dialler).is_some_and(is_between))
            .map(|(id, _)| *id)
            .collect();
        for conn in conns {
            self.note(a, Verb::ReceivesReset, conn.0, 0);
            self.note(b, Verb::ReceivesReset, conn.0, 0);
            self.fail(conn, Side::Dialler, ErrorKind::ConnectionReset);
            self.fail(conn, Side::Acceptor, ErrorKind::ConnectionReset);
        }
    }

    fn fail_accepts(&mut self, host: HostId, fault: Option<AcceptFault>) {
        self.node_mut(host).accept_fault = fault;
        let waiting: Vec<_> = self
            .listening
            .values()
            .filter(|listening| listening.host == host && !listening.queue.is_empty())
            .map(|listening| listening.token)
            .collect();
        waiting.into_iter().for_each(|token| self.notify(host, token));
    }
}
