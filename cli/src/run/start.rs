//! The order of a start: the reactor, the privileged part of the services, the services, the loop.

use sinew::{
    application::{Application, ApplicationError},
    reactor::Reactor,
};

use super::Context;
use crate::{
    config::Program,
    exit::{Code, Failure},
    log::{Journal, Log},
};

/// Runs a program until it is stopped.
pub(crate) fn run_one(program: &Program) -> Result<(), Failure> {
    let log = Log::start(&program.log, Journal::connect(&program.log)?, None)?;
    let reactor = Reactor::builder()
        .engine(program.reactor.engine.0)
        .build()
        .map_err(|error| Failure::new(Code::System, error.to_string()))?;
    let application = Application::new();
    for planned in &program.services {
        let context = Context::new(reactor.clone(), planned, program.reactor.drain.0);
        let service = planned.server.service(&context).map_err(|error| failure(&error.into()))?;
        application
            .services()
            .add(planned.name.clone(), service)
            .map_err(|error| failure(&error.into()))?;
    }
    let ran = application.run(&reactor).map_err(|error| failure(&error));
    log.flush();
    ran
}

fn failure(error: &ApplicationError) -> Failure {
    Failure::new(Code::Unavailable, error.to_string())
}
