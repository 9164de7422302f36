//! Unix sockets: [`ReactorUnix`] adds `listen_unix` and `connect_unix` to a reactor, and the same for datagrams; the peer has
//! [`Credentials`], and [`Transport::send_descriptor`](crate::Transport::send_descriptor) passes file descriptors. Unix only.

// Streams are accepted and connected by `tcp/`.

use std::{io, path::PathBuf};

use sinew_reactor::{Engine, Excerpt, Reactor};

use crate::{
    ConnectConfig, ConnectError, Connecting, DatagramConfig, DatagramProtocol, DatagramTransport,
    Destination, Factory, ListenConfig, ListeningPort, StreamConfig, datagram,
    net::Listener,
    tcp::{connect, open},
};

mod addr;
mod file;
mod socket;

#[doc(inline)]
pub use crate::{
    peer::{Credentials, UnixPeer},
    stream::rights::{DescriptorRefused, SendDescriptorError},
};
pub use addr::UnixAddr;
pub(crate) use file::{FileOptions, SocketFile};
pub(crate) use socket::{
    UnixListening, bind as bind_socket, connect as connect_socket, open as open_socket,
};

mod sealed {
    #[allow(unnameable_types, reason = "that is how a trait is sealed")]
    pub trait Sealed {}
    impl Sealed for sinew_reactor::Reactor {}
}

/// A Unix socket could not be bound or listened on.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum UnixListenError {
    /// The path or name is too long: the limit is about a hundred bytes.
    #[error("{addr} is too long for the address of a Unix socket")]
    TooLong {
        /// The address.
        addr: UnixAddr,
    },
    /// The address is in use.
    #[error("{addr} is in use{}", holder.map(|pid| format!(" by process {pid}")).unwrap_or_default())]
    InUse {
        /// The address.
        addr: UnixAddr,
        /// The process that uses it, if known.
        holder: Option<u32>,
    },
    /// The directory of the socket file does not exist.
    #[error("could not listen on {addr}: the directory {} does not exist", Excerpt::path(.folder))]
    NoFolder {
        /// The address.
        addr: UnixAddr,
        /// The directory.
        folder: PathBuf,
    },
    /// Another kind of file exists at the path; it is not removed.
    #[error("{} exists and is not a socket", Excerpt::path(.path))]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The lock beside the socket file could not be taken.
    #[error("could not open or lock the lock file {}: {source}", Excerpt::path(.path))]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The system refused.
    #[error("could not listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: UnixAddr,
        /// The cause.
        source: io::Error,
    },
}

sinew_reactor::error_debug!(UnixListenError);

/// Limits and options of a listening Unix socket.
///
/// # Examples
///
/// ```
/// use sinew_transports::UnixListenConfig;
///
/// let config = UnixListenConfig::default().mode(0o660).max_connections(100);
/// # drop(config);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct UnixListenConfig {
    pub(crate) file: FileOptions,
    pub(crate) listen: ListenConfig,
}

impl UnixListenConfig {
    /// The mode of the socket file, set before a client can connect; on Linux, connecting requires write permission. Default: as given by
    /// the process's umask. Ignored for abstract names.
    pub fn mode(mut self, mode: u32) -> Self {
        self.file.mode = Some(mode);
        self
    }

    /// Whether the path is claimed by a lock on the file `PATH.lock` while listening. Default `true`.
    /// Without it, two servers that start at the same moment may both take the socket file for a stale one.
    pub fn lock(mut self, lock: bool) -> Self {
        self.file.lock = lock;
        self
    }

    /// Maximum connections in the kernel's backlog. Default 1,024; the system caps it.
    pub fn backlog(mut self, connections: u16) -> Self {
        self.listen = self.listen.backlog(connections);
        self
    }

    /// Connection limit. Default 1,048,576. At the limit nothing is accepted; new connections wait in the backlog until
    /// another connection ends.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.listen = self.listen.max_connections(connections);
        self
    }

    /// Limits and options of the streams.
    pub fn stream(mut self, stream: StreamConfig) -> Self {
        self.listen = self.listen.stream(stream);
        self
    }
}

/// Limits and options of a Unix datagram socket.
///
/// # Examples
///
/// ```
/// use sinew_transports::{DatagramConfig, UnixDatagramConfig};
///
/// let config = UnixDatagramConfig::default()
///     .mode(0o660)
///     .datagrams(DatagramConfig::default().max_len(1024));
/// # drop(config);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct UnixDatagramConfig {
    pub(crate) file: FileOptions,
    pub(crate) bind: Option<UnixAddr>,
    pub(crate) datagrams: DatagramConfig,
}

impl UnixDatagramConfig {
    /// The mode of the socket file; on Linux, sending requires write permission. Default: as given by the process's umask.
    pub fn mode(mut self, mode: u32) -> Self {
        self.file.mode = Some(mode);
        self
    }

    /// As [`UnixListenConfig::lock`].
    pub fn lock(mut self, lock: bool) -> Self {
        self.file.lock = lock;
        self
    }

    /// The address to send from, for a connected socket: without one, the peer cannot answer. Default: none.
    pub fn bind(mut self, addr: impl Into<UnixAddr>) -> Self {
        self.bind = Some(addr.into());
        self
    }

    /// Limits of the datagrams, and the sizes of the kernel's buffers. Other options are ignored.
    pub fn datagrams(mut self, config: DatagramConfig) -> Self {
        self.datagrams = config;
        self
    }
}

/// Unix sockets on a [`Reactor`].
///
/// # Examples
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew_reactor::Reactor;
/// use sinew_transports::{Peer, Protocol, ReactorUnix, Transport};
///
/// struct Greeter;
///
/// impl Protocol for Greeter {
///     fn connection_made(&mut self, transport: &Transport) {
///         if let Peer::Unix(peer) = transport.peer()
///             && let Some(credentials) = peer.credentials
///         {
///             transport.write(format!("hello, user {}\n", credentials.uid).as_bytes());
///         }
///     }
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// let reactor = Reactor::new()?;
/// let port = reactor.listen_unix("/run/greeter.sock", |_: &Peer| Greeter)?;
/// println!("listening on {}", port.local());
/// reactor.run()?;
/// # Ok(())
/// # }
/// ```
pub trait ReactorUnix: sealed::Sealed {
    /// Listens on a path or an abstract name, with the defaults of [`UnixListenConfig`]. A stale socket file is removed
    /// first; its own is removed when listening ends.
    ///
    /// # Errors
    ///
    /// [`UnixListenError`], with the path and the process that uses it.
    fn listen_unix<F: Factory>(
        &self,
        at: impl Into<UnixAddr>,
        factory: F,
    ) -> Result<ListeningPort<UnixAddr>, UnixListenError> {
        self.listen_unix_with(at, UnixListenConfig::default(), factory)
    }

    /// The same with a `config`.
    ///
    /// # Errors
    ///
    /// As [`listen_unix`](Self::listen_unix).
    fn listen_unix_with<F: Factory>(
        &self,
        at: impl Into<UnixAddr>,
        config: UnixListenConfig,
        factory: F,
    ) -> Result<ListeningPort<UnixAddr>, UnixListenError>;

    /// Connects to a path or an abstract name, with the defaults of [`ConnectConfig`]. While the server's backlog is full, connecting is
    /// retried until the timeout. Nothing happens before the event loop runs.
    fn connect_unix<F: Factory>(
        &self,
        to: impl Into<UnixAddr>,
        factory: F,
    ) -> Connecting<F::Protocol> {
        self.connect_unix_with(to, ConnectConfig::default(), factory)
    }

    /// The same with a `config`. [`ConnectConfig::bind`] is ignored.
    fn connect_unix_with<F: Factory>(
        &self,
        to: impl Into<UnixAddr>,
        config: ConnectConfig,
        factory: F,
    ) -> Connecting<F::Protocol>;

    /// Receives datagrams at a path or an abstract name, with the defaults of [`UnixDatagramConfig`]. The socket file is handled
    /// as by [`listen_unix`](Self::listen_unix).
    ///
    /// # Errors
    ///
    /// [`UnixListenError`], with the path and the process that uses it.
    fn listen_unix_datagram<P: DatagramProtocol<UnixAddr>>(
        &self,
        at: impl Into<UnixAddr>,
        protocol: P,
    ) -> Result<DatagramTransport<UnixAddr>, UnixListenError> {
        self.listen_unix_datagram_with(at, UnixDatagramConfig::default(), protocol)
    }

    /// The same with a `config`.
    ///
    /// # Errors
    ///
    /// As [`listen_unix_datagram`](Self::listen_unix_datagram).
    fn listen_unix_datagram_with<P: DatagramProtocol<UnixAddr>>(
        &self,
        at: impl Into<UnixAddr>,
        config: UnixDatagramConfig,
        protocol: P,
    ) -> Result<DatagramTransport<UnixAddr>, UnixListenError>;

    /// Sends datagrams to one peer, with the defaults of [`UnixDatagramConfig`]; without an address of its own
    /// ([`bind`](UnixDatagramConfig::bind)) it receives no answers.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], with the path and the cause.
    fn connect_unix_datagram<P: DatagramProtocol<UnixAddr>>(
        &self,
        to: impl Into<UnixAddr>,
        protocol: P,
    ) -> Result<DatagramTransport<UnixAddr>, ConnectError> {
        self.connect_unix_datagram_with(to, UnixDatagramConfig::default(), protocol)
    }

    /// The same with a `config`.
    ///
    /// # Errors
    ///
    /// As [`connect_unix_datagram`](Self::connect_unix_datagram).
    fn connect_unix_datagram_with<P: DatagramProtocol<UnixAddr>>(
        &self,
        to: impl Into<UnixAddr>,
        config: UnixDatagramConfig,
        protocol: P,
    ) -> Result<DatagramTransport<UnixAddr>, ConnectError>;
}

impl ReactorUnix for Reactor {
    fn listen_unix_with<F: Factory>(
        &self,
        at: impl Into<UnixAddr>,
        config: UnixListenConfig,
        factory: F,
    ) -> Result<ListeningPort<UnixAddr>, UnixListenError> {
        let addr = at.into();
        let listening = match check_kernel(self) {
            Ok(()) => UnixListening::open(&addr, &config),
            Err(source) => Err(UnixListenError::Listen { addr: addr.clone(), source }),
        };
        let opened = match listening {
            Ok(listening) => {
                open(self, Listener::unix(listening), addr.clone(), config.listen, None, factory)
            }
            Err(error) => {
                // Dropping the factory may run user code, so the event loop drops it.
                self.defer_drop(factory);
                return Err(error);
            }
        };
        opened.map_err(|error| UnixListenError::Listen { addr, source: error.into() })
    }

    fn connect_unix_with<F: Factory>(
        &self,
        to: impl Into<UnixAddr>,
        config: ConnectConfig,
        factory: F,
    ) -> Connecting<F::Protocol> {
        connect(self, Destination::Unix(to.into()), config, None, factory)
    }

    fn listen_unix_datagram_with<P: DatagramProtocol<UnixAddr>>(
        &self,
        at: impl Into<UnixAddr>,
        config: UnixDatagramConfig,
        protocol: P,
    ) -> Result<DatagramTransport<UnixAddr>, UnixListenError> {
        datagram::listen_unix(self, at.into(), config, protocol)
    }

    fn connect_unix_datagram_with<P: DatagramProtocol<UnixAddr>>(
        &self,
        to: impl Into<UnixAddr>,
        config: UnixDatagramConfig,
        protocol: P,
    ) -> Result<DatagramTransport<UnixAddr>, ConnectError> {
        datagram::connect_unix(self, to.into(), config, protocol)
    }
}

/// Fails on a simulated reactor, which has no Unix sockets.
pub(crate) fn check_kernel(reactor: &Reactor) -> io::Result<()> {
    match reactor.engine() {
        Engine::Simulated => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a simulated network has no Unix sockets",
        )),
        _ => Ok(()),
    }
}
