//! Opening and closing TCP ports, choosing the listener for a connection, and accepting.

use std::{collections::VecDeque, io, net::SocketAddr};

use super::{
    conn::{Side, Stage},
    descriptor::Descriptor,
    id::{ConnId, HostId, SocketId},
    listening::Listening,
    node::AcceptFault,
    trace::Verb,
    world::{Shared, World},
};
use sinew_transports::net::ListenOptions;

/// An accepted connection.
pub(super) struct Accepted {
    pub(super) conn: ConnId,
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
    pub(super) descriptor: Descriptor,
}

impl World {
    /// Opens a port on a host, with the errors of bind(2) and listen(2).
    pub(super) fn listen(
        &mut self,
        host: HostId,
        mut addr: SocketAddr,
        config: &ListenOptions,
    ) -> io::Result<SocketId> {
        if !addr.ip().is_unspecified() && !self.node(host).has(addr.ip()) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        if addr.port() == 0 {
            addr.set_port(self.free_port(host)?);
        }
        let conflicts_with = |other: &Listening| {
            other.host == host
                && other.conflicts_with(addr)
                && !(config.reuse_port && other.reuse_port)
        };
        if self.listening.values().any(conflicts_with) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let id = SocketId(self.next_id());
        let listening = Listening {
            host,
            addr,
            token: None,
            v6_only: config.v6_only,
            reuse_port: config.reuse_port,
            backlog: config.backlog,
            pending: 0,
            queue: VecDeque::new(),
        };
        self.listening.insert(id, listening);
        self.note(host, Verb::Listens, id.0, u64::from(addr.port()));
        Ok(id)
    }

    /// An ephemeral port that is not in use on the host.
    pub(super) fn free_port(&mut self, host: HostId) -> io::Result<u16> {
        let listening = self.listening.values().filter(|l| l.host == host).map(|l| l.addr.port());
        let datagrams = self.datagrams.values().filter(|s| s.host == host).map(|s| s.addr.port());
        let used: Vec<_> = listening.chain(datagrams).collect();
        self.node_mut(host).next_port(|port| used.contains(&port))
    }

    /// The listener for a SYN to `to`: an exact address takes precedence over a wildcard; among several, one is
    /// chosen at random.
    pub(super) fn listener_for(&mut self, host: HostId, to: SocketAddr) -> Option<SocketId> {
        let all = self.listening.iter().filter(|(_, l)| l.matches(host, to));
        let (exact, any): (Vec<_>, Vec<_>) =
            all.map(|(id, l)| (*id, l.addr.ip() == to.ip())).partition(|(_, exact)| *exact);
        let found = if exact.is_empty() { any } else { exact };
        match found.len() {
            0 => None,
            1 => Some(found[0].0),
            n => Some(found[self.random.order.usize(..n)].0),
        }
    }

    /// Whether the backlog is full, so that the SYN is dropped.
    pub(super) fn is_backlog_full(&self, id: SocketId) -> bool {
        self.listening.get(&id).is_none_or(|l| l.pending + l.queue.len() >= l.backlog)
    }

    /// Accepts a connection, with the errors of accept(2).
    pub(super) fn accept(&mut self, shared: &Shared, id: SocketId) -> io::Result<Accepted> {
        let Some(listening) = self.listening.get(&id) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let host = listening.host;
        let next = listening.queue.front().copied();
        // accept(2) allocates the descriptor before it checks for a connection.
        let descriptor = match Descriptor::take(shared, self, host) {
            Ok(descriptor) => descriptor,
            Err(error) => {
                self.note(host, Verb::CannotAccept, id.0, AcceptFault::ProcessLimit as u64);
                return Err(error);
            }
        };
        let refused = |world: &mut Self, error| {
            descriptor.give_back(world);
            Err(error)
        };
        let Some(conn) = next else {
            return refused(self, io::ErrorKind::WouldBlock.into());
        };
        let node = self.node_mut(host);
        if let Some(fault) = node.accept_faults.pop_front().or(node.accept_fault) {
            self.note(host, Verb::CannotAccept, id.0, fault as u64);
            if fault == AcceptFault::Aborted {
                self.listening.get_mut(&id).map(|listening| listening.queue.pop_front());
                self.close(conn, Side::Acceptor, true);
            }
            return refused(self, fault.error());
        }
        self.listening.get_mut(&id).map(|listening| listening.queue.pop_front());
        self.note(host, Verb::Accepts, conn.0, 0);
        let peer = self.conns.get(&conn).map(|conn| conn.ends[Side::Dialler as usize].addr);
        let local = self.conns.get(&conn).map(|conn| conn.ends[Side::Acceptor as usize].addr);
        let (Some(peer), Some(local)) = (peer, local) else {
            // The connection went away while it was queued.
            return refused(self, io::ErrorKind::ConnectionAborted.into());
        };
        Ok(Accepted { conn, local, peer, descriptor })
    }

    /// Closes a port: connections waiting in the backlog are reset.
    pub(super) fn stop_listening(&mut self, id: SocketId) {
        let Some(listening) = self.listening.remove(&id) else { return };
        for conn in listening.queue {
            self.close(conn, Side::Acceptor, true);
        }
        let confirming: Vec<_> = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.stage == Stage::Confirming(id))
            .map(|(id, _)| *id)
            .collect();
        for conn in confirming {
            self.close(conn, Side::Acceptor, true);
        }
    }
}
