//! Handle of a listening port: open, pause, drain, close. The accept loop is in `accept.rs`.

use std::{
    borrow::Cow,
    fmt::{self, Display},
    io,
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use mio::net::TcpListener;
use sinew_reactor::{Deferred, Excerpt, Reactor, RegisterError, WeakReactor};
use socket2::{Domain, Protocol as IpProtocol, SockRef, Socket, Type};

#[cfg(unix)]
use super::accept::Rebuild;
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
    sharing::{Opening, Share},
    stream::layer::driver::MakeLayer,
};
#[cfg(unix)]
use crate::{
    HandedConnection, HandedPort, Peer, PipeError, Protocol, UnixListenError, dyn_protocol::boxed,
    stream::leaving::LeaveOrder,
};

/// Listening failed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address could not be parsed or resolved.
    #[error("could not resolve the address to listen on, {at}: {source}")]
    Resolve {
        /// The address.
        at: Destination,
        /// The cause.
        source: io::Error,
    },
    /// The system refused: the address is in use, is not local, or needs privileges.
    #[error("could not listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// Listening on something that is not an IP address failed.
    #[error("could not listen on {}: {source}", Excerpt::new(.at))]
    Other {
        /// The place, as an endpoint string.
        at: String,
        /// The cause.
        source: io::Error,
    },
    /// Listening on a Unix socket failed.
    #[cfg(unix)]
    #[error(transparent)]
    Unix(#[from] UnixListenError),
    /// Standard input and output cannot be used.
    #[cfg(unix)]
    #[error(transparent)]
    Pipe(#[from] PipeError),
}

sinew_reactor::error_debug!(ListenError);

/// A handle of a listening socket: TCP, Unix, or a name in memory, by the type of its address, which `Display` shows. Dropping
/// the handle does not close the port; [`stop_listening`](Self::stop_listening) does.
#[derive(Clone)]
pub struct ListeningPort<A = SocketAddr> {
    core: Rc<PortCore>,
    addr: A,
    reactor: WeakReactor,
}

/// Listens on the first address that works, and returns it.
pub(super) fn listen(
    reactor: &Reactor,
    at: Destination,
    config: &ListenConfig,
) -> Result<(Listener, SocketAddr), ListenError> {
    let mut config = Cow::Borrowed(config);
    let mut at = at;
    match config.share.as_ref().map(Share::opening) {
        Some(Opening::Elsewhere(Address::Inet(addr))) => return Ok((Listener::Elsewhere, addr)),
        // The address that the first reactor has opened.
        Some(Opening::At(Address::Inet(addr), reuse_port)) => {
            at = addr.into();
            config.to_mut().reuse_port |= reuse_port;
        }
        _ => {}
    }
    let resolve = |source| ListenError::Resolve { at: at.clone(), source };
    let addrs = match at.clone() {
        Destination::Addr(addr) => Ok([addr].into()),
        Destination::Any(addrs) => Ok(addrs.into()),
        Destination::Name(host, port) => lookup::resolve_now(reactor, &host, port),
        #[cfg(unix)]
        Destination::Unix(addr) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{addr} is a Unix socket, not a TCP address; use listen_unix"),
        )),
        Destination::Bad(text) => Err(io::Error::new(io::ErrorKind::InvalidInput, why_bad(&text))),
    };
    let addrs = Vec::from(addrs.map_err(resolve)?);
    if let Some(adopted) = adopt_handed_over(&addrs, &config) {
        return adopted.map_err(|source| ListenError::Other { at: at.to_string(), source });
    }
    let mut failed = None;
    for addr in addrs {
        let listener = listen_on(reactor, addr, &config);
        match listener.and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok((addr, listener)) => return Ok((listener, addr)),
            Err(source) => failed = Some(ListenError::Listen { addr, source }),
        }
    }
    Err(failed.unwrap_or_else(|| {
        resolve(io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
    }))
}

/// The socket that another process has handed over, if it is one of these.
#[cfg(unix)]
fn adopt_handed_over(
    addrs: &[SocketAddr],
    config: &ListenConfig,
) -> Option<io::Result<(Listener, SocketAddr)>> {
    let own = config.handed_over.as_ref().map_or(Ok(None), |port| port.tcp_on(addrs));
    let of_others = || config.others_handed_over.iter().find_map(|port| port.tcp_exactly_on(addrs));
    match own.map(|own| own.or_else(of_others)) {
        Ok(listener) => Some(adopted(listener?, config)),
        Err(error) => Some(Err(error)),
    }
}

#[cfg(not(unix))]
fn adopt_handed_over(
    _: &[SocketAddr],
    _: &ListenConfig,
) -> Option<io::Result<(Listener, SocketAddr)>> {
    None
}

/// A listening socket, with the options that accepted sockets inherit.
fn listen_on(reactor: &Reactor, addr: SocketAddr, config: &ListenConfig) -> io::Result<Listener> {
    match net::installed(reactor)? {
        Some(net) => net.listen(addr, &options_of(config)).map(Listener::Other),
        None => match &config.share {
            Some(share) if matches!(share.opening(), Opening::First) => {
                listen_first(addr, config, share)
            }
            _ => listen_on_kernel(addr, config).map(Listener::kernel),
        },
    }
}

/// Opens a port that several reactors share, on the first of them.
fn listen_first(addr: SocketAddr, config: &ListenConfig, share: &Share) -> io::Result<Listener> {
    let mut config = Cow::Borrowed(config);
    let reuse_port = share.wants_reuse_port();
    if reuse_port && !config.reuse_port {
        // SO_REUSEPORT would also share the port with another server, started twice by mistake.
        bind(addr, &config)?;
        config.to_mut().reuse_port = true;
    }
    let listener = Listener::kernel(listen_on_kernel(addr, &config)?);
    share.opened(listener.local_addr()?, reuse_port);
    Ok(listener)
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
    let socket = bind(addr, config)?;
    socket.listen(config.backlog)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// A bound socket, with all options.
fn bind(addr: SocketAddr, config: &ListenConfig) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(IpProtocol::TCP))?;
    // On Windows, SO_REUSEADDR lets another program take the port over; elsewhere it only ignores sockets in TIME_WAIT.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    options::set_reuse_port(&socket, config.reuse_port)?;
    if addr.is_ipv6() {
        socket.set_only_v6(config.v6_only)?;
    }
    // Set even where accepted sockets do not inherit them: errors show now, and the window scale depends on the listener's buffer.
    config.stream.set_on_tcp(&socket, addr.is_ipv6())?;
    if let Some(queue) = config.fast_open {
        options::set_fast_open(&socket, queue)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into()).map_err(|error| unusable(addr, error))?;
    Ok(socket)
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

/// Checks that the socket is a listening TCP socket, and takes it over.
pub(super) fn adopt(
    listener: std::net::TcpListener,
    config: &ListenConfig,
) -> io::Result<(Listener, SocketAddr)> {
    let socket = SockRef::from(&listener);
    let is_tcp = socket.local_addr()?.as_socket().is_some() && socket.r#type()? == Type::STREAM;
    if !is_tcp || !options::is_listener(&socket)? {
        let what = "the socket is not a listening TCP socket";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    adopted(listener, config)
}

/// Takes over a listening socket, and sets the options that accepted sockets inherit.
pub(crate) fn adopted(
    listener: std::net::TcpListener,
    config: &ListenConfig,
) -> io::Result<(Listener, SocketAddr)> {
    if let Some(Opening::Elsewhere(Address::Inet(addr))) = config.share.as_ref().map(Share::opening)
    {
        return Ok((Listener::Elsewhere, addr));
    }
    let socket = SockRef::from(&listener);
    config.stream.set_on_tcp(&socket, options::is_v6(&socket))?;
    socket.set_nonblocking(true)?;
    let is_one_of_several = has_reuse_port(&socket, config)?;
    let listener = Listener::kernel(TcpListener::from_std(listener)).shared();
    let addr = listener.local_addr()?;
    if let Some(share) = &config.share {
        share.opened(addr, is_one_of_several);
    }
    Ok((listener, addr))
}

/// Whether it has `SO_REUSEPORT`, and the system distributes connections among such sockets.
#[cfg(unix)]
fn has_reuse_port(socket: &SockRef<'_>, config: &ListenConfig) -> io::Result<bool> {
    let wants = config.share.as_ref().is_some_and(Share::wants_reuse_port);
    Ok(wants && socket.reuse_port()?)
}

#[cfg(not(unix))]
fn has_reuse_port(_: &SockRef<'_>, _: &ListenConfig) -> io::Result<bool> {
    Ok(false)
}

impl<A: Clone> ListeningPort<A> {
    /// The address listened on, with the port that the system chose if port 0 was requested.
    #[must_use]
    pub fn local(&self) -> A {
        self.addr.clone()
    }
}

impl<A: Into<Address>> ListeningPort<A> {
    /// The same port with its address type erased, to be stored beside ports of other kinds.
    #[must_use]
    pub fn into_any(self) -> ListeningPort<Address> {
        ListeningPort { core: self.core, addr: self.addr.into(), reactor: self.reactor }
    }
}

impl<A> ListeningPort<A> {
    /// Number of open connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.core.open_count()
    }

    /// Whether it has stopped listening, or is about to at the end of this turn.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// Whether it still listens, paused or not: it was not closed, by a call or with the reactor.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.core.is_listening()
    }

    /// Stops accepting until [`resume`](Self::resume). New connections wait in the backlog.
    pub fn pause(&self) {
        self.core.set_paused(true);
        if let Some(reactor) = self.reactor.upgrade() {
            // At once, not in `rescheduled`: an engine that accepts by itself (io_uring) may do so before.
            self.core.update_interest(&reactor);
        }
    }

    /// Resumes accepting.
    pub fn resume(&self) {
        self.core.set_paused(false);
        self.reschedule();
    }

    /// A duplicate of the socket, for a process that is to listen on it in place of this one. `None` if this port has none of
    /// its own: it is in memory, or another reactor listens for this one. Unix only.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    #[cfg(unix)]
    pub fn to_hand_over(&self) -> io::Result<Option<HandedPort>> {
        let handed = self.core.to_hand_over()?;
        if let (Some(_), Some(reactor)) = (&handed, self.reactor.upgrade()) {
            // An engine must be told that closing the socket here does not end it.
            reactor.mark_shared(self.core.registered_as());
        }
        Ok(handed)
    }

    /// Leaves the file of a Unix socket and its lock to another process that has the socket, too, or takes them over from
    /// there. A process that has left them does not remove them. Nothing happens to other ports. Unix only.
    #[cfg(unix)]
    pub fn leave_file(&self, leave: bool) {
        self.core.leave_file(leave);
    }

    /// Sends the open connections of this port to another process: the loop asks each of their protocols for its
    /// [state](crate::Protocol::saved_state), and calls `send` with the connection if there is one. Output that is queued is
    /// sent first, and no more input is delivered here; [`connection_lost`](crate::Protocol::connection_lost) is called with
    /// [`ConnectionLost::HandedOver`](crate::ConnectionLost::HandedOver).
    ///
    /// Connections stay as they are whose protocol has no state to tell, now or at all; those with TLS, behind a proxy,
    /// relayed, half-closed, or in memory; and those to which received descriptors belong. The call can be repeated. Unix only.
    #[cfg(unix)]
    pub fn hand_over_connections(&self, send: impl Fn(&Reactor, HandedConnection) + 'static) {
        if let Some(reactor) = self.reactor.upgrade() {
            let port = self.core.registered_as();
            reactor.broadcast(Rc::new(LeaveOrder { port, send: Rc::new(send) }));
        }
    }

    /// Goes on with connections that come from another process, as if this port had accepted them. The loop calls `rebuild`
    /// with the state of each and its peer to make its protocol, and then
    /// [`connection_made`](crate::Protocol::connection_made); `None` closes the connection. When all have begun, their input is
    /// delivered.
    ///
    /// They count for the limits of the port, which do not keep them out. Unix only.
    #[cfg(unix)]
    pub fn take_over<P: Protocol>(
        &self,
        connections: Vec<HandedConnection>,
        rebuild: impl Fn(&[u8], &Peer) -> Option<P> + 'static,
    ) {
        let Some(reactor) = self.reactor.upgrade() else { return };
        let rebuild: Rebuild = Rc::new(move |state, peer| rebuild(state, peer).map(boxed));
        self.core.take_over(&reactor, connections, &rebuild);
    }

    /// Takes no more connections from the kernel's queue, or takes them again. As [`pause`](Self::pause), but connections that
    /// have been taken are opened: those that an engine has accepted by itself, and those on their way from another reactor.
    /// For a socket that another process has, too, and accepts from.
    pub fn leave_backlog(&self, leave: bool) {
        self.core.set_leaves_backlog(leave);
        if let Some(reactor) = self.reactor.upgrade() {
            self.core.update_interest(&reactor);
            self.core.reschedule(&reactor);
        }
    }

    /// Stops accepting at once; the event loop closes the socket at the end of the turn. Open connections stay open. The system
    /// refuses connections in the backlog.
    pub fn stop_listening(&self) {
        if let Some(reactor) = self.reactor.upgrade() {
            self.core.close(&reactor);
        }
    }

    /// Graceful shutdown: stops accepting, asks the connections to finish
    /// ([`Protocol::drain_requested`](crate::Protocol::drain_requested)), and resolves when the last has ended.
    /// After `deadline` the remaining connections are dropped with
    /// [`ConnectionLost::Shutdown`](crate::ConnectionLost::Shutdown).
    ///
    /// # Examples
    ///
    /// A server that drains its connections on shutdown:
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

    /// Resolves when the port is closed and its last connection has ended. A port on standard input and output closes by itself
    /// after its only connection; others close by [`stop_listening`](Self::stop_listening) or when the reactor stops.
    pub fn when_closed(&self) -> Deferred<()> {
        let (promise, deferred) = self.reactor.promise();
        if self.reactor.upgrade().is_some() {
            self.core.when_closed(promise);
        } else {
            promise.resolve(());
        }
        deferred
    }

    /// Queues a call of the accept loop.
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
