//! The state of the simulation: hosts, links, connections, sockets, and the event queue. The rules are in separate
//! files by topic (`tcp.rs`, `udp.rs`, `handshake.rs`, ...). Runs no user code; it only notifies the reactors of
//! hosts.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    rc::Rc,
    time::Duration,
};

use sinew_reactor::Token;

use super::{
    conn::Conn,
    event::Event,
    event_queue::EventQueue,
    id::{ConnId, HostId, SocketId},
    link::Links,
    listening::Listening,
    node::Node,
    packet::UdpSocket,
    random::Random,
    time::Time,
    trace::{Trace, TraceEntry, Verb},
};

/// The world, shared by the simulation and its sockets.
pub(super) type Shared = Rc<RefCell<World>>;

/// The state of the simulation.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) now: Time,
    event_queue: EventQueue,
    pub(super) random: Random,
    pub(super) trace: Trace,
    pub(super) nodes: Vec<Node>,
    pub(super) names: BTreeMap<String, Vec<IpAddr>>,
    pub(super) links: Links,
    pub(super) conns: BTreeMap<ConnId, Conn>,
    pub(super) listening: BTreeMap<SocketId, Listening>,
    pub(super) datagrams: BTreeMap<SocketId, UdpSocket>,
    ids: u64,
    /// Hosts with work to do now.
    ready: Vec<HostId>,
    pub(super) events: u64,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            now: Time::default(),
            event_queue: EventQueue::default(),
            random: Random::new(seed),
            trace: Trace::new(seed),
            nodes: Vec::new(),
            names: BTreeMap::new(),
            links: Links::new(),
            conns: BTreeMap::new(),
            listening: BTreeMap::new(),
            datagrams: BTreeMap::new(),
            ids: 0,
            ready: Vec::new(),
            events: 0,
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<HostId> {
        let at = self.nodes.iter().position(|node| &*node.name == name)?;
        Some(HostId(u32::try_from(at).expect("fewer than 2^32 hosts")))
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    // ---- hosts ----

    pub(super) fn add_node(&mut self, name: &str) -> HostId {
        let id = HostId(u32::try_from(self.nodes.len()).expect("fewer than 2^32 hosts"));
        let [_, a, b, c] = (id.0 + 1).to_be_bytes();
        let v4 = Ipv4Addr::new(10, a, b, c);
        let v6 = Ipv6Addr::from(0xfd00_u128 << 112 | u128::from(id.0 + 1));
        self.nodes.push(Node::new(name, v4, v6, self.now));
        self.names.insert(name.to_owned(), vec![v4.into()]);
        id
    }

    pub(super) fn node(&self, host: HostId) -> &Node {
        &self.nodes[host.0 as usize]
    }

    pub(super) fn node_mut(&mut self, host: HostId) -> &mut Node {
        &mut self.nodes[host.0 as usize]
    }

    /// The host with that address, as seen from `from`.
    pub(super) fn host_of(&self, from: HostId, ip: IpAddr) -> Option<HostId> {
        if ip.is_loopback() || ip.is_unspecified() {
            return Some(from);
        }
        // Addresses are assigned sequentially.
        let number = match ip {
            IpAddr::V4(ip) if ip.octets()[0] == 10 => u32::from(ip) & 0x00ff_ffff,
            IpAddr::V6(ip) => u128::from(ip) as u32,
            IpAddr::V4(_) => return None,
        };
        let id = HostId(number.checked_sub(1)?);
        let node = self.nodes.get(id.0 as usize)?;
        node.has(ip).then_some(id)
    }

    /// Whether packets get through: the link is up, and the receiver has power.
    pub(super) fn reaches(&self, from: HostId, to: HostId) -> bool {
        self.links.is_up(from, to) && self.node(to).has_power
    }

    /// Notifies a handler on a host.
    pub(super) fn notify(&mut self, host: HostId, token: Option<Token>) {
        let Some(token) = token else { return };
        if let Some(reactor) = self.node(host).reactor.upgrade() {
            reactor.reschedule(token);
            self.make_ready(host);
        }
    }

    pub(super) fn make_ready(&mut self, host: HostId) {
        if !std::mem::replace(&mut self.node_mut(host).is_ready, true) {
            self.ready.push(host);
        }
    }

    /// The hosts with work to do now, in random order.
    pub(super) fn take_ready(&mut self) -> Vec<HostId> {
        let mut ready = std::mem::take(&mut self.ready);
        if ready.len() > 1 {
            ready.sort_unstable();
            self.random.order.shuffle(&mut ready);
        }
        ready.iter().for_each(|host| self.node_mut(*host).is_ready = false);
        ready
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Schedules a wakeup of a host, unless an earlier one is scheduled.
    pub(super) fn wake_at(&mut self, host: HostId, at: Time) {
        if at <= self.now {
            self.make_ready(host);
        } else if self.node(host).wake.is_none_or(|wake| at < wake) {
            self.node_mut(host).wake = Some(at);
            self.schedule(at, Event::Wake(host));
        }
    }

    // ---- time ----

    pub(super) fn schedule(&mut self, at: Time, event: Event) {
        self.event_queue.push(at, event);
    }

    pub(super) fn schedule_in(&mut self, wait: Duration, event: Event) {
        self.schedule(self.now + wait, event);
    }

    pub(super) fn next_at(&self) -> Option<Time> {
        self.event_queue.next_at()
    }

    /// Advances to the next event, if it is due by `limit`.
    pub(super) fn advance_to_next(&mut self, limit: Time) -> Option<Event> {
        if self.next_at().is_none_or(|at| at > limit) {
            self.now = self.now.max(limit);
            return None;
        }
        let (at, event) = self.event_queue.pop()?;
        self.now = self.now.max(at);
        self.events += 1;
        Some(event)
    }

    // ---- the trace ----

    pub(super) fn note(&mut self, host: HostId, verb: Verb, id: u64, amount: u64) {
        let host = self.node(host).name.clone();
        let entry = TraceEntry { at: self.now, host, verb, id, amount, note: None };
        self.trace.add(entry);
    }

    pub(super) fn note_text(&mut self, host: &Rc<str>, verb: Verb, text: &str) {
        let (host, note) = (host.clone(), Some(text.into()));
        self.trace.add(TraceEntry { at: self.now, host, verb, id: 0, amount: 0, note });
    }
}
