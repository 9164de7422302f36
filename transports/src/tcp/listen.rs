//! A listening port from outside: opened, paused, drained, closed. How it accepts is in `accept.rs`.

use std::{
    fmt::{self, Display},
    io,
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use mio::net::TcpListener;
use sinew_reactor::{Deferred, Excerpt, Reactor, RegisterError, WeakReactor};
use socket2::{Domain, Protocol as IpProtocol, SockRef, Socket, Type};

use super::{
    Destination,
    accept::{Acceptor, PortCore},
    why_bad,
};
use crate::{
    Address, Factory, ListenConfig,
    listener_hooks::{PortMessage, PortOrder},
    names::lookup,
    net::{self, ListenOptions, dialling::unusable, listener::Listener},
    options,
    stream::layer::MakeLayer,
};
#[cfg(unix)]
use crate::{PipeError, UnixListenError};

/// A port could not be listened on.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address could not be understood or looked up.
    #[error("could not find the address to listen on, {at}: {source}")]
    Resolve {
        /// What was to be listened on.
        at: Destination,
        /// The cause.
        source: io::Error,
    },
    /// The system refused: the address is in use, is not ours, or needs privileges.
    #[error("could not listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// The same of a place that is no address.
    #[error("could not listen on {}: {source}", Excerpt::new(.at))]
    Other {
        /// The place, as a string for an endpoint says it.
        at: String,
        /// The cause.
        source: io::Error,
    },
    /// An endpoint on a Unix socket could not be listened on.
    #[cfg(unix)]
    #[error(transparent)]
    Unix(#[from] UnixListenError),
    /// Standard input and output cannot be used.
    #[cfg(unix)]
    #[error(transparent)]
    Pipe(#[from] PipeError),
}

sinew_reactor::error_debug!(ListenError);

/// A port that is listened on, or a Unix socket, or a name in memory, by the type of its address; its `Display` says where. Dropping
/// this closes nothing; [`stop_listening`](Self::stop_listening) does.
#[derive(Clone)]
pub struct ListeningPort<A = SocketAddr> {
    core: Rc<PortCore>,
    addr: A,
    reactor: WeakReactor,
}

/// Listens on the first address that can be listened on, and says which one it is.
pub(super) fn listen(
    reactor: &Reactor,
    at: Destination,
    config: &ListenConfig,
) -> Result<(Listener, SocketAddr), ListenError> {
    let resolve = |source| ListenError::Resolve { at: at.clone(), source };
    let addrs = match at.clone() {
        Destination::Addr(addr) => Ok([addr].into()),
        Destination::Any(addrs) => Ok(addrs.into()),
        Destination::Name(host, port) => lookup::resolve_now(reactor, &host, port),
        #[cfg(unix)]
        Destination::Unix(addr) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{addr} is no port; listen_unix listens there"),
        )),
        Destination::Bad(text) => Err(io::Error::new(io::ErrorKind::InvalidInput, why_bad(&text))),
    };
    let addrs = addrs.map_err(resolve)?;
    let mut failed = None;
    for addr in addrs {
        let listener = listen_on(reactor, addr, config);
        match listener.and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok((addr, listener)) => return Ok((listener, addr)),
            Err(source) => failed = Some(ListenError::Listen { addr, source }),
        }
    }
    Err(failed.unwrap_or_else(|| {
        resolve(io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
    }))
}

/// A socket that listens, with the options that its connections are to inherit.
fn listen_on(reactor: &Reactor, addr: SocketAddr, config: &ListenConfig) -> io::Result<Listener> {
    match net::installed(reactor)? {
        Some(net) => net.listen(addr, &options_of(config)).map(Listener::Other),
        None => listen_on_kernel(addr, config).map(Listener::kernel),
    }
}

/// What a network is to know of the configuration.
fn options_of(config: &ListenConfig) -> ListenOptions {
    ListenOptions {
        backlog: usize::try_from(config.backlog).unwrap_or(0).max(1),
        reuse_port: config.reuse_port,
        v6_only: config.v6_only,
    }
}

fn listen_on_kernel(addr: SocketAddr, config: &ListenConfig) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(IpProtocol::TCP))?;
    // On Windows this option lets another program take the port over; elsewhere it only forgives sockets in TIME_WAIT.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    options::set_reuse_port(&socket, config.reuse_port)?;
    if addr.is_ipv6() {
        socket.set_only_v6(config.v6_only)?;
    }
    // Also where connections do not inherit them: what is refused is known now, and the window depends on a buffer of the listener's.
    config.stream.set_on_tcp(&socket, addr.is_ipv6())?;
    if let Some(queue) = config.fast_open {
        options::set_fast_open(&socket, queue)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into()).map_err(|error| unusable(addr, error))?;
    socket.listen(config.backlog)?;
    Ok(TcpListener::from_std(socket.into()))
}

pub(crate) fn open<A: Display, F: Factory>(
    reactor: &Reactor,
    listener: Listener,
    addr: A,
    config: ListenConfig,
    layer: Option<Rc<dyn MakeLayer>>,
    factory: F,
) -> Result<ListeningPort<A>, RegisterError> {
    let acceptor = Acceptor::new(reactor, listener, &addr, config, layer, factory);
    let core = acceptor.register(reactor)?;
    Ok(ListeningPort { core, addr, reactor: reactor.downgrade() })
}

/// A socket that listens already, whoever made it so, if that is what it is.
pub(super) fn adopt(
    listener: std::net::TcpListener,
    config: &ListenConfig,
) -> io::Result<(Listener, SocketAddr)> {
    let socket = SockRef::from(&listener);
    let is_tcp = socket.local_addr()?.as_socket().is_some() && socket.r#type()? == Type::STREAM;
    if !is_tcp || !is_listener(&socket)? {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no listening TCP socket"));
    }
    adopted(listener, config)
}

/// A socket that is known to listen, with the options that its connections are to inherit.
pub(crate) fn adopted(
    listener: std::net::TcpListener,
    config: &ListenConfig,
) -> io::Result<(Listener, SocketAddr)> {
    let socket = SockRef::from(&listener);
    config.stream.set_on_tcp(&socket, options::is_v6(&socket))?;
    socket.set_nonblocking(true)?;
    let listener = Listener::kernel(TcpListener::from_std(listener)).shared();
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(crate) fn is_listener(socket: &SockRef<'_>) -> io::Result<bool> {
    socket.is_listener()
}

/// Elsewhere nobody can be asked; but one that listens has no peer.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(crate) fn is_listener(socket: &SockRef<'_>) -> io::Result<bool> {
    Ok(socket.peer_addr().is_err())
}

impl<A: Clone> ListeningPort<A> {
    /// The address that is listened on, with the port that the system chose if it was asked to.
    #[must_use]
    pub fn local(&self) -> A {
        self.addr.clone()
    }
}

impl<A: Into<Address>> ListeningPort<A> {
    /// The same port, to be kept beside those of other kinds.
    #[must_use]
    pub fn of_any_kind(self) -> ListeningPort<Address> {
        ListeningPort { core: self.core, addr: self.addr.into(), reactor: self.reactor }
    }
}

impl<A> ListeningPort<A> {
    /// How many of its connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.core.open_count()
    }

    /// Accepts nothing until [`resume`](Self::resume); who comes waits in the backlog.
    pub fn pause(&self) {
        self.core.set_paused(true);
        if let Some(reactor) = self.reactor.upgrade() {
            // Not when the loop comes by: an engine that accepts may do so before.
            self.core.tell_interest(&reactor);
        }
    }

    /// Accepts again.
    pub fn resume(&self) {
        self.core.set_paused(false);
        self.reschedule();
    }

    /// Accepts no more, from now on; the loop closes the socket at the end of its turn. Connections go on. Who waits in the
    /// backlog is refused by the system.
    pub fn stop_listening(&self) {
        if let Some(reactor) = self.reactor.upgrade() {
            self.core.close(&reactor);
        }
    }

    /// Accepts no more, asks the port's connections to finish
    /// ([`Protocol::drain_requested`](crate::Protocol::drain_requested)), and gives a value when the last has ended.
    /// After `deadline` those that are left are dropped with
    /// [`ConnectionLost::Shutdown`](crate::ConnectionLost::Shutdown).
    ///
    /// # Examples
    ///
    /// A server that ends well when it is told to stop:
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use sinew_reactor::{Phase, Reactor};
    /// use sinew_transports::{Peer, Protocol, ReactorTcp, Transport};
    /// # struct Echo;
    /// # impl Protocol for Echo {
    /// #     fn data_received(&mut self, transport: &Transport, data: &[u8]) { transport.write(data); }
    /// # }
    ///
    /// let reactor = Reactor::new()?;
    /// let port = reactor.listen_tcp("127.0.0.1:0", |_: &Peer| Echo)?;
    /// reactor.on(Phase::BeforeShutdown, move |_| port.drain(Duration::from_secs(10)));
    /// # reactor.call_soon(|reactor| { let _ = reactor.stop(); });
    /// reactor.run()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn drain(&self, deadline: Duration) -> Deferred<()> {
        let (promise, deferred) = self.reactor.promise();
        let Some(reactor) = self.reactor.upgrade() else {
            promise.resolve(());
            return deferred;
        };
        self.core.close(&reactor);
        let token = self.core.registered_as();
        reactor.broadcast(Rc::new(PortMessage { from: token, order: PortOrder::Drain }));
        let timer = reactor.call_later(deadline, move |reactor| {
            reactor.broadcast(Rc::new(PortMessage { from: token, order: PortOrder::Abort }));
        });
        self.core.when_empty(promise, timer);
        deferred
    }

    /// Gives a value when the port is closed and the last of its connections has ended. One on standard input and output closes
    /// by itself when its only connection has ended; others when they are told to, and when the reactor stops.
    pub fn when_over(&self) -> Deferred<()> {
        let (promise, deferred) = self.reactor.promise();
        if self.reactor.upgrade().is_some() {
            self.core.when_over(promise);
        } else {
            promise.resolve(());
        }
        deferred
    }

    /// Has the loop look at the port again.
    fn reschedule(&self) {
        if let Some(reactor) = self.reactor.upgrade() {
            self.core.reschedule(&reactor);
        }
    }
}

impl<A: Display> Display for ListeningPort<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addr.fmt(f)
    }
}

impl<A: fmt::Debug> fmt::Debug for ListeningPort<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListeningPort")
            .field("local", &self.addr)
            .field("connections", &self.connections())
            .finish()
    }
}
