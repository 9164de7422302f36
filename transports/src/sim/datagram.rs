//! Datagrams, raw: [`Datagrams`] is a bound socket of a simulated host. What travels may be lost, doubled and overtaken.

use std::{
    collections::VecDeque,
    fmt, io,
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use sinew_reactor::{Handler, Reactor, RegisterError, Registration, Token};

use super::{
    machine::Descriptor,
    trace::Verb,
    world::{Event, HostId, Shared, SocketId, World},
};
use crate::net::DatagramSocket;

/// Bytes that wait to be read from a socket; what comes then is dropped (`SO_RCVBUF`).
const RECEIVE_BUFFER: usize = 208 * 1024;

/// The longest payload that UDP can carry over IPv4, and over IPv6 without jumbograms.
const PAYLOAD_MAX: usize = 65_507;

/// What a socket is to its system.
pub(super) struct UdpSocket {
    pub(super) host: HostId,
    pub(super) addr: SocketAddr,
    token: Option<Token>,
    queue: VecDeque<(SocketAddr, Rc<[u8]>)>,
    queued: usize,
}

/// A datagram on its way.
pub(super) struct Packet {
    from: SocketAddr,
    sender: HostId,
    to: SocketAddr,
    host: HostId,
    payload: Rc<[u8]>,
}

impl World {
    fn bind(&mut self, host: HostId, mut addr: SocketAddr) -> io::Result<SocketId> {
        if !addr.ip().is_unspecified() && !self.machine(host).has(addr.ip()) {
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

    fn send_datagram(&mut self, id: SocketId, payload: &[u8], to: SocketAddr) -> io::Result<usize> {
        let Some(socket) = self.datagrams.get(&id) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let (sender, addr) = (socket.host, socket.addr);
        let from = match addr.ip() {
            ip if ip.is_unspecified() => {
                SocketAddr::new(self.machine(sender).source_for(to.ip()), addr.port())
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
        let copies = if self.links.doubles(random, sender, host) { 2 } else { 1 };
        for _ in 0..copies {
            let random = &mut self.random.links;
            let mut at =
                self.links.arrival(random, self.now, sender, host, payload.len() + headers);
            if let Some(more) = self.links.hold_up(random, sender, host) {
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

    /// A datagram arrives, if it does; nobody is told if it does not.
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
        socket.queue.push_back((from, payload));
        socket.queued += len;
        let (id, token) = (id.0, socket.token);
        self.note(host, Verb::ReceivesDatagram, id, len as u64);
        self.tell(host, token);
    }
}

fn message_too_long() -> io::Error {
    #[cfg(unix)]
    return rustix::io::Errno::MSGSIZE.into();
    #[cfg(not(unix))]
    io::Error::other("message too long")
}

/// A bound socket under a protocol.
pub(super) struct Bound {
    socket: Datagrams,
    /// The only one that is heard.
    peer: Option<SocketAddr>,
}

impl Bound {
    pub(super) const fn new(socket: Datagrams, peer: Option<SocketAddr>) -> Self {
        Self { socket, peer }
    }
}

impl DatagramSocket<SocketAddr> for Bound {
    fn register(&mut self, reactor: &Reactor) -> Result<Token, RegisterError> {
        let token = reactor.reserve()?;
        self.socket.watch(token);
        Ok(token)
    }

    fn receive_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        loop {
            let (len, from) = self.socket.receive_from(buffer)?;
            if self.peer.is_none_or(|peer| peer == from) {
                return Ok((len, from));
            }
        }
    }

    fn send_to(&self, data: &[u8], to: Option<&SocketAddr>) -> io::Result<()> {
        let to = to.copied().or(self.peer).ok_or(io::ErrorKind::NotConnected)?;
        self.socket.send_to(data, to).map(drop)
    }

    fn local(&self) -> io::Result<SocketAddr> {
        Ok(self.socket.local())
    }

    fn is_unwatched(&self) -> bool {
        true
    }
}

/// A bound socket for datagrams on a simulated host ([`Host::datagrams`](super::Host::datagrams)): what UDP does, without a
/// protocol around it. It is closed when this is dropped.
pub struct Datagrams {
    world: Shared,
    id: SocketId,
    addr: SocketAddr,
    descriptor: Descriptor,
}

impl Datagrams {
    pub(super) fn bind(shared: &Shared, host: HostId, addr: SocketAddr) -> io::Result<Self> {
        let world = &mut *shared.borrow_mut();
        let descriptor = Descriptor::take(shared, world, host)?;
        match world.bind(host, addr) {
            Ok(id) => {
                let addr = world.datagrams[&id].addr;
                Ok(Self { world: shared.clone(), id, addr, descriptor })
            }
            Err(error) => {
                descriptor.give_back(world);
                Err(error)
            }
        }
    }

    /// The address that it is bound to.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.addr
    }

    /// Sends a datagram. That it was sent says nothing of whether it arrives.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if it is larger than the link takes ([`Link::mtu`](super::Link::mtu)); `NotConnected` once the host's
    /// process has ended.
    pub fn send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.world.borrow_mut().send_datagram(self.id, payload, to)
    }

    /// Receives the datagram that came first, and who sent it. What does not fit into the buffer is cut off, as
    /// `recvfrom(2)` does it.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if none is there.
    pub fn receive_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut world = self.world.borrow_mut();
        let socket = world.datagrams.get_mut(&self.id).ok_or(io::ErrorKind::NotConnected)?;
        let (from, payload) = socket.queue.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        socket.queued -= payload.len();
        let len = payload.len().min(buffer.len());
        buffer[..len].copy_from_slice(&payload[..len]);
        Ok((len, from))
    }

    /// Has [`Handler::again`] called whenever a datagram has come, until the registration is dropped.
    ///
    /// # Errors
    ///
    /// If the reactor has no room for another handler.
    pub fn register(
        &self,
        reactor: &Reactor,
        handler: Rc<dyn Handler>,
    ) -> Result<Registration, sinew_reactor::RegisterError> {
        let registration = reactor.register_unwatched(handler)?;
        if let Some(token) = registration.token() {
            self.watch(token);
        }
        Ok(registration)
    }

    /// Has the handler of that name told whenever a datagram has come.
    fn watch(&self, token: Token) {
        let mut world = self.world.borrow_mut();
        if let Some(socket) = world.datagrams.get_mut(&self.id) {
            socket.token = Some(token);
            let (host, token, waits) = (socket.host, socket.token, !socket.queue.is_empty());
            if waits {
                world.tell(host, token);
            }
        }
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        let mut world = self.world.borrow_mut();
        self.descriptor.give_back(&mut world);
        world.datagrams.remove(&self.id);
    }
}

impl fmt::Debug for Datagrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Datagrams").field("local", &self.addr).finish_non_exhaustive()
    }
}
