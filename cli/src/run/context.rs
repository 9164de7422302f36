//! What a command is given to make its service: [`Context`].

use std::time::Duration;

use sinew::{
    application::{ServerService, Service, StartError},
    reactor::Reactor,
    transports::{Factory, ListenConfig, StreamConfig, endpoint::ServerEndpoint},
};

use crate::{
    arguments::{Endpoint, Limits, ListenOptions},
    config::Planned,
};

/// The reactor, the endpoints and the limits of a service that is about to be made.
#[derive(Debug)]
pub(crate) struct Context {
    reactor: Reactor,
    listen: ListenOptions,
    limits: Limits,
    drain: Duration,
}

impl Context {
    /// For a service that runs on this reactor.
    pub(crate) fn new(reactor: Reactor, planned: &Planned, drain: Duration) -> Self {
        Self { reactor, listen: planned.listen.clone(), limits: planned.limits.clone(), drain }
    }

    /// For a service that is made to check its arguments, and dropped again.
    pub(crate) fn for_check(reactor: Reactor, planned: &Planned) -> Self {
        Self::new(reactor, planned, Duration::ZERO)
    }

    /// The reactor on which the service will run.
    pub(crate) fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    /// The endpoints of `--listen`, or the `default` of the command.
    pub(crate) fn endpoints(&self, default: &str) -> Result<Vec<ServerEndpoint>, StartError> {
        if !self.listen.listen.is_empty() {
            return Ok(self.listen.listen.iter().map(|listen| listen.endpoint.clone()).collect());
        }
        let endpoint: Endpoint = default.parse().map_err(StartError::other)?;
        Ok(vec![endpoint.endpoint])
    }

    /// The configuration of its ports, with the limits of the command line or the file.
    pub(crate) fn listen_config(&self) -> ListenConfig {
        self.limits.listen_config()
    }

    /// The same for a server that has limits of its own: those that the user has set replace them.
    pub(crate) fn listen_config_from(
        &self,
        config: ListenConfig,
        stream: StreamConfig,
    ) -> ListenConfig {
        self.limits.applied_to(config, stream)
    }

    /// Whether endpoints or limits were given, which mean nothing to a server without ports.
    pub(crate) fn has_listen_options(&self) -> bool {
        !self.listen.listen.is_empty() || self.limits != Limits::default()
    }

    /// How long a stop waits for connections.
    pub(crate) fn drain(&self) -> Duration {
        self.drain
    }

    /// A service that serves connections on all endpoints with one factory: all that most servers need.
    pub(crate) fn serve(
        &self,
        default: &str,
        factory: impl Factory,
    ) -> Result<Box<dyn Service>, StartError> {
        let mut endpoints = self.endpoints(default)?.into_iter();
        let first = endpoints.next().expect("there is one at least: that of the command");
        let service = ServerService::new(first, factory);
        let service = endpoints.fold(service, ServerService::also_on);
        Ok(Box::new(service.config(self.listen_config()).drain(self.drain)))
    }
}
