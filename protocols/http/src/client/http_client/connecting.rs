//! How to connect to the server of a URL: directly, by a given endpoint, or through a proxy: [`Route`].

use std::rc::Rc;

use http::{Method, StatusCode};
#[cfg(unix)]
use sinew_transports::endpoint::UnixClient;
use sinew_transports::{
    Destination,
    endpoint::{ClientEndpoint, TcpClient},
};
use url::{Host, Url};

use super::{
    ClientConnection, Outgoing, RequestError, Shared, UrlError,
    auth::{Again, For},
    origin::Origin,
    proxies::Proxy,
};
use crate::codec::{Fields, challenges};

/// Most CONNECT requests for one tunnel: without credentials, with them, with a new nonce.
const TUNNEL_TRIES: u32 = 3;

/// The route to the server of a URL.
#[derive(Clone, Debug)]
pub(super) struct Route {
    origin: Origin,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Direct,
    Over(ClientEndpoint),
    /// Requests are sent to the proxy with their whole URL.
    Proxy(Rc<Proxy>),
    /// A tunnel through the proxy.
    Tunnel(Rc<Proxy>),
}

impl Route {
    pub(super) fn new(
        shared: &Shared,
        url: &Url,
        over: Option<&ClientEndpoint>,
    ) -> Result<Self, UrlError> {
        let origin = Origin::of(url)?;
        let way = match (over, shared.config.proxies.find(url)) {
            (Some(endpoint), _) => Way::Over(endpoint.clone()),
            (None, None) => Way::Direct,
            (None, Some(proxy)) if origin.is_tls() => Way::Tunnel(Rc::clone(proxy)),
            (None, Some(proxy)) => Way::Proxy(Rc::clone(proxy)),
        };
        Ok(Self { origin, way })
    }

    /// The same, for a protocol other than HTTP: through a proxy always by a tunnel.
    pub(super) fn tunnelled(mut self) -> Self {
        if let Way::Proxy(proxy) = self.way {
            self.way = Way::Tunnel(proxy);
        }
        self
    }

    /// The key of its connections in the pool: those with the same key are interchangeable.
    pub(super) fn key(&self) -> String {
        let origin = self.origin.key();
        match &self.way {
            Way::Direct => origin,
            Way::Over(endpoint) => format!("{origin} over {endpoint}"),
            Way::Proxy(proxy) => format!("proxy {}", proxy.key()),
            Way::Tunnel(proxy) => format!("{origin} through {}", proxy.key()),
        }
    }

    /// The proxy that receives requests with their whole URL.
    pub(super) const fn proxy(&self) -> Option<&Rc<Proxy>> {
        match &self.way {
            Way::Proxy(proxy) => Some(proxy),
            _ => None,
        }
    }

    /// Connects.
    pub(super) async fn connect(
        self,
        shared: Rc<Shared>,
    ) -> Result<ClientConnection, RequestError> {
        let proxy = match self.way {
            Way::Direct => {
                let endpoint = direct(&shared, &self.origin)?;
                return dial(&shared, &endpoint).await;
            }
            Way::Over(endpoint) => {
                let connection = dial(&shared, &endpoint).await?;
                return secured(&shared, connection, &self.origin).await;
            }
            Way::Proxy(proxy) => {
                let endpoint = proxy_endpoint(&shared, &proxy)?;
                return dial(&shared, &endpoint).await;
            }
            Way::Tunnel(proxy) => proxy,
        };
        tunnel(&shared, &proxy, &self.origin).await
    }
}

fn destination(host: &Host<String>, port: u16) -> Destination {
    match host {
        Host::Domain(name) => Destination::Name(name.clone(), port),
        Host::Ipv4(addr) => (*addr, port).into(),
        Host::Ipv6(addr) => (*addr, port).into(),
    }
}

fn direct(shared: &Shared, origin: &Origin) -> Result<ClientEndpoint, RequestError> {
    match origin {
        Origin::Net { is_tls: false, host, port } => Ok(destination(host, *port).into()),
        Origin::Net { is_tls: true, host, port } => {
            let to = TcpClient::new(destination(host, *port));
            shared.tls.borrow_mut().endpoint(&shared.config, to)
        }
        #[cfg(unix)]
        Origin::Unix(path) => Ok(ClientEndpoint::new(UnixClient::new(path.as_str()))),
        #[cfg(not(unix))]
        Origin::Unix(_) => Err(UrlError::Scheme { scheme: "http+unix".to_owned() }.into()),
    }
}

fn proxy_endpoint(shared: &Shared, proxy: &Proxy) -> Result<ClientEndpoint, RequestError> {
    let to = destination(&proxy.host, proxy.port);
    match proxy.is_tls {
        false => Ok(to.into()),
        true => shared.tls.borrow_mut().endpoint(&shared.config, TcpClient::new(to)),
    }
}

async fn dial(
    shared: &Shared,
    endpoint: &ClientEndpoint,
) -> Result<ClientConnection, RequestError> {
    let reactor = shared.reactor()?;
    let config = &shared.config;
    let connecting = ClientConnection::connect(
        &reactor,
        endpoint,
        config.connect.clone(),
        config.connection.clone(),
    );
    Ok(connecting.await?)
}

/// Starts TLS on a connection by a given endpoint, if the URL requires it and the endpoint does not.
async fn secured(
    shared: &Shared,
    connection: ClientConnection,
    origin: &Origin,
) -> Result<ClientConnection, RequestError> {
    let Origin::Net { is_tls: true, host, .. } = origin else { return Ok(connection) };
    #[cfg(feature = "tls")]
    if connection.transport().is_some_and(|transport| transport.tls_info().is_some()) {
        return Ok(connection);
    }
    let name = server_name(host);
    let started = shared.tls.borrow_mut().start_on(&shared.config, &connection, &name);
    match started {
        Ok(started) => started.await,
        Err(error) => {
            connection.abort();
            Err(error)
        }
    }
}

/// Opens a tunnel through a proxy (RFC 9110 9.3.6), and starts TLS in it if required.
async fn tunnel(
    shared: &Rc<Shared>,
    proxy: &Proxy,
    origin: &Origin,
) -> Result<ClientConnection, RequestError> {
    let authority = origin.authority();
    let key = proxy.key();
    let mut answer = None;
    for attempt in 1..=TUNNEL_TRIES {
        let endpoint = proxy_endpoint(shared, proxy)?;
        let connection = dial(shared, &endpoint).await?;
        let request = For { origin: &key, method: &Method::CONNECT, target: &authority };
        let credentials = answer.take().or_else(|| shared.proxy_credentials(proxy, request));
        let was_known = credentials.is_some();
        let mut fields = Fields::new();
        fields.append("Host", &authority)?;
        if let Some(agent) = shared.config.fields.get("user-agent") {
            fields.append("User-Agent", agent)?;
        }
        if let Some(credentials) = credentials {
            fields.append("Proxy-Authorization", credentials)?;
        }
        let outgoing = Outgoing::new(Method::CONNECT, authority.clone(), fields);
        let Ok(waiting) = connection.send(outgoing) else {
            let reason = "it was closed at once".to_owned();
            return Err(RequestError::Lost { reason, is_stale: false });
        };
        let response = match waiting.await?.into_upgraded() {
            Ok(tunnel) => {
                let Origin::Net { is_tls: true, host, .. } = origin else {
                    return Ok(tunnel.into_connection());
                };
                let name = server_name(host);
                let started =
                    shared.tls.borrow_mut().start_in_tunnel(&shared.config, tunnel, &name);
                return started?.await;
            }
            Err(response) => response,
        };
        let status = response.status();
        let is_asked =
            status == StatusCode::PROXY_AUTHENTICATION_REQUIRED && attempt < TUNNEL_TRIES;
        if let Some(login) = proxy.login.as_ref().filter(|_| is_asked) {
            let fields: Vec<_> = response.fields().all("proxy-authenticate").collect();
            let texts = fields.iter().filter_map(|field| std::str::from_utf8(field).ok());
            let offered: Vec<_> = texts.flat_map(challenges).collect();
            let login = |_: &str| Some(login.clone());
            let mut sessions = shared.sessions.borrow_mut();
            answer = match sessions.answer(&offered, request, login, shared.random()) {
                Some((value, Again::Stale)) => Some(value),
                Some((value, Again::Try)) if !was_known || attempt == 1 => Some(value),
                _ => {
                    sessions.forget(&key);
                    None
                }
            };
        }
        connection.abort();
        if answer.is_none() {
            return Err(RequestError::Tunnel { proxy: key, status });
        }
    }
    Err(RequestError::Tunnel { proxy: key, status: StatusCode::PROXY_AUTHENTICATION_REQUIRED })
}

/// The name in the certificate: an address has no brackets.
fn server_name(host: &Host<String>) -> String {
    match host {
        Host::Domain(name) => name.clone(),
        Host::Ipv4(addr) => addr.to_string(),
        Host::Ipv6(addr) => addr.to_string(),
    }
}
