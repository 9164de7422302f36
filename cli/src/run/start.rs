//! The order of a start: the reactor, the privileged part of the services, the services, the loop.

use sinew::{prelude::Phase, reactor::Reactor};

use super::{Context, ServerCommand, StartError};
use crate::{
    arguments::Options,
    exit::{Code, Failure},
};

/// Runs one service until it is stopped.
pub(crate) fn run_one(command: &dyn ServerCommand, options: &Options) -> Result<(), Failure> {
    let reactor = Reactor::builder()
        .engine(options.reactor.engine.0)
        .build()
        .map_err(|error| Failure::new(Code::System, error.to_string()))?;
    let context = Context {
        reactor: reactor.clone(),
        listen: options.listen.clone(),
        limits: options.limits.clone(),
    };
    let service = command.service(&context).map_err(failure)?;
    service.privileged_start(&reactor).map_err(failure)?;
    service.start(&reactor).map_err(failure)?;
    reactor.on(Phase::BeforeShutdown, move |reactor| service.stop(reactor));
    reactor.run().map_err(|error| Failure::new(Code::Software, error.to_string()))
}

fn failure(error: StartError) -> Failure {
    let code = match error {
        StartError::Config(_) => Code::Config,
        StartError::Failed(_) => Code::Unavailable,
    };
    Failure::new(code, error.to_string())
}
