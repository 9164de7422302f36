//! TCP endpoints: `tcp:` and `tcp6:` for servers, `tcp:` for clients.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use sinew_reactor::Reactor;

use super::{
    Arguments, ClientEndpoint, Connect, EndpointError, Listen, ServerEndpoint, Value, quote,
};
use crate::{
    Address, ConnectConfig, Connecting, Destination, DynFactory, DynProtocol, ListenConfig,
    ListenError, ListeningPort, ReactorTcp, StreamConfig,
};

/// A TCP port: `tcp:PORT` or `tcp6:PORT`, with `interface=` (an address or a name; all of them unless it is given),
/// `backlog=`, `reuseport=yes` and, for `tcp6`, `v6only=yes`. Ports may be names of services. Of its connections, `nodelay=no` and
/// `keepalive=`, in seconds, are options.
#[derive(Clone, Debug)]
pub struct TcpServer {
    at: Destination,
    backlog: Option<u16>,
    reuse_port: Option<bool>,
    v6_only: Option<bool>,
    stream: StreamOptions,
}

/// A TCP peer: `tcp:HOST:PORT`, with `timeout=` in seconds and `bindAddress=`, the address to connect from; also `nodelay=no` and
/// `keepalive=`, in seconds. Host and port may be given by their names, too: `tcp:host=HOST:port=PORT`.
#[derive(Clone, Debug)]
pub struct TcpClient {
    to: Destination,
    timeout: Option<Duration>,
    bind: Option<IpAddr>,
    stream: StreamOptions,
}

/// What servers and clients may say of their streams.
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
            Some(time) => write!(f, ":keepalive={}", time.as_secs_f64()),
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

    /// Where, and how, where nobody says otherwise.
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

    /// What follows the kind, which stands for `all` interfaces unless one is named.
    pub(super) fn show(&self, f: &mut fmt::Formatter<'_>, all: IpAddr) -> fmt::Result {
        match &self.at {
            Destination::Addr(addr) if addr.ip() == all => write!(f, ":{}", addr.port())?,
            Destination::Addr(addr) => {
                write!(f, ":{}:interface={}", addr.port(), quote(&addr.ip().to_string()))?;
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
    /// Who is at an address or a name.
    #[must_use]
    pub fn new(to: impl Into<Destination>) -> Self {
        Self { to: to.into(), timeout: None, bind: None, stream: StreamOptions::default() }
    }

    /// How long connecting may take; see [`ConnectConfig::timeout`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The address to connect from.
    #[must_use]
    pub fn bind(mut self, ip: IpAddr) -> Self {
        self.bind = Some(ip);
        self
    }

    #[cfg(feature = "tls")]
    pub(super) const fn destination(&self) -> &Destination {
        &self.to
    }

    /// Where to, and how, where nobody says otherwise.
    pub(super) fn configured(&self, mut config: ConnectConfig) -> (Destination, ConnectConfig) {
        if let Some(timeout) = self.timeout {
            config = config.timeout(timeout);
        }
        if let Some(ip) = self.bind {
            config = config.bind(SocketAddr::new(ip, 0));
        }
        self.stream.apply_to(&mut config.stream);
        (self.to.clone(), config)
    }

    /// What follows the kind.
    pub(super) fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.to {
            Destination::Addr(addr) => {
                write!(f, ":{}:{}", quote(&addr.ip().to_string()), addr.port())?;
            }
            Destination::Name(host, port) => write!(f, ":{}:{port}", quote(host))?,
            other => write!(f, ":{}", quote(&other.to_string()))?,
        }
        if let Some(timeout) = self.timeout {
            write!(f, ":timeout={}", timeout.as_secs_f64())?;
        }
        if let Some(bind) = self.bind {
            write!(f, ":bindAddress={}", quote(&bind.to_string()))?;
        }
        self.stream.show(f)
    }
}

pub(super) fn server(arguments: &mut Arguments) -> Result<ServerEndpoint, EndpointError> {
    of_family(arguments, Ipv4Addr::UNSPECIFIED.into()).map(ServerEndpoint::new)
}

pub(super) fn server6(arguments: &mut Arguments) -> Result<ServerEndpoint, EndpointError> {
    let mut server = of_family(arguments, Ipv6Addr::UNSPECIFIED.into())?;
    server.v6_only = arguments.named("v6only").map(|value| value.flag()).transpose()?;
    Ok(ServerEndpoint::new(server))
}

fn of_family(arguments: &mut Arguments, all: IpAddr) -> Result<TcpServer, EndpointError> {
    let (server, interface) = on_interfaces(arguments, all)?;
    // A name may have addresses of either family; an address has one.
    if let (Some(value), Destination::Addr(addr)) = (interface, &server.at)
        && addr.is_ipv4() != all.is_ipv4()
    {
        let family = if all.is_ipv4() { "is no address of IPv4" } else { "is no address of IPv6" };
        return Err(value.error(family));
    }
    Ok(server)
}

/// A port, on all interfaces or on the one that is named.
pub(super) fn on_interfaces(
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
    to(&host, arguments).map(ClientEndpoint::new)
}

/// A port of a host.
pub(super) fn to(host: &Value, arguments: &mut Arguments) -> Result<TcpClient, EndpointError> {
    let port = arguments.require("port")?.port()?;
    let timeout = arguments.named("timeout").map(|value| value.seconds()).transpose()?;
    let bind = arguments.named("bindAddress").map(|value| value.ip()).transpose()?;
    let stream = StreamOptions::take(arguments)?;
    Ok(TcpClient { to: Destination::from((host.as_str(), port)), timeout, bind, stream })
}

impl Listen for TcpServer {
    fn listen(
        &self,
        reactor: &Reactor,
        config: ListenConfig,
        factory: DynFactory,
    ) -> Result<ListeningPort<Address>, ListenError> {
        let (at, config) = self.configured(config);
        reactor.listen_tcp_with(at, config, factory).map(ListeningPort::of_any_kind)
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
}

impl fmt::Display for TcpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_v6 = matches!(&self.at, Destination::Addr(addr) if addr.is_ipv6());
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
