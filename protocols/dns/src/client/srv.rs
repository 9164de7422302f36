//! Connecting to a service by its SRV records (RFC 2782): [`SrvConnector`], an endpoint.

use std::{cell::RefCell, collections::VecDeque, fmt, rc::Rc};

use sinew_transports::{
    ConnectConfig, ConnectError, Connecting, Destination, DynFactory, DynProtocol, ReactorTcp,
    SharedFactory,
    endpoint::{ClientEndpoint, Connect, Kinds, quote},
    reactor::{Deferred, Reactor},
};

use super::{DnsResolver, LookupError};
use crate::codec::rdata::SRV;

/// Connects to a service of a domain, at the servers that its SRV records name: `srv:_xmpp-client._tcp.example.org` as a string, once
/// [registered](register).
///
/// The servers are tried one after the other, by priority and weight; each as any name is. Without a record, the domain itself is
/// connected to, if there is a [`default_port`](Self::default_port). The names are looked up by [`DnsResolver::of`] the reactor.
///
/// # Examples
///
/// ```
/// use sinew_dns::client::{SrvConnector, register};
/// use sinew_transports::endpoint::{ClientEndpoint, Kinds};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let xmpp = SrvConnector::new("_xmpp-client._tcp.example.org").default_port(5222);
/// let endpoint = ClientEndpoint::new(xmpp);
/// assert_eq!(endpoint.to_string(), "srv:_xmpp-client._tcp.example.org:default=5222");
///
/// let mut kinds = Kinds::default();
/// register(&mut kinds);
/// let same = kinds.client_endpoint("srv:_xmpp-client._tcp.example.org:default=5222")?;
/// assert_eq!(same.to_string(), endpoint.to_string());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrvConnector {
    service: String,
    default_port: Option<u16>,
}

impl SrvConnector {
    /// A service with its protocol and its domain, as in `_xmpp-client._tcp.example.org`.
    #[must_use]
    pub fn new(service: impl Into<String>) -> Self {
        Self { service: service.into(), default_port: None }
    }

    /// The port of the domain itself, if it has no SRV record. Default: connecting fails then.
    #[must_use]
    pub const fn default_port(mut self, port: u16) -> Self {
        self.default_port = Some(port);
        self
    }

    /// The domain behind the labels that begin with an underscore.
    pub(super) fn domain(&self) -> &str {
        let mut rest = self.service.as_str();
        while let Some((_, after)) = rest.split_once('.').filter(|_| rest.starts_with('_')) {
            rest = after;
        }
        rest
    }

    pub(super) fn service(&self) -> &str {
        &self.service
    }

    /// The server that there is without any record: the domain itself.
    pub(super) fn default_server(&self) -> Option<Destination> {
        self.default_port.map(|port| Destination::from((self.domain(), port)))
    }

    pub(super) fn not_offered(&self) -> ConnectError {
        let source = std::io::Error::other("the service is not offered (RFC 2782)");
        ConnectError::Other { to: self.to_string(), source }
    }

    pub(super) fn failed(&self, source: LookupError) -> ConnectError {
        match source {
            LookupError::GivenUp(failure) => failure.into(),
            source => {
                let host = self.service.clone();
                ConnectError::Other {
                    to: self.to_string(),
                    source: std::io::Error::other(format!("could not look up {host}: {source}")),
                }
            }
        }
    }

    /// The targets, in the order in which to try them.
    fn targets(&self, reactor: &Reactor) -> Deferred<VecDeque<Destination>, ConnectError> {
        let connector = self.clone();
        let found = DnsResolver::of(reactor).srv(self.service());
        found.map(move |found| match (found, connector.default_server()) {
            (Ok(all), _) if all.is_empty() => Err(connector.not_offered()),
            (Ok(all), _) => Ok(all.iter().map(destination).collect()),
            (Err(error), Some(domain)) if error.is_negative() => Ok([domain].into()),
            (Err(error), _) => Err(connector.failed(error)),
        })
    }
}

pub(super) fn destination(srv: &SRV) -> Destination {
    // Without the dot at the end, which TLS does not know.
    let host = srv.target.to_ascii();
    Destination::from((host.strip_suffix('.').unwrap_or(&host), srv.port))
}

/// Adds the kind `srv` to those of endpoint strings: `srv:_service._tcp.example.org`, with `default=` for the port of the domain itself.
pub fn register(kinds: &mut Kinds) {
    kinds.client("srv", |_, arguments| {
        let service = arguments.require("service")?;
        let connector = SrvConnector::new(service.as_str());
        if !service.as_str().starts_with('_') || connector.domain().is_empty() {
            return Err(service.error("is not a service, such as _xmpp-client._tcp.example.org"));
        }
        let default = arguments.named("default").map(|value| value.port()).transpose()?;
        Ok(ClientEndpoint::new(SrvConnector { default_port: default, ..connector }))
    });
}

impl Connect for SrvConnector {
    fn connect(
        &self,
        reactor: &Reactor,
        config: ConnectConfig,
        factory: DynFactory,
    ) -> Connecting<DynProtocol> {
        let factory = SharedFactory::new(factory);
        Connecting::after(reactor, self.targets(reactor), move |reactor, targets| {
            next(reactor, Rc::new(RefCell::new(targets)), config, factory)
        })
    }
}

/// Connects to the next target, and if that fails to the one behind it.
fn next(
    reactor: &Reactor,
    targets: Rc<RefCell<VecDeque<Destination>>>,
    config: ConnectConfig,
    factory: SharedFactory<DynFactory>,
) -> Connecting<DynProtocol> {
    let target = targets.borrow_mut().pop_front();
    let to = target.unwrap_or_else(|| Destination::Any(Vec::new()));
    let connecting = reactor.connect_tcp_with(to, config.clone(), factory.clone());
    if targets.borrow().is_empty() {
        return connecting;
    }
    connecting.or_else(reactor, move |reactor, error| {
        tracing::debug!(%error, "the next server of the service is tried");
        next(reactor, targets, config, factory)
    })
}

impl fmt::Display for SrvConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "srv:{}", quote(&self.service))?;
        match self.default_port {
            Some(port) => write!(f, ":default={port}"),
            None => Ok(()),
        }
    }
}
