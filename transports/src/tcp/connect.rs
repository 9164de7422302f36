//! Outgoing connections: the name is resolved on the thread pool, the addresses are tried one after the other, and
//! whatever happens, the one who asked is told once.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use sinew_reactor::{Deferred, DelayedCall, Failure, Handler, Promise, Reactor, Ready, Token};
use socket2::{Domain, Protocol as IpProtocol, Type};

use super::Destination;
use crate::{
    ConnectConfig, Connection, ConnectionLost, Factory, Peer, Protocol, TlsError, Transport,
    net::{self, Dialling},
    stream::{
        FIRST_INTEREST, Newborn, Shared,
        layer::{MakeLayer, Secured},
        socket::{TcpStream, set_keepalive},
    },
};
#[cfg(unix)]
use crate::{UnixAddr, UnixListenError, UnixPeer, unix};

/// After how long a Unix socket is tried again whose backlog is full.
#[cfg(unix)]
const UNIX_RETRY: Duration = Duration::from_millis(10);

/// A connection could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The destination is neither an address nor `host:port`.
    #[error("{0:?} is neither an address nor host:port")]
    BadDestination(String),
    /// The name could not be resolved.
    #[error("could not resolve {host}: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// The cause.
        source: io::Error,
    },
    /// The system, or the other end, refused. Of several addresses that were tried, this is the last.
    #[error("could not connect to {addr}: {source}")]
    Connect {
        /// The address.
        addr: SocketAddr,
        /// The cause; [`io::ErrorKind::ConnectionRefused`] if nobody listens there.
        source: io::Error,
    },
    /// The system, or the other end of a Unix socket, refused.
    #[cfg(unix)]
    #[error("could not connect to {addr}: {source}")]
    ConnectUnix {
        /// The address.
        addr: UnixAddr,
        /// The cause; [`io::ErrorKind::ConnectionRefused`] if nobody listens there any more.
        source: io::Error,
    },
    /// A Unix socket for datagrams could not have the address that it was to send from.
    #[cfg(unix)]
    #[error(transparent)]
    Bind(#[from] UnixListenError),
    /// The system has no room for so long a path or name of a Unix socket: about a hundred bytes.
    #[cfg(unix)]
    #[error("{addr} is too long for the address of a Unix socket")]
    TooLong {
        /// The address.
        addr: UnixAddr,
    },
    /// It took longer than [`ConnectConfig::timeout`].
    #[error("could not connect to {to} within {after:?}")]
    TimedOut {
        /// The destination.
        to: Destination,
        /// The time that was allowed.
        after: Duration,
    },
    /// The connection stood, but TLS did not.
    #[error("could not start TLS with {peer}: {source}")]
    Tls {
        /// The other end.
        peer: Peer,
        /// The cause.
        source: TlsError,
    },
    /// TLS has to know the name of the server, and this is none.
    #[error("{0:?} is not the name of a server")]
    BadServerName(String),
    /// The connection stood, but the factory refused it (or panicked).
    #[error("the factory built no protocol for {0}")]
    NoProtocol(Peer),
    /// It was cancelled, or the reactor ended first.
    #[error("connecting was given up: {0}")]
    GivenUp(#[from] Failure),
}

impl ConnectError {
    /// Whether somebody was there and said no: nobody listens on the port.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        match self {
            Self::Connect { source, .. } => source.kind() == io::ErrorKind::ConnectionRefused,
            #[cfg(unix)]
            Self::ConnectUnix { source, .. } => source.kind() == io::ErrorKind::ConnectionRefused,
            _ => false,
        }
    }
}

/// A connection on its way: await it, or give it a callback. Dropping this does not cancel it.
#[must_use = "await it, give it a callback with `then`, or drop it on purpose with `drop`"]
pub struct Connecting<P: Protocol> {
    deferred: Deferred<Connection<P>, ConnectError>,
}

impl<P: Protocol> Connecting<P> {
    /// One that has failed before it began.
    #[cfg(feature = "tls")]
    pub(crate) fn failed(reactor: &Reactor, error: ConnectError) -> Self {
        let (promise, deferred) = reactor.promise();
        promise.settle(Err(error));
        Self { deferred }
    }

    /// Has the loop call `f` with the connection, or with what went wrong.
    pub fn then(self, f: impl FnOnce(&Reactor, Result<Connection<P>, ConnectError>) + 'static) {
        self.deferred.then(f);
    }

    /// Gives up: what is under way is dropped, a connection whose `connection_made` runs just now is aborted. Nothing
    /// happens if the result is there already.
    pub fn cancel(&self) {
        self.deferred.cancel();
    }

    /// Whether the connection is made, or has failed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.deferred.is_settled()
    }

    /// Takes the result, if it is there and nobody has taken it.
    #[must_use]
    pub fn take(&self) -> Option<Result<Connection<P>, ConnectError>> {
        self.deferred.take()
    }
}

impl<P: Protocol> Future for Connecting<P> {
    type Output = Result<Connection<P>, ConnectError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.deferred).poll(context)
    }
}

impl<P: Protocol> fmt::Debug for Connecting<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting").field("settled", &self.is_settled()).finish()
    }
}

/// One call of `connect_tcp`, until it is settled.
struct Connector<F: Factory> {
    to: Destination,
    config: ConnectConfig,
    /// What lies between the socket and the protocol, if anything does.
    layer: Option<Rc<dyn MakeLayer>>,
    /// The connection whose layer is not ready yet.
    securing: Cell<Option<Transport>>,
    factory: RefCell<F>,
    promise: Cell<Option<Promise<Connection<F::Protocol>, ConnectError>>>,
    /// The addresses not tried yet.
    addrs: RefCell<VecDeque<SocketAddr>>,
    /// The attempt under way.
    attempt: Cell<Option<Token>>,
    timer: Cell<Option<DelayedCall>>,
    /// The next attempt, where nobody tells when it is worth one.
    retry: Cell<Option<DelayedCall>>,
}

/// The handler of one attempt: of a socket that is connecting.
struct Attempt<F: Factory> {
    connector: Rc<Connector<F>>,
    peer: Peer,
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
    let connector = Rc::new(Connector {
        to,
        config,
        layer,
        securing: Cell::default(),
        factory: RefCell::new(factory),
        promise: Cell::new(None),
        addrs: RefCell::default(),
        attempt: Cell::new(None),
        timer: Cell::new(None),
        retry: Cell::new(None),
    });
    let weak = Rc::downgrade(&connector);
    promise.on_cancel(move |reactor| {
        if let Some(connector) = weak.upgrade() {
            connector.settle(reactor, Err(Failure::Cancelled.into()));
        }
    });
    connector.promise.set(Some(promise));
    reactor.call_soon(move |reactor| connector.begin(reactor));
    Connecting { deferred }
}

impl<F: Factory> Connector<F> {
    fn begin(self: Rc<Self>, reactor: &Reactor) {
        if self.is_settled() {
            return;
        }
        let weak = Rc::downgrade(&self);
        let timer = reactor.call_later(self.config.timeout, move |reactor| {
            if let Some(connector) = weak.upgrade() {
                let (to, after) = (connector.to.clone(), connector.config.timeout);
                connector.settle(reactor, Err(ConnectError::TimedOut { to, after }));
            }
        });
        self.timer.set(Some(timer));
        match self.to.clone() {
            Destination::Addr(addr) => {
                self.addrs.borrow_mut().push_back(addr);
                self.try_next(reactor, None);
            }
            Destination::Any(addrs) if !addrs.is_empty() => {
                self.addrs.borrow_mut().extend(addrs);
                self.try_next(reactor, None);
            }
            Destination::Any(_) => {
                let none = "no address at all".to_owned();
                self.settle(reactor, Err(ConnectError::BadDestination(none)));
            }
            Destination::Bad(text) => {
                self.settle(reactor, Err(ConnectError::BadDestination(text)));
            }
            Destination::Name(host, port) => self.resolve(reactor, host, port),
            #[cfg(unix)]
            Destination::Unix(addr) => self.try_unix(reactor, addr),
        }
    }

    fn resolve(self: Rc<Self>, reactor: &Reactor, host: String, port: u16) {
        let lookup = net::resolve(reactor, host.clone(), port);
        lookup.then(move |reactor, found| match found {
            Ok(Ok(addrs)) if !addrs.is_empty() => {
                self.addrs.replace(addrs);
                self.try_next(reactor, None);
            }
            Ok(found) => {
                let source = found.err().unwrap_or_else(|| {
                    io::Error::new(io::ErrorKind::NotFound, "the name has no address")
                });
                self.settle(reactor, Err(ConnectError::Resolve { host, source }));
            }
            Err(failure) => self.settle(reactor, Err(failure.into())),
        });
    }

    /// Tries the next address; `failed` is what became of the one before.
    fn try_next(self: Rc<Self>, reactor: &Reactor, mut failed: Option<ConnectError>) {
        while !self.is_settled() {
            let addr = self.addrs.borrow_mut().pop_front();
            let Some(addr) = addr else {
                let error = failed.unwrap_or_else(|| Failure::Abandoned.into());
                return self.settle(reactor, Err(error));
            };
            match self.clone().attempt(reactor, addr) {
                Ok(()) => return,
                Err(source) => failed = Some(ConnectError::Connect { addr, source }),
            }
        }
    }

    fn attempt(self: Rc<Self>, reactor: &Reactor, addr: SocketAddr) -> io::Result<()> {
        let socket = match net::installed(reactor)? {
            Some(net) => Dialling::Other(net.dial(addr, &self.config)?),
            None => Dialling::Kernel(open_socket(addr, &self.config)?),
        };
        self.watch(reactor, socket, Peer::Inet(addr))
    }

    /// Has the loop tell when the socket is connected.
    fn watch(
        self: Rc<Self>,
        reactor: &Reactor,
        mut socket: Dialling,
        peer: Peer,
    ) -> io::Result<()> {
        let token = socket.register(reactor)?;
        self.attempt.set(Some(token));
        let socket = RefCell::new(Some(socket));
        reactor.bind(token, Rc::new(Attempt { connector: self, peer, socket }));
        Ok(())
    }

    #[cfg(unix)]
    fn try_unix(self: Rc<Self>, reactor: &Reactor, addr: UnixAddr) {
        if self.is_settled() {
            return;
        }
        if addr.is_too_long() {
            return self.settle(reactor, Err(ConnectError::TooLong { addr }));
        }
        let connected = unix::check_kernel(reactor).and_then(|()| unix::connect_socket(&addr));
        let watched = match connected {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // The backlog is full, and no engine tells when it is not.
                let connector = self.clone();
                let retry = move |reactor: &Reactor| connector.try_unix(reactor, addr);
                return self.retry.set(Some(reactor.call_later(UNIX_RETRY, retry)));
            }
            Err(error) => Err(error),
            Ok(socket) => {
                let peer = Peer::Unix(UnixPeer::new(addr.clone(), &socket));
                self.clone().watch(reactor, Dialling::Unix(socket), peer)
            }
        };
        if let Err(source) = watched {
            self.settle(reactor, Err(ConnectError::ConnectUnix { addr, source }));
        }
    }

    /// Has the layer made ready, and then the protocol built.
    fn secure(
        self: Rc<Self>,
        newborn: Newborn<'_>,
        peer: Peer,
        layer: &dyn MakeLayer,
        ready: Ready,
    ) {
        let connector = self.clone();
        let when_ready = move |reactor: &Reactor, secured: Secured<'_>| {
            connector.securing.take();
            match secured {
                Ok(transport) => {
                    let connection = transport.begin_secured(reactor, &connector.factory);
                    connector.begun(reactor, connection, peer);
                }
                Err(reason) => connector.settle(reactor, Err(not_secured(peer, reason))),
            }
        };
        let transport = newborn.secure(layer, ready, Box::new(when_ready));
        if !self.is_settled() {
            self.securing.set(Some(transport));
        }
    }

    /// The connection has its protocol, or the factory gave it none.
    fn begun(&self, reactor: &Reactor, connection: Option<Connection<F::Protocol>>, peer: Peer) {
        if let Some(connection) = connection.as_ref().filter(|_| self.is_settled()) {
            // Cancelled by its own factory or protocol: nobody will ever have it.
            connection.transport().abort();
        }
        self.settle(reactor, connection.ok_or(ConnectError::NoProtocol(peer)));
    }

    fn is_settled(&self) -> bool {
        let promise = self.promise.take();
        let settled = promise.as_ref().is_none_or(|promise| !promise.is_pending());
        self.promise.set(promise);
        settled
    }

    /// Ends it all: the one who asked is told, the attempt under way is dropped, the timer cancelled.
    fn settle(&self, reactor: &Reactor, result: Result<Connection<F::Protocol>, ConnectError>) {
        if let Some(token) = self.attempt.take() {
            reactor.deregister(token, false);
        }
        if let Some(transport) = self.securing.take() {
            transport.abort();
        }
        for timer in [self.timer.take(), self.retry.take()].into_iter().flatten() {
            timer.cancel();
        }
        if let Some(promise) = self.promise.take() {
            promise.settle(result);
        }
    }
}

impl<F: Factory> Handler for Attempt<F> {
    fn ready(self: Rc<Self>, reactor: &Reactor, ready: Ready) {
        let connector = self.connector.clone();
        // Cancelled in this very turn; the canceller comes in the next and clears up.
        if connector.is_settled() {
            return;
        }
        let outcome = self.socket.borrow().as_ref().and_then(Dialling::outcome);
        let Some(outcome) = outcome else { return };
        let (Some(token), Some(socket)) = (connector.attempt.take(), self.socket.take()) else {
            return;
        };
        let failed = |source| failed(&self.peer, source);
        if let Err(source) = outcome {
            reactor.deregister(token, true);
            drop(socket);
            return connector.try_next(reactor, Some(failed(source)));
        }
        let socket = match socket.into_socket() {
            Ok(socket) => socket,
            Err(source) => {
                reactor.deregister(token, true);
                return connector.try_next(reactor, Some(failed(source)));
            }
        };
        reactor.set_interest(token, FIRST_INTEREST);
        let peer = self.peer.clone();
        let shared = Shared::new(reactor, connector.config.stream.clone(), None);
        let newborn = Newborn { reactor, socket, token, peer: peer.clone(), shared };
        if let Some(layer) = connector.layer.clone() {
            return connector.secure(newborn, peer, &*layer, ready);
        }
        let connection = newborn.start(&connector.factory, ready);
        connector.begun(reactor, connection, peer);
    }

    fn again(self: Rc<Self>, reactor: &Reactor) {
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
        format!("connecting to {}", self.peer)
    }
}

fn failed(peer: &Peer, source: io::Error) -> ConnectError {
    match peer {
        Peer::Inet(addr) => ConnectError::Connect { addr: *addr, source },
        #[cfg(unix)]
        Peer::Unix(peer) => ConnectError::ConnectUnix { addr: peer.addr.clone(), source },
        Peer::Memory | Peer::Stdio | Peer::Pipe => Failure::Abandoned.into(),
    }
}

/// Why a connection that stood did not get as far as a protocol.
fn not_secured(peer: Peer, reason: ConnectionLost) -> ConnectError {
    let source = match reason {
        ConnectionLost::Tls(source) => return ConnectError::Tls { peer, source },
        ConnectionLost::Panicked(message) => return Failure::Panicked(message).into(),
        ConnectionLost::Io(source) => source,
        ConnectionLost::Reset => io::ErrorKind::ConnectionReset.into(),
        ConnectionLost::TimedOut => io::ErrorKind::TimedOut.into(),
        _ => return Failure::Abandoned.into(),
    };
    failed(&peer, source)
}

/// A socket that has begun to connect.
fn open_socket(addr: SocketAddr, config: &ConnectConfig) -> io::Result<TcpStream> {
    let socket =
        socket2::Socket::new(Domain::for_address(addr), Type::STREAM, Some(IpProtocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(config.stream.no_delay)?;
    if config.stream.keepalive.is_some() {
        set_keepalive(&socket, config.stream.keepalive)?;
    }
    if let Some(bind) = config.bind {
        socket.bind(&bind.into())?;
    }
    match socket.connect(&addr.into()) {
        Err(error) if !is_in_progress(&error) => Err(error),
        _ => Ok(into_stream(socket)),
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
