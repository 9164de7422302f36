//! Simulated UDP: sending, loss, duplication and delivery of datagrams, as visible to a program. The sockets are in
//! `datagram.rs`.

use std::{
    collections::VecDeque,
    io,
    net::{IpAddr, SocketAddr},
};

use super::{
    event::Event,
    id::{HostId, SocketId},
    packet::{Arrived, Packet, UdpSocket},
    trace::Verb,
    world::World,
};

/// Capacity of a receive buffer in bytes; datagrams that do not fit are dropped (`SO_RCVBUF`).
const RECEIVE_BUFFER: usize = 208 * 1024;

/// The largest UDP payload over IPv4, and over IPv6 without jumbograms.
const PAYLOAD_MAX: usize = 65_507;

impl World {
    pub(super) fn bind(&mut self, host: HostId, mut addr: SocketAddr) -> io::Result<SocketId> {
        if !addr.ip().is_unspecified() && !self.node(host).has(addr.ip()) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        if addr.port() == 0 {
            addr.set_port(self.free_port(host)?);
        }
        if self.datagrams.values().any(|other| other.host == host && other.addr == addr) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let id = SocketId(self.next_id());
        let socket = UdpSocket { host, addr, token: None, queue: VecDeque::new(), queued: 0 };
        self.datagrams.insert(id, socket);
        Ok(id)
    }

    /// Sends a datagram. `source` is the source address, if the caller chooses it.
    pub(super) fn send_datagram(
        &mut self,
        id: SocketId,
        payload: &[u8],
        to: SocketAddr,
        source: Option<IpAddr>,
    ) -> io::Result<usize> {
        let Some(socket) = self.datagrams.get(&id) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let (sender, addr) = (socket.host, socket.addr);
        let from = match (source, addr.ip()) {
            (Some(source), _) if !self.node(sender).has(source) => {
                // The error of Linux for a source address that is not local.
                return Err(io::ErrorKind::InvalidInput.into());
            }
            (Some(source), _) => SocketAddr::new(source, addr.port()),
            (None, ip) if ip.is_unspecified() => {
                SocketAddr::new(self.node(sender).source_for(to.ip()), addr.port())
            }
            _ => addr,
        };
        let host = self.host_of(sender, to.ip());
        let headers = if matches!(to.ip(), IpAddr::V4(_)) { 28 } else { 48 };
        let mtu = self.links.between(sender, host.unwrap_or(sender)).mtu;
        if payload.len() > PAYLOAD_MAX.min(mtu.saturating_sub(headers)) {
            return Err(message_too_long());
        }
        self.trace.fold_bytes(payload);
        self.note(sender, Verb::SendsDatagram, id.0, payload.len() as u64);
        let Some(host) = host else { return Ok(payload.len()) };
        let random = &mut self.random.links;
        let copies = if self.links.duplicates(random, sender, host) { 2 } else { 1 };
        for _ in 0..copies {
            let random = &mut self.random.links;
            let mut at =
                self.links.arrival(random, self.now, sender, host, payload.len() + headers);
            if let Some(more) = self.links.reorder_delay(random, sender, host) {
                at = at + more;
            }
            let lost = self.links.loses(random, sender, host);
            if lost {
                self.note(sender, Verb::LosesDatagram, id.0, payload.len() as u64);
            } else {
                let payload = payload.into();
                self.schedule(at, Event::Datagram(Packet { from, sender, to, host, payload }));
            }
        }
        Ok(payload.len())
    }

    /// A datagram arrives, or is lost silently.
    pub(super) fn datagram(&mut self, packet: Packet) {
        let Packet { from, sender, to, host, payload } = packet;
        let len = payload.len();
        let is_for = |addr: SocketAddr| {
            addr.port() == to.port()
                && (addr.ip() == to.ip()
                    || (addr.ip().is_unspecified() && (addr.is_ipv6() || to.is_ipv4())))
        };
        let reached = self.reaches(sender, host);
        let found = self
            .datagrams
            .iter_mut()
            .find(|(_, socket)| socket.host == host && is_for(socket.addr))
            .filter(|(_, socket)| reached && socket.queued + len <= RECEIVE_BUFFER);
        let Some((id, socket)) = found else {
            return self.note(sender, Verb::LosesDatagram, 0, len as u64);
        };
        socket.queue.push_back(Arrived { from, to: to.ip(), payload });
        socket.queued += len;
        let (id, token) = (id.0, socket.token);
        self.note(host, Verb::ReceivesDatagram, id, len as u64);
        self.notify(host, token);
    }
}

fn message_too_long() -> io::Error {
    #[cfg(unix)]
    return rustix::io::Errno::MSGSIZE.into();
    #[cfg(not(unix))]
    io::Error::other("message too long")
}
