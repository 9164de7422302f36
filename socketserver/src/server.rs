//! The servers: [`Server`], which owns the socket, its twelve type aliases, and [`BaseServer`], a handle for handlers
//! and hooks. The serving loop is in `serve.rs`.

use std::{
    fmt, io,
    marker::PhantomData,
    ops::Deref,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sinew_reactor::process::Origin;
use socket2::Type;

use crate::{
    Address, AddressFamily, BaseRequestHandler, BindError, CloseError, Hooks, InPlace, Mode,
    ServerConfig, Socket, Threading,
    address::ToAddress,
    config::Settings,
    family::{Family, Tcp, Udp},
    handler::{self, Handle},
    lock::lock,
    run::Run,
    serving::Serving,
};

/// A server of a family `F` (the kind of socket), with a handler `H` (which serves a request), in a mode `M` (where the
/// handler runs). It derefs to [`BaseServer`]; dropping it is [`server_close`](Self::server_close).
///
/// It is `Send` and `Sync`: serve it from one thread, shut it down from another.
///
/// # Examples
///
/// ```
/// use sinew_socketserver::{BaseRequestHandler, Context, HandlerResult, TcpServer};
/// use std::{io::Read, net::TcpStream};
///
/// struct Hello;
///
/// impl BaseRequestHandler for Hello {
///     fn handle(&mut self, cx: &mut Context) -> HandlerResult {
///         Ok(cx.request.sendall(b"Thank you for connecting")?)
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = TcpServer::bind("127.0.0.1:0", || Hello)?;
/// let address = server.server_address().inet().expect("it is TCP");
/// std::thread::scope(|scope| {
///     scope.spawn(|| server.serve_forever());
///     let mut said = String::new();
///     TcpStream::connect(address)?.read_to_string(&mut said)?;
///     assert_eq!(said, "Thank you for connecting");
///     server.shutdown().expect("another thread serves");
///     Ok(())
/// })
/// # }
/// ```
#[must_use = "dropping it closes its sockets"]
pub struct Server<F, H, M = InPlace> {
    base: BaseServer,
    types: Types<F, H, M>,
}

/// Marks the type parameters; the server owns no value of them.
type Types<F, H, M> = PhantomData<fn() -> (F, H, M)>;

/// TCP, one request at a time.
pub type TcpServer<H> = Server<Tcp, H>;
/// TCP, each request in a thread.
pub type ThreadingTcpServer<H> = Server<Tcp, H, Threading>;
/// UDP, one request at a time.
pub type UdpServer<H> = Server<Udp, H>;
/// UDP, each request in a thread.
pub type ThreadingUdpServer<H> = Server<Udp, H, Threading>;

#[cfg(unix)]
pub use unix_names::*;

#[cfg(unix)]
mod unix_names {
    use super::Server;
    use crate::{
        Forking, Threading,
        family::{Tcp, Udp, UnixDatagram, UnixStream},
    };

    /// TCP, each request in a child process.
    pub type ForkingTcpServer<H> = Server<Tcp, H, Forking>;
    /// UDP, each request in a child process.
    pub type ForkingUdpServer<H> = Server<Udp, H, Forking>;
    /// Unix stream sockets, one request at a time.
    pub type UnixStreamServer<H> = Server<UnixStream, H>;
    /// Unix stream sockets, each request in a thread.
    pub type ThreadingUnixStreamServer<H> = Server<UnixStream, H, Threading>;
    /// Unix stream sockets, each request in a child process.
    pub type ForkingUnixStreamServer<H> = Server<UnixStream, H, Forking>;
    /// Unix datagram sockets, one request at a time.
    pub type UnixDatagramServer<H> = Server<UnixDatagram, H>;
    /// Unix datagram sockets, each request in a thread.
    pub type ThreadingUnixDatagramServer<H> = Server<UnixDatagram, H, Threading>;
    /// Unix datagram sockets, each request in a child process.
    pub type ForkingUnixDatagramServer<H> = Server<UnixDatagram, H, Forking>;
}

impl<F, H, M> Server<F, H, M>
where
    F: Family,
    H: BaseRequestHandler<F::Kind>,
    M: Mode,
{
    /// Binds and activates a server that makes a handler for each request by calling `handler`. State that all handlers
    /// share, in Python an attribute of the server, is captured by the closure.
    ///
    /// # Errors
    ///
    /// If the address cannot be resolved, is in use, or may not be bound. Then the socket is closed.
    pub fn bind<A: ToAddress<F::Domain>>(
        address: A,
        handler: impl Fn() -> H + Send + Sync + 'static,
    ) -> Result<Self, BindError> {
        Self::bind_with(address, handler, ServerConfig::default())
    }

    /// The same, with a configuration.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub fn bind_with<A: ToAddress<F::Domain>>(
        address: A,
        handler: impl Fn() -> H + Send + Sync + 'static,
        config: ServerConfig<M>,
    ) -> Result<Self, BindError> {
        let handle: Arc<Handle> = Arc::new(handler::erase(handler));
        let none = io::Error::new(
            io::ErrorKind::InvalidInput,
            "the address resolved to nothing to bind to",
        );
        let mut failed = BindError::Resolve(none);
        for address in address.to_addresses().map_err(BindError::Resolve)? {
            match Core::listen::<F, M>(address.clone(), handle.clone(), config.clone()) {
                Ok(core) => return Ok(Self { base: BaseServer { core }, types: PhantomData }),
                Err(source) => failed = BindError::Listen { address, source },
            }
        }
        Err(failed)
    }
}

impl<F, H, M> Server<F, H, M> {
    /// Closes the socket and, with `block_on_close`, waits for running handlers, for at most
    /// [`close_timeout`](ServerConfig::close_timeout). A server that is being served is shut down first. Closing twice
    /// has no effect. In a child of fork(2), which has a copy of the server, only the child's descriptor is closed.
    ///
    /// # Errors
    ///
    /// [`CloseError`] if not everything has ended. The socket is closed nevertheless.
    pub fn server_close(&self) -> Result<(), CloseError> {
        self.base.close()
    }
}

impl<F, H, M> Deref for Server<F, H, M> {
    type Target = BaseServer;

    fn deref(&self) -> &BaseServer {
        &self.base
    }
}

impl<F, H, M> Drop for Server<F, H, M> {
    fn drop(&mut self) {
        if let Err(error) = self.server_close() {
            tracing::warn!(%error, "closing a server left something running");
        }
    }
}

impl<F, H, M> fmt::Debug for Server<F, H, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.base.fmt(f)
    }
}

/// A handle of a server for its handlers and hooks: Python's `self.server`. Cheap to clone, for any thread; it does not
/// keep the server open.
#[derive(Clone)]
pub struct BaseServer {
    pub(crate) core: Arc<Core>,
}

pub(crate) struct Core {
    pub(crate) is_stream: bool,
    address: Mutex<Address>,
    socket: Mutex<Option<Socket>>,
    #[cfg(unix)]
    pub(crate) file: std::sync::OnceLock<crate::unix_path::SocketFile>,
    pub(crate) settings: Settings,
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) handle: Arc<Handle>,
    pub(crate) run: Box<dyn Run>,
    pub(crate) serving: Serving,
    closed: AtomicBool,
    origin: Origin,
}

/// The error of calls after the server was closed.
pub(crate) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the server is closed")
}

impl Core {
    fn listen<F: Family, M: Mode>(
        address: Address,
        handle: Arc<Handle>,
        config: ServerConfig<M>,
    ) -> io::Result<Arc<Self>> {
        let core = Self::open::<F, M>(address, handle, config)?;
        core.bind()?;
        Ok(core)
    }

    fn open<F: Family, M: Mode>(
        address: Address,
        handle: Arc<Handle>,
        config: ServerConfig<M>,
    ) -> io::Result<Arc<Self>> {
        let kind = if F::IS_STREAM { Type::STREAM } else { Type::DGRAM };
        let socket = socket2::Socket::new(address.domain(), kind, None)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if !F::IS_STREAM && address.inet().is_some() {
            sinew_reactor::packet_info::ask(&socket, address.family() == AddressFamily::Inet6)?;
        }
        // Datagrams are received with a non-blocking flag, where there is one, and sent by handlers, which may block.
        if F::IS_STREAM || cfg!(not(unix)) {
            socket.set_nonblocking(true)?;
        }
        Ok(Arc::new(Self {
            is_stream: F::IS_STREAM,
            address: Mutex::new(address),
            socket: Mutex::new(Some(Socket::new(socket))),
            #[cfg(unix)]
            file: std::sync::OnceLock::new(),
            settings: config.settings,
            hooks: config.hooks,
            handle,
            run: config.mode.into_run(),
            serving: Serving::default(),
            closed: AtomicBool::new(false),
            origin: Origin::here(),
        }))
    }

    fn bind(self: &Arc<Self>) -> io::Result<()> {
        let server = BaseServer { core: self.clone() };
        self.hooks.server_bind(&server)?;
        let bound = server.socket().ok_or_else(closed)?.getsockname()?;
        #[cfg(unix)]
        if let Some(file) = crate::unix_path::SocketFile::of(&bound) {
            let _ = self.file.set(file);
        }
        *lock(&self.address) = bound;
        self.hooks.server_activate(&server)
    }

    pub(crate) fn take_socket(&self) -> Option<Socket> {
        lock(&self.socket).take()
    }
}

impl BaseServer {
    /// The address that it listens on: after the bind, the one that the system has chosen for the requested address.
    #[must_use]
    pub fn server_address(&self) -> Address {
        lock(&self.core.address).clone()
    }

    /// The family of its address.
    #[must_use]
    pub fn address_family(&self) -> AddressFamily {
        lock(&self.core.address).family()
    }

    /// Its socket, for options; `None` after `server_close`.
    #[must_use]
    pub fn socket(&self) -> Option<Socket> {
        lock(&self.core.socket).clone()
    }

    /// The file descriptor number; `None` after `server_close`.
    #[cfg(unix)]
    #[must_use]
    pub fn fileno(&self) -> Option<std::os::fd::RawFd> {
        Some(lock(&self.core.socket).as_ref()?.fileno())
    }

    /// The value of [`ServerConfig::request_queue_size`].
    #[must_use]
    pub fn request_queue_size(&self) -> u32 {
        self.core.settings.request_queue_size
    }

    /// The value of [`ServerConfig::allow_reuse_address`], or its default.
    #[must_use]
    pub fn allow_reuse_address(&self) -> bool {
        let by_default = match self.address_family() {
            AddressFamily::Inet | AddressFamily::Inet6 => self.core.is_stream && cfg!(unix),
            AddressFamily::Unix => true,
        };
        self.core.settings.allow_reuse_address.unwrap_or(by_default)
    }

    /// The value of [`ServerConfig::timeout`].
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.core.settings.timeout
    }

    /// The value of [`ServerConfig::max_packet_size`].
    #[must_use]
    pub fn max_packet_size(&self) -> usize {
        self.core.settings.max_packet_size
    }

    /// How many requests are being handled now: busy threads, or children (Python's `active_children`).
    #[must_use]
    pub fn active_requests(&self) -> usize {
        self.core.run.active()
    }

    /// How many requests are queued for a thread.
    #[must_use]
    pub fn queued_requests(&self) -> usize {
        self.core.run.queued()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.core.closed.load(Ordering::Acquire)
    }

    fn close(&self) -> Result<(), CloseError> {
        if self.core.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        if !self.core.origin.is_here() {
            // The serving loop, the handlers and the socket's file belong to the parent.
            drop(self.core.take_socket());
            return Ok(());
        }
        let ended = self.core.serving.end();
        let _ = handler::guard(|| {
            self.core.hooks.server_close(self);
            Ok(())
        });
        ended.and(self.core.run.close(self))
    }
}

impl fmt::Debug for BaseServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.server_address())
            .field("settings", &self.core.settings)
            .field("run", &self.core.run)
            .finish_non_exhaustive()
    }
}
