//! Outgoing connections: the name is looked up, its addresses are tried as RFC 8305 ("Happy Eyeballs") says, and whatever
//! happens, the one who asked is told once.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    future::Future,
    io,
    marker::PhantomData,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use sinew_reactor::{
    Canceller, Deferred, DelayedCall, Failure, Handler, Promise, Reactor, Ready, Token,
};
use socket2::{Domain, Protocol as IpProtocol, Type};

use super::{Destination, Family, interleave::interleave};
use crate::{
    ConnectConfig, Connection, Factory, Peer, Protocol, Transport,
    names::{ReactorNames, ResolveError},
    net::{self, Dialling},
    stream::{
        FIRST_INTEREST, Newborn, Shared,
        socket::{TcpStream, set_keepalive},
    },
};

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
        source: ResolveError,
    },
    /// The system, or the other end, refused. There was one address to try.
    #[error("could not connect to {addr}: {source}")]
    Connect {
        /// The address.
        addr: SocketAddr,
        /// The cause; [`io::ErrorKind::ConnectionRefused`] if nobody listens there.
        source: io::Error,
    },
    /// None of several addresses would have us.
    #[error("could not connect to {to}: {}", Tried::list(.tried))]
    AllFailed {
        /// The destination.
        to: Destination,
        /// The addresses in the order in which they failed, each with its cause.
        tried: Vec<Tried>,
    },
    /// The same of a place that is no address.
    #[error("could not connect to {to}: {source}")]
    Other {
        /// The place, as a string for an endpoint says it.
        to: String,
        /// The cause.
        source: io::Error,
    },
    /// It took longer than [`ConnectConfig::timeout`].
    #[error("could not connect to {to} within {after:?}{}", Tried::list_in_brackets(.to, .tried))]
    TimedOut {
        /// The destination.
        to: Destination,
        /// The time that was allowed.
        after: Duration,
        /// What was tried until then. Who had not answered yet has [`io::ErrorKind::TimedOut`] for a cause; there is none at all
        /// if the name had not been resolved.
        tried: Vec<Tried>,
    },
    /// The connection stood, but the factory refused it (or panicked).
    #[error("the factory built no protocol for {0}")]
    NoProtocol(Peer),
    /// It was cancelled, or the reactor ended first.
    #[error("connecting was given up: {0}")]
    GivenUp(#[from] Failure),
}

impl ConnectError {
    /// Whether somebody was there and said no: nobody listens on the port. Of several addresses, on none.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let refused = |source: &io::Error| source.kind() == io::ErrorKind::ConnectionRefused;
        match self {
            Self::Connect { source, .. } | Self::Other { source, .. } => refused(source),
            Self::AllFailed { tried, .. } => tried.iter().all(|tried| refused(&tried.source)),
            _ => false,
        }
    }
}

/// An address that was tried, and what became of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Tried {
    /// The address.
    pub addr: SocketAddr,
    /// Why it was not that one.
    pub source: io::Error,
}

impl Tried {
    fn list(tried: &[Self]) -> String {
        tried.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    /// Unless there is nothing that the destination does not say.
    fn list_in_brackets(to: &Destination, tried: &[Self]) -> String {
        match to {
            Destination::Addr(_) => String::new(),
            _ if tried.is_empty() => String::new(),
            _ => format!(" ({})", Self::list(tried)),
        }
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.addr, self.source)
    }
}

/// A connection on its way: await it, or give it a callback. Dropping this does not cancel it.
#[must_use = "await it, give it a callback with `then`, or drop it on purpose with `drop`"]
pub struct Connecting<P: Protocol> {
    deferred: Deferred<Transport, ConnectError>,
    protocol: PhantomData<P>,
}

impl<P: Protocol> Connecting<P> {
    /// The result is the transport of a stream whose protocol is a `P`.
    pub(crate) const fn new(deferred: Deferred<Transport, ConnectError>) -> Self {
        Self { deferred, protocol: PhantomData }
    }

    /// Has the loop call `f` with the connection, or with what went wrong.
    pub fn then(self, f: impl FnOnce(&Reactor, Result<Connection<P>, ConnectError>) + 'static) {
        self.deferred.then(|reactor, made| f(reactor, made.map(Connection::new)));
    }

    /// The same connection, whose protocol is a `Q` in truth.
    pub(crate) fn retyped<Q: Protocol>(self) -> Connecting<Q> {
        Connecting::new(self.deferred)
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
        self.deferred.take().map(|made| made.map(Connection::new))
    }
}

// A connection on its way is not pinned by its protocol, which it does not hold.
impl<P: Protocol> Unpin for Connecting<P> {}

impl<P: Protocol> Future for Connecting<P> {
    type Output = Result<Connection<P>, ConnectError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.deferred).poll(context).map(|made| made.map(Connection::new))
    }
}

impl<P: Protocol> fmt::Debug for Connecting<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connecting").field("settled", &self.is_settled()).finish()
    }
}

/// Addresses of a name that are tried; what a name has beyond that is left out.
const ADDRS_PER_NAME_MAX: usize = 64;

/// One call of `connect_tcp`, until it is settled.
struct Connector<F: Factory> {
    to: Destination,
    config: ConnectConfig,
    factory: RefCell<F>,
    promise: Cell<Option<Promise<Transport, ConnectError>>>,
    lookup: Cell<Option<Canceller<Vec<SocketAddr>, ResolveError>>>,
    /// The addresses not tried yet.
    addrs: RefCell<VecDeque<SocketAddr>>,
    /// The attempts under way.
    running: RefCell<Vec<(Token, SocketAddr)>>,
    /// Those that have failed.
    tried: RefCell<Vec<Tried>>,
    /// When the time for all of it is over.
    deadline: Cell<Option<DelayedCall>>,
    /// When the next address is tried.
    next: Cell<Option<DelayedCall>>,
}

/// The handler of one attempt: of a socket that is connecting.
struct Attempt<F: Factory> {
    connector: Rc<Connector<F>>,
    addr: SocketAddr,
    token: Token,
    socket: RefCell<Option<Dialling>>,
}

pub(super) fn connect<F: Factory>(
    reactor: &Reactor,
    to: Destination,
    config: ConnectConfig,
    factory: F,
) -> Connecting<F::Protocol> {
    let (promise, deferred) = reactor.promise();
    let connector = Rc::new(Connector::new(to, config, factory));
    let weak = Rc::downgrade(&connector);
    promise.on_cancel(move |reactor| {
        if let Some(connector) = weak.upgrade() {
            connector.settle(reactor, Err(Failure::Cancelled.into()));
        }
    });
    connector.promise.set(Some(promise));
    reactor.call_soon(move |reactor| connector.begin(reactor));
    Connecting::new(deferred)
}

impl<F: Factory> Connector<F> {
    fn new(to: Destination, config: ConnectConfig, factory: F) -> Self {
        Self {
            to,
            config,
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

    fn begin(self: Rc<Self>, reactor: &Reactor) {
        if self.is_settled() {
            return;
        }
        let weak = Rc::downgrade(&self);
        let deadline = reactor.call_later(self.config.timeout, move |reactor| {
            if let Some(connector) = weak.upgrade() {
                connector.time_is_over(reactor);
            }
        });
        self.deadline.set(Some(deadline));
        match self.to.clone() {
            Destination::Addr(addr) => {
                self.addrs.borrow_mut().push_back(addr);
                self.try_next(reactor);
            }
            Destination::Any(addrs) if !addrs.is_empty() => {
                self.addrs.borrow_mut().extend(addrs);
                self.try_next(reactor);
            }
            Destination::Any(_) => {
                let none = "no address at all".to_owned();
                self.settle(reactor, Err(ConnectError::BadDestination(none)));
            }
            Destination::Bad(text) => {
                self.settle(reactor, Err(ConnectError::BadDestination(text)));
            }
            Destination::Name(host, port) => self.resolve(reactor, host, port),
        }
    }

    fn resolve(self: Rc<Self>, reactor: &Reactor, host: String, port: u16) {
        let lookup = reactor.resolve(&host);
        self.lookup.set(Some(lookup.canceller()));
        lookup.then(move |reactor, found| match found {
            Ok(found) => {
                let addrs = found.into_iter().map(|mut addr| {
                    addr.set_port(port);
                    addr
                });
                let ordered = interleave(addrs, self.config.first_family, ADDRS_PER_NAME_MAX);
                self.addrs.replace(self.without_those_out_of_reach(ordered));
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

    /// From an address of one family, none of the other can be reached.
    fn without_those_out_of_reach(&self, mut addrs: VecDeque<SocketAddr>) -> VecDeque<SocketAddr> {
        if let Some(bind) = &self.config.bind {
            addrs.retain(|addr| Family::of(addr) == Family::of(bind));
        }
        addrs
    }

    /// Tries the next address, and the one after it when it has had its time.
    fn try_next(self: Rc<Self>, reactor: &Reactor) {
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
            match self.clone().attempt(reactor, addr) {
                Ok(()) => return self.expect_next(reactor),
                Err(source) => self.tried.borrow_mut().push(Tried { addr, source }),
            }
        }
    }

    fn expect_next(self: Rc<Self>, reactor: &Reactor) {
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

    fn attempt(self: Rc<Self>, reactor: &Reactor, addr: SocketAddr) -> io::Result<()> {
        let mut socket = match net::installed(reactor)? {
            Some(net) => Dialling::Other(net.dial(addr, &self.config)?),
            None => Dialling::Kernel(open_socket(addr, &self.config)?),
        };
        let token = socket.register(reactor)?;
        self.running.borrow_mut().push((token, addr));
        let socket = RefCell::new(Some(socket));
        reactor.bind(token, Rc::new(Attempt { connector: self, addr, token, socket }));
        Ok(())
    }

    fn all_failed(&self, reactor: &Reactor) {
        let mut tried = self.tried.take();
        let error = if tried.len() == 1 {
            tried.pop().map(|Tried { addr, source }| ConnectError::Connect { addr, source })
        } else {
            Some(ConnectError::AllFailed { to: self.to.clone(), tried })
        };
        self.settle(reactor, Err(error.expect("of one address there is one failure")));
    }

    fn time_is_over(&self, reactor: &Reactor) {
        let mut tried = self.tried.take();
        tried.extend(self.running.borrow().iter().map(|(_, addr)| {
            let source = io::Error::new(io::ErrorKind::TimedOut, "no answer");
            Tried { addr: *addr, source }
        }));
        let (to, after) = (self.to.clone(), self.config.timeout);
        self.settle(reactor, Err(ConnectError::TimedOut { to, after, tried }));
    }

    fn is_settled(&self) -> bool {
        let promise = self.promise.take();
        let settled = promise.as_ref().is_none_or(|promise| !promise.is_pending());
        self.promise.set(promise);
        settled
    }

    /// Drops all that is under way.
    fn stop(&self, reactor: &Reactor) {
        self.addrs.borrow_mut().clear();
        for (token, _) in self.running.take() {
            reactor.deregister(token, false);
        }
        for timer in [self.deadline.take(), self.next.take()].into_iter().flatten() {
            timer.cancel();
        }
        if let Some(lookup) = self.lookup.take() {
            lookup.cancel();
        }
    }

    /// Ends it all, and tells the one who asked.
    fn settle(&self, reactor: &Reactor, result: Result<Transport, ConnectError>) {
        self.stop(reactor);
        if let Some(promise) = self.promise.take() {
            promise.settle(result);
        }
    }
}

impl<F: Factory> Attempt<F> {
    /// It is not among those under way any more. `None` if it was not.
    fn take(&self) -> Option<Dialling> {
        self.connector.running.borrow_mut().retain(|(token, _)| *token != self.token);
        self.socket.take()
    }

    fn failed(&self, reactor: &Reactor, source: io::Error) {
        reactor.deregister(self.token, true);
        self.connector.tried.borrow_mut().push(Tried { addr: self.addr, source });
        self.connector.clone().try_next(reactor);
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
        let Some(socket) = self.take() else { return };
        let socket = match outcome.and_then(|()| socket.into_socket()) {
            Ok(socket) => socket,
            Err(source) => return self.failed(reactor, source),
        };
        // The others are gone before any user code runs.
        connector.stop(reactor);
        reactor.set_interest(self.token, FIRST_INTEREST);
        let peer = Peer::Inet(self.addr);
        let shared = Shared::new(reactor, connector.config.stream.clone(), None);
        let newborn = Newborn { reactor, socket, token: self.token, peer: peer.clone(), shared };
        let connection = newborn.start(&connector.factory, ready);
        if let Some(connection) = connection.as_ref().filter(|_| connector.is_settled()) {
            // Cancelled by its own factory or protocol: nobody will ever have it.
            connection.transport().abort();
        }
        let made = connection.map(|connection| connection.transport().clone());
        connector.settle(reactor, made.ok_or(ConnectError::NoProtocol(peer)));
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
        format!("connecting to {}", self.addr)
    }
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
