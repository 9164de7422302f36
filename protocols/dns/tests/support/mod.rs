//! Hosts of a simulated network: name servers, and a client whose resolver asks them.

#![allow(dead_code, reason = "each test binary uses a part of this")]

use std::{
    cell::RefCell,
    fmt::Display,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use sinew_dns::{
    client::{DnsConfig, DnsResolver},
    testing::TestServer,
};
use sinew_testkit::sim::{Host, Network};
use sinew_transports::reactor::{Deferred, Failure, Reactor};

/// A network with a client.
pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) client: Host,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let network = Network::new(seed);
        let client = network.host("client");
        client.boot(|_| {});
        let world = Self { network, client };
        world.network.run_for(Duration::ZERO).unwrap();
        world
    }

    /// A host with a server on port 53.
    pub(crate) fn server(&self, name: &str, server: &TestServer) -> Host {
        let (host, server) = (self.network.host(name), server.clone());
        let at = SocketAddr::new(host.addr(), 53);
        host.boot(move |reactor| assert!(server.listen(reactor, at).is_ok()));
        self.network.run_for(Duration::ZERO).unwrap();
        host
    }

    pub(crate) fn reactor(&self) -> Reactor {
        self.client.reactor()
    }

    pub(crate) fn resolver(&self, config: DnsConfig) -> DnsResolver {
        DnsResolver::new(&self.reactor(), config)
    }

    /// Waits for a result, and says how long it took.
    pub(crate) fn wait<T: 'static, E: From<Failure> + Display + 'static>(
        &self,
        deferred: Deferred<T, E>,
    ) -> (Result<T, E>, Duration) {
        let slot = Rc::<RefCell<Option<Result<T, E>>>>::default();
        let of_callback = slot.clone();
        deferred.then(move |_, result| drop(of_callback.replace(Some(result))));
        let begun = self.network.age();
        self.network.run_until(Duration::from_secs(120), || slot.borrow().is_some()).unwrap();
        (slot.take().unwrap(), self.network.age() - begun)
    }

    /// Waits for a result.
    pub(crate) fn get<T: 'static, E: From<Failure> + Display + 'static>(
        &self,
        deferred: Deferred<T, E>,
    ) -> Result<T, E> {
        self.wait(deferred).0
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.network.run_for(Duration::from_secs(seconds)).unwrap();
    }
}

/// A configuration that asks these hosts.
pub(crate) fn asking(hosts: &[&Host]) -> DnsConfig {
    DnsConfig::default().servers(hosts.iter().map(|host| SocketAddr::new(host.addr(), 53)))
}

pub(crate) fn ips(addrs: &[SocketAddr]) -> Vec<String> {
    addrs.iter().map(|addr| addr.ip().to_string()).collect()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
