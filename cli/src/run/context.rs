//! What a command is given to make its service: [`Context`].

use sinew::{
    reactor::Reactor,
    transports::{Factory, ListenConfig, endpoint::ServerEndpoint},
};

use super::{Service, StartError, service::Ports};
use crate::arguments::{Endpoint, Limits, ListenOptions};

/// The reactor, the endpoints and the limits of a service that is about to be made.
pub(crate) struct Context {
    pub(crate) reactor: Reactor,
    pub(crate) listen: ListenOptions,
    pub(crate) limits: Limits,
}

impl Context {
    /// The reactor on which the service will run.
    #[allow(dead_code)]
    pub(crate) fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    /// The endpoints of `--listen`, or the `default` of the command.
    pub(crate) fn endpoints(&self, default: &str) -> Result<Vec<ServerEndpoint>, StartError> {
        if !self.listen.listen.is_empty() {
            return Ok(self.listen.listen.iter().map(|listen| listen.endpoint.clone()).collect());
        }
        let endpoint: Endpoint =
            default.parse().map_err(|error| StartError::Failed(Box::new(error)))?;
        Ok(vec![endpoint.endpoint])
    }

    /// The configuration of its ports, with the limits of the command line or the file.
    pub(crate) fn listen_config(&self) -> ListenConfig {
        self.limits.listen_config()
    }

    /// A service that listens on all endpoints, each with a factory that `make` makes: all that most servers need.
    pub(crate) fn serve<F: Factory>(
        &self,
        default: &str,
        make: impl Fn() -> F + 'static,
    ) -> Result<Box<dyn Service>, StartError> {
        let make = std::rc::Rc::new(make);
        let listen = self.endpoints(default)?.into_iter().map(|endpoint| {
            let (config, make) = (self.listen_config(), make.clone());
            let listen: Box<dyn Fn(&Reactor) -> _> = Box::new(move |reactor: &Reactor| {
                endpoint
                    .listen_with(reactor, config.clone(), make())
                    .map_err(|error| StartError::Failed(Box::new(error)))
            });
            listen
        });
        Ok(Box::new(Ports { listen: listen.collect(), open: Default::default() }))
    }
}
