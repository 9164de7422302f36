//! A server as a service: [`ServerService`], ports and a factory. Draining is done by the ports.

use std::{cell::RefCell, fmt, rc::Rc, time::Duration};

use sinew_reactor::{Deferred, Reactor};
use sinew_transports::{
    Address, Factory, ListenConfig, ListenError, ListeningPort, SharedFactory,
    endpoint::{DynFactory, EndpointError, ServerEndpoint},
    reactors::PortShares,
};
#[cfg(unix)]
use sinew_transports::{Peer, Protocol};

#[cfg(unix)]
use crate::handover::Handover;
use crate::{Service, StartError, StopError};

/// A server: one factory, and one or more places to listen on. A handle: its clones are the same service.
///
/// [`privileged_start`](Service::privileged_start) opens the ports, which may need privileges. Connections wait in their backlogs
/// until [`start`](Service::start). [`stop`](Service::stop) accepts no more, asks the connections to finish, and closes those
/// that have not after [`drain`](Self::drain).
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use sinew_application::{MultiService, ServerService};
/// use sinew_transports::{Peer, Protocol, Transport};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let echo = ServerService::new("tcp:7".parse()?, |_: &Peer| Echo)
///     .also_on("tcp6:7:v6only=yes".parse()?)
///     .drain(Duration::from_secs(30));
/// let services = MultiService::new();
/// services.add("echo", echo)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "add it to an `Application` or a `MultiService`, or start it"]
pub struct ServerService {
    endpoints: Vec<ServerEndpoint>,
    config: ListenConfig,
    drain: Duration,
    /// Several reactors have its ports, and this is the one of that index.
    shares: Option<(PortShares, usize)>,
    #[cfg(unix)]
    handover: Option<HandedOver>,
    inner: Rc<Inner>,
}

/// How its ports go over to a next process.
#[cfg(unix)]
#[derive(Clone)]
struct HandedOver {
    handover: Handover,
    name: String,
    rebuild: Option<Rebuild>,
}

/// Makes a protocol of the state of one in another process.
#[cfg(unix)]
type Rebuild = Rc<dyn Fn(&[u8], &Peer) -> Option<Box<dyn Protocol>>>;

struct Inner {
    factory: SharedFactory<DynFactory>,
    ports: RefCell<Vec<ListeningPort<Address>>>,
}

impl ServerService {
    /// A server on one endpoint.
    pub fn new(endpoint: ServerEndpoint, factory: impl Factory) -> Self {
        let factory = SharedFactory::new(DynFactory::new(factory));
        Self {
            endpoints: vec![endpoint],
            config: ListenConfig::default(),
            drain: Duration::from_secs(10),
            shares: None,
            #[cfg(unix)]
            handover: None,
            inner: Rc::new(Inner { factory, ports: RefCell::default() }),
        }
    }

    /// Listens on this endpoint, too, with the same factory.
    pub fn also_on(mut self, endpoint: ServerEndpoint) -> Self {
        self.endpoints.push(endpoint);
        self
    }

    /// Limits and options of each port. Options of an endpoint take precedence.
    pub fn config(mut self, config: ListenConfig) -> Self {
        self.config = config;
        self
    }

    /// How long a stop waits for the connections to finish ([`ListeningPort::drain`]). Default 10 s; after zero they are closed
    /// at once. Keep it below [`Builder::shutdown_max`](sinew_reactor::Builder::shutdown_max).
    pub fn drain(mut self, deadline: Duration) -> Self {
        self.drain = deadline;
        self
    }

    /// Uses inherited sockets of this name, and offers the sockets to the next version of the program; the second endpoint's are
    /// named `name/2`, and so on. Unix only.
    #[cfg(unix)]
    pub fn handover(mut self, handover: &Handover, name: impl Into<String>) -> Self {
        let rebuild = self.handover.and_then(|before| before.rebuild);
        self.handover = Some(HandedOver { handover: handover.clone(), name: name.into(), rebuild });
        self
    }

    /// Goes on with open connections of the process that this one replaces
    /// ([`HandoverPort::rebuild`](crate::handover::HandoverPort::rebuild)). Call it after [`handover`](Self::handover), without
    /// which it does nothing. Unix only.
    #[cfg(unix)]
    pub fn rebuild<P: Protocol>(
        mut self,
        rebuild: impl Fn(&[u8], &Peer) -> Option<P> + 'static,
    ) -> Self {
        if let Some(handover) = &mut self.handover {
            handover.rebuild = Some(Rc::new(move |state, peer| {
                rebuild(state, peer).map(|protocol| Box::new(protocol) as Box<dyn Protocol>)
            }));
        }
        self
    }

    /// Shares the ports with the same server on other reactors.
    pub(crate) fn sharing(mut self, shares: &PortShares, shard: usize) -> Self {
        self.shares = Some((shares.clone(), shard));
        self
    }

    /// The open ports, in the order of the endpoints. Empty while the server does not run.
    #[must_use]
    pub fn ports(&self) -> Vec<ListeningPort<Address>> {
        self.inner.ports.borrow().clone()
    }

    /// The number of open connections. Those that finish after a stop are not counted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.inner.ports.borrow().iter().map(ListeningPort::connections).sum()
    }

    /// Reads the files of the endpoints again, such as certificates ([`ServerEndpoint::reload`]).
    ///
    /// # Errors
    ///
    /// [`EndpointError`] of the first that cannot be read. Endpoints before it use their new files.
    pub fn reload(&self) -> Result<(), EndpointError> {
        self.endpoints.iter().try_for_each(ServerEndpoint::reload)
    }

    /// Opens the ports of the endpoint of this index.
    fn listen(
        &self,
        reactor: &Reactor,
        index: usize,
    ) -> Result<Vec<ListeningPort<Address>>, ListenError> {
        let config = match &self.shares {
            None => Some(self.config.clone()),
            Some((shares, shard)) => shares.config(*shard, index, self.config.clone()),
        };
        let Some(config) = config else { return Ok(Vec::new()) };
        let ports = self.listen_with(reactor, index, config)?;
        if let Some((shares, _)) = &self.shares {
            shares.opened(index);
        }
        Ok(ports)
    }

    fn listen_with(
        &self,
        reactor: &Reactor,
        index: usize,
        config: ListenConfig,
    ) -> Result<Vec<ListeningPort<Address>>, ListenError> {
        let (endpoint, factory) = (&self.endpoints[index], self.inner.factory.clone());
        #[cfg(unix)]
        if let Some(HandedOver { handover, name, rebuild }) = &self.handover {
            let name = match index {
                0 => name.clone(),
                more => format!("{name}/{}", more + 1),
            };
            let mut port = handover.port(&name).config(config);
            if let Some(rebuild) = rebuild.clone() {
                port = port.rebuild(move |state, peer| rebuild(state, peer));
            }
            return port.listen_all(reactor, endpoint, factory);
        }
        Ok(vec![endpoint.listen_with(reactor, config, factory)?])
    }
}

impl Service for ServerService {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        if !self.inner.ports.borrow().is_empty() {
            return Err(StartError::AlreadyStarted);
        }
        for index in 0..self.endpoints.len() {
            let opened = self.listen(reactor, index)?;
            opened.iter().for_each(ListeningPort::pause);
            self.inner.ports.borrow_mut().extend(opened);
        }
        Ok(())
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        if self.inner.ports.borrow().is_empty() {
            self.privileged_start(reactor)?;
        }
        self.ports().iter().for_each(ListeningPort::resume);
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        let (promise, stopped) = reactor.promise();
        let ports = self.inner.ports.take();
        let drained: Vec<_> = ports.iter().map(|port| port.drain(self.drain)).collect();
        let all_drained = async move {
            for port in drained {
                // An error says that the reactor's run ends, and the connections with it.
                let _ = port.await;
            }
            promise.resolve(());
        };
        reactor.spawn(all_drained).detach();
        stopped
    }
}

impl fmt::Debug for ServerService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerService")
            .field("endpoints", &self.endpoints)
            .field("drain", &self.drain)
            .field("ports", &*self.inner.ports.borrow())
            .finish_non_exhaustive()
    }
}
