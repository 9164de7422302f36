//! Forward proxy: [`ForwardProxy`].

use std::{fmt, net::SocketAddr, rc::Rc, time::Duration};

use http::{Method, StatusCode};
use sinew_transports::{
    ConnectConfig, ConnectError, Connection, Destination, Peer, Protocol, Transport,
    endpoint::ClientEndpoint,
    names::{ReactorNames, ResolveError},
    proxy::Subnet,
    reactor::{Excerpt, Reactor},
};

use super::{
    address_policy::AddressPolicy,
    backends::{Backend, Backends},
    exchange::{Forwarded, Route},
    fields::{end_to_end, push_via},
    tunnel::{IDLE_TIMEOUT, Tunnel},
};
use crate::{
    FieldError, Fields,
    client::{ConnectionConfig, Pool, PoolConfig},
    codec::TargetForm,
    server::{Handler, Reply, Request, Response},
};

/// A proxy that clients are configured to use: it opens tunnels for CONNECT, and forwards requests with a whole URL
/// (`GET http://example.org/`).
///
/// By default it connects to port 443 for tunnels, to port 80 for requests, and to public addresses only: not to this machine, nor
/// to private networks, whatever a name resolves to. Put a [`Guard`](super::super::Guard) with
/// [`for_proxy`](super::super::Guard::for_proxy) around it, or listen where only authorised clients can connect: open proxies are
/// found within hours.
///
/// | event | status |
/// |---|---|
/// | a port or an address that is not allowed | 403 |
/// | an unknown name, no connection, a truncated response | 502 |
/// | connecting takes 10 s, or the head of the response 30 s | 504 |
/// | a request without a host in its target | 400, unless there is a [`fallback`](Self::fallback) |
///
/// # Examples
///
/// ```
/// use sinew_auth::Users;
/// use sinew_http::server::{ForwardProxy, Guard, HttpServer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let proxy = ForwardProxy::new().tunnel_ports([443, 8443]).allow(["10.1.0.0/16".parse()?]);
/// let users = Users::new().user("ann", "secret");
/// let server = HttpServer::new(Guard::digest("the proxy", users, proxy)?.for_proxy());
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct ForwardProxy(Rc<Settings>);

#[derive(Clone)]
struct Settings {
    addresses: AddressPolicy,
    ports: Vec<u16>,
    tunnel_ports: Vec<u16>,
    connect: ConnectConfig,
    connection: ConnectionConfig,
    pool: Pool,
    pseudonym: String,
    tunnel_idle_timeout: Duration,
    fallback: Option<Rc<dyn Handler>>,
}

impl Default for ForwardProxy {
    fn default() -> Self {
        Self::new()
    }
}

impl ForwardProxy {
    /// For ports 443 and 80 of public addresses.
    pub fn new() -> Self {
        Self(Rc::new(Settings {
            addresses: AddressPolicy::default(),
            ports: vec![80],
            tunnel_ports: vec![443],
            connect: ConnectConfig::default().timeout(Duration::from_secs(10)),
            connection: ConnectionConfig::default(),
            pool: Pool::new(PoolConfig::default()),
            pseudonym: "sinew".to_owned(),
            tunnel_idle_timeout: IDLE_TIMEOUT,
            fallback: None,
        }))
    }

    fn change(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Rc::make_mut(&mut self.0));
        self
    }

    /// Addresses that are allowed although they are not public.
    pub fn allow(self, subnets: impl IntoIterator<Item = Subnet>) -> Self {
        self.change(|settings| settings.addresses.allowed.extend(subnets))
    }

    /// The ports of requests, instead of 80.
    pub fn ports(self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.change(|settings| settings.ports = ports.into_iter().collect())
    }

    /// The ports of tunnels, instead of 443. With 25, for example, anyone could send mail from here.
    pub fn tunnel_ports(self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.change(|settings| settings.tunnel_ports = ports.into_iter().collect())
    }

    /// Configuration of connections to servers. Default: within 10 s.
    pub fn connect(self, config: ConnectConfig) -> Self {
        self.change(|settings| settings.connect = config)
    }

    /// Limits of servers on one connection, and their timeouts.
    pub fn connection(self, config: ConnectionConfig) -> Self {
        self.change(|settings| settings.connection = config)
    }

    /// Limits of pooled connections for requests. Tunnels do not count: their clients' connections do.
    pub fn pool(self, config: PoolConfig) -> Self {
        self.change(|settings| settings.pool = Pool::new(config))
    }

    /// The value of `Via` (RFC 9110 7.6.3). Default `sinew`.
    pub fn pseudonym(self, name: impl Into<String>) -> Self {
        self.change(|settings| settings.pseudonym = name.into())
    }

    /// Idle timeout of a tunnel. Default 10 minutes.
    pub fn tunnel_idle_timeout(self, timeout: Duration) -> Self {
        self.change(|settings| settings.tunnel_idle_timeout = timeout)
    }

    /// Handles requests for this server itself, whose target has no host.
    pub fn fallback(self, handler: impl Handler) -> Self {
        self.change(|settings| settings.fallback = Some(Rc::new(handler)))
    }
}

/// Why a host is not connected to.
enum NoAddress {
    Unknown(ResolveError),
    Forbidden,
}

impl Settings {
    /// The allowed addresses of a host.
    fn addresses(
        self: &Rc<Self>,
        reactor: &Reactor,
        (host, port): (&str, u16),
        then: impl FnOnce(&Reactor, Result<Vec<SocketAddr>, NoAddress>) + 'static,
    ) {
        let settings = Rc::clone(self);
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        reactor.resolve(host).then(move |reactor, found| {
            let found = found.map_err(NoAddress::Unknown).and_then(|found| {
                let with_port = found.into_iter().map(|addr| SocketAddr::new(addr.ip(), port));
                let allowed: Vec<_> =
                    with_port.filter(|addr| settings.addresses.allows(addr.ip())).collect();
                if allowed.is_empty() { Err(NoAddress::Forbidden) } else { Ok(allowed) }
            });
            then(reactor, found);
        });
    }

    fn tunnel(self: &Rc<Self>, request: &Request, reply: Reply) {
        let Some((host, port)) = host_and_port(request, None) else {
            return reply.send(StatusCode::BAD_REQUEST);
        };
        if !self.tunnel_ports.contains(&port) {
            return reply.send(StatusCode::FORBIDDEN);
        }
        let settings = Rc::clone(self);
        self.addresses(&request.reactor(), (host, port), move |reactor, found| match found {
            Ok(addrs) => settings.connect_tunnel(reactor, addrs, reply),
            Err(error) => reply.send(error),
        });
    }

    fn connect_tunnel(&self, reactor: &Reactor, addrs: Vec<SocketAddr>, reply: Reply) {
        if reply.is_gone() {
            return;
        }
        let endpoint = ClientEndpoint::from(Destination::Any(addrs));
        let connecting = endpoint.connect_with(reactor, self.connect.clone(), |_: &Peer| OtherEnd);
        let timeout = self.tunnel_idle_timeout;
        connecting.then(move |_, connected: Result<Connection<OtherEnd>, ConnectError>| {
            match connected {
                Ok(connection) if reply.is_gone() => connection.transport().abort(),
                Ok(connection) => {
                    let connection = connection.owned();
                    // If it is dropped before the tunnel is open, the tunnel attempt ends with its client.
                    let other = move || {
                        let transport = connection.detach().transport().clone();
                        transport.resume_reading();
                        transport
                    };
                    reply.upgrade(Response::new(StatusCode::OK), Tunnel::new(other, (), timeout));
                }
                Err(error) => {
                    tracing::debug!(%error, "a tunnel could not be made");
                    reply.send(match error {
                        ConnectError::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
                        _ => StatusCode::BAD_GATEWAY,
                    });
                }
            }
        });
    }

    fn forward(self: &Rc<Self>, request: Request, reply: Reply) {
        let is_plain =
            request.head().target().get(..7).is_some_and(|s| s.eq_ignore_ascii_case("http://"));
        let found = host_and_port(&request, Some(80)).filter(|_| is_plain);
        // TLS works through tunnels only: a response here would be sent in the clear.
        let Some((host, port)) = found else { return reply.send(StatusCode::BAD_REQUEST) };
        if *request.method() == Method::TRACE {
            return reply.send(StatusCode::METHOD_NOT_ALLOWED);
        }
        if !self.ports.contains(&port) {
            return reply.send(StatusCode::FORBIDDEN);
        }
        let fields = match self.fields(&request) {
            Ok(fields) => fields,
            Err(error) => {
                tracing::error!(%error, "a request could not be given on");
                return reply.send(StatusCode::INTERNAL_SERVER_ERROR);
            }
        };
        let settings = Rc::clone(self);
        let key = format!("{}:{port}", host.to_ascii_lowercase());
        self.addresses(&request.reactor(), (host, port), {
            let request = request.clone();
            move |reactor, found| match found {
                Ok(addrs) => {
                    let endpoint = ClientEndpoint::from(Destination::Any(addrs));
                    let route = Rc::new(settings.route(endpoint, key));
                    let mut target = request.path().to_owned();
                    if let Some(query) = request.query() {
                        target.push('?');
                        target += query;
                    }
                    Forwarded::new(&route, (request, reply), (target, fields), false)
                        .attempt(reactor);
                }
                Err(error) => reply.send(error),
            }
        });
    }

    fn route(&self, endpoint: ClientEndpoint, name: String) -> Route {
        Route {
            backends: Backends::new(vec![Rc::new(Backend::new(endpoint, name))]),
            pool: self.pool.clone(),
            connect: self.connect.clone(),
            connection: self.connection.clone(),
            tunnel_idle_timeout: self.tunnel_idle_timeout,
        }
    }

    fn fields(&self, request: &Request) -> Result<Fields, FieldError> {
        let head = request.head();
        let mut fields = Fields::new();
        fields.append("Host", head.authority().unwrap_or_default())?;
        for (name, value) in end_to_end(head.fields()) {
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            if !is("host") && !is("expect") && !is("via") {
                fields.append(name, value)?;
            }
        }
        push_via(&mut fields, head.fields(), head.version(), &self.pseudonym)?;
        Ok(fields)
    }
}

impl Handler for ForwardProxy {
    fn handle(&self, request: Request, reply: Reply) {
        match request.head().target_form() {
            TargetForm::Authority => self.0.tunnel(&request, reply),
            TargetForm::Absolute => self.0.forward(request, reply),
            TargetForm::Origin | TargetForm::Asterisk => match &self.0.fallback {
                Some(fallback) => Rc::clone(fallback).handle(request, reply),
                None => reply.send(StatusCode::BAD_REQUEST),
            },
        }
    }
}

/// The host and the port of a target.
fn host_and_port(request: &Request, usual: Option<u16>) -> Option<(&str, u16)> {
    let authority = request.authority()?;
    let colon = authority.rfind(':').filter(|colon| !authority[*colon..].contains(']'));
    match colon {
        None => Some((authority, usual?)),
        Some(colon) => match &authority[colon + 1..] {
            "" => Some((&authority[..colon], usual?)),
            port => Some((&authority[..colon], port.parse().ok()?)),
        },
    }
}

impl From<NoAddress> for Response {
    fn from(error: NoAddress) -> Self {
        Self::new(match error {
            NoAddress::Forbidden => StatusCode::FORBIDDEN,
            NoAddress::Unknown(error) => {
                let error = error.to_string();
                tracing::debug!(error = %Excerpt::new(&error), "a name was not found");
                StatusCode::BAD_GATEWAY
            }
        })
    }
}

/// The protocol of a server's connection before it is part of a tunnel: early input waits.
struct OtherEnd;

impl Protocol for OtherEnd {
    fn connection_made(&mut self, transport: &Transport) {
        transport.pause_reading();
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {
        // The relay delivers it.
    }
}

impl fmt::Debug for ForwardProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardProxy")
            .field("ports", &self.0.ports)
            .field("tunnel_ports", &self.0.tunnel_ports)
            .finish_non_exhaustive()
    }
}
