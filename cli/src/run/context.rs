//! What a command is given to make its service: [`Context`].

use std::{cell::RefCell, time::Duration};

use sinew::{
    application::{MultiService, ServerService, Service, StartError, handover::Handover},
    reactor::Reactor,
    transports::{
        Factory, ListenConfig, SharedFactory, StreamConfig,
        endpoint::{DynFactory, ServerEndpoint},
        reactors::Shard,
    },
};

use super::{
    listening::{Listening, Stopped},
    readiness::{Readiness, Wait},
    udp::UdpSockets,
};
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
    readiness: Readiness,
    /// In a check.
    warnings: RefCell<Vec<String>>,
}

impl Context {
    /// For a service that runs on this reactor.
    pub(super) fn new(
        reactor: Reactor,
        planned: &Planned,
        drain: Duration,
        handover: &Handover,
        readiness: &Readiness,
    ) -> Self {
        let (handover, readiness) = (Some(handover.clone()), readiness.clone());
        Self { drain, handover, readiness, ..Self::for_check(reactor, planned) }
    }

    /// For a service that is made to check its arguments, and dropped again.
    pub(crate) fn for_check(reactor: Reactor, planned: &Planned) -> Self {
        let Planned { name, listen, limits, .. } = planned.clone();
        let readiness = Readiness::default();
        let (drain, warnings) = (Duration::ZERO, RefCell::default());
        Self { reactor, name, listen, limits, drain, handover: None, readiness, warnings }
    }

    /// The reactor.
    pub(crate) fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    /// The name of the service.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the service is made only to check its arguments.
    pub(crate) fn is_check(&self) -> bool {
        self.handover.is_none()
    }

    /// Says what is probably a mistake, though the service can run: to the log, or as a result of `sinew check`. Of several reactors, the
    /// first says it.
    pub(crate) fn warn(&self, text: String) {
        match self.is_check() {
            true => self.warnings.borrow_mut().push(text),
            false if Shard::of(&self.reactor).is_some_and(|shard| shard.index() > 0) => {}
            false => tracing::warn!(service = %self.name, "{text}"),
        }
    }

    /// The warnings of a check.
    pub(crate) fn into_warnings(self) -> Vec<String> {
        self.warnings.into_inner()
    }

    /// Whether this process has taken over from an earlier one, which may still hold what only one process can.
    pub(crate) fn has_predecessor(&self) -> bool {
        self.handover.as_ref().is_some_and(Handover::has_predecessor)
    }

    /// Has the server be ready only when the result is dropped. `what` says for what this service waits: `its queue`.
    pub(crate) fn wait_for(&self, what: &str) -> Wait {
        self.readiness.wait(format!("{} waits for {what}", self.name))
    }

    /// The limits of connections, for servers that have more to limit than the ports.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
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

    /// The UDP sockets of the service, none of which is open yet.
    pub(crate) fn udp_sockets(&self) -> UdpSockets {
        UdpSockets::new(&self.name, self.handover.as_ref())
    }

    /// A service that serves connections on all endpoints with one factory: all that most servers need. Several reactors share the
    /// ports, an upgrade hands them over, and a reload goes on with them.
    pub(crate) fn serve(
        &self,
        default: &str,
        factory: impl Factory,
    ) -> Result<Box<dyn Service>, StartError> {
        self.serve_with(
            default,
            ListenConfig::default(),
            StreamConfig::default(),
            factory,
            |_, server| server,
        )
    }

    /// The same for a server that has limits of its own, which those of the command line or the file replace; and with more configuration of
    /// each port: `ServerService::rebuild` for connections that go over to the next process.
    pub(crate) fn serve_with(
        &self,
        default: &str,
        config: ListenConfig,
        stream: StreamConfig,
        factory: impl Factory,
        configure: impl Fn(&ServerEndpoint, ServerService) -> ServerService,
    ) -> Result<Box<dyn Service>, StartError> {
        let services = MultiService::new();
        let endpoints = self.endpoints(default)?;
        self.serve_group(&services, "", endpoints, config, stream, factory, configure)?;
        Ok(Box::new(services))
    }

    /// Adds the ports of one protocol of a server that has several, which are called as the group: in an upgrade, in a reload, and in
    /// the log.
    #[allow(clippy::too_many_arguments, reason = "what a port consists of")]
    pub(crate) fn serve_group(
        &self,
        services: &MultiService,
        group: &str,
        endpoints: Vec<ServerEndpoint>,
        config: ListenConfig,
        stream: StreamConfig,
        factory: impl Factory,
        configure: impl Fn(&ServerEndpoint, ServerService) -> ServerService,
    ) -> Result<(), StartError> {
        let config = self.limits.applied_to(config, stream);
        let factory = SharedFactory::new(DynFactory::new(factory));
        let name = match group {
            "" => self.name.clone(),
            group => format!("{}/{group}", self.name),
        };
        for (index, endpoint) in endpoints.into_iter().enumerate() {
            let port = format!("{name}/{index}");
            let Some(config) = self.port_config(&port, &name, &endpoint, &config) else { continue };
            let server = ServerService::new(endpoint.clone(), factory.clone());
            let mut server = server.config(config).drain(self.drain);
            if let Some(handover) = &self.handover {
                server = server.handover(handover, &port);
            }
            let text = endpoint.to_string();
            let listening = Listening::new(configure(&endpoint, server), name.clone(), text);
            services.add(port, listening)?;
        }
        Ok(())
    }

    /// The configuration of the port of one endpoint; `None` if only the first of several reactors has it.
    fn port_config(
        &self,
        port: &str,
        service: &str,
        endpoint: &ServerEndpoint,
        config: &ListenConfig,
    ) -> Option<ListenConfig> {
        let config = match Shard::of(&self.reactor) {
            Some(shard) if shard.count() > 1 => shard.share_port(port, config.clone())?,
            _ => config.clone(),
        };
        let stopped = Stopped::of(&self.reactor).take(service, &endpoint.to_string());
        Some(config.handed_over(stopped))
    }
}
