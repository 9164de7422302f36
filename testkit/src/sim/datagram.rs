//! Datagram sockets of a simulated host: [`Datagrams`], a raw bound socket, and [`Bound`], a socket used by a
//! protocol. The rules of delivery are in `udp.rs`.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use sinew_reactor::{Handler, PacketInfo, Reactor, Registration, Token};

use super::{
    descriptor::Descriptor,
    id::{HostId, SocketId},
    packet::Arrived,
    world::Shared,
};
use sinew_transports::net::{DatagramSocket, Received};

/// A bound socket used by a protocol.
pub(super) struct Bound {
    socket: Datagrams,
    /// If set, datagrams from other senders are ignored (a connected socket).
    peer: Option<SocketAddr>,
}

impl Bound {
    pub(super) const fn new(socket: Datagrams, peer: Option<SocketAddr>) -> Self {
        Self { socket, peer }
    }
}

impl DatagramSocket for Bound {
    fn register(&self, token: Token) {
        self.socket.watch(token);
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received<SocketAddr>> {
        loop {
            let received = self.socket.receive(buffer)?;
            if self.peer.is_none_or(|peer| peer == received.from) {
                return Ok(received);
            }
        }
    }

    fn send(
        &self,
        data: &[u8],
        to: Option<&SocketAddr>,
        from: Option<&PacketInfo>,
    ) -> io::Result<()> {
        let to = to.copied().or(self.peer).ok_or(io::ErrorKind::NotConnected)?;
        let source = from.and_then(|from| from.local);
        self.socket.send_from(data, to, source).map(drop)
    }

    fn local(&self) -> io::Result<SocketAddr> {
        Ok(self.socket.local())
    }
}

/// A bound datagram socket on a simulated host ([`Host::datagrams`](super::Host::datagrams)): plain UDP, without a
/// protocol. It is closed on drop.
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

    /// Sends a datagram. Success does not mean that it arrives.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if it exceeds the MTU of the link ([`Link::mtu`](super::Link::mtu)); `NotConnected` once the host's
    /// process has ended.
    pub fn send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.send_from(payload, to, None)
    }

    fn send_from(
        &self,
        payload: &[u8],
        to: SocketAddr,
        source: Option<IpAddr>,
    ) -> io::Result<usize> {
        self.world.borrow_mut().send_datagram(self.id, payload, to, source)
    }

    /// Receives the oldest datagram, with its sender. Bytes that do not fit into the buffer are discarded, as by
    /// `recvfrom(2)`.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if no datagram is queued.
    pub fn receive_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.receive(buffer).map(|received| (received.len, received.from))
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<Received<SocketAddr>> {
        let mut world = self.world.borrow_mut();
        let socket = world.datagrams.get_mut(&self.id).ok_or(io::ErrorKind::NotConnected)?;
        let Arrived { from, to, payload } =
            socket.queue.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        socket.queued -= payload.len();
        let len = payload.len().min(buffer.len());
        buffer[..len].copy_from_slice(&payload[..len]);
        Ok(Received::new(len, from).with_info(to.into()))
    }

    /// Makes the reactor call [`Handler::rescheduled`] whenever a datagram has arrived, until the registration is
    /// dropped.
    ///
    /// # Errors
    ///
    /// If the reactor's handler limit is reached.
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

    /// Sets the handler to be notified whenever a datagram has arrived.
    fn watch(&self, token: Token) {
        let mut world = self.world.borrow_mut();
        if let Some(socket) = world.datagrams.get_mut(&self.id) {
            socket.token = Some(token);
            let (host, token, waits) = (socket.host, socket.token, !socket.queue.is_empty());
            if waits {
                world.notify(host, token);
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
