//! A look inside of a program that runs: its loops, ports and connections, over HTTP.
//!
//! | for | call | on |
//! |---|---|---|
//! | programs and scripts, `sinew status` and `sinew top`: JSON, and closing or pausing a connection | [`serve_status`] | a Unix socket that only this user may open |
//! | Prometheus: text | [`serve_metrics`] | loopback |
//! | people: a live page | [`serve_dashboard`] | loopback |
//!
//! Each runs on the reactor that it is given; on one of several [`Reactors`](sinew_transports::reactors::Reactors) it shows
//! all of them, so serve it on the first alone. What is counted for each connection, and the lag of the loop, needs
//! [`Builder::inspection`](sinew_reactor::Builder::inspection).
//!
//! # Examples
//!
//! ```
//! # #[cfg(unix)]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use sinew_application::inspect::{self, WebConfig};
//! use sinew_reactor::Reactor;
//!
//! let reactor = Reactor::builder().inspection(true).build()?;
//! # let folder = std::env::temp_dir().join(format!("sinew-inspect-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let endpoint = format!("unix:{}", folder.join("status.sock").display());
//! inspect::serve_status(&reactor, &endpoint.parse()?)?; // unix:/run/shop.sock
//! inspect::serve_metrics(&reactor, &inspect::endpoint("tcp:127.0.0.1:0")?, WebConfig::default())?;
//! let page = inspect::serve_dashboard(&reactor, &inspect::endpoint("tcp:127.0.0.1:0")?, WebConfig::default())?;
//! println!("http://{}/", page.local());
//! # reactor.turn(Some(std::time::Duration::ZERO))?;
//! # drop(reactor);
//! # std::fs::remove_dir_all(folder)?;
//! # Ok(())
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
//! ```
//!
//! # The interface
//!
//! The status is plain HTTP, so that any client will do: `curl --unix-socket /run/shop.sock http://localhost/status`.
//!
//! | request | answer |
//! |---|---|
//! | `GET /status` | [`report::Status`]: the loops and the ports |
//! | `GET /connections?shard=0&first=0&max=1000` | [`report::ConnectionsPage`]: a page of connections, and what to ask for next |
//! | `GET /connections/ID` | [`report::ConnectionStatus`], or 404 |
//! | `POST /connections/ID/close`, `/abort`, `/pause`, `/resume` | 204, or 404 if it is gone |
//! | `GET /metrics` | the text of [`serve_metrics`] |
//!
//! A page of 1,000 connections holds up its loop for a millisecond at most; what is left is asked for by the next request.

mod api;
mod dashboard;
mod error;
mod gather;
mod host;
mod metrics;
pub mod report;

use std::{net::SocketAddr, rc::Rc, time::Duration};

use sinew_auth::Users;
use sinew_http::server::{Guard, Handler, HttpServer, Router, ServerConfig};
use sinew_reactor::Reactor;
use sinew_transports::{
    Address, ListenConfig, ListeningPort,
    endpoint::{EndpointError, ServerEndpoint},
};

use dashboard::Served;
pub use error::InspectError;
use host::KnownHosts;

/// Most clients of one of these ports at a time. Default 64; others wait in the backlog.
const CONNECTIONS_MAX: usize = 64;

/// Limits of a port for metrics or for the page. The default is for this machine alone.
#[derive(Clone, Debug)]
#[must_use]
pub struct WebConfig {
    users: Option<Users>,
    allow_remote: bool,
    hosts: Vec<String>,
    connections_max: usize,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self {
            users: None,
            allow_remote: false,
            hosts: Vec::new(),
            connections_max: CONNECTIONS_MAX,
        }
    }
}

impl WebConfig {
    /// Asks for the name and password of one of these users, by Basic authentication. Beyond loopback use TLS (`tls:`), since
    /// anybody on the way can read the password.
    pub fn users(mut self, users: Users) -> Self {
        self.users = Some(users);
        self
    }

    /// Allows an address that others can reach. Default `false`: such an endpoint is an error. The page needs users then.
    pub const fn allow_remote(mut self, allow: bool) -> Self {
        self.allow_remote = allow;
        self
    }

    /// A host name under which the port is reached. Addresses and `localhost` need none; a request for any other name is
    /// refused, since it may come from a page whose author has pointed the name here (DNS rebinding).
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// Most clients at a time. Default 64; others wait in the backlog.
    pub const fn max_connections(mut self, clients: usize) -> Self {
        self.connections_max = clients;
        self
    }
}

/// Parses an endpoint as the options of programs have it: as [`ServerEndpoint`] does, and also `tcp:ADDRESS:PORT`.
///
/// # Errors
///
/// [`EndpointError`], with the place of the mistake.
///
/// # Examples
///
/// ```
/// use sinew_application::inspect::endpoint;
///
/// assert_eq!(endpoint("tcp:127.0.0.1:9100")?.to_string(), endpoint("127.0.0.1:9100")?.to_string());
/// assert!(endpoint("tcp:example:9100").is_err());
/// # Ok::<(), sinew_transports::endpoint::EndpointError>(())
/// ```
pub fn endpoint(text: &str) -> Result<ServerEndpoint, EndpointError> {
    let address = text.strip_prefix("tcp:").and_then(|rest| rest.parse::<SocketAddr>().ok());
    match address {
        Some(address) => Ok(address.into()),
        None => text.parse(),
    }
}

/// Serves the status of this reactor, or of all that run with it, on a Unix socket, for `sinew status` and `sinew top`. Unless
/// the endpoint has a `mode=`, its file may be opened by this user alone.
///
/// # Errors
///
/// [`InspectError::NotUnix`] for another kind of endpoint, except `memory:`; [`InspectError::Listen`].
pub fn serve_status(
    reactor: &Reactor,
    endpoint: &ServerEndpoint,
) -> Result<ListeningPort<Address>, InspectError> {
    let at = endpoint.to_string();
    let endpoint = private(endpoint);
    let server = HttpServer::with_config(api::routes().get("/metrics", api::metrics), limits());
    let port = endpoint.listen_with(reactor, listen_config(CONNECTIONS_MAX), server)?;
    match port.local() {
        #[cfg(unix)]
        Address::Unix(_) => Ok(port),
        Address::Memory(_) => Ok(port),
        _ => refuse(&port, InspectError::NotUnix { at }),
    }
}

/// The same endpoint with a file that only this user may open, if it is a Unix socket without a mode.
fn private(endpoint: &ServerEndpoint) -> ServerEndpoint {
    let text = endpoint.to_string();
    // A colon that belongs to the path has a backslash before it.
    let has_mode = text.match_indices(":mode=").any(|(at, _)| !text[..at].ends_with('\\'));
    let restricted = match text.starts_with("unix:") && !has_mode {
        true => format!("{text}:mode=600").parse().ok(),
        false => None,
    };
    restricted.unwrap_or_else(|| endpoint.clone())
}

/// Serves metrics for Prometheus at `/metrics`.
///
/// # Errors
///
/// [`InspectError::NotLoopback`], unless the configuration allows it; [`InspectError::Listen`].
pub fn serve_metrics(
    reactor: &Reactor,
    endpoint: &ServerEndpoint,
    config: WebConfig,
) -> Result<ListeningPort<Address>, InspectError> {
    let router = Router::new().get("/metrics", api::metrics);
    serve_web(reactor, endpoint, &config, router, "sinew metrics")
}

/// Serves a live page for people: loops, ports and connections, which can be paused and closed there.
///
/// # Errors
///
/// [`InspectError::NotLoopback`], unless the configuration allows it, and [`InspectError::NoUsers`], if it does without
/// users; [`InspectError::Listen`], [`InspectError::Random`].
pub fn serve_dashboard(
    reactor: &Reactor,
    endpoint: &ServerEndpoint,
    config: WebConfig,
) -> Result<ListeningPort<Address>, InspectError> {
    let served = Served::default();
    let port = serve_web(reactor, endpoint, &config, dashboard::routes(served.clone())?, "sinew")?;
    // Whether users are needed is known once the port is open.
    if config.allow_remote && config.users.is_none() && !is_local(&port.local()) {
        return refuse(&port, InspectError::NoUsers { at: endpoint.to_string() });
    }
    let _ = served.set(port.clone());
    Ok(port)
}

fn serve_web(
    reactor: &Reactor,
    endpoint: &ServerEndpoint,
    config: &WebConfig,
    handler: impl Handler,
    realm: &str,
) -> Result<ListeningPort<Address>, InspectError> {
    let handler = KnownHosts::new(config.hosts.clone(), handler);
    let handler: Rc<dyn Handler> = match &config.users {
        Some(users) => {
            let guarded = Guard::basic(realm, users.clone(), handler);
            Rc::new(guarded.map_err(|source| InspectError::Realm { source })?)
        }
        None => Rc::new(handler),
    };
    let server = HttpServer::with_config(handler, limits());
    let port = endpoint.listen_with(reactor, listen_config(config.connections_max), server)?;
    if config.allow_remote || is_local(&port.local()) {
        Ok(port)
    } else {
        refuse(&port, InspectError::NotLoopback { at: endpoint.to_string() })
    }
}

/// Closes the port before it has accepted anybody: that is done in the next turn.
fn refuse(
    port: &ListeningPort<Address>,
    error: InspectError,
) -> Result<ListeningPort<Address>, InspectError> {
    port.stop_listening();
    Err(error)
}

fn is_local(address: &Address) -> bool {
    address.socket_addr().is_none_or(|addr| addr.ip().to_canonical().is_loopback())
}

fn listen_config(connections_max: usize) -> ListenConfig {
    ListenConfig::default().max_connections(connections_max)
}

/// Requests are short, and have no bodies.
fn limits() -> ServerConfig {
    ServerConfig::default().body_max(1024).keep_alive(Duration::from_secs(60))
}
