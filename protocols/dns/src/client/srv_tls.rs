//! Connecting to a service that has two kinds of SRV records, for plaintext and for TLS from the start: [`SrvTlsConnector`], an endpoint.

use std::{cell::RefCell, collections::VecDeque, fmt, rc::Rc};

use sinew_transports::{
    ConnectConfig, ConnectError, Connecting, Destination, DynFactory, DynProtocol, ReactorTcp,
    SharedFactory,
    endpoint::{Connect, quote},
    reactor::{Deferred, Reactor},
    tls::{ReactorTls, TlsClientConfig, TlsConfigError},
};

use super::{DnsResolver, LookupError, SrvConnector, records::in_order, srv::destination};
use crate::codec::rdata::SRV;

/// Connects to a service of a domain whose servers are named by two kinds of SRV records: of plaintext, on which the protocol may start
/// TLS, and of TLS from the start. From [`SrvConnector::or_tls`].
///
/// The servers of both are tried as one list, by priority and weight (XEP-0368, RFC 8314). Without a record of either, it is as with
/// [`SrvConnector`]. A kind whose lookup fails is left out if the other has servers.
///
/// # Examples
///
/// ```
/// use sinew_dns::client::SrvConnector;
/// use sinew_transports::{endpoint::ClientEndpoint, tls::TlsClientConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = TlsClientConfig::system()?.alpn(["xmpp-client"])?;
/// let xmpp = SrvConnector::new("_xmpp-client._tcp.example.org").default_port(5222);
/// let endpoint = ClientEndpoint::new(xmpp.or_tls("_xmpps-client._tcp.example.org", tls)?);
/// # drop(endpoint);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SrvTlsConnector {
    plain: SrvConnector,
    service: String,
    /// With the name of the domain.
    tls: TlsClientConfig,
}

/// A server, and whether it has TLS from the start.
struct Server {
    srv: SRV,
    has_tls: bool,
}

type Targets = VecDeque<(Destination, bool)>;

impl SrvConnector {
    /// Also the servers of this service, with TLS from the start. Their certificates must be for the domain of the service, not for
    /// the names that DNS gives them, which is believed in nothing else.
    ///
    /// # Errors
    ///
    /// [`TlsConfigError::BadName`]: the domain cannot be in a certificate.
    pub fn or_tls(
        self,
        service: impl Into<String>,
        tls: TlsClientConfig,
    ) -> Result<SrvTlsConnector, TlsConfigError> {
        let tls = tls.server_name(self.domain())?;
        Ok(SrvTlsConnector { plain: self, service: service.into(), tls })
    }
}

impl SrvTlsConnector {
    /// The targets of both kinds, in the order in which to try them.
    fn targets(&self, reactor: &Reactor) -> Deferred<Targets, ConnectError> {
        let resolver = DnsResolver::of(reactor);
        let (plain, secure) = (resolver.srv(self.plain.service()), resolver.srv(&self.service));
        let (promise, targets) = reactor.promise();
        let cancellers = (plain.canceller(), secure.canceller());
        promise.on_cancel(move |_| {
            cancellers.0.cancel();
            cancellers.1.cancel();
        });
        let connector = self.clone();
        plain.then(move |_, plain| {
            secure.then(move |reactor, secure| {
                promise.settle(connector.merged(plain, secure, || reactor.random()));
            });
        });
        targets
    }

    fn merged(
        &self,
        plain: Result<Vec<SRV>, LookupError>,
        secure: Result<Vec<SRV>, LookupError>,
        random: impl FnMut() -> u64,
    ) -> Result<Targets, ConnectError> {
        let servers = |found: &Result<Vec<SRV>, _>, has_tls| -> Vec<Server> {
            let all = found.iter().flatten().cloned();
            all.map(|srv| Server { srv, has_tls }).collect()
        };
        let mut all = servers(&plain, false);
        all.extend(servers(&secure, true));
        if !all.is_empty() {
            let ordered = in_order(all, |server| &server.srv, random);
            return Ok(ordered
                .iter()
                .map(|server| (destination(&server.srv), server.has_tls))
                .collect());
        }
        match (plain, secure, self.plain.default_server()) {
            (Err(error), _, _) | (_, Err(error), _) if !error.is_negative() => {
                Err(self.plain.failed(error))
            }
            (Err(_), Err(_), Some(domain)) => Ok([(domain, false)].into()),
            (Err(error), Err(_), None) => Err(self.plain.failed(error)),
            _ => Err(self.plain.not_offered()),
        }
    }
}

impl Connect for SrvTlsConnector {
    fn connect(
        &self,
        reactor: &Reactor,
        config: ConnectConfig,
        factory: DynFactory,
    ) -> Connecting<DynProtocol> {
        let attempt = Attempt {
            targets: Rc::default(),
            tls: self.tls.clone(),
            config,
            factory: SharedFactory::new(factory),
        };
        Connecting::after(reactor, self.targets(reactor), move |reactor, targets| {
            attempt.targets.replace(targets);
            attempt.next(reactor)
        })
    }
}

/// What it takes to connect to one server after the other.
#[derive(Clone)]
struct Attempt {
    targets: Rc<RefCell<Targets>>,
    tls: TlsClientConfig,
    config: ConnectConfig,
    factory: SharedFactory<DynFactory>,
}

impl Attempt {
    /// Connects to the next target, and if that fails to the one behind it.
    fn next(self, reactor: &Reactor) -> Connecting<DynProtocol> {
        let target = self.targets.borrow_mut().pop_front();
        let (to, has_tls) = target.unwrap_or_else(|| (Destination::Any(Vec::new()), false));
        let (config, factory) = (self.config.clone(), self.factory.clone());
        let connecting = match has_tls {
            true => reactor.connect_tls_with(to, config, &self.tls, factory),
            false => reactor.connect_tcp_with(to, config, factory),
        };
        if self.targets.borrow().is_empty() {
            return connecting;
        }
        connecting.or_else(reactor, move |reactor, error| {
            tracing::debug!(%error, "the next server of the service is tried");
            self.next(reactor)
        })
    }
}

impl fmt::Display for SrvTlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} or {} with TLS", self.plain, quote(&self.service))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(priority: u16, weight: u16, port: u16) -> SRV {
        SRV::new(priority, weight, port, "a.example.".parse().unwrap())
    }

    fn negative() -> Result<Vec<SRV>, LookupError> {
        Err(LookupError::NoRecord {
            name: Box::new("example.org.".parse().unwrap()),
            record_type: hickory_proto::rr::RecordType::SRV,
        })
    }

    #[test]
    fn two_lists_are_one() {
        let roots = || TlsClientConfig::insecure_without_verification();
        let plain = SrvConnector::new("_xmpp-client._tcp.example.org");
        let with_default = plain.clone().default_port(5222);
        let [none, some] = [plain, with_default]
            .map(|plain| plain.or_tls("_xmpps-client._tcp.example.org", roots()).unwrap());
        let merged = |connector: &SrvTlsConnector, plain, secure| {
            let targets =
                connector.merged(plain, secure, || 0).map_err(|error| error.to_string())?;
            let ports = targets.iter().map(|(to, has_tls)| match to {
                Destination::Name(_, port) => (*port, *has_tls),
                _ => (0, *has_tls),
            });
            Ok::<Vec<_>, String>(ports.collect())
        };
        let both = merged(
            &none,
            Ok(vec![srv(5, 1, 1), srv(20, 1, 2)]),
            Ok(vec![srv(10, 1, 3), srv(5, 0, 4)]),
        );
        assert_eq!(both.unwrap(), [(4, true), (1, false), (3, true), (2, false)]);
        for (plain, secure, expected) in [
            (negative(), Ok(vec![srv(0, 0, 3)]), (3, true)),
            (Ok(Vec::new()), Ok(vec![srv(0, 0, 3)]), (3, true)),
            (Ok(vec![srv(0, 0, 1)]), negative(), (1, false)),
            (Ok(vec![srv(0, 0, 1)]), Ok(Vec::new()), (1, false)),
            (negative(), negative(), (5222, false)),
        ] {
            assert_eq!(merged(&some, plain, secure).unwrap(), [expected]);
        }
        assert!(merged(&none, negative(), negative()).is_err());
        let none_of_them = merged(&some, Ok(Vec::new()), negative()).unwrap_err();
        assert!(none_of_them.contains("not offered"), "{none_of_them}");
    }
}
