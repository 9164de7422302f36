//! The sockets of one reactor that can be handed over: [`Sockets`], kept in the reactor. Which of the inherited ones each gets is
//! decided here.

use std::{
    cell::{Cell, RefCell},
    io,
    net::{Ipv4Addr, SocketAddr},
    os::fd::OwnedFd,
    rc::Rc,
};

use sinew_reactor::Reactor;
use sinew_transports::{
    Address, DatagramConfig, DatagramProtocol, DatagramTransport, HandedConnection, HandedPort,
    ListeningPort, ReactorAdopt, ReactorUdp, UdpError, reactors::Shard,
};

use super::{
    Shared, Stage,
    inherit::Inherited,
    message::{Kind, NAME_MAX},
};

/// The sockets of a reactor.
#[derive(Default)]
pub(super) struct Sockets {
    is_known: Cell<bool>,
    ports: RefCell<Vec<Port>>,
    udp: RefCell<Vec<(String, DatagramTransport)>>,
}

pub(super) type TakeOver = Rc<dyn Fn(&ListeningPort<Address>, Vec<HandedConnection>)>;

/// Sends a connection of the port of this name to another process.
pub(super) type SendAway = Rc<dyn Fn(&str, HandedConnection)>;

#[derive(Clone)]
struct Port {
    name: String,
    port: ListeningPort<Address>,
    /// Goes on with connections of the old process.
    take_over: Option<TakeOver>,
}

/// A socket on its way to the next process.
pub(super) struct Offered {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) socket: OwnedFd,
    pub(super) lock: Option<OwnedFd>,
}

impl Sockets {
    pub(super) fn add_port(
        &self,
        name: &str,
        port: &ListeningPort<Address>,
        take_over: Option<TakeOver>,
    ) {
        let mut ports = self.ports.borrow_mut();
        ports.retain(|port| !port.port.is_closed());
        ports.push(Port { name: name.to_owned(), port: port.clone(), take_over });
    }

    /// Duplicates of all.
    pub(super) fn offer(&self) -> io::Result<Vec<Offered>> {
        let mut offered = Vec::new();
        for Port { name, port, .. } in &*self.ports.borrow() {
            let Some(handed) = port.to_hand_over()? else { continue };
            let lock = handed.lock().map(|lock| lock.try_clone_to_owned()).transpose()?;
            let socket = handed.socket().try_clone_to_owned()?;
            offered.push(Offered { name: name.clone(), kind: Kind::Port, socket, lock });
        }
        for (name, transport) in self.udp.borrow().iter().filter(|(_, udp)| !udp.is_stopped()) {
            let socket = transport.to_hand_over()?;
            offered.push(Offered { name: name.clone(), kind: Kind::Udp, socket, lock: None });
        }
        Ok(offered)
    }

    /// Takes nothing more from the sockets, which another process takes from; or takes from them again.
    pub(super) fn leave(&self, leave: bool) {
        for Port { port, .. } in &*self.ports.borrow() {
            port.leave_backlog(leave);
        }
        for (_, transport) in &*self.udp.borrow() {
            if leave { transport.pause_receiving() } else { transport.resume_receiving() }
        }
    }

    /// Leaves the files of Unix sockets to another process, or takes them over.
    pub(super) fn leave_files(&self, leave: bool) {
        self.ports.borrow().iter().for_each(|port| port.port.leave_file(leave));
    }

    /// Sends the connections of the ports with these names that can go.
    pub(super) fn hand_over_connections(&self, names: &[String], send: &SendAway) {
        for Port { name, port, .. } in &*self.ports.borrow() {
            if names.contains(name) && port.connections() > 0 {
                let (name, send) = (name.clone(), send.clone());
                port.hand_over_connections(move |_, connection| send(&name, connection));
            }
        }
    }

    /// The open connections of the ports with these names that drain: those that may still go.
    pub(super) fn draining(&self, names: &[String]) -> usize {
        let ports = self.ports.borrow();
        let draining = |port: &&Port| port.port.is_closed() && names.contains(&port.name);
        ports.iter().filter(draining).map(|port| port.port.connections()).sum()
    }

    /// The names of the ports that take connections of the old process.
    pub(super) fn names_that_take(&self) -> Vec<String> {
        let ports = self.ports.borrow();
        let takes = ports.iter().filter(|port| port.take_over.is_some());
        takes.map(|port| port.name.clone()).collect()
    }

    /// Goes on with these connections of the old process. Those of no port are closed.
    pub(super) fn take_over(&self, name: &str, connections: Vec<HandedConnection>) {
        let port = self.ports.borrow().iter().find(|port| port.name == name).cloned();
        if let Some(Port { port, take_over: Some(take_over), .. }) = port {
            take_over(&port, connections);
        }
    }

    fn has(&self, name: &str) -> bool {
        let is_open = |port: &Port| port.name == name && !port.port.is_closed();
        self.ports.borrow().iter().any(is_open)
            || self.udp.borrow().iter().any(|(other, udp)| other == name && !udp.is_stopped())
    }
}

impl Shared {
    /// Has the reactor asked for its sockets from now on. An error if a socket cannot have this name.
    pub(super) fn register(&self, reactor: &Reactor, name: &str) -> io::Result<Rc<Sockets>> {
        let sockets = reactor.local::<Sockets>();
        if name.len() > NAME_MAX {
            let why = format!("the name of a socket has more than {NAME_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        if sockets.has(name) {
            let why = format!("this reactor has already a socket named {name:?}");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        if !sockets.is_known.replace(true) {
            self.lock().reactors.push(reactor.remote());
        }
        Ok(sockets)
    }

    /// Whether another process takes from the sockets.
    pub(super) fn must_wait(&self) -> bool {
        matches!(self.lock().stage, Stage::Starting | Stage::Ready | Stage::HandedOver)
    }

    /// The inherited listening sockets of this name that are this reactor's. Of several reactors each has a share; when there are
    /// fewer sockets than reactors, some have the same one.
    pub(super) fn claim_ports(&self, reactor: &Reactor, name: &str) -> Vec<HandedPort> {
        let state = self.lock();
        let all = state.inherited.get(name).map_or(&[][..], Vec::as_slice);
        share_of(reactor, all)
    }

    /// The same of all other names.
    pub(super) fn claim_others(&self, reactor: &Reactor, name: &str) -> Vec<HandedPort> {
        let state = self.lock();
        let others = state.inherited.iter().filter(|(other, _)| *other != name);
        others.flat_map(|(_, sockets)| share_of(reactor, sockets)).collect()
    }

    /// Keeps a socket, to be handed over. It receives nothing while another process does.
    fn keep_udp(
        &self,
        sockets: &Sockets,
        name: &str,
        transport: DatagramTransport,
    ) -> DatagramTransport {
        if self.must_wait() {
            transport.pause_receiving();
        }
        let mut udp = sockets.udp.borrow_mut();
        udp.retain(|(_, transport)| !transport.is_stopped());
        udp.push((name.to_owned(), transport.clone()));
        transport
    }

    fn claim_udp(&self, reactor: &Reactor, name: &str) -> io::Result<Option<OwnedFd>> {
        let (index, _) = place(reactor);
        let state = self.lock();
        match state.inherited.get(name).and_then(|sockets| sockets.get(index)) {
            Some(Inherited::Udp(socket)) => socket.try_clone().map(Some),
            _ => Ok(None),
        }
    }
}

/// The listening ones of these sockets that are for this reactor.
fn share_of(reactor: &Reactor, all: &[Inherited]) -> Vec<HandedPort> {
    let (index, count) = place(reactor);
    let port = |inherited: &Inherited| match inherited {
        Inherited::Port(port) => Some(port.clone()),
        Inherited::Udp(_) => None,
    };
    if index >= all.len() {
        return all.get(index % all.len().max(1)).and_then(port).into_iter().collect();
    }
    all.iter().skip(index).step_by(count).filter_map(port).collect()
}

/// This reactor's index, and the number of reactors.
fn place(reactor: &Reactor) -> (usize, usize) {
    Shard::of(reactor).map_or((0, 1), |shard| (shard.index(), shard.count()))
}

pub(super) fn listen_udp<P: DatagramProtocol>(
    shared: &Shared,
    reactor: &Reactor,
    name: &str,
    addr: SocketAddr,
    config: DatagramConfig,
    protocol: P,
) -> Result<DatagramTransport, UdpError> {
    let claimed = shared
        .register(reactor, name)
        .and_then(|sockets| Ok((sockets, shared.claim_udp(reactor, name)?)));
    let (sockets, inherited) = match claimed {
        Ok(claimed) => claimed,
        Err(source) => {
            reactor.defer_drop(protocol);
            return Err(UdpError::Listen { addr, source });
        }
    };
    let transport = match inherited.filter(|socket| is_at(socket, addr)) {
        Some(socket) => reactor
            .adopt_udp(socket, config, protocol)
            .map_err(|error| UdpError::Listen { addr, source: error.into() })?,
        None => reactor.listen_udp_with(addr, config, protocol)?,
    };
    Ok(shared.keep_udp(&sockets, name, transport))
}

pub(super) fn adopt_udp<P: DatagramProtocol>(
    shared: &Shared,
    reactor: &Reactor,
    name: &str,
    socket: OwnedFd,
    config: DatagramConfig,
    protocol: P,
) -> Result<DatagramTransport, UdpError> {
    let addr = local_addr(&socket).unwrap_or((Ipv4Addr::UNSPECIFIED, 0).into());
    let sockets = match shared.register(reactor, name) {
        Ok(sockets) => sockets,
        Err(source) => {
            reactor.defer_drop(protocol);
            return Err(UdpError::Listen { addr, source });
        }
    };
    let transport = reactor.adopt_udp(socket, config, protocol);
    let transport = transport.map_err(|error| UdpError::Listen { addr, source: error.into() })?;
    Ok(shared.keep_udp(&sockets, name, transport))
}

fn local_addr(socket: &OwnedFd) -> Option<SocketAddr> {
    SocketAddr::try_from(rustix::net::getsockname(socket).ok()?).ok()
}

/// Whether the socket is bound to this address, where port 0 stands for any.
fn is_at(socket: &OwnedFd, addr: SocketAddr) -> bool {
    local_addr(socket).is_some_and(|local| {
        local.ip() == addr.ip() && (addr.port() == 0 || addr.port() == local.port())
    })
}
