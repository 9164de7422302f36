//! What is done to hosts and links, by a test, a plan or chance: [`Act`].

use std::{collections::BTreeSet, io::ErrorKind, rc::Rc};

use super::{
    conn::{Fin, Life, Side, Stage},
    link::Partition,
    machine::AcceptFault,
    plan::Entry,
    trace::Verb,
    world::{ConnId, HostId, SocketId, World},
};

/// See the head of this file.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Cut(HostId, HostId),
    Join(HostId, HostId),
    /// From the first to the second only.
    CutWay(HostId, HostId),
    JoinWay(HostId, HostId),
    Part(BTreeSet<HostId>, BTreeSet<HostId>),
    Unite(BTreeSet<HostId>, BTreeSet<HostId>),
    Reset(HostId, HostId),
    Pause(HostId),
    Resume(HostId),
    Kill(HostId),
    PowerOff(HostId),
    /// The host is started again, from nothing.
    Boot(HostId),
    FailAccepts(HostId, Option<AcceptFault>),
    /// A fault of a plan begins.
    Begin(Entry),
    /// Whatever chance has in store, and the next time for it.
    Chance,
}

impl World {
    /// Does what concerns no process.
    pub(super) fn act(&mut self, act: Act) {
        match act {
            Act::Cut(a, b) => {
                self.links.cut_way(a, b);
                self.links.cut_way(b, a);
                self.note_pair(a, Verb::IsCutFrom, b);
            }
            Act::Join(a, b) => {
                self.links.join_way(a, b);
                self.links.join_way(b, a);
                self.note_pair(a, Verb::IsJoinedTo, b);
            }
            Act::CutWay(from, to) => {
                self.links.cut_way(from, to);
                self.note_pair(from, Verb::CannotReach, to);
            }
            Act::JoinWay(from, to) => {
                self.links.join_way(from, to);
                self.note_pair(from, Verb::CanReach, to);
            }
            Act::Part(left, right) => {
                self.note_sets(Verb::IsPartitioned, &left, &right);
                self.links.part(Partition { left, right });
            }
            Act::Unite(left, right) => {
                self.note_sets(Verb::IsWhole, &left, &right);
                self.links.unite(&left, &right);
            }
            Act::Reset(a, b) => self.reset_between(a, b),
            Act::FailAccepts(host, fault) => self.fail_accepts(host, fault),
            Act::Pause(host) => {
                self.machine_mut(host).is_paused = true;
                self.note(host, Verb::Pauses, 0, 0);
            }
            Act::Resume(host) => {
                self.machine_mut(host).is_paused = false;
                self.note(host, Verb::Resumes, 0, 0);
                self.make_ready(host);
            }
            Act::Kill(_) | Act::PowerOff(_) | Act::Boot(_) | Act::Begin(_) | Act::Chance => {}
        }
    }

    fn note_pair(&mut self, a: HostId, verb: Verb, b: HostId) {
        let (a, b) = (self.machine(a).name.clone(), self.machine(b).name.clone());
        self.note_text(&a, verb, &b);
    }

    fn note_sets(&mut self, verb: Verb, left: &BTreeSet<HostId>, right: &BTreeSet<HostId>) {
        let names = |set: &BTreeSet<HostId>| {
            let names: Vec<_> = set.iter().map(|host| &*self.machine(*host).name).collect();
            names.join(",")
        };
        let text = format!("{} | {}", names(left), names(right));
        self.note_text(&Rc::from("the network"), verb, &text);
    }

    /// Resets every connection between two hosts, as a box on the way might: both sides are told.
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
        self.machine_mut(host).accept_fault = fault;
        let waiting: Vec<_> = self
            .listening
            .values()
            .filter(|listening| listening.host == host && !listening.queue.is_empty())
            .map(|listening| listening.token)
            .collect();
        waiting.into_iter().for_each(|token| self.tell(host, token));
    }

    /// Lets go of all that the process of a host has: closed as a system closes what a dead process leaves or, if the power
    /// goes, without a word.
    pub(super) fn end_process(&mut self, host: HostId, power: bool) {
        let machine = self.machine_mut(host);
        machine.process += 1;
        machine.descriptors = 0;
        machine.reactor = Default::default();
        machine.wake = None;
        machine.is_paused = false;
        machine.has_power = !power;
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
                (end.life, end.token) = (Life::Gone, None);
                end.received.clear();
                self.ask_who_is_gone(id, side.other());
                self.tidy(id);
            }
            (_, true) => self.close(id, side, false),
        }
    }
}
