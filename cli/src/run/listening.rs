//! One port of a service that serves connections: [`Listening`] says where it listens, and ends the process with its only connection if that
//! is standard input and output.

use sinew::{
    application::{ServerService, Service, StartError, StopError},
    reactor::{Deferred, Reactor},
    transports::Address,
};

pub(super) struct Listening {
    pub(super) server: ServerService,
    /// Of the service, for the log; `None` if another reactor logs it.
    pub(super) name: Option<String>,
}

impl Service for Listening {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.server.privileged_start(reactor)
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.server.start(reactor)?;
        for port in self.server.ports() {
            let local = port.local();
            if let Some(name) = &self.name {
                tracing::info!(service = name, "listening on {local}");
            }
            if local == Address::Stdio {
                port.when_closed().then(|reactor, _| drop(reactor.stop()));
            }
        }
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        self.server.stop(reactor)
    }
}
