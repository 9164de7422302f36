//! The moment at which a program of services is ready to replace another one: [`HandoverService`].

use sinew_reactor::{Deferred, Reactor};

use super::Handover;
use crate::{Service, StartError, StopError};

/// Calls [`Handover::ready`] when it starts. Add it to an [`Application`](crate::Application) behind the servers: then all have
/// started. If that fails, the error is logged, and the program stops.
///
/// # Examples
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew_application::{Application, ServerService, handover::{Handover, HandoverService}};
/// use sinew_reactor::Reactor;
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
/// let handover = Handover::inherit()?;
/// let application = Application::new();
/// let echo = ServerService::new("tcp:7".parse()?, |_: &Peer| Echo).handover(&handover, "echo");
/// application.services().add("echo", echo)?;
/// application.services().add("handover", HandoverService::new(&handover))?;
/// if let Err(error) = application.run(&Reactor::new()?) {
///     handover.failed(&error);
///     return Err(error.into());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct HandoverService {
    handover: Handover,
}

impl HandoverService {
    /// For this program's handover.
    #[must_use]
    pub fn new(handover: &Handover) -> Self {
        Self { handover: handover.clone() }
    }
}

impl Service for HandoverService {
    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.handover.ready(reactor).then(|reactor, serves| {
            if let Err(error) = serves {
                tracing::error!(%error, "this program does not take over, and stops");
                let _ = reactor.stop();
            }
        });
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        Deferred::ready_on(reactor, ())
    }
}
