//! The PROXY protocol in endpoints: `proxy:ENDPOINT` for servers, which receive the header, and `sendProxy=` for clients, which
//! send it.

use std::fmt;

use sinew_reactor::Reactor;

use super::{Arguments, EndpointError, Kinds, Listen, ServerEndpoint, quote, seconds::Seconds};
use crate::{
    Address, ConnectConfig, DynFactory, ListenConfig, ListenError, ListeningPort,
    proxy::{ProxyConfig, ProxyHeader, ProxyVersion, Subnet},
};

/// An endpoint whose connections begin with a header of the [PROXY protocol](crate::proxy): `proxy:tcp:8080`.
///
/// `trust=10.0.0.0/8,192.0.2.7` lists the trusted proxies (default: loopback addresses); `headerTimeout=` is in seconds,
/// `headerMax=` in bytes.
#[derive(Clone, Debug)]
pub struct Proxy {
    inner: ServerEndpoint,
    config: ProxyConfig,
}

impl Proxy {
    /// Expects proxies in front of an endpoint.
    #[must_use]
    pub fn new(inner: ServerEndpoint, config: ProxyConfig) -> Self {
        Self { inner, config }
    }
}

pub(super) fn server(
    kinds: &Kinds,
    arguments: &mut Arguments,
) -> Result<ServerEndpoint, EndpointError> {
    let mut config = ProxyConfig::default();
    if let Some(trust) = arguments.named("trust") {
        let subnets: Result<Vec<Subnet>, _> = match trust.as_str() {
            "" => Ok(Vec::new()),
            some => some.split(',').map(str::parse).collect(),
        };
        config = config.trust(subnets.map_err(|error| trust.error(error))?);
    }
    if let Some(timeout) = arguments.named("headerTimeout") {
        config = config.timeout(timeout.seconds()?);
    }
    if let Some(max) = arguments.named("headerMax") {
        config = config.header_len_max(max.parse("number of bytes")?);
    }
    let (text, fields) = arguments.rest("endpoint")?;
    let inner = kinds.parse_server_fields(&text, fields)?;
    Ok(ServerEndpoint::new(Proxy { inner, config }))
}

impl Listen for Proxy {
    fn listen(
        &self,
        reactor: &Reactor,
        config: ListenConfig,
        factory: DynFactory,
    ) -> Result<ListeningPort<Address>, ListenError> {
        self.inner.listen_with(reactor, config.proxy(self.config.clone()), factory)
    }

    fn reload(&self) -> Result<(), EndpointError> {
        self.inner.reload()
    }

    #[cfg(feature = "tls")]
    fn identities(&self) -> Vec<crate::tls::Identity> {
        self.inner.identities()
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "proxy:{}", self.inner)?;
        let (config, default) = (&self.config, ProxyConfig::default());
        if config.trusted != default.trusted {
            let trusted: Vec<_> = config.trusted.iter().map(ToString::to_string).collect();
            write!(f, ":trust={}", quote(&trusted.join(",")))?;
        }
        if config.timeout != default.timeout {
            write!(f, ":headerTimeout={}", Seconds(config.timeout))?;
        }
        if config.header_len_max != default.header_len_max {
            write!(f, ":headerMax={}", config.header_len_max)?;
        }
        Ok(())
    }
}

/// The option `sendProxy=v1` or `sendProxy=v2` of a client.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SendProxy(pub(super) Option<ProxyVersion>);

impl SendProxy {
    pub(super) fn take(arguments: &mut Arguments) -> Result<Self, EndpointError> {
        let value = arguments.named("sendProxy");
        let version = value
            .map(|value| value.as_str().parse().map_err(|_| value.error("is neither v1 nor v2")));
        Ok(Self(version.transpose()?))
    }

    /// Sets the version of the header. Its content stays as configured, if a header is configured.
    pub(super) fn apply_to(self, config: ConnectConfig) -> ConnectConfig {
        match self.0 {
            Some(version) => {
                let header = config.proxy_header.as_deref().cloned();
                let header = header.unwrap_or_else(|| ProxyHeader::new(version));
                config.proxy_header(header.in_version(version))
            }
            None => config,
        }
    }
}

impl fmt::Display for SendProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |version| write!(f, ":sendProxy={version}"))
    }
}
