//! A whole program on several reactors: [`ShardedApplication`]. The reactors themselves are those of `sinew-transports`.

use std::{
    cell::RefCell,
    error::Error,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use sinew_reactor::{Deferred, Phase, Reactor, Stats};
use sinew_transports::reactors::{CallError, PortShares, Reactors, RunningReactors, Shard};

use crate::{MultiService, ServerService, Service, StartError};

mod error;

pub use error::ShardedError;

type Cause = Box<dyn Error + Send + Sync>;

type Make = Box<dyn Fn(&Shard, &PortShares) -> Result<Box<dyn Service>, Cause> + Send + Sync>;

type Hook = Box<dyn FnOnce() -> Result<(), Cause> + Send>;

/// Services on several reactors, each on a thread of its own. What is one for all, and what each reactor has for itself, is said
/// service by service; closures make them, on the threads of their reactors.
///
/// [`run`](Self::run) does what [`Application::run`](crate::Application::run) does: the privileged start of all services on all
/// reactors, the hook, the start of all, the loops, and the stop of all. Each reactor starts its services in the order in which
/// they were added, the first reactor after the others. When one reactor is stopped, all stop. A reactor that is restarted after
/// a failure ([`OnFailure::Restart`](sinew_transports::reactors::OnFailure)) gets new services, which start without privileges.
///
/// # Examples
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use sinew_application::{ServerService, ShardedApplication, StartError, TimerService};
/// use sinew_reactor::Reactor;
/// use sinew_transports::{Peer, Protocol, Transport, reactors::{Reactors, Shard}};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let endpoint = "tcp:7".parse()?;
/// ShardedApplication::new()
///     .server("echo", move |_: &Shard| Ok::<_, StartError>(ServerService::new(Clone::clone(&endpoint), |_: &Peer| Echo)))
///     .once("minutes", |_: &Shard| {
///         Ok::<_, StartError>(TimerService::new(Duration::from_secs(60), |_: &Reactor| println!("a minute")))
///     })
///     .run(Reactors::per_processor())?;
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
#[must_use = "call `run`"]
pub struct ShardedApplication {
    /// The name, whether only the first reactor has it, and how it is made.
    services: Vec<(String, bool, Make)>,
    hook: Option<Hook>,
}

/// The services of one reactor, kept there.
#[derive(Default)]
struct Local(RefCell<Option<MultiService>>);

/// What the reactors have in common.
struct Common {
    services: Vec<(String, bool, Make, PortShares)>,
    /// The hook has been called, and the services have started: a reactor that comes later starts its own at once.
    is_started: AtomicBool,
    /// The first that did not stop as it should.
    failure: Mutex<Option<ShardedError>>,
}

impl ShardedApplication {
    /// No services yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service of which each reactor has one.
    pub fn each<S: Service, E: Into<Cause>>(
        self,
        name: impl Into<String>,
        make: impl Fn(&Shard) -> Result<S, E> + Send + Sync + 'static,
    ) -> Self {
        self.add(name.into(), false, move |shard, _| make(shard).map_err(Into::into))
    }

    /// Adds a service that runs on the first reactor, one for all.
    pub fn once<S: Service, E: Into<Cause>>(
        self,
        name: impl Into<String>,
        make: impl Fn(&Shard) -> Result<S, E> + Send + Sync + 'static,
    ) -> Self {
        self.add(name.into(), true, move |shard, _| make(shard).map_err(Into::into))
    }

    /// Adds a server whose ports all reactors share, as they share those of [`Reactors::listen`]. `make` gives it the same
    /// endpoints on each.
    pub fn server<E: Into<Cause>>(
        self,
        name: impl Into<String>,
        make: impl Fn(&Shard) -> Result<ServerService, E> + Send + Sync + 'static,
    ) -> Self {
        self.add(name.into(), false, move |shard, shares| {
            Ok(make(shard).map_err(Into::into)?.sharing(shares, shard.index()))
        })
    }

    fn add<S: Service>(
        mut self,
        name: String,
        once: bool,
        make: impl Fn(&Shard, &PortShares) -> Result<S, Cause> + Send + Sync + 'static,
    ) -> Self {
        let make: Make = Box::new(move |shard, shares| Ok(Box::new(make(shard, shares)?)));
        self.services.push((name, once, make));
        self
    }

    /// Calls `f` between the privileged start and the start, on the thread of [`run`](Self::run). If it fails, the program stops.
    /// Replaces an earlier `f`.
    pub fn after_privileged_start<E: Into<Cause>>(
        mut self,
        f: impl FnOnce() -> Result<(), E> + Send + 'static,
    ) -> Self {
        self.hook = Some(Box::new(|| f().map_err(Into::into)));
        self
    }

    /// Starts the services on these reactors, and waits until all have stopped. Returns the counters of all.
    ///
    /// # Errors
    ///
    /// [`ShardedError`]: what did not start; or, if all did, what failed, or did not stop as it should.
    pub fn run(self, reactors: Reactors) -> Result<Stats, ShardedError> {
        let services = self.services.into_iter();
        let services =
            services.map(|(name, once, make)| (name, once, make, reactors.port_shares()));
        let common = Arc::new(Common {
            services: services.collect(),
            is_started: AtomicBool::new(false),
            failure: Mutex::default(),
        });
        let prepared = common.clone();
        let running = reactors.setup(move |shard| prepare(shard, &prepared)).start()?;
        if let Err(error) = begin(&running, &common, self.hook) {
            let _ = running.stop();
            let _ = running.join();
            return Err(error);
        }
        let stats = running.join()?;
        match common.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(failure) => Err(failure),
            None => Ok(stats),
        }
    }
}

/// Makes the services of one reactor, and does their privileged start.
fn prepare(shard: &Shard, common: &Arc<Common>) -> Result<(), StartError> {
    let (services, reactor) = (MultiService::new(), shard.reactor());
    for (name, once, make, shares) in &common.services {
        if !once || shard.index() == 0 {
            let made = make(shard, shares);
            let made = made.map_err(|error| StartError::Other(error).of_child(name))?;
            services.add(name.as_str(), made)?;
        }
    }
    services.privileged_start(reactor)?;
    reactor.local::<Local>().0.replace(Some(services.clone()));
    if common.is_started.load(Ordering::SeqCst) {
        reactor.on(Phase::AfterStartup, |reactor| {
            if let (Err(error), Some(shard)) = (start(reactor), Shard::of(reactor)) {
                shard.fail(error);
            }
        });
    }
    let (index, common, stopping) = (shard.index(), common.clone(), services.clone());
    reactor.on(Phase::BeforeShutdown, move |reactor| stop(reactor, &stopping, index, common));
    reactor.on(Phase::DuringShutdown, move |reactor| {
        // The wait was ended by a second signal, which is for all.
        if let (true, Some(shard)) = (services.is_stopping(), Shard::of(reactor)) {
            let _ = shard.handle().stop_now();
        }
    });
    Ok(())
}

fn start(reactor: &Reactor) -> Result<(), StartError> {
    let services = reactor.local::<Local>().0.borrow().clone();
    services.map_or(Ok(()), |services| services.start(reactor))
}

fn stop(
    reactor: &Reactor,
    services: &MultiService,
    shard: usize,
    common: Arc<Common>,
) -> Deferred<()> {
    services.stop(reactor).map(move |stopped| {
        if let Err(error) = stopped {
            let mut failure = common.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert(ShardedError::Stop { shard, error });
        }
        Ok(())
    })
}

/// All reactors run: calls the hook, and starts the services on each.
fn begin(
    running: &RunningReactors,
    common: &Common,
    hook: Option<Hook>,
) -> Result<(), ShardedError> {
    if let Some(hook) = hook {
        hook().map_err(ShardedError::Hook)?;
    }
    common.is_started.store(true, Ordering::SeqCst);
    // The first is the last: it has what is one for all.
    for shard in (1..running.count()).chain([0]) {
        match running.call(shard, |shard| start(shard.reactor())) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(ShardedError::Start { shard, error }),
            Err(CallError::Panicked { panic, .. }) => {
                return Err(ShardedError::Start { shard, error: panic.into() });
            }
            // It stops already, or is started again, which starts its services.
            Err(_) => {}
        }
    }
    Ok(())
}

impl fmt::Debug for ShardedApplication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.services.iter().map(|(name, ..)| name).collect();
        f.debug_struct("ShardedApplication").field("services", &names).finish_non_exhaustive()
    }
}
