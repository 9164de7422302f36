//! Unix sockets: [`ReactorUnix`] adds `listen_unix` and `connect_unix` to a reactor, and the same for datagrams; the peer has
//! [`Credentials`], and [`Transport::send_descriptor`](crate::Transport::send_descriptor) passes file descriptors. Unix only.

// Streams are accepted and connected by `tcp/`.

use sinew_reactor::Reactor;

use crate::{
    ConnectConfig, ConnectError, Connecting, DatagramProtocol, DatagramTransport, Destination,
    Factory, ListeningPort, datagram,
    net::listener::Listener,
    sealed::Sealed,
    sharing::{Opening, Share},
    tcp::{connect, open},
};

pub(crate) mod addr;
mod config;
pub(crate) mod error;
pub(crate) mod file;
pub(crate) mod listening;
pub(crate) mod socket;

#[doc(inline)]
pub use crate::{
    peer::{Credentials, UnixPeer},
    stream::rights::{DescriptorRefused, SendDescriptorError},
};
pub use addr::UnixAddr;
pub use config::{UnixDatagramConfig, UnixListenConfig};
pub use error::UnixListenError;
use listening::UnixListening;
use socket::check_kernel;

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
pub trait ReactorUnix: Sealed {
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

/// The socket that another process has handed over, if it is the wanted one; else a new one.
fn listening_at(addr: &UnixAddr, config: &UnixListenConfig) -> Result<Listener, UnixListenError> {
    let own = config.listen.handed_over.as_ref().map_or(Ok(None), |port| port.unix_on(addr));
    let mut others = config.listen.others_handed_over.iter();
    let of_others = || others.find_map(|port| port.unix_on(addr).ok().flatten());
    match own.map(|own| own.or_else(of_others)) {
        Ok(Some(listener)) => Ok(listener),
        Ok(None) => UnixListening::open(addr, config).map(Listener::unix),
        Err(source) => Err(UnixListenError::Listen { addr: addr.clone(), source }),
    }
}

impl ReactorUnix for Reactor {
    fn listen_unix_with<F: Factory>(
        &self,
        at: impl Into<UnixAddr>,
        config: UnixListenConfig,
        factory: F,
    ) -> Result<ListeningPort<UnixAddr>, UnixListenError> {
        let addr = at.into();
        let opening = config.listen.share.as_ref().map(Share::opening);
        let listening = match check_kernel(self) {
            Ok(()) if matches!(opening, Some(Opening::Elsewhere(_))) => Ok(Listener::Elsewhere),
            Ok(()) => listening_at(&addr, &config),
            Err(source) => Err(UnixListenError::Listen { addr: addr.clone(), source }),
        };
        let opened = match listening {
            Ok(listener) => {
                if let Some(share) = &config.listen.share {
                    share.opened(addr.clone(), false);
                }
                open(self, listener, addr.clone(), config.listen, None, factory)
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
