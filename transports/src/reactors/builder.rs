//! Configuring several reactors: [`Reactors`].

use std::{error::Error, fmt, sync::Arc, thread, time::Duration};

use sinew_reactor::{Builder, Reactor, Stats};

use super::{
    Mailboxes, PortShares, RunningReactors, Shard, ShardError, ShardFailure,
    plan::{Listen, Plan, Setup, Step},
    supervisor,
};
use crate::{
    Factory, ListenConfig,
    endpoint::ServerEndpoint,
    sharing::{Distribution, SharedPort},
};

/// Several reactors, each on a thread of its own, with the same ports: a server that uses several processors.
///
/// The [module](super) says how they work together.
///
/// # Examples
///
/// An echo server on all processors:
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
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
/// // Called on the thread of each reactor, to make its factory.
/// let make = |_: &Shard| |_: &Peer| Echo;
/// Reactors::per_processor().listen("tcp:8000".parse()?, make).run()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "call `run` or `start`"]
pub struct Reactors {
    shards: usize,
    builder: Box<dyn Fn(usize) -> Builder + Send + Sync>,
    steps: Vec<Planned>,
    distribution: Distribution,
    stop_signals: bool,
    pin: bool,
    drain: Duration,
    on_failure: OnFailure,
    report: Box<dyn Fn(&ShardFailure) + Send + Sync>,
}

/// A step, before the port of a listener is made.
enum Planned {
    Listen(Listen),
    Setup(Setup),
}

/// What happens when one of several reactors fails. In any case it is logged and [reported](Reactors::report), and its
/// connections are closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// All others stop, with a drain, and `run` returns the failure. The default.
    #[default]
    Stop,
    /// The others continue without it. The first reactor cannot be missed, since it takes the signals and accepts for the
    /// others: if that fails, all stop.
    Continue,
    /// It is started again, with a new factory, on the same ports: at once, and if it fails again within a minute, after 100 ms,
    /// 200 ms and so on, up to 10 s. After `max` failures in a row, each within a minute, all others stop.
    Restart {
        /// How often in a row; at least 1.
        max: u32,
    },
}

impl OnFailure {
    /// Restarts a failed reactor, at most 5 times in a row.
    #[must_use]
    pub const fn restart() -> Self {
        Self::Restart { max: 5 }
    }
}

impl Reactors {
    /// So many reactors, at least one. More than there are processors are possible, and a warning is logged.
    pub fn new(reactors: usize) -> Self {
        Self {
            shards: reactors.max(1),
            builder: Box::new(|_| Reactor::builder()),
            steps: Vec::new(),
            distribution: Distribution::default(),
            stop_signals: true,
            pin: false,
            drain: Duration::from_secs(10),
            on_failure: OnFailure::default(),
            report: Box::new(|_| ()),
        }
    }

    /// One for each processor that this process may use ([`thread::available_parallelism`]).
    pub fn per_processor() -> Self {
        Self::new(processors().unwrap_or(1))
    }

    /// Listens on an endpoint, of any kind, with the defaults of [`ListenConfig`]. `make` is called on the thread of each reactor,
    /// and again after a restart, to make the factory of that reactor; what it returns does not have to be `Send`.
    pub fn listen<F: Factory>(
        self,
        endpoint: ServerEndpoint,
        make: impl Fn(&Shard) -> F + Send + Sync + 'static,
    ) -> Self {
        self.listen_with(endpoint, ListenConfig::default(), make)
    }

    /// The same with a `config`. Its limits apply to each reactor.
    pub fn listen_with<F: Factory>(
        mut self,
        endpoint: ServerEndpoint,
        config: ListenConfig,
        make: impl Fn(&Shard) -> F + Send + Sync + 'static,
    ) -> Self {
        self.steps.push(Planned::Listen(Box::new(move |shard, share| {
            let config = ListenConfig { share: Some(share), ..config.clone() };
            endpoint.listen_with(shard.reactor(), config, make(shard))
        })));
        self
    }

    /// What these reactors know in common of ports that each opens by itself. Set the [distribution](Self::distribution) first.
    #[must_use]
    pub fn port_shares(&self) -> PortShares {
        PortShares::new(self.shards, self.distribution)
    }

    /// Receives the messages of `mailboxes`. `make` is called on the thread of each reactor, and again after a restart, to make
    /// the closure that the loop calls for each message. [`Shard::local`] has what it shares with the factories.
    ///
    /// Mailboxes belong to one `Reactors`.
    pub fn receive<M, F>(
        self,
        mailboxes: &Mailboxes<M>,
        make: impl Fn(&Shard) -> F + Send + Sync + 'static,
    ) -> Self
    where
        M: Send + 'static,
        F: FnMut(&Reactor, M) + 'static,
    {
        mailboxes.connect(self.shards);
        let mailboxes = mailboxes.clone();
        self.step(move |shard| {
            let call = make(shard);
            mailboxes
                .receive(shard.reactor(), shard.index(), call)
                .map_err(|error| ShardError::Setup(error.into()))
        })
    }

    /// Calls `f` on the thread of each reactor before its loop runs, and again after a restart: for timers, clients, datagram
    /// sockets and all else. Closures given to this and to the other methods are called in their order.
    pub fn setup<E: Into<Box<dyn Error + Send + Sync>>>(
        self,
        f: impl Fn(&Shard) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        self.step(move |shard| f(shard).map_err(|error| ShardError::Setup(error.into())))
    }

    fn step(
        mut self,
        f: impl Fn(&Shard) -> Result<(), ShardError> + Send + Sync + 'static,
    ) -> Self {
        self.steps.push(Planned::Setup(Box::new(f)));
        self
    }

    /// How each reactor is built: the closure receives its index. [`Builder::stop_signals`] is set by
    /// [`stop_signals`](Self::stop_signals). Default: [`Reactor::builder`].
    pub fn reactor(mut self, builder: impl Fn(usize) -> Builder + Send + Sync + 'static) -> Self {
        self.builder = Box::new(builder);
        self
    }

    /// How accepted connections are distributed. Default [`Distribution::System`].
    pub fn distribution(mut self, distribution: Distribution) -> Self {
        self.distribution = distribution;
        self
    }

    /// Whether SIGINT and SIGTERM stop all reactors, on Unix; a second one ends the drain. The first reactor takes them. Default
    /// `true`.
    pub fn stop_signals(mut self, stop: bool) -> Self {
        self.stop_signals = stop;
        self
    }

    /// Whether each reactor's thread is pinned to a processor of its own (sched_setaffinity(2)), in turn if there are more reactors;
    /// on Linux and FreeBSD, elsewhere a warning is logged. Default `false`: the system moves threads to free processors, though not
    /// always soon. Better where the machine has little else to do.
    pub fn pin(mut self, pin: bool) -> Self {
        self.pin = pin;
        self
    }

    /// How long a stop waits for the connections of the ports to finish ([`ListeningPort::drain`](crate::ListeningPort::drain)).
    /// Default 10 s; zero closes them at once. Keep it below [`Builder::shutdown_max`].
    pub fn drain(mut self, deadline: Duration) -> Self {
        self.drain = deadline;
        self
    }

    /// What happens when a reactor fails: its loop ends with an error, it cannot be built or listen again, or user code panics
    /// outside of a callback. (A panic in a callback ends one connection.) Default [`OnFailure::Stop`]. A failure at the start, before
    /// all run, is returned by [`start`](Self::start) in any case.
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = on_failure;
        self
    }

    /// Calls `f` for each failure of a reactor that ran, on a thread of its own, before what [`on_failure`](Self::on_failure)
    /// says is done.
    pub fn report(mut self, f: impl Fn(&ShardFailure) + Send + Sync + 'static) -> Self {
        self.report = Box::new(f);
        self
    }

    /// Starts all reactors, one after the other, and returns when all run.
    ///
    /// # Errors
    ///
    /// [`ShardFailure`], with the reactor that could not be started; the others have been stopped.
    pub fn start(self) -> Result<RunningReactors, ShardFailure> {
        if let Some(processors) = processors().filter(|processors| self.shards > *processors) {
            tracing::warn!(
                reactors = self.shards,
                processors,
                "more reactors than processors: they take turns, which costs time"
            );
        }
        supervisor::start(self.plan())
    }

    /// Starts all reactors, and waits until they have stopped: by SIGINT or SIGTERM, by [`Reactor::stop`] on any of them, or
    /// because one failed. Returns the counters of all.
    ///
    /// # Errors
    ///
    /// [`ShardFailure`]: one could not be started, or failed and was not restarted.
    pub fn run(self) -> Result<Stats, ShardFailure> {
        self.start()?.join()
    }

    fn plan(self) -> Arc<Plan> {
        let (shards, distribution) = (self.shards, self.distribution);
        let steps = self.steps.into_iter().map(|step| match step {
            Planned::Listen(listen) => Step::Listen(SharedPort::new(shards, distribution), listen),
            Planned::Setup(setup) => Step::Setup(setup),
        });
        Arc::new(Plan {
            shards,
            builder: self.builder,
            steps: steps.collect(),
            distribution,
            stop_signals: self.stop_signals,
            pin: self.pin,
            drain: self.drain,
            on_failure: self.on_failure,
            report: self.report,
        })
    }
}

fn processors() -> Option<usize> {
    thread::available_parallelism().ok().map(std::num::NonZero::get)
}

impl fmt::Debug for Reactors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactors")
            .field("reactors", &self.shards)
            .field("distribution", &self.distribution)
            .field("on_failure", &self.on_failure)
            .finish_non_exhaustive()
    }
}
