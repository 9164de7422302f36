//! What a command is given to make its service: [`Context`].

use std::time::Duration;

use sinew::{
    application::{MultiService, ServerService, Service, StartError},
    reactor::Reactor,
    transports::{
        Factory, ListenConfig, SharedFactory, StreamConfig,
        endpoint::{DynFactory, ServerEndpoint},
        reactors::Shard,
    },
};

use super::listening::Listening;
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
}

impl Context {
    /// For a service that runs on this reactor.
    pub(crate) fn new(reactor: Reactor, planned: &Planned, drain: Duration) -> Self {
        let Planned { name, listen, limits, .. } = planned.clone();
        Self { reactor, name, listen, limits, drain }
    }

    /// For a service that is made to check its arguments, and dropped again.
    pub(crate) fn for_check(reactor: Reactor, planned: &Planned) -> Self {
        Self::new(reactor, planned, Duration::ZERO)
    }

    /// The reactor on which the service will run.
    pub(crate) fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    /// The name of the service, for logs.
    #[allow(dead_code, reason = "servers need no name but for logs of their own")]
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

    /// Whether endpoints or limits were given, which mean nothing to a server without ports.
    pub(crate) fn has_listen_options(&self) -> bool {
        !self.listen.listen.is_empty() || self.limits != Limits::default()
    }

    /// A service that serves connections on all endpoints with one factory: all that most servers need. Several reactors share the
    /// ports.
    pub(crate) fn serve(
        &self,
        default: &str,
        factory: impl Factory,
    ) -> Result<Box<dyn Service>, StartError> {
        self.serve_with(default, ListenConfig::default(), StreamConfig::default(), factory)
    }

    /// The same for a server that has limits of its own: those of the command line or the file replace them.
    pub(crate) fn serve_with(
        &self,
        default: &str,
        config: ListenConfig,
        stream: StreamConfig,
        factory: impl Factory,
    ) -> Result<Box<dyn Service>, StartError> {
        let config = self.limits.applied_to(config, stream);
        let factory = SharedFactory::new(DynFactory::new(factory));
        let services = MultiService::new();
        for (index, endpoint) in self.endpoints(default)?.into_iter().enumerate() {
            let Some(config) = self.port_config(index, config.clone()) else { continue };
            let server = ServerService::new(endpoint, factory.clone());
            let server = server.config(config).drain(self.drain);
            let is_first = Shard::of(&self.reactor).is_none_or(|shard| shard.index() == 0);
            let name = is_first.then(|| self.name.clone());
            services.add(index.to_string(), Listening { server, name })?;
        }
        Ok(Box::new(services))
    }

    /// The configuration of the port of one endpoint; `None` if only the first of several reactors has it.
    fn port_config(&self, index: usize, config: ListenConfig) -> Option<ListenConfig> {
        match Shard::of(&self.reactor) {
            Some(shard) if shard.count() > 1 => {
                shard.share_port(&format!("{}/{index}", self.name), config)
            }
            _ => Some(config),
        }
    }
}
