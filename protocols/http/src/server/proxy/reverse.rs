//! Reverse proxy: [`ReverseProxy`].

use std::{cell::Cell, fmt, rc::Rc, time::Duration};

use http::{Method, StatusCode};
use sinew_transports::{ConnectConfig, endpoint::ClientEndpoint, proxy::Subnet, reactor::Reactor};

use super::{
    HealthCheck,
    backends::Backend,
    exchange::{Forwarded, Route},
    fields::Forwarding,
};
use crate::{
    client::{ConnectionConfig, Pool, PoolConfig},
    codec::{RequestHead, TargetForm},
    server::{Handler, Reply, Request},
};

/// Forwards requests to other servers, and their responses back: a reverse proxy, or gateway (RFC 9110 3.7).
///
/// Bodies of any length are streamed both ways, with backpressure. Connections to the backends are pooled.
/// Each message is decoded and encoded again, so ambiguous ones never reach a backend. WebSocket
/// requests become tunnels.
///
/// The backend learns the client's address from `X-Forwarded-For`, `-Host` and `-Proto` and from `Forwarded` (RFC 7239). These
/// fields from clients are dropped, unless their addresses are [trusted](Self::trust). `Host` is the client's, unless
/// [another](Self::host) is set. Names with an underscore are dropped, because many backends treat `X_Forwarded_For` as
/// `X-Forwarded-For`.
///
/// The least busy backend is used. One that cannot be connected to is replaced by another within the request. One that
/// has failed three times in a row is not used for ten seconds; [health checks](Self::health_check) work without requests.
///
/// | event | status |
/// |---|---|
/// | no connection to any backend, or a response that is truncated or malformed | 502 |
/// | all backends are down, or the pool is full | 503 |
/// | connecting takes 5 s, or the head of the response 30 s | 504 |
///
/// # Examples
///
/// ```
/// use sinew_http::server::{HealthCheck, ReverseProxy, Router};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let api = ReverseProxy::new("tcp:127.0.0.1:3000".parse()?)
///     .backend("tcp:127.0.0.1:3001".parse()?)
///     .health_check(HealthCheck::new("/health"));
/// let router = Router::new().nest("/api", api);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct ReverseProxy(Rc<Shared>);

struct Shared {
    route: Rc<Route>,
    host: Option<String>,
    trusted: Vec<Subnet>,
    is_rest_only: bool,
    pseudonym: String,
    upgrades: Vec<String>,
    check: Option<Rc<HealthCheck>>,
    are_checks_started: Cell<bool>,
}

impl ReverseProxy {
    /// In front of one server.
    pub fn new(backend: ClientEndpoint) -> Self {
        let pool = PoolConfig::default().per_key_max(64).connections_max(1_024);
        let name = backend.to_string();
        let route = Route::new(vec![Rc::new(Backend::new(backend, name))], pool);
        Self(Rc::new(Shared {
            route: Rc::new(route),
            host: None,
            trusted: Vec::new(),
            is_rest_only: false,
            pseudonym: "sinew".to_owned(),
            upgrades: vec!["websocket".to_owned()],
            check: None,
            are_checks_started: Cell::new(false),
        }))
    }

    fn change(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        // There is no other handle to it before the first request.
        if let Some(shared) = Rc::get_mut(&mut self.0) {
            change(shared);
        }
        self
    }

    fn change_route(self, change: impl FnOnce(&mut Route)) -> Self {
        self.change(|shared| {
            if let Some(route) = Rc::get_mut(&mut shared.route) {
                change(route);
            }
        })
    }

    /// Adds a backend that is equivalent to the others.
    pub fn backend(self, backend: ClientEndpoint) -> Self {
        let name = backend.to_string();
        self.change_route(|route| route.backends.all.push(Rc::new(Backend::new(backend, name))))
    }

    /// Sends the path without the part that routers have consumed: `/users` for `/api/users` of a proxy at `/api`.
    pub fn rest_only(self) -> Self {
        self.change(|shared| shared.is_rest_only = true)
    }

    /// The value of `Host` for backends, instead of the client's.
    pub fn host(self, host: impl Into<String>) -> Self {
        self.change(|shared| shared.host = Some(host.into()))
    }

    /// The addresses of proxies in front of this one, whose `X-Forwarded-` and `Forwarded` fields are passed on. Default: none.
    pub fn trust(self, subnets: impl IntoIterator<Item = Subnet>) -> Self {
        self.change(|shared| shared.trusted = subnets.into_iter().collect())
    }

    /// The value of `Via` (RFC 9110 7.6.3). Default `sinew`.
    pub fn pseudonym(self, name: impl Into<String>) -> Self {
        self.change(|shared| shared.pseudonym = name.into())
    }

    /// A protocol that clients may upgrade to, in addition to `websocket`. Not `h2c`: its requests would bypass all decisions made
    /// here.
    pub fn upgrade(self, protocol: impl Into<String>) -> Self {
        self.change(|shared| shared.upgrades.push(protocol.into()))
    }

    /// Idle timeout of a WebSocket or another tunnel. Default 10 minutes.
    pub fn tunnel_idle_timeout(self, timeout: Duration) -> Self {
        self.change_route(|route| route.tunnel_idle_timeout = timeout)
    }

    /// Configuration of connections to backends. Default: within 5 s.
    pub fn connect(self, config: ConnectConfig) -> Self {
        self.change_route(|route| route.connect = config)
    }

    /// Limits of backends on one connection, and their timeouts.
    pub fn connection(self, config: ConnectionConfig) -> Self {
        self.change_route(|route| route.connection = config)
    }

    /// Limits of connections. Default: 64 to a backend, 1,024 in total; WebSockets do not count.
    pub fn pool(self, config: PoolConfig) -> Self {
        self.change_route(|route| route.pool = Pool::new(config))
    }

    /// After how many consecutive failures a backend is not used, and for how long. Default 3, and 10 s. The only backend
    /// is always used.
    pub fn failures(self, failures: u32, down_time: Duration) -> Self {
        self.change_route(|route| {
            let backends = &mut route.backends;
            (backends.failures_max, backends.down_time) = (failures.max(1), down_time);
        })
    }

    /// Enables health checks, from the first request on.
    pub fn health_check(self, check: HealthCheck) -> Self {
        self.change(|shared| shared.check = Some(Rc::new(check)))
    }
}

impl Shared {
    fn start_checks(&self, reactor: &Reactor) {
        let Some(check) = &self.check else { return };
        if !self.are_checks_started.replace(true) {
            self.route.backends.all.iter().for_each(|backend| check.start(reactor, backend));
        }
    }

    fn trusts(&self, request: &Request) -> bool {
        let ip = request.peer().and_then(|peer| peer.ip());
        ip.is_some_and(|ip| self.trusted.iter().any(|subnet| subnet.contains(ip)))
    }

    /// The protocol that the client requests, if it is allowed.
    fn upgrade<'a>(&self, request: &'a Request) -> Option<&'a [u8]> {
        if !request.head().wants_upgrade() || request.has_body() {
            return None;
        }
        let wanted = request.fields().get("upgrade")?;
        let is_allowed = |allowed: &String| allowed.as_bytes().eq_ignore_ascii_case(wanted);
        self.upgrades.iter().any(is_allowed).then_some(wanted)
    }

    /// The request target for the backend.
    fn target(&self, request: &Request) -> String {
        let path = if self.is_rest_only { request.rest() } else { request.path() };
        let is_rooted =
            path.starts_with('/') || request.head().target_form() == TargetForm::Asterisk;
        let mut target = if is_rooted { String::new() } else { "/".to_owned() };
        target += path;
        if let Some(query) = request.query() {
            target.push('?');
            target += query;
        }
        target
    }

    fn fields(
        &self,
        request: &Request,
        head: &RequestHead,
        upgrade: Option<&[u8]>,
    ) -> Result<crate::Fields, crate::FieldError> {
        let is_trusted = self.trusts(request);
        // A trusted proxy is the last of the addresses; otherwise the client is the first.
        let ip = match is_trusted {
            true => request.peer().and_then(|peer| peer.ip()),
            false => request.client_ip(),
        };
        let host = self.host.as_deref();
        let (is_secure, pseudonym) = (request.is_secure(), &*self.pseudonym);
        Forwarding { ip, is_secure, is_trusted, host, pseudonym, upgrade }.fields(head)
    }
}

impl Handler for ReverseProxy {
    fn handle(&self, request: Request, reply: Reply) {
        // CONNECT is for forward proxies, and TRACE would reveal fields that only backends may see.
        if [Method::CONNECT, Method::TRACE].contains(request.method()) {
            return reply.send(StatusCode::METHOD_NOT_ALLOWED);
        }
        let reactor = request.reactor();
        self.0.start_checks(&reactor);
        let upgrade = self.0.upgrade(&request).map(<[u8]>::to_owned);
        let fields = self.0.fields(&request, request.head(), upgrade.as_deref());
        match fields {
            Ok(fields) => {
                let target = self.0.target(&request);
                let wants_upgrade = upgrade.is_some();
                Forwarded::new(&self.0.route, (request, reply), (target, fields), wants_upgrade)
                    .attempt(&reactor);
            }
            Err(error) => {
                tracing::error!(%error, "a request could not be given on");
                reply.send(StatusCode::INTERNAL_SERVER_ERROR);
            }
        }
    }
}

impl fmt::Debug for ReverseProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.route.backends.all.iter().map(|backend| &backend.name).collect();
        f.debug_struct("ReverseProxy").field("backends", &names).finish_non_exhaustive()
    }
}
