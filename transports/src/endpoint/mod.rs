//! Endpoint strings: where to listen and to connect, as values that can be stored, passed on and parsed: [`ServerEndpoint`]
//! and [`ClientEndpoint`].
//!
//! | server | |
//! |---|---|
//! | `tcp:8080` | TCP over IPv4, on all interfaces or on `interface=`, an address or a name; `backlog=`, `reuseport=yes`, `nodelay=no`, `keepalive=60`. [`TcpServer`] |
//! | `tcp6:8080` | the same over IPv6; on all interfaces, and dual-stack unless `v6only=yes`; `interface=\:\:1` |
//! | `tls:443:cert=FILE:key=FILE` | TLS, with the options of `tcp:`; `client_ca=FILE`, `alpn=h2,http/1.1`. Feature `tls`. `TlsServer` |
//! | `unix:/run/web.sock` | a Unix socket (Unix); `mode=660`, `backlog=`, `lockfile=no`. [`UnixServer`] |
//! | `systemd:name=web`, `systemd:index=0` | socket activation by systemd, TCP or Unix (Unix). [`Systemd`] |
//! | `fd:3` | an inherited listening socket, TCP or Unix (Unix). [`Descriptor`] |
//! | `stdio:` | standard input and output, as from inetd: one connection (Unix). [`Stdio`] |
//! | `proxy:tcp:8080`, `proxy:tls:443:cert=FILE` | any of these, behind a proxy that uses the PROXY protocol; `trust=10.0.0.0/8,192.0.2.7`, `headerTimeout=5`, `headerMax=4096`. [`Proxy`] |
//! | `memory:name` | in this process, without the kernel. [`Memory`] |
//! | `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, `8080` | TCP |
//!
//! | client | |
//! |---|---|
//! | `tcp:example.org:443` | TCP; `timeout=10` in seconds, `bindAddress=`, `nodelay=no`, `keepalive=60`, `sendProxy=v2`. [`TcpClient`] |
//! | `tls:example.org:443` | TLS, with the options of `tcp:`; `ca=FILE`, `cert=FILE:key=FILE`, `alpn=`, `server_name=`, `insecure_without_verification=yes`. Feature `tls`. `TlsClient` |
//! | `unix:/run/web.sock` | a Unix socket (Unix); `timeout=`, `sendProxy=v2`. [`UnixClient`] |
//! | `process:program:argument:argument` | a program's standard input and output (Unix); `stderr=log`, `stderr=drop`. [`ProcessClient`] |
//! | `fd:3` | an inherited connected socket, TCP or Unix (Unix). [`Descriptor`] |
//! | `stdio:` | the process's own standard input and output (Unix). [`Stdio`] |
//! | `memory:name` | a memory port of the same reactor. [`Memory`] |
//! | `example.org:443`, `192.0.2.1:80` | TCP |
//!
//! Fields are separated by colons; a backslash makes the next character, such as a colon, an ordinary one. An IPv6 address in
//! brackets needs no backslashes: `tcp6:8080:interface=[fe80::1%eth0]`. Register further kinds with [`Kinds`].
//!
//! The `Display` text of an endpoint parses to the same endpoint, where a string can express it: an endpoint with TLS configured in
//! code prints its address only, and a list of addresses, or text that is not an address, is printed as it is.
//!
//! # Examples
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use sinew_reactor::Reactor;
//! use sinew_transports::{Peer, Protocol, Transport, endpoint::ServerEndpoint};
//!
//! struct Echo;
//!
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
//!         transport.write(data);
//!     }
//! }
//!
//! let endpoint: ServerEndpoint = std::env::args().nth(1).as_deref().unwrap_or("tcp:8000").parse()?;
//! let reactor = Reactor::new()?;
//! let port = endpoint.listen(&reactor, |_: &Peer| Echo)?;
//! println!("listening on {port}");
//! reactor.run()?;
//! # Ok(())
//! # }
//! ```

use std::{fmt, net::SocketAddr, str::FromStr, sync::Arc};

use sinew_reactor::Reactor;

use crate::{
    Address, ConnectConfig, Connecting, Destination, Factory, ListenConfig, ListenError,
    ListeningPort,
};

mod arguments;
mod error;
#[cfg(unix)]
mod fd;
mod grammar;
mod kinds;
mod memory;
#[cfg(unix)]
mod process;
mod proxy;
mod seconds;
#[cfg(unix)]
mod stdio;
#[cfg(unix)]
mod systemd;
mod tcp;
#[cfg(test)]
mod tests;
#[cfg(not(feature = "tls"))]
#[path = "tls_missing.rs"]
mod tls;
#[cfg(feature = "tls")]
mod tls;
#[cfg(unix)]
mod unix;
mod without_kind;

#[doc(inline)]
pub use crate::dyn_protocol::{DynFactory, DynProtocol};
#[cfg(feature = "tls")]
pub use tls::{TlsClient, TlsServer};
#[cfg(unix)]
pub(crate) use unix::as_value as unix_value;
pub use {
    arguments::{Arguments, Value},
    error::{EndpointError, EndpointProblem},
    grammar::quote,
    kinds::Kinds,
    memory::Memory,
    proxy::Proxy,
    tcp::{TcpClient, TcpServer},
};
#[cfg(unix)]
pub use {
    fd::Descriptor,
    process::{ProcessClient, ProcessStderr},
    stdio::Stdio,
    systemd::Systemd,
    unix::{UnixClient, UnixServer},
};

/// A kind of server endpoint. Its `Display` is its endpoint string.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a place to listen on",
    label = "not a kind of endpoint for servers",
    note = "strings are read with `parse`: `\"tcp:8000\".parse::<ServerEndpoint>()`",
    note = "a kind of your own implements `Listen` and `Display`, and is `Send` and `Sync`"
)]
pub trait Listen: fmt::Display + Send + Sync + 'static {
    /// Listens. Options of the endpoint take precedence over `config`.
    ///
    /// # Errors
    ///
    /// [`ListenError`].
    fn listen(
        &self,
        reactor: &Reactor,
        config: ListenConfig,
        factory: DynFactory,
    ) -> Result<ListeningPort<Address>, ListenError>;

    /// Reads the files of the endpoint again; see [`ServerEndpoint::reload`]. Does nothing by default.
    ///
    /// # Errors
    ///
    /// [`EndpointError`]; then nothing has changed.
    fn reload(&self) -> Result<(), EndpointError> {
        Ok(())
    }

    /// The certificates of the endpoint; see [`ServerEndpoint::identities`]. None by default.
    #[cfg(feature = "tls")]
    fn identities(&self) -> Vec<crate::tls::Identity> {
        Vec::new()
    }
}

/// A kind of client endpoint. Its `Display` is its endpoint string.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a place to connect to",
    label = "not a kind of endpoint for clients",
    note = "strings are read with `parse`: `\"tcp:localhost:8000\".parse::<ClientEndpoint>()`",
    note = "a kind of your own implements `Connect` and `Display`, and is `Send` and `Sync`"
)]
pub trait Connect: fmt::Display + Send + Sync + 'static {
    /// Connects. Options of the endpoint take precedence over `config`.
    fn connect(
        &self,
        reactor: &Reactor,
        config: ConnectConfig,
        factory: DynFactory,
    ) -> Connecting<DynProtocol>;

    /// The host of the endpoint; see [`ClientEndpoint::host`]. `None` by default.
    fn host(&self) -> Option<String> {
        None
    }
}

/// Where to listen: from a string, an address, or a [kind](Listen) in code. It opens nothing until [`listen`](Self::listen) is
/// called, which may be repeated.
#[derive(Clone)]
pub struct ServerEndpoint(Arc<dyn Listen>);

/// Where to connect: from a string, a [`Destination`], or a [kind](Connect) in code.
#[derive(Clone)]
pub struct ClientEndpoint(Arc<dyn Connect>);

impl ServerEndpoint {
    /// An endpoint of any kind.
    pub fn new(kind: impl Listen) -> Self {
        Self(Arc::new(kind))
    }

    /// Listens, with the defaults of [`ListenConfig`].
    ///
    /// # Errors
    ///
    /// [`ListenError`], with the address and the cause.
    pub fn listen<F: Factory>(
        &self,
        reactor: &Reactor,
        factory: F,
    ) -> Result<ListeningPort<Address>, ListenError> {
        self.listen_with(reactor, ListenConfig::default(), factory)
    }

    /// Listens with `config`. Options of the endpoint take precedence.
    ///
    /// # Errors
    ///
    /// As [`listen`](Self::listen).
    pub fn listen_with<F: Factory>(
        &self,
        reactor: &Reactor,
        config: ListenConfig,
        factory: F,
    ) -> Result<ListeningPort<Address>, ListenError> {
        self.0.listen(reactor, config, DynFactory::new(factory))
    }

    /// Reads the files of the endpoint again: the certificates of one with TLS that was parsed from a string. From now on new
    /// connections use them, on all ports that were opened with this endpoint or a clone of it, on all reactors. Open connections
    /// are not affected. (Certificates that were set in code are replaced by `TlsServerConfig::reload`.)
    ///
    /// # Errors
    ///
    /// [`EndpointError`], if a file cannot be read or used; then nothing has changed.
    ///
    /// # Examples
    ///
    /// On SIGHUP, as after a renewal:
    ///
    /// ```no_run
    /// # #[cfg(unix)]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use sinew_reactor::{Reactor, Signal};
    /// use sinew_transports::endpoint::ServerEndpoint;
    ///
    /// let endpoint: ServerEndpoint = "tls:443:cert=cert.pem:key=key.pem".parse()?;
    /// let reactor = Reactor::new()?;
    /// let clone = endpoint.clone();
    /// reactor.on_signal(Signal::HUP, move |_| {
    ///     if let Err(error) = clone.reload() {
    ///         eprintln!("the certificates stay as they were: {error}");
    ///     }
    /// })?;
    /// # Ok(())
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    pub fn reload(&self) -> Result<(), EndpointError> {
        self.0.reload()
    }

    /// The certificates that the endpoint has now, in the order in which they are tried: of one with TLS. None otherwise.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn identities(&self) -> Vec<crate::tls::Identity> {
        self.0.identities()
    }
}

impl ClientEndpoint {
    /// An endpoint of any kind.
    pub fn new(kind: impl Connect) -> Self {
        Self(Arc::new(kind))
    }

    /// Connects, with the defaults of [`ConnectConfig`].
    pub fn connect<F: Factory>(&self, reactor: &Reactor, factory: F) -> Connecting<F::Protocol> {
        self.connect_with(reactor, ConnectConfig::default(), factory)
    }

    /// Connects with `config`. Options of the endpoint take precedence.
    pub fn connect_with<F: Factory>(
        &self,
        reactor: &Reactor,
        config: ConnectConfig,
        factory: F,
    ) -> Connecting<F::Protocol> {
        self.0.connect(reactor, config, DynFactory::new(factory)).retyped()
    }

    /// The host that is connected to, if the endpoint has one: a name or an IP address, for which the certificate of the server is
    /// verified if TLS is started later.
    ///
    /// # Examples
    ///
    /// ```
    /// use sinew_transports::endpoint::ClientEndpoint;
    ///
    /// let host = |endpoint: &str| endpoint.parse::<ClientEndpoint>().map(|endpoint| endpoint.host());
    /// assert_eq!(host("tcp:mail.example.org:25")?.as_deref(), Some("mail.example.org"));
    /// assert_eq!(host("tcp:[fe80::1%2]:25")?.as_deref(), Some("fe80::1"));
    /// assert_eq!(host("memory:mail")?, None);
    /// # Ok::<(), sinew_transports::endpoint::EndpointError>(())
    /// ```
    #[must_use]
    pub fn host(&self) -> Option<String> {
        self.0.host()
    }
}

impl FromStr for ServerEndpoint {
    type Err = EndpointError;

    /// Parses with the built-in kinds; use [`Kinds`] for others.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        Kinds::default().server_endpoint(text)
    }
}

impl FromStr for ClientEndpoint {
    type Err = EndpointError;

    /// Parses with the built-in kinds; use [`Kinds`] for others.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        Kinds::default().client_endpoint(text)
    }
}

impl From<SocketAddr> for ServerEndpoint {
    fn from(addr: SocketAddr) -> Self {
        Self::new(TcpServer::new(addr))
    }
}

impl<D: Into<Destination>> From<D> for ClientEndpoint {
    fn from(to: D) -> Self {
        match to.into() {
            #[cfg(unix)]
            Destination::Unix(addr) => Self::new(UnixClient::new(addr)),
            to => Self::new(TcpClient::new(to)),
        }
    }
}

impl fmt::Display for ServerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ClientEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ServerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerEndpoint({self})")
    }
}

impl fmt::Debug for ClientEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientEndpoint({self})")
    }
}
