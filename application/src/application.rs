//! A whole program: [`Application`] runs services on a reactor, from their start to the clean stop.

use std::{cell::RefCell, error::Error, fmt, rc::Rc};

use sinew_reactor::{Deferred, Phase, Reactor};

use crate::{MultiService, Service, StartError};

mod error;

pub use error::ApplicationError;

type Hook = Box<dyn FnOnce(&Reactor) -> Result<(), Box<dyn Error + Send + Sync>>>;

/// Services that make up a program.
///
/// [`run`](Self::run) does, in this order:
///
/// 1. [`privileged_start`](Service::privileged_start) of all services, in their order.
/// 2. The hook of [`after_privileged_start`](Self::after_privileged_start), where a program gives its privileges up.
/// 3. [`start`](Service::start) of all services, in their order.
/// 4. The event loop, until SIGINT or SIGTERM arrives (on Unix), or [`Reactor::stop`] is called.
/// 5. [`stop`](Service::stop) of all services, in reverse order, all at once; the loop goes on until they have stopped, at most for
///    [`Builder::shutdown_max`](sinew_reactor::Builder::shutdown_max), or until a second signal.
///
/// If a step before the fourth fails, the next is the fifth, and `run` returns the failure.
///
/// # Examples
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sinew_application::{Application, ServerService};
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
/// let application = Application::new();
/// application.services().add("echo", ServerService::new("tcp:7".parse()?, |_: &Peer| Echo))?;
/// application.run(&Reactor::new()?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
#[must_use = "call `run`"]
pub struct Application {
    services: MultiService,
    hook: Option<Hook>,
}

impl Application {
    /// No services yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The services. Clone the handle to add and remove services while they run.
    pub fn services(&self) -> &MultiService {
        &self.services
    }

    /// Calls `f` between the privileged start and the start: to change the user, the root directory, and so on. If it fails, the
    /// program stops. Replaces an earlier `f`.
    pub fn after_privileged_start<E: Into<Box<dyn Error + Send + Sync>>>(
        mut self,
        f: impl FnOnce(&Reactor) -> Result<(), E> + 'static,
    ) -> Self {
        self.hook = Some(Box::new(|reactor| f(reactor).map_err(Into::into)));
        self
    }

    /// Starts the services, runs the loop, and stops the services.
    ///
    /// # Errors
    ///
    /// [`ApplicationError`]: what did not start; or, if all did, that the loop failed, or what did not stop as it should.
    pub fn run(self, reactor: &Reactor) -> Result<(), ApplicationError> {
        let Self { services, hook } = self;
        let failure = Rc::new(RefCell::new(None));
        let (starting, failed) = (services.clone(), failure.clone());
        reactor.on(Phase::AfterStartup, move |reactor| {
            if let Err(error) = start(reactor, &starting, hook) {
                failed.replace(Some(error));
                let _ = reactor.stop();
            }
        });
        let failed = failure.clone();
        reactor.on(Phase::BeforeShutdown, move |reactor| stop(reactor, &services, failed));
        let ran = reactor.run();
        match failure.take() {
            Some(error) => Err(error),
            None => Ok(ran?),
        }
    }
}

fn start(
    reactor: &Reactor,
    services: &MultiService,
    hook: Option<Hook>,
) -> Result<(), ApplicationError> {
    services.privileged_start(reactor)?;
    if let Some(hook) = hook {
        let what = || "the hook after the privileged start".to_owned();
        match reactor.guard(what, || hook(reactor)) {
            Ok(hooked) => hooked.map_err(ApplicationError::Hook)?,
            Err(panic) => return Err(ApplicationError::Hook(panic.into())),
        }
    }
    Ok(services.start(reactor)?)
}

/// Stops the services. A failure is stored, unless the start has failed already.
fn stop(
    reactor: &Reactor,
    services: &MultiService,
    failure: Rc<RefCell<Option<ApplicationError>>>,
) -> Deferred<()> {
    services.stop(reactor).map(move |stopped| {
        if let Err(error) = stopped {
            failure.borrow_mut().get_or_insert(ApplicationError::Stop(error));
        }
        Ok(())
    })
}

impl From<StartError> for ApplicationError {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application").field("services", &self.services).finish_non_exhaustive()
    }
}
