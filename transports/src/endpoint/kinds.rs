//! The registry of endpoint kinds: [`Kinds`]. Each built-in kind is a file in this folder and a line here.

use std::{collections::BTreeMap, fmt};

use super::{
    Arguments, ClientEndpoint, EndpointError, ServerEndpoint, TcpServer,
    grammar::{Field, fields},
    memory, proxy, tcp, tls,
    without_kind::{self, Side},
};
#[cfg(unix)]
use super::{fd, process, stdio, systemd, unix};
use crate::Destination;

type Parse<E> = Box<dyn Fn(&Kinds, &mut Arguments) -> Result<E, EndpointError>>;

/// The kinds of endpoints that strings may use. A value, not a global: register your own kinds, and pass it to the code that parses.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::net::Ipv4Addr;
/// use sinew_transports::endpoint::{ClientEndpoint, Kinds, TcpClient};
///
/// let mut kinds = Kinds::default();
/// // `gateway:3` is the machine 10.0.0.3.
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
    /// The built-in kinds.
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
    /// Registers a kind of server endpoint, or replaces one. Names are case-insensitive.
    ///
    /// `parse` takes the arguments that it knows; any that are left are reported as an error.
    pub fn server(
        &mut self,
        name: &str,
        parse: impl Fn(&Self, &mut Arguments) -> Result<ServerEndpoint, EndpointError> + 'static,
    ) {
        self.servers.insert(name.to_ascii_lowercase(), Box::new(parse));
    }

    /// Registers a kind of client endpoint, as [`server`](Self::server) does for servers.
    pub fn client(
        &mut self,
        name: &str,
        parse: impl Fn(&Self, &mut Arguments) -> Result<ClientEndpoint, EndpointError> + 'static,
    ) {
        self.clients.insert(name.to_ascii_lowercase(), Box::new(parse));
    }

    /// Parses a server endpoint: `kind:…`, or `host:port` by itself; `port`, `:port` and `*:port` mean that port on all interfaces.
    ///
    /// # Errors
    ///
    /// [`EndpointError`], with the position in the string.
    pub fn server_endpoint(&self, text: &str) -> Result<ServerEndpoint, EndpointError> {
        self.parse_server_fields(text, fields(text)?)
    }

    /// Parses a client endpoint: `kind:…`, or `host:port` by itself.
    ///
    /// # Errors
    ///
    /// [`EndpointError`], with the position in the string.
    pub fn client_endpoint(&self, text: &str) -> Result<ClientEndpoint, EndpointError> {
        let fields = fields(text)?;
        match parse_bare(&self.clients, text, &fields, Side::Client) {
            Some(to) => Ok(to?.into()),
            None => self.parse_kind(&self.clients, Arguments::new(text, fields)?),
        }
    }

    /// Parses fields, all of which must be used.
    pub(super) fn parse_server_fields(
        &self,
        text: &str,
        fields: Vec<Field>,
    ) -> Result<ServerEndpoint, EndpointError> {
        match parse_bare(&self.servers, text, &fields, Side::Server) {
            Some(at) => Ok(ServerEndpoint::new(TcpServer::new(at?))),
            None => self.parse_kind(&self.servers, Arguments::new(text, fields)?),
        }
    }

    fn parse_kind<E>(
        &self,
        kinds: &BTreeMap<String, Parse<E>>,
        mut arguments: Arguments,
    ) -> Result<E, EndpointError> {
        let Some(parse) = kinds.get(&arguments.kind().to_ascii_lowercase()) else {
            return Err(arguments.unknown_kind(kinds.keys().cloned().collect()));
        };
        let endpoint = parse(self, &mut arguments)?;
        arguments.finish().map(|()| endpoint)
    }
}

/// Parses an address without a kind. `None` if the first field is a known kind.
fn parse_bare<E>(
    kinds: &BTreeMap<String, Parse<E>>,
    text: &str,
    fields: &[Field],
    side: Side,
) -> Option<Result<Destination, EndpointError>> {
    let first = fields.first()?;
    if first.name.is_none() && kinds.contains_key(&first.value.to_ascii_lowercase()) {
        return None;
    }
    let is_like_kind = |name: &str| kinds.keys().any(|kind| without_kind::is_like(kind, name));
    without_kind::read(text, fields, side, is_like_kind)
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kinds")
            .field("servers", &self.servers.keys().collect::<Vec<_>>())
            .field("clients", &self.clients.keys().collect::<Vec<_>>())
            .finish()
    }
}
