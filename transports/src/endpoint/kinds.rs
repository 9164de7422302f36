//! Which kinds of endpoints there are: [`Kinds`]. Each is a file of this folder and a line here.

use std::{collections::BTreeMap, fmt, net::SocketAddr};

use super::{
    Arguments, ClientEndpoint, EndpointError, ServerEndpoint,
    grammar::{Field, fields},
    memory, proxy, tcp, tls,
};
#[cfg(unix)]
use super::{fd, process, stdio, systemd, unix};
use crate::{Destination, names::services};

type Parse<E> = Box<dyn Fn(&Kinds, &mut Arguments) -> Result<E, EndpointError>>;

/// The kinds of endpoints that strings may name. A value, not a global: register your own, and hand it to what reads strings.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::net::Ipv4Addr;
/// use sinew_transports::endpoint::{ClientEndpoint, Kinds, TcpClient};
///
/// let mut kinds = Kinds::default();
/// // `gateway:3` is the third machine of a row.
/// kinds.client("gateway", |_, arguments| {
///     let number: u8 = arguments.require("number")?.parse("number")?;
///     Ok(ClientEndpoint::new(TcpClient::new((Ipv4Addr::new(10, 0, 0, number), 9000))))
/// });
/// assert_eq!(kinds.client_endpoint("gateway:3")?.to_string(), "tcp:10.0.0.3:9000");
/// let error = kinds.client_endpoint("gateway:third").unwrap_err();
/// assert_eq!(error.column(), 9);
/// # Ok(())
/// # }
/// ```
pub struct Kinds {
    servers: BTreeMap<String, Parse<ServerEndpoint>>,
    clients: BTreeMap<String, Parse<ClientEndpoint>>,
}

impl Default for Kinds {
    /// Those that come with this crate.
    fn default() -> Self {
        let mut kinds = Self { servers: BTreeMap::new(), clients: BTreeMap::new() };
        kinds.server("tcp", |_, arguments| tcp::server(arguments));
        kinds.server("tcp6", |_, arguments| tcp::server6(arguments));
        kinds.server("tls", |_, arguments| tls::server(arguments));
        kinds.server("memory", |_, arguments| memory::server(arguments));
        kinds.server("proxy", proxy::server);
        #[cfg(unix)]
        kinds.server("fd", |_, arguments| fd::server(arguments));
        #[cfg(unix)]
        kinds.server("stdio", |_, arguments| stdio::server(arguments));
        #[cfg(unix)]
        kinds.server("systemd", |_, arguments| systemd::server(arguments));
        #[cfg(unix)]
        kinds.server("unix", |_, arguments| unix::server(arguments));
        kinds.client("tcp", |_, arguments| tcp::client(arguments));
        #[cfg(unix)]
        kinds.client("fd", |_, arguments| fd::client(arguments));
        kinds.client("tls", |_, arguments| tls::client(arguments));
        kinds.client("memory", |_, arguments| memory::client(arguments));
        #[cfg(unix)]
        kinds.client("process", |_, arguments| process::client(arguments));
        #[cfg(unix)]
        kinds.client("stdio", |_, arguments| stdio::client(arguments));
        #[cfg(unix)]
        kinds.client("unix", |_, arguments| unix::client(arguments));
        kinds
    }
}

impl Kinds {
    /// Registers a kind of server endpoint, or takes the place of one. Names are compared without regard to case.
    ///
    /// `parse` takes what it knows out of the arguments; what it leaves there is reported as an error.
    pub fn server(
        &mut self,
        name: &str,
        parse: impl Fn(&Self, &mut Arguments) -> Result<ServerEndpoint, EndpointError> + 'static,
    ) {
        self.servers.insert(name.to_ascii_lowercase(), Box::new(parse));
    }

    /// Registers a kind of client endpoint, as [`server`](Self::server) does one of server endpoint.
    pub fn client(
        &mut self,
        name: &str,
        parse: impl Fn(&Self, &mut Arguments) -> Result<ClientEndpoint, EndpointError> + 'static,
    ) {
        self.clients.insert(name.to_ascii_lowercase(), Box::new(parse));
    }

    /// Reads a server endpoint: `kind:…`, or an address and port by themselves.
    ///
    /// # Errors
    ///
    /// [`EndpointError`], with the place in the string.
    pub fn server_endpoint(&self, text: &str) -> Result<ServerEndpoint, EndpointError> {
        match text.parse::<SocketAddr>() {
            Ok(addr) => Ok(addr.into()),
            Err(_) => self.server_of(Arguments::new(text, fields(text)?)?),
        }
    }

    /// Reads a client endpoint: `kind:…`, or an address or a host and a port by themselves.
    ///
    /// # Errors
    ///
    /// [`EndpointError`], with the place in the string.
    pub fn client_endpoint(&self, text: &str) -> Result<ClientEndpoint, EndpointError> {
        if let Ok(addr) = text.parse::<SocketAddr>() {
            return Ok(ClientEndpoint::from(Destination::Addr(addr)));
        }
        let fields = fields(text)?;
        if let Some(to) = self.bare(&fields) {
            return Ok(to.into());
        }
        let mut arguments = Arguments::new(text, fields)?;
        let kind = arguments.kind().to_ascii_lowercase();
        let Some(parse) = self.clients.get(&kind) else {
            return Err(arguments.unknown_kind(self.clients.keys().cloned().collect()));
        };
        let endpoint = parse(self, &mut arguments)?;
        arguments.finish().map(|()| endpoint)
    }

    /// `host:port`, where no kind is called as the host is.
    fn bare(&self, fields: &[Field]) -> Option<Destination> {
        let [host, port] = fields else { return None };
        let is_kind = self.clients.contains_key(&host.value.to_ascii_lowercase());
        if is_kind || host.value.is_empty() || host.name.is_some() || port.name.is_some() {
            return None;
        }
        Some((&*host.value, services::port(&port.value)?).into())
    }

    /// The endpoint of arguments, all of which it must have a use for.
    pub(super) fn server_of(
        &self,
        mut arguments: Arguments,
    ) -> Result<ServerEndpoint, EndpointError> {
        let kind = arguments.kind().to_ascii_lowercase();
        let Some(parse) = self.servers.get(&kind) else {
            return Err(arguments.unknown_kind(self.servers.keys().cloned().collect()));
        };
        let endpoint = parse(self, &mut arguments)?;
        arguments.finish().map(|()| endpoint)
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kinds")
            .field("servers", &self.servers.keys().collect::<Vec<_>>())
            .field("clients", &self.clients.keys().collect::<Vec<_>>())
            .finish()
    }
}
