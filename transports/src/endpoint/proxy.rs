//! Endpoints behind a proxy that says for whom it connects: `proxy:ENDPOINT`.

use std::fmt;

use sinew_reactor::Reactor;

use super::{Arguments, EndpointError, Kinds, Listen, ServerEndpoint, quote};
use crate::{
    Address, DynFactory, ListenConfig, ListenError, ListeningPort,
    proxy::{ProxyConfig, Subnet},
};

/// Another endpoint, each of whose connections begins with a header of the [PROXY protocol](crate::proxy): `proxy:tcp:8080`.
///
/// `trust=10.0.0.0/8,192.0.2.7` names the proxies, those on this machine unless it is given; `headerTimeout=` is in seconds.
#[derive(Clone, Debug)]
pub struct Proxy {
    inner: ServerEndpoint,
    config: ProxyConfig,
    /// What was written of it.
    options: String,
}

impl Proxy {
    /// Proxies before an endpoint.
    #[must_use]
    pub fn new(inner: ServerEndpoint, config: ProxyConfig) -> Self {
        Self { inner, config, options: String::new() }
    }
}

pub(super) fn server(
    kinds: &Kinds,
    arguments: &mut Arguments,
) -> Result<ServerEndpoint, EndpointError> {
    let (mut config, mut options) = (ProxyConfig::default(), String::new());
    if let Some(trust) = arguments.named("trust") {
        let subnets: Result<Vec<Subnet>, _> = trust.as_str().split(',').map(str::parse).collect();
        config = config.trust(subnets.map_err(|error| trust.error(error))?);
        options += &format!(":trust={}", quote(trust.as_str()));
    }
    if let Some(timeout) = arguments.named("headerTimeout") {
        config = config.timeout(timeout.seconds()?);
        options += &format!(":headerTimeout={}", quote(timeout.as_str()));
    }
    let inner = kinds.server_of(arguments.rest("endpoint")?)?;
    Ok(ServerEndpoint::new(Proxy { inner, config, options }))
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
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "proxy:{}{}", self.inner, self.options)
    }
}
