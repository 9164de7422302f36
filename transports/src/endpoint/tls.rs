//! TLS endpoints: `tls:`, for servers and clients.

use std::{fmt, net::Ipv4Addr};

use sinew_reactor::Reactor;

use super::{
    Arguments, ClientEndpoint, Connect, EndpointError, EndpointProblem, Listen, ServerEndpoint,
    TcpClient, TcpServer, Value, grammar::fields, quote, tcp,
};
use crate::{
    Address, ConnectConfig, Connecting, Destination, DynFactory, DynProtocol, ListenConfig,
    ListenError, ListeningPort,
    tls::{Identity, ReactorTls, TlsClientConfig, TlsConfigError, TlsServerConfig, TrustedRoots},
};

/// A TLS server: `tls:PORT:cert=FILE:key=FILE`, with the options of [`TcpServer`], and `interface=` of either family. Without
/// `key=`, the key is read from the certificate's file. `cert=` and `key=` may list several files, separated by commas: the first is
/// the default for names that match none. `client_ca=FILE` requires client certificates issued by a CA in the file;
/// `alpn=h2,http/1.1` lists the application protocols.
///
/// The files are read when the string is parsed.
#[derive(Clone, Debug)]
pub struct TlsServer {
    at: TcpServer,
    tls: TlsServerConfig,
    /// The options as written in the string.
    options: String,
}

/// A TLS client: `tls:HOST:PORT`, with the options of [`TcpClient`]. The server's certificate must be for the host, or for
/// `server_name=`, and issued by a CA that the system trusts, or that is in the file `ca=`. `cert=` and `key=` are the client
/// certificate; `alpn=h2,http/1.1` lists the application protocols. `insecure_without_verification=yes` accepts any certificate.
///
/// The files, and the system's root certificates, are read when the string is parsed.
#[derive(Clone, Debug)]
pub struct TlsClient {
    to: TcpClient,
    tls: TlsClientConfig,
    /// The options as written in the string.
    options: String,
}

impl TlsServer {
    /// A server with TLS configured in code, which no string can express, so its `Display` is the address only.
    #[must_use]
    pub fn new(at: TcpServer, tls: TlsServerConfig) -> Self {
        Self { at, tls, options: String::new() }
    }
}

impl TlsClient {
    /// A client with TLS configured in code, which no string can express, so its `Display` is the address only.
    #[must_use]
    pub fn new(to: TcpClient, tls: TlsClientConfig) -> Self {
        Self { to, tls, options: String::new() }
    }
}

pub(super) fn server(arguments: &mut Arguments) -> Result<ServerEndpoint, EndpointError> {
    parse_server(arguments).map(ServerEndpoint::new)
}

fn parse_server(arguments: &mut Arguments) -> Result<TlsServer, EndpointError> {
    let (at, _) = tcp::parse_port(arguments, Ipv4Addr::UNSPECIFIED.into())?;
    let mut options = Options::default();
    let cert = options.record(arguments.require_named("cert")?);
    let key = arguments.named("key").map(|value| options.record(value));
    let mut identities = identities(&cert, key.as_ref())?.into_iter();
    let first = identities.next().expect("a list names one file at least");
    let mut tls = identities.fold(TlsServerConfig::new(first), TlsServerConfig::identity);
    if let Some(ca) = arguments.named("client_ca") {
        tls = tls.require_client_certificates(roots(&options.record(ca))?);
    }
    if let Some(alpn) = arguments.named("alpn") {
        let value = options.record(alpn);
        tls = tls.alpn(protocols(&value)).map_err(|error| bad_protocols(&value, &error))?;
    }
    Ok(TlsServer { at, tls, options: options.0 })
}

pub(super) fn client(arguments: &mut Arguments) -> Result<ClientEndpoint, EndpointError> {
    let host = arguments.require("host")?;
    let to = tcp::parse_client(&host, arguments)?;
    let mut options = Options::default();
    let mut tls = verification(arguments, &mut options)?;
    let cert = arguments.named("cert").map(|value| options.record(value));
    let key = arguments.named("key").map(|value| options.record(value));
    match (cert, key) {
        (Some(cert), key) => {
            let key = key.as_ref().unwrap_or(&cert);
            tls = tls.identity(identity((cert.as_str(), &cert), (key.as_str(), key))?);
        }
        (None, Some(key)) => return Err(key.error("needs cert=")),
        (None, None) => {}
    }
    if let Some(alpn) = arguments.named("alpn") {
        let value = options.record(alpn);
        tls = tls.alpn(protocols(&value)).map_err(|error| bad_protocols(&value, &error))?;
    }
    match arguments.named("server_name").map(|value| options.record(value)) {
        Some(name) => {
            let named = tls.server_name(name.as_str());
            tls = named.map_err(|_| name.error("is not the name of a server"))?;
        }
        None => {
            let named = tls.role_for(to.destination());
            named.map_err(|_| host.error("is not the name of a server"))?;
        }
    }
    Ok(ClientEndpoint::new(TlsClient { to, tls, options: options.0 }))
}

/// The root certificates that a client trusts.
fn verification(
    arguments: &mut Arguments,
    options: &mut Options,
) -> Result<TlsClientConfig, EndpointError> {
    let ca = arguments.named("ca").map(|value| options.record(value));
    let insecure = arguments.named("insecure_without_verification");
    let is_insecure = insecure.as_ref().is_some_and(|value| value.flag() == Ok(true));
    if let Some(value) = insecure {
        value.flag()?;
        options.record(value);
    }
    match ca {
        Some(ca) if is_insecure => {
            Err(ca.error("cannot be combined with insecure_without_verification="))
        }
        Some(ca) => roots(&ca).map(TlsClientConfig::new),
        None if is_insecure => Ok(TlsClientConfig::insecure_without_verification()),
        None => TlsClientConfig::system().map_err(|error| arguments.unusable(error)),
    }
}

/// The TLS options as written in the string, for `Display`.
#[derive(Default)]
struct Options(String);

impl Options {
    fn record(&mut self, value: Value) -> Value {
        self.0 += &format!(":{}={}", value.name(), quote(value.as_str()));
        value
    }
}

/// Reads a server's certificates: lists of files, separated by commas.
fn identities(cert: &Value, key: Option<&Value>) -> Result<Vec<Identity>, EndpointError> {
    let certs: Vec<_> = cert.as_str().split(',').collect();
    let keys: Vec<_> = key.unwrap_or(cert).as_str().split(',').collect();
    let key = key.unwrap_or(cert);
    if certs.len() != keys.len() {
        return Err(key.error(format_args!("is not one file for each of {}", certs.len())));
    }
    certs.iter().zip(keys).map(|(path, key_path)| identity((path, cert), (key_path, key))).collect()
}

/// Reads a certificate and its key; errors point to the value that names the file.
fn identity(
    (cert_path, cert): (&str, &Value),
    (key_path, key): (&str, &Value),
) -> Result<Identity, EndpointError> {
    Identity::from_pem_files(cert_path, key_path).map_err(|error| {
        let is_of_key = match &error {
            TlsConfigError::Read { path, .. } => path.as_os_str() == key_path,
            TlsConfigError::BadPem { from, .. } => from == key_path,
            TlsConfigError::NoKey { .. }
            | TlsConfigError::EncryptedKey { .. }
            | TlsConfigError::BadKey { .. }
            | TlsConfigError::KeyMismatch { .. } => true,
            _ => false,
        };
        bad_file(if is_of_key && cert_path != key_path { key } else { cert }, error)
    })
}

fn roots(value: &Value) -> Result<TrustedRoots, EndpointError> {
    TrustedRoots::from_pem_file(value.as_str()).map_err(|error| bad_file(value, error))
}

/// Maps an error of a file to the value that names it.
fn bad_file(value: &Value, error: TlsConfigError) -> EndpointError {
    value.problem(match error {
        TlsConfigError::Read { path, source } => EndpointProblem::Unreadable {
            name: value.name().to_owned(),
            path: path.display().to_string(),
            kind: source.kind(),
            why: source.to_string(),
        },
        TlsConfigError::KeyMismatch { certificate, key } => {
            EndpointProblem::KeyMismatch { certificate, key }
        }
        other => EndpointProblem::BadFile { name: value.name().to_owned(), why: other.to_string() },
    })
}

/// ALPN protocol names, separated by commas.
fn protocols(value: &Value) -> impl Iterator<Item = &str> {
    value.as_str().split(',')
}

fn bad_protocols(value: &Value, error: &TlsConfigError) -> EndpointError {
    value
        .error(format_args!("is not a list of application protocols, such as h2,http/1.1: {error}"))
}

impl Listen for TlsServer {
    fn listen(
        &self,
        reactor: &Reactor,
        config: ListenConfig,
        factory: DynFactory,
    ) -> Result<ListeningPort<Address>, ListenError> {
        let (at, config) = self.at.configured(config);
        reactor.listen_tls_with(at, config, &self.tls, factory).map(ListeningPort::into_any)
    }

    fn reload(&self) -> Result<(), EndpointError> {
        // Without options it was configured in code.
        if !self.options.is_empty() {
            let text = self.to_string();
            let read = parse_server(&mut Arguments::new(&text, fields(&text)?)?)?;
            self.tls.take_identities(&read.tls);
        }
        Ok(())
    }

    fn identities(&self) -> Vec<Identity> {
        self.tls.identities()
    }
}

impl Connect for TlsClient {
    fn connect(
        &self,
        reactor: &Reactor,
        config: ConnectConfig,
        factory: DynFactory,
    ) -> Connecting<DynProtocol> {
        let (to, config): (Destination, _) = self.to.configured(config);
        reactor.connect_tls_with(to, config, &self.tls, factory)
    }

    fn host(&self) -> Option<String> {
        self.to.host()
    }
}

impl fmt::Display for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tls")?;
        self.at.show(f, Ipv4Addr::UNSPECIFIED.into())?;
        f.write_str(&self.options)
    }
}

impl fmt::Display for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tls")?;
        self.to.show(f)?;
        f.write_str(&self.options)
    }
}
