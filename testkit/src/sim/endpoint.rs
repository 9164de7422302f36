//! The sockets of a simulated host: [`HostNet`] implements the network of a reactor instead of the kernel's, and
//! creates listeners, dials and streams. The rules of delivery are elsewhere.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io::{self, IoSlice, Read},
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use sinew_reactor::{Failure, Reactor, Ready, Token, WeakReactor};

use super::{
    conn::{EndState, Fin, Side, Stage},
    datagram::{Bound, Datagrams},
    descriptor::Descriptor,
    event::Event,
    id::{ConnId, HostId, SocketId},
    ports::Accepted,
    random::between,
    world::{Shared, World},
};
use sinew_transports::{
    Peer,
    net::{
        ByteStream, DatagramSocket, DialOptions, Found, ListenOptions, Net, NetDial, NetListener,
        Spare,
    },
};

/// Longest duration of a name lookup.
const LOOKUP_MAX: Duration = Duration::from_millis(20);

/// Longest wait of a writer after a short write despite free buffer space.
const CUT_SHORT_MAX: Duration = Duration::from_millis(2);

/// The network as seen by the process of a host.
pub(super) struct HostNet {
    pub(super) world: Shared,
    pub(super) host: HostId,
    pub(super) process: u32,
    pub(super) reactor: WeakReactor,
}

impl HostNet {
    /// Fails if the process has ended.
    fn check(&self, world: &World) -> io::Result<()> {
        if world.node(self.host).process == self.process {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::NetworkDown, "this process of the host has ended"))
        }
    }

    fn look_up(&self, host: &str, port: u16) -> io::Result<VecDeque<SocketAddr>> {
        if host == "localhost" {
            return Ok([(Ipv4Addr::LOCALHOST, port).into()].into());
        }
        let world = self.world.borrow();
        match world.names.get(host) {
            Some(ips) if !ips.is_empty() => {
                Ok(ips.iter().map(|ip| SocketAddr::new(*ip, port)).collect())
            }
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "no host has this name")),
        }
    }
}

impl Net for HostNet {
    fn listen(
        &self,
        addr: SocketAddr,
        options: &ListenOptions,
    ) -> io::Result<Box<dyn NetListener>> {
        let world = &mut *self.world.borrow_mut();
        self.check(world)?;
        let descriptor = Descriptor::take(&self.world, world, self.host)?;
        match world.listen(self.host, addr, options) {
            Ok(id) => Ok(Box::new(Listener {
                world: self.world.clone(),
                id,
                host: self.host,
                descriptor,
            })),
            Err(error) => {
                descriptor.give_back(world);
                Err(error)
            }
        }
    }

    fn datagrams(
        &self,
        addr: SocketAddr,
        peer: Option<SocketAddr>,
    ) -> io::Result<Box<dyn DatagramSocket>> {
        let addr = {
            let world = self.world.borrow();
            self.check(&world)?;
            match peer {
                Some(peer) if addr.ip().is_unspecified() => {
                    let own = world.node(self.host).source_for(peer.ip());
                    SocketAddr::new(own, addr.port())
                }
                _ => addr,
            }
        };
        Ok(Box::new(Bound::new(Datagrams::bind(&self.world, self.host, addr)?, peer)))
    }

    fn dial(&self, addr: SocketAddr, options: &DialOptions) -> io::Result<Box<dyn NetDial>> {
        let world = &mut *self.world.borrow_mut();
        self.check(world)?;
        let descriptor = Descriptor::take(&self.world, world, self.host)?;
        match world.dial(self.host, addr, options) {
            Ok(id) => Ok(Box::new(Dialler {
                world: self.world.clone(),
                id,
                descriptor: RefCell::new(Some(descriptor)),
            })),
            Err(error) => {
                descriptor.give_back(world);
                Err(error)
            }
        }
    }

    fn resolve(&self, host: &str) -> Found {
        let reactor =
            self.reactor.upgrade().expect("the reactor is alive while it resolves a name");
        let (promise, lookup) = reactor.promise::<_, Failure>();
        let found = self.look_up(host, 0).map(Vec::from);
        let random = &mut self.world.borrow_mut().random.links;
        let takes = between(random, Duration::from_millis(1), LOOKUP_MAX);
        let promise = Rc::new(Cell::new(Some(promise)));
        let settles = promise.clone();
        let timer = reactor.call_later(takes, move |_: &Reactor| {
            if let Some(promise) = settles.take() {
                promise.resolve(found);
            }
        });
        let settles = promise.take().expect("the timer has not fired yet");
        settles.on_cancel(move |_| {
            timer.cancel();
        });
        promise.set(Some(settles));
        lookup
    }

    fn resolve_now(&self, host: &str, port: u16) -> io::Result<VecDeque<SocketAddr>> {
        self.look_up(host, port)
    }
}

/// A listening socket.
struct Listener {
    world: Shared,
    id: SocketId,
    host: HostId,
    descriptor: Descriptor,
}

impl NetListener for Listener {
    fn register(&self, token: Token) {
        if let Some(listening) = self.world.borrow_mut().listening.get_mut(&self.id) {
            listening.token = Some(token);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        let world = self.world.borrow();
        let listening = world.listening.get(&self.id).ok_or(io::ErrorKind::NotConnected)?;
        Ok(listening.addr)
    }

    fn accept(&self) -> io::Result<(Box<dyn ByteStream>, Peer)> {
        let accepted = self.world.borrow_mut().accept(&self.world, self.id)?;
        let Accepted { conn, local, peer, descriptor } = accepted;
        let stream = Stream::new(&self.world, conn, Side::Acceptor, local, descriptor);
        Ok((Box::new(stream), Peer::Inet(peer)))
    }

    fn is_ready(&self) -> bool {
        let world = self.world.borrow();
        world.listening.get(&self.id).is_some_and(|listening| !listening.queue.is_empty())
    }

    fn spare(&self) -> Option<Spare> {
        let mut world = self.world.borrow_mut();
        Some(Box::new(Descriptor::take(&self.world, &mut world, self.host).ok()?))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut world = self.world.borrow_mut();
        self.descriptor.give_back(&mut world);
        world.stop_listening(self.id);
    }
}

/// A socket that is connecting.
struct Dialler {
    world: Shared,
    id: ConnId,
    /// Moves to the stream once connected.
    descriptor: RefCell<Option<Descriptor>>,
}

impl NetDial for Dialler {
    fn register(&self, token: Token) {
        if let Some(conn) = self.world.borrow_mut().conns.get_mut(&self.id) {
            conn.end(Side::Dialler).token = Some(token);
        }
    }

    fn outcome(&self) -> Option<io::Result<()>> {
        let world = self.world.borrow();
        let conn = world.conns.get(&self.id)?;
        let end = &conn.ends[Side::Dialler as usize];
        if let Some(error) = end.error {
            return Some(Err(error.into()));
        }
        matches!(conn.stage, Stage::Confirming(_) | Stage::Made).then_some(Ok(()))
    }

    fn into_stream(self: Box<Self>) -> io::Result<Box<dyn ByteStream>> {
        let world = self.world.borrow();
        let conn = world.conns.get(&self.id).ok_or(GONE)?;
        let local = conn.ends[Side::Dialler as usize].addr;
        let descriptor = self.descriptor.take().ok_or(GONE)?;
        Ok(Box::new(Stream::new(&self.world, self.id, Side::Dialler, local, descriptor)))
    }
}

impl Drop for Dialler {
    fn drop(&mut self) {
        // Without a descriptor, the connection belongs to its stream.
        let Some(descriptor) = self.descriptor.take() else { return };
        let mut world = self.world.borrow_mut();
        if descriptor.is_live(&world) {
            world.stop_dialling(self.id);
        }
        descriptor.give_back(&mut world);
    }
}

/// A connected socket.
struct Stream {
    world: Shared,
    id: ConnId,
    side: Side,
    local: SocketAddr,
    descriptor: Descriptor,
    reset: Cell<bool>,
}

impl Stream {
    fn new(
        world: &Shared,
        id: ConnId,
        side: Side,
        local: SocketAddr,
        descriptor: Descriptor,
    ) -> Self {
        Self { world: world.clone(), id, side, local, descriptor, reset: Cell::new(false) }
    }
}

/// The error for a connection that the system no longer knows.
const GONE: io::ErrorKind = io::ErrorKind::ConnectionReset;

impl ByteStream for Stream {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let world = &mut *self.world.borrow_mut();
        let Some(conn) = world.conns.get_mut(&self.id) else { return Err(GONE.into()) };
        let end = conn.end(self.side);
        let len = end.received.len().min(buffer.len());
        if len == 0 && !buffer.is_empty() {
            return end.nothing_to_read();
        }
        end.received.read_exact(&mut buffer[..len]).expect("the buffer holds at least `len` bytes");
        let writer = self.side.other();
        let pipe = conn.pipe(writer);
        if !pipe.unsent.is_empty()
            && !std::mem::replace(&mut pipe.window_update_scheduled, true)
            && let Some((from, to)) = conn.hosts(self.side)
        {
            let latency = world.links.latency(&mut world.random.links, from, to);
            world.schedule_in(latency, Event::Window(self.id, writer));
        }
        Ok(len)
    }

    fn peek(&self) -> io::Result<usize> {
        let world = &mut *self.world.borrow_mut();
        let Some(conn) = world.conns.get_mut(&self.id) else { return Err(GONE.into()) };
        let end = conn.end(self.side);
        if end.received.is_empty() { end.nothing_to_read() } else { Ok(1) }
    }

    fn short_read_drains(&self, _: bool) -> bool {
        true
    }

    fn check(&self) -> io::Result<()> {
        let world = &mut *self.world.borrow_mut();
        let Some(conn) = world.conns.get_mut(&self.id) else { return Err(GONE.into()) };
        conn.end(self.side).error.map_or(Ok(()), |error| Err(error.into()))
    }

    fn undelivered(&self) -> usize {
        let world = &mut *self.world.borrow_mut();
        let Some(conn) = world.conns.get_mut(&self.id) else { return 0 };
        let pipe = conn.pipe(self.side);
        pipe.unsent.len() + pipe.in_flight
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let world = &mut *self.world.borrow_mut();
        let now = world.now;
        let Some(conn) = world.conns.get_mut(&self.id) else { return Err(GONE.into()) };
        if conn.end(self.side).error.is_some() || conn.pipe(self.side).fin != Fin::No {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        let pipe = conn.pipe(self.side);
        let mut room = pipe.room(now).min(offered);
        // Occasionally a write is short although there is room.
        let cut_short = room > 1 && world.random.cuts.u8(..) < 16;
        if cut_short {
            room = world.random.cuts.usize(1..room);
        }
        let mut left = room;
        for slice in slices {
            let len = slice.len().min(left);
            pipe.unsent.extend(&slice[..len]);
            left -= len;
        }
        if room < offered {
            pipe.blocked = true;
            let next_ack = pipe.next_ack();
            if cut_short {
                let wait = between(&mut world.random.cuts, Duration::ZERO, CUT_SHORT_MAX);
                world.schedule_in(wait, Event::Writable(self.id, self.side));
            } else if let Some(at) = next_ack {
                world.schedule(at, Event::Writable(self.id, self.side));
            }
        }
        world.transmit(self.id, self.side);
        if room == 0 && offered > 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(room) }
    }

    fn close_write(&self) -> io::Result<()> {
        let mut world = self.world.borrow_mut();
        let Some(conn) = world.conns.get_mut(&self.id) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        if conn.end(self.side).error.is_some() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        if conn.pipe(self.side).fin == Fin::No {
            conn.pipe(self.side).fin = Fin::Wanted;
            world.transmit(self.id, self.side);
        }
        Ok(())
    }

    fn reset(&self) {
        self.reset.set(true);
    }

    fn readiness(&self) -> Ready {
        let mut world = self.world.borrow_mut();
        let now = world.now;
        let Some(conn) = world.conns.get_mut(&self.id) else { return Ready::NONE };
        let end = conn.end(self.side);
        if end.state != EndState::Open {
            return Ready::NONE;
        }
        if end.error.is_some() {
            return Ready::READ | Ready::WRITE | Ready::READ_CLOSED;
        }
        let mut ready = match (end.ended, end.received.is_empty()) {
            (true, _) => Ready::READ | Ready::READ_CLOSED,
            (false, false) => Ready::READ,
            (false, true) => Ready::NONE,
        };
        let pipe = conn.pipe(self.side);
        if !pipe.blocked && pipe.room(now) > 0 {
            ready = ready | Ready::WRITE;
        }
        ready
    }

    fn register(&self, token: Token) {
        if let Some(conn) = self.world.borrow_mut().conns.get_mut(&self.id) {
            conn.end(self.side).token = Some(token);
        }
    }

    fn local_addr(&self) -> Option<SocketAddr> {
        Some(self.local)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut world = self.world.borrow_mut();
        if self.descriptor.is_live(&world) {
            world.close(self.id, self.side, self.reset.get());
        }
        self.descriptor.give_back(&mut world);
    }
}
