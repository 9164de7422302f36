//! What a command is given to make its service: [`Context`].

use std::time::Duration;

use sinew::{
    application::{MultiService, ServerService, Service, StartError, handover::Handover},
    reactor::Reactor,
    transports::{
        Factory, ListenConfig, SharedFactory,
        endpoint::{DynFactory, ServerEndpoint},
        reactors::Shard,
    },
};

use super::listening::{Listening, Stopped};
use crate::{
    arguments::{Endpoint, Limits, ListenOptions},
    config::Planned,
};

/// The reactor, the endpoints and the limits of a service that is about to be made.
#[derive(Debug)]
pub(crate) struct Context {
    reactor: Reactor,
    name: String,
    listen: ListenOptions,
    limits: Limits,
    drain: Duration,
    handover: Option<Handover>,
}

impl Context {
    /// For a service that runs on this reactor.
    pub(super) fn new(
        reactor: Reactor,
        planned: &Planned,
        drain: Duration,
        handover: &Handover,
    ) -> Self {
        let handover = Some(handover.clone());
        Self { drain, handover, ..Self::for_check(reactor, planned) }
    }

    /// For a service that is made to check its arguments, and dropped again.
    pub(crate) fn for_check(reactor: Reactor, planned: &Planned) -> Self {
        let Planned { name, listen, limits, .. } = planned.clone();
        Self { reactor, name, listen, limits, drain: Duration::ZERO, handover: None }
    }

    /// The reactor on which the service will run.
    #[allow(dead_code, reason = "servers that only serve connections need it not")]
    pub(crate) fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    /// The name of the service, for logs.
    #[allow(dead_code, reason = "the same")]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The endpoints of `--listen`, or the `default` of the command.
    pub(crate) fn endpoints(&self, default: &str) -> Result<Vec<ServerEndpoint>, StartError> {
        if !self.listen.listen.is_empty() {
            return Ok(self.listen.listen.iter().map(|listen| listen.endpoint.clone()).collect());
        }
        let endpoint: Endpoint = default.parse().map_err(StartError::other)?;
        Ok(vec![endpoint.endpoint])
    }

    /// The configuration of its ports, with the limits of the command line or the file. For a server that is on one reactor only; on
    /// several, [`serve`](Self::serve) shares the ports.
    pub(crate) fn listen_config(&self) -> ListenConfig {
        self.limits.listen_config()
    }

    /// How long a stop waits for connections.
    #[allow(dead_code, reason = "the same")]
    pub(crate) fn drain(&self) -> Duration {
        self.drain
    }

    /// What hands the sockets over to the next process at an upgrade: for servers that open their own. `None` when the arguments are
    /// only checked.
    #[allow(dead_code, reason = "the same")]
    pub(crate) fn handover(&self) -> Option<&Handover> {
        self.handover.as_ref()
    }

    /// A service that serves connections on all endpoints with one factory: all that most servers need. Several reactors share the
    /// ports, an upgrade hands them over, and a reload goes on with them.
    pub(crate) fn serve(
        &self,
        default: &str,
        factory: impl Factory,
    ) -> Result<Box<dyn Service>, StartError> {
        self.serve_with(default, factory, |server| server)
    }

    /// The same, with more configuration of each port: `ServerService::rebuild` for connections that go over to the next process.
    pub(crate) fn serve_with(
        &self,
        default: &str,
        factory: impl Factory,
        configure: impl Fn(ServerService) -> ServerService,
    ) -> Result<Box<dyn Service>, StartError> {
        let factory = SharedFactory::new(DynFactory::new(factory));
        let services = MultiService::new();
        for (index, endpoint) in self.endpoints(default)?.into_iter().enumerate() {
            let Some(config) = self.port_config(index, &endpoint) else { continue };
            let server = ServerService::new(endpoint.clone(), factory.clone());
            let mut server = server.config(config).drain(self.drain);
            if let Some(handover) = &self.handover {
                server = server.handover(handover, self.port_name(index));
            }
            let listening =
                Listening::new(configure(server), self.name.clone(), endpoint.to_string());
            services.add(index.to_string(), listening)?;
        }
        Ok(Box::new(services))
    }

    /// The configuration of the port of one endpoint; `None` if only the first of several reactors has it.
    fn port_config(&self, index: usize, endpoint: &ServerEndpoint) -> Option<ListenConfig> {
        let config = match Shard::of(&self.reactor) {
            Some(shard) if shard.count() > 1 => {
                shard.share_port(&self.port_name(index), self.listen_config())?
            }
            _ => self.listen_config(),
        };
        let stopped = Stopped::of(&self.reactor).take(&self.name, &endpoint.to_string());
        Some(config.handed_over(stopped))
    }

    fn port_name(&self, index: usize) -> String {
        format!("{}/{index}", self.name)
    }
}
