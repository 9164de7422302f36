//! TCP endpoints: `tcp:` and `tcp6:` for servers, `tcp:` for clients.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use sinew_reactor::Reactor;

use super::{
    Arguments, ClientEndpoint, Connect, EndpointError, Listen, ServerEndpoint, Value,
    proxy::SendProxy, quote, seconds::Seconds,
};
use crate::{
    Address, ConnectConfig, Connecting, Destination, DynFactory, DynProtocol, ListenConfig,
    ListenError, ListeningPort, ReactorTcp, StreamConfig, names::literal::Literal,
    proxy::ProxyVersion,
};

/// A TCP server: `tcp:PORT` or `tcp6:PORT`, with `interface=` (an address or a name; default: all interfaces),
/// `backlog=`, `reuseport=yes` and, for `tcp6`, `v6only=yes`. Ports may be service names. Options for its connections are
/// `nodelay=no` and `keepalive=`, in seconds.
#[derive(Clone, Debug)]
pub struct TcpServer {
    at: Destination,
    backlog: Option<u16>,
    reuse_port: Option<bool>,
    v6_only: Option<bool>,
    stream: StreamOptions,
}

/// A TCP client: `tcp:HOST:PORT`, with `timeout=` in seconds and `bindAddress=`, the address to connect from; also `nodelay=no` and
/// `keepalive=`, in seconds. `sendProxy=v2` sends a [PROXY protocol](crate::proxy) header first, with the addresses of
/// [`ConnectConfig::proxy_header`], or else those of the connection itself. Host and port may also be given by name:
/// `tcp:host=HOST:port=PORT`.
#[derive(Clone, Debug)]
pub struct TcpClient {
    to: Destination,
    timeout: Option<Duration>,
    bind: Option<SocketAddr>,
    send_proxy: SendProxy,
    stream: StreamOptions,
}

/// Stream options common to servers and clients.
#[derive(Clone, Debug, Default)]
struct StreamOptions {
    no_delay: Option<bool>,
    keepalive: Option<Duration>,
}

impl StreamOptions {
    fn take(arguments: &mut Arguments) -> Result<Self, EndpointError> {
        let no_delay = arguments.named("nodelay").map(|value| value.flag()).transpose()?;
        let keepalive = arguments.named("keepalive").map(|value| value.seconds()).transpose()?;
        Ok(Self { no_delay, keepalive })
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(no_delay) = self.no_delay {
            write!(f, ":nodelay={}", if no_delay { "yes" } else { "no" })?;
        }
        match self.keepalive {
            Some(time) => write!(f, ":keepalive={}", Seconds(time)),
            None => Ok(()),
        }
    }

    fn apply_to(&self, config: &mut StreamConfig) {
        if let Some(no_delay) = self.no_delay {
            config.no_delay = no_delay;
        }
        if let Some(time) = self.keepalive {
            *config = config.clone().keepalive(time);
        }
    }
}

impl TcpServer {
    /// A port at an address.
    #[must_use]
    pub fn new(at: impl Into<Destination>) -> Self {
        let stream = StreamOptions::default();
        Self { at: at.into(), backlog: None, reuse_port: None, v6_only: None, stream }
    }

    /// The destination, and `config` with this endpoint's options.
    pub(super) fn configured(&self, mut config: ListenConfig) -> (Destination, ListenConfig) {
        if let Some(backlog) = self.backlog {
            config = config.backlog(backlog);
        }
        if let Some(reuse_port) = self.reuse_port {
            config = config.reuse_port(reuse_port);
        }
        if let Some(v6_only) = self.v6_only {
            config = config.v6_only(v6_only);
        }
        self.stream.apply_to(&mut config.stream);
        (self.at.clone(), config)
    }

    /// Writes what follows the kind. The interface is left out if it is `all`.
    pub(super) fn show(&self, f: &mut fmt::Formatter<'_>, all: IpAddr) -> fmt::Result {
        match &self.at {
            Destination::Addr(addr) if addr.ip() == all => write!(f, ":{}", addr.port())?,
            Destination::Addr(addr) => {
                let interface = Literal::Addr(*addr).to_string();
                write!(f, ":{}:interface={}", addr.port(), quote(&interface))?;
            }
            Destination::Name(host, port) => write!(f, ":{port}:interface={}", quote(host))?,
            other => write!(f, ":{}", quote(&other.to_string()))?,
        }
        if let Some(backlog) = self.backlog {
            write!(f, ":backlog={backlog}")?;
        }
        for (name, flag) in [("reuseport", self.reuse_port), ("v6only", self.v6_only)] {
            if let Some(flag) = flag {
                write!(f, ":{name}={}", if flag { "yes" } else { "no" })?;
            }
        }
        self.stream.show(f)
    }
}

impl TcpClient {
    /// A client of an address or a name.
    #[must_use]
    pub fn new(to: impl Into<Destination>) -> Self {
        let (send_proxy, stream) = (SendProxy::default(), StreamOptions::default());
        Self { to: to.into(), timeout: None, bind: None, send_proxy, stream }
    }

    /// Connect timeout; see [`ConnectConfig::timeout`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The address to connect from; see [`ConnectConfig::bind`].
    #[must_use]
    pub fn bind(mut self, addr: SocketAddr) -> Self {
        self.bind = Some(addr);
        self
    }

    /// Sends a [PROXY protocol](crate::proxy) header of this version first, with the addresses of
    /// [`ConnectConfig::proxy_header`], or else those of the connection itself.
    #[must_use]
    pub fn send_proxy(mut self, version: ProxyVersion) -> Self {
        self.send_proxy = SendProxy(Some(version));
        self
    }

    #[cfg(feature = "tls")]
    pub(super) const fn destination(&self) -> &Destination {
        &self.to
    }

    /// The destination, and `config` with this endpoint's options.
    pub(super) fn configured(&self, mut config: ConnectConfig) -> (Destination, ConnectConfig) {
        if let Some(timeout) = self.timeout {
            config = config.timeout(timeout);
        }
        if let Some(addr) = self.bind {
            config = config.bind(addr);
        }
        self.stream.apply_to(&mut config.stream);
        (self.to.clone(), self.send_proxy.apply_to(config))
    }

    /// Writes what follows the kind.
    pub(super) fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.to {
            Destination::Addr(addr) => {
                write!(f, ":{}:{}", quote(&Literal::Addr(*addr).to_string()), addr.port())?;
            }
            Destination::Name(host, port) => write!(f, ":{}:{port}", quote(host))?,
            other => write!(f, ":{}", quote(&other.to_string()))?,
        }
        if let Some(timeout) = self.timeout {
            write!(f, ":timeout={}", Seconds(timeout))?;
        }
        match self.bind {
            Some(addr) if addr.port() == 0 => {
                write!(f, ":bindAddress={}", quote(&Literal::Addr(addr).to_string()))?;
            }
            Some(addr) => write!(f, ":bindAddress={}", quote(&addr.to_string()))?,
            None => {}
        }
        write!(f, "{}", self.send_proxy)?;
        self.stream.show(f)
    }
}

pub(super) fn server(arguments: &mut Arguments) -> Result<ServerEndpoint, EndpointError> {
    parse_server(arguments, Ipv4Addr::UNSPECIFIED.into()).map(ServerEndpoint::new)
}

pub(super) fn server6(arguments: &mut Arguments) -> Result<ServerEndpoint, EndpointError> {
    let mut server = parse_server(arguments, Ipv6Addr::UNSPECIFIED.into())?;
    server.v6_only = arguments.named("v6only").map(|value| value.flag()).transpose()?;
    Ok(ServerEndpoint::new(server))
}

fn parse_server(arguments: &mut Arguments, all: IpAddr) -> Result<TcpServer, EndpointError> {
    let (server, interface) = parse_port(arguments, all)?;
    // A name may have addresses of both families; an address has one.
    if let Some(value) = interface
        && Literal::parse(value.as_str()).is_some_and(|addr| addr.is_ipv6() != all.is_ipv6())
    {
        let family =
            if all.is_ipv4() { "is not an IPv4 address" } else { "is not an IPv6 address" };
        return Err(value.error(family));
    }
    Ok(server)
}

/// Parses a port, and the interface if one is given.
pub(super) fn parse_port(
    arguments: &mut Arguments,
    all: IpAddr,
) -> Result<(TcpServer, Option<Value>), EndpointError> {
    let port = arguments.require("port")?.port()?;
    let interface = arguments.named("interface").filter(|value| !value.as_str().is_empty());
    let at = match &interface {
        Some(value) => Destination::from((value.as_str(), port)),
        None => (all, port).into(),
    };
    let backlog = arguments.named("backlog");
    let backlog = backlog.map(|value| value.parse("number up to 65535")).transpose()?;
    let reuse_port = arguments.named("reuseport").map(|value| value.flag()).transpose()?;
    let stream = StreamOptions::take(arguments)?;
    Ok((TcpServer { at, backlog, reuse_port, v6_only: None, stream }, interface))
}

pub(super) fn client(arguments: &mut Arguments) -> Result<ClientEndpoint, EndpointError> {
    let host = arguments.require("host")?;
    parse_client(&host, arguments).map(ClientEndpoint::new)
}

/// Parses the options of a client of `host`.
pub(super) fn parse_client(
    host: &Value,
    arguments: &mut Arguments,
) -> Result<TcpClient, EndpointError> {
    let port = arguments.require("port")?.port()?;
    let timeout = arguments.named("timeout").map(|value| value.seconds()).transpose()?;
    let bind = arguments.named("bindAddress").map(|value| value.address()).transpose()?;
    let (send_proxy, stream) = (SendProxy::take(arguments)?, StreamOptions::take(arguments)?);
    let to = Destination::from((host.as_str(), port));
    Ok(TcpClient { to, timeout, bind, send_proxy, stream })
}

impl Listen for TcpServer {
    fn listen(
        &self,
        reactor: &Reactor,
        config: ListenConfig,
        factory: DynFactory,
    ) -> Result<ListeningPort<Address>, ListenError> {
        let (at, config) = self.configured(config);
        reactor.listen_tcp_with(at, config, factory).map(ListeningPort::into_any)
    }
}

impl Connect for TcpClient {
    fn connect(
        &self,
        reactor: &Reactor,
        config: ConnectConfig,
        factory: DynFactory,
    ) -> Connecting<DynProtocol> {
        let (to, config) = self.configured(config);
        reactor.connect_tcp_with(to, config, factory)
    }

    fn host(&self) -> Option<String> {
        match &self.to {
            Destination::Addr(addr) => Some(addr.ip().to_string()),
            // An IPv6 address on an interface is known to others without it.
            Destination::Name(host, _) => Some(match Literal::parse(host) {
                Some(literal) => literal.ip().to_string(),
                None => host.clone(),
            }),
            _ => None,
        }
    }
}

impl fmt::Display for TcpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_v6 = match &self.at {
            Destination::Addr(addr) => addr.is_ipv6(),
            Destination::Name(host, _) => Literal::parse(host).is_some(),
            _ => false,
        };
        f.write_str(if is_v6 { "tcp6" } else { "tcp" })?;
        let (all, all6) = (Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into());
        self.show(f, if is_v6 { all6 } else { all })
    }
}

impl fmt::Display for TcpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tcp")?;
        self.show(f)
    }
}
