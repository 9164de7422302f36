//! Outgoing connections: resolves the name and tries its addresses with Happy Eyeballs (RFC 8305). The promise is settled exactly once.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    net::SocketAddr,
    rc::Rc,
};

use sinew_reactor::{
    Canceller, DelayedCall, Excerpt, Failure, Handler, Promise, Reactor, Ready, Token,
};
use socket2::{Domain, Protocol as IpProtocol, Type};

use super::{Connecting, Destination, Family, interleave::interleave};
use crate::{
    Address, ConnectConfig, Connection, ConnectionLost, Factory, Peer, Transport,
    connection::UnclaimedConnection,
    names::{ReactorNames, ResolveError, is_queued},
    net::{
        self, DialOptions,
        dialling::{Dialling, unusable},
    },
    options,
    stream::{
        INITIAL_INTEREST, Shared, StreamBuilder,
        layer::{HandshakeResult, driver::MakeLayer},
        socket::TcpStream,
    },
};
#[cfg(unix)]
use {
    crate::{peer::UnixPeer, unix::socket as unix_socket},
    std::time::Duration,
};

mod error;

pub use error::{ConnectError, ConnectPhase, FailedAttempt};

/// Retry interval for a Unix socket whose backlog is full: no engine reports when there is room.
#[cfg(unix)]
const UNIX_RETRY: Duration = Duration::from_millis(10);

/// Maximum addresses tried per name; further ones are ignored.
const ADDRS_PER_NAME_MAX: usize = 64;

/// One call of `connect_tcp` or `connect_unix`, until its promise is settled.
struct Connector<F: Factory> {
    to: Destination,
    config: ConnectConfig,
    /// Makes the layer (TLS) between the socket and the protocol, if there is one.
    layer: Option<Rc<dyn MakeLayer>>,
    phase: Cell<ConnectPhase>,
    /// The connection whose handshake is in progress.
    handshaking: Cell<Option<Transport>>,
    factory: RefCell<F>,
    promise: Cell<Option<Promise<UnclaimedConnection, ConnectError>>>,
    lookup: Cell<Option<Canceller<Vec<SocketAddr>, ResolveError>>>,
    /// Addresses not tried yet.
    addrs: RefCell<VecDeque<Address>>,
    /// Attempts in progress.
    running: RefCell<Vec<(Token, Address)>>,
    /// Attempts that have failed.
    tried: RefCell<Vec<FailedAttempt>>,
    /// Timer for [`ConnectConfig::timeout`], which covers the whole operation.
    deadline: Cell<Option<DelayedCall>>,
    /// Timer for the next address.
    next: Cell<Option<DelayedCall>>,
}

/// The handler of one attempt, that is, of one connecting socket.
struct Attempt<F: Factory> {
    connector: Rc<Connector<F>>,
    addr: Address,
    peer: Peer,
    token: Token,
    socket: RefCell<Option<Dialling>>,
}

pub(crate) fn connect<F: Factory>(
    reactor: &Reactor,
    to: Destination,
    config: ConnectConfig,
    layer: Option<Rc<dyn MakeLayer>>,
    factory: F,
) -> Connecting<F::Protocol> {
    let (promise, deferred) = reactor.promise();
    let connector = Rc::new(Connector::new(to, config, layer, factory));
    let weak = Rc::downgrade(&connector);
    promise.on_cancel(move |reactor| {
        if let Some(connector) = weak.upgrade() {
            connector.settle(reactor, Err(Failure::Cancelled.into()));
        }
    });
    connector.promise.set(Some(promise));
    reactor.call_soon(move |reactor| connector.start(reactor));
    Connecting::new(deferred)
}

impl<F: Factory> Connector<F> {
    fn new(
        to: Destination,
        config: ConnectConfig,
        layer: Option<Rc<dyn MakeLayer>>,
        factory: F,
    ) -> Self {
        Self {
            to,
            config,
            layer,
            phase: Cell::default(),
            handshaking: Cell::default(),
            factory: RefCell::new(factory),
            promise: Cell::default(),
            lookup: Cell::default(),
            addrs: RefCell::default(),
            running: RefCell::default(),
            tried: RefCell::default(),
            deadline: Cell::default(),
            next: Cell::default(),
        }
    }

    fn start(self: Rc<Self>, reactor: &Reactor) {
        if self.is_settled() {
            return;
        }
        let weak = Rc::downgrade(&self);
        let deadline = reactor.call_later(self.config.timeout, move |reactor| {
            if let Some(connector) = weak.upgrade() {
                connector.timed_out(reactor);
            }
        });
        self.deadline.set(Some(deadline));
        match self.to.clone() {
            Destination::Addr(addr) => {
                self.addrs.borrow_mut().push_back(addr.into());
                self.try_next(reactor);
            }
            Destination::Any(addrs) if !addrs.is_empty() => {
                self.addrs.borrow_mut().extend(addrs.into_iter().map(Address::from));
                self.try_next(reactor);
            }
            Destination::Any(_) => {
                self.settle(reactor, Err(ConnectError::NoAddress));
            }
            Destination::Bad(text) => {
                self.settle(reactor, Err(ConnectError::BadDestination(text)));
            }
            Destination::Name(host, port) => self.resolve(reactor, host, port),
            #[cfg(unix)]
            Destination::Unix(addr) if addr.is_too_long() => {
                self.settle(reactor, Err(ConnectError::TooLong { addr }));
            }
            #[cfg(unix)]
            Destination::Unix(addr) => {
                self.addrs.borrow_mut().push_back(addr.into());
                self.try_next(reactor);
            }
        }
    }

    fn resolve(self: Rc<Self>, reactor: &Reactor, host: String, port: u16) {
        self.phase.set(ConnectPhase::Resolving);
        let lookup = reactor.resolve(&host);
        self.lookup.set(Some(lookup.canceller()));
        lookup.then(move |reactor, found| match found {
            Ok(found) => {
                let addrs = found.into_iter().map(|mut addr| {
                    addr.set_port(port);
                    addr
                });
                let ordered = interleave(addrs, self.config.first_family, ADDRS_PER_NAME_MAX);
                self.addrs.replace(self.of_bind_family(ordered));
                if self.addrs.borrow().is_empty() {
                    let source = ResolveError::NoAddress;
                    return self.settle(reactor, Err(ConnectError::Resolve { host, source }));
                }
                self.try_next(reactor);
            }
            Err(ResolveError::GivenUp(failure)) => self.settle(reactor, Err(failure.into())),
            Err(source) => self.settle(reactor, Err(ConnectError::Resolve { host, source })),
        });
    }

    /// A bound socket can only reach addresses of its own family.
    fn of_bind_family(&self, mut addrs: VecDeque<SocketAddr>) -> VecDeque<Address> {
        if let Some(bind) = &self.config.bind {
            addrs.retain(|addr| Family::of(addr) == Family::of(bind));
        }
        addrs.into_iter().map(Address::from).collect()
    }

    /// Tries the next address, and schedules the one after it.
    fn try_next(self: Rc<Self>, reactor: &Reactor) {
        self.phase.set(ConnectPhase::Connecting);
        if let Some(timer) = self.next.take() {
            timer.cancel();
        }
        while !self.is_settled() {
            let addr = self.addrs.borrow_mut().pop_front();
            let Some(addr) = addr else {
                if self.running.borrow().is_empty() {
                    self.all_failed(reactor);
                }
                return;
            };
            match self.clone().attempt(reactor, addr.clone()) {
                Ok(()) => return self.schedule_next(reactor),
                #[cfg(unix)]
                Err(error) if is_full(&addr, &error) => return self.retry_later(reactor, addr),
                Err(source) => self.tried.borrow_mut().push(FailedAttempt { addr, source }),
            }
        }
    }

    fn schedule_next(self: Rc<Self>, reactor: &Reactor) {
        if self.addrs.borrow().is_empty() {
            return;
        }
        let weak = Rc::downgrade(&self);
        let timer = reactor.call_later(self.config.attempt_delay, move |reactor| {
            if let Some(connector) = weak.upgrade() {
                connector.try_next(reactor);
            }
        });
        self.next.set(Some(timer));
    }

    /// Only the timer holds a reference to the connector meanwhile.
    #[cfg(unix)]
    fn retry_later(self: Rc<Self>, reactor: &Reactor, addr: Address) {
        self.addrs.borrow_mut().push_front(addr);
        let connector = self.clone();
        let timer = reactor.call_later(UNIX_RETRY, move |reactor| connector.try_next(reactor));
        self.next.set(Some(timer));
    }

    fn attempt(self: Rc<Self>, reactor: &Reactor, addr: Address) -> io::Result<()> {
        let (mut socket, peer) = self.dial(reactor, &addr)?;
        let token = socket.register(reactor)?;
        self.running.borrow_mut().push((token, addr.clone()));
        let socket = RefCell::new(Some(socket));
        reactor.bind(token, Rc::new(Attempt { connector: self, addr, peer, token, socket }));
        Ok(())
    }

    /// Starts a non-blocking connect, and returns the socket and its peer.
    fn dial(&self, reactor: &Reactor, addr: &Address) -> io::Result<(Dialling, Peer)> {
        match addr {
            Address::Inet(addr) => {
                let socket = match net::installed(reactor)? {
                    Some(net) => {
                        let options = DialOptions { bind: self.config.bind };
                        Dialling::Other(net.dial(*addr, &options)?)
                    }
                    None => open_socket(*addr, &self.config)?,
                };
                Ok((socket, Peer::Inet(*addr)))
            }
            #[cfg(unix)]
            Address::Unix(addr) => {
                unix_socket::check_kernel(reactor)?;
                let socket = unix_socket::connect(addr, &self.config.stream)?;
                let peer = UnixPeer::new(addr.clone(), &socket);
                Ok((Dialling::Unix(socket), Peer::Unix(peer)))
            }
            Address::Memory(_) | Address::Stdio => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn all_failed(&self, reactor: &Reactor) {
        let mut tried = self.tried.take();
        let error = match tried.pop() {
            Some(only) if tried.is_empty() => only.alone(),
            last => {
                tried.extend(last);
                ConnectError::AllFailed { to: self.to.clone(), tried }
            }
        };
        self.settle(reactor, Err(error));
    }

    fn timed_out(&self, reactor: &Reactor) {
        let mut tried = self.tried.take();
        tried.extend(self.running.borrow().iter().map(|(_, addr)| {
            let source = io::Error::new(io::ErrorKind::TimedOut, "no answer");
            FailedAttempt { addr: addr.clone(), source }
        }));
        let phase = match (self.phase.get(), &self.to) {
            (ConnectPhase::Resolving, Destination::Name(host, _)) if is_queued(reactor, host) => {
                ConnectPhase::Queued
            }
            (phase, _) => phase,
        };
        let (to, after) = (self.to.clone(), self.config.timeout);
        self.settle(reactor, Err(ConnectError::TimedOut { to, after, phase, tried }));
    }

    /// Starts the layer's handshake; the protocol is built when it is done.
    fn secure(
        self: Rc<Self>,
        builder: StreamBuilder<'_>,
        first: &[u8],
        layer: &dyn MakeLayer,
        ready: Ready,
    ) {
        self.phase.set(ConnectPhase::Handshaking);
        let peer = builder.peer.clone();
        let connector = self.clone();
        let when_ready = move |reactor: &Reactor, result: HandshakeResult<'_>| {
            connector.handshaking.take();
            match result {
                Ok(transport) => {
                    let connection = transport.start_after_handshake(reactor, &connector.factory);
                    connector.finish(reactor, connection, peer);
                }
                Err(reason) => connector.settle(reactor, Err(handshake_error(peer, reason))),
            }
        };
        let transport = builder.start_with_layer_after(first, layer, ready, Box::new(when_ready));
        if !self.is_settled() {
            self.handshaking.set(Some(transport));
        }
    }

    /// Settles the promise. `connection` is `None` if the factory built no protocol.
    fn finish(&self, reactor: &Reactor, connection: Option<Connection<F::Protocol>>, peer: Peer) {
        if let Some(connection) = connection.as_ref().filter(|_| self.is_settled()) {
            // Cancelled by its own factory or protocol, so nothing will use the connection.
            connection.transport().abort();
        }
        let made =
            connection.map(|connection| UnclaimedConnection::new(connection.transport().clone()));
        self.settle(reactor, made.ok_or(ConnectError::NoProtocol(peer)));
    }

    fn is_settled(&self) -> bool {
        let promise = self.promise.take();
        let settled = promise.as_ref().is_none_or(|promise| !promise.is_pending());
        self.promise.set(promise);
        settled
    }

    /// Cancels the lookup and all attempts. The timeout keeps running.
    fn stop_trying(&self, reactor: &Reactor) {
        self.addrs.borrow_mut().clear();
        for (token, _) in self.running.take() {
            reactor.deregister(token, false);
        }
        if let Some(next) = self.next.take() {
            next.cancel();
        }
        if let Some(lookup) = self.lookup.take() {
            lookup.cancel();
        }
    }

    /// Cancels everything in progress, the timeout included.
    fn stop(&self, reactor: &Reactor) {
        self.stop_trying(reactor);
        if let Some(transport) = self.handshaking.take() {
            transport.abort();
        }
        if let Some(deadline) = self.deadline.take() {
            deadline.cancel();
        }
    }

    /// Cancels everything in progress and settles the promise.
    fn settle(&self, reactor: &Reactor, result: Result<UnclaimedConnection, ConnectError>) {
        self.stop(reactor);
        if let Some(promise) = self.promise.take() {
            promise.settle(result);
        }
    }
}

impl<F: Factory> Attempt<F> {
    /// Removes this attempt from those in progress. `None` if it was removed before.
    fn take(&self) -> Option<Dialling> {
        self.connector.running.borrow_mut().retain(|(token, _)| *token != self.token);
        self.socket.take()
    }

    fn failed(&self, reactor: &Reactor, source: io::Error) {
        reactor.deregister(self.token, true);
        self.connector.tried.borrow_mut().push(FailedAttempt { addr: self.addr.clone(), source });
        self.connector.clone().try_next(reactor);
    }
}

impl<F: Factory> Handler for Attempt<F> {
    fn ready(self: Rc<Self>, reactor: &Reactor, ready: Ready) {
        let connector = self.connector.clone();
        // Cancelled in this turn. The cancel callback runs in the next and cleans up.
        if connector.is_settled() {
            return;
        }
        let outcome = self.socket.borrow().as_ref().and_then(Dialling::outcome);
        let Some(outcome) = outcome else { return };
        let Some(socket) = self.take() else { return };
        let socket = match outcome.and_then(|()| socket.into_socket()) {
            Ok(socket) => socket,
            Err(source) => return self.failed(reactor, source),
        };
        // Cancel the other attempts before any user code runs. A handshake is covered by the timeout, too.
        match connector.layer {
            Some(_) => connector.stop_trying(reactor),
            None => connector.stop(reactor),
        }
        reactor.set_interest(self.token, INITIAL_INTEREST);
        let peer = self.peer.clone();
        let first = connector.config.first_bytes(socket.local_addr(), &peer);
        let shared = Shared::new(reactor, connector.config.stream.clone(), None);
        let builder =
            StreamBuilder { reactor, socket, token: self.token, peer: peer.clone(), shared };
        if let Some(layer) = connector.layer.clone() {
            return connector.secure(builder, &first, &*layer, ready);
        }
        let connection = builder.start_after(&first, &connector.factory, ready);
        connector.finish(reactor, connection, peer);
    }

    fn rescheduled(self: Rc<Self>, reactor: &Reactor) {
        self.ready(reactor, Ready::NONE);
    }

    fn shutdown(self: Rc<Self>, reactor: &Reactor) {
        self.connector.settle(reactor, Err(Failure::Abandoned.into()));
    }

    fn panicked(self: Rc<Self>, reactor: &Reactor, message: &str) -> bool {
        self.connector.settle(reactor, Err(Failure::Panicked(message.to_owned()).into()));
        true
    }

    fn describe(&self) -> String {
        format!("connecting to {}", Excerpt::new(&self.addr.to_string()))
    }
}

/// Whether a Unix socket's backlog was full.
#[cfg(unix)]
fn is_full(addr: &Address, error: &io::Error) -> bool {
    matches!(addr, Address::Unix(_)) && error.kind() == io::ErrorKind::WouldBlock
}

/// The error for a connection that was established, but failed during the handshake.
fn handshake_error(peer: Peer, reason: ConnectionLost) -> ConnectError {
    let source = match reason {
        ConnectionLost::Tls(source) => return ConnectError::Tls { peer, source },
        ConnectionLost::Panicked(message) => return Failure::Panicked(message).into(),
        ConnectionLost::Io(source) => source,
        ConnectionLost::Reset => io::ErrorKind::ConnectionReset.into(),
        ConnectionLost::TimedOut => io::ErrorKind::TimedOut.into(),
        _ => return Failure::Abandoned.into(),
    };
    match peer {
        Peer::Inet(addr) => ConnectError::Connect { addr, source },
        _ => Failure::Abandoned.into(),
    }
}

/// A TCP socket with a connect in progress.
fn open_socket(addr: SocketAddr, config: &ConnectConfig) -> io::Result<Dialling> {
    let socket =
        socket2::Socket::new(Domain::for_address(addr), Type::STREAM, Some(IpProtocol::TCP))?;
    socket.set_nonblocking(true)?;
    config.stream.set_on_tcp(&socket, addr.is_ipv6())?;
    if config.fast_open {
        options::set_fast_open_connect(&socket)?;
    }
    if let Some(bind) = config.bind {
        socket.bind(&bind.into())?;
    }
    match socket.connect(&addr.into()) {
        Err(error) if !is_in_progress(&error) => Err(unusable(addr, error)),
        // A fast-open cookie is cached, so the SYN is sent with the first bytes.
        Ok(()) if config.fast_open => Ok(Dialling::FastOpen(into_stream(socket))),
        _ => Ok(Dialling::Kernel(into_stream(socket))),
    }
}

#[cfg(unix)]
fn into_stream(socket: socket2::Socket) -> TcpStream {
    socket.into()
}

#[cfg(not(unix))]
fn into_stream(socket: socket2::Socket) -> TcpStream {
    TcpStream::from_std(socket.into())
}

fn is_in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(EINPROGRESS) {
        return true;
    }
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(unix)]
const EINPROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();

#[cfg(test)]
mod tests;
