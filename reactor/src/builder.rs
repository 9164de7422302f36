//! How a reactor is set up: [`Builder`], and the settings that it leaves behind.

use std::time::Duration;

use crate::{BuildError, Engine, Reactor};

/// Sets up a [`Reactor`].
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use std::time::Duration;
/// use sinew_reactor::{Engine, Reactor};
///
/// let reactor = Reactor::builder()
///     .engine(Engine::Mio)
///     .slow_callback(Duration::from_millis(20))
///     .build()?;
/// # drop(reactor);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "call `build` to get the reactor"]
pub struct Builder {
    settings: Settings,
}

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) engine: Engine,
    pub(crate) seed: Option<u64>,
    /// In nanoseconds, as the watch counts.
    pub(crate) slow_callback: u64,
    pub(crate) spin: Duration,
    pub(crate) wait_retry: Duration,
    pub(crate) stop_signals: bool,
    pub(crate) shutdown_max: Duration,
    pub(crate) remote_queue_max: usize,
    pub(crate) pool_threads_max: usize,
    pub(crate) pool_queue_max: usize,
    pub(crate) pool_grace: Duration,
    pub(crate) lookup_threads_max: usize,
    pub(crate) lookup_queue_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: Engine::default(),
            seed: None,
            slow_callback: 100_000_000,
            spin: Duration::ZERO,
            wait_retry: Duration::from_secs(10),
            stop_signals: true,
            shutdown_max: Duration::from_secs(30),
            remote_queue_max: 1 << 20,
            pool_threads_max: 10,
            pool_queue_max: 1 << 16,
            pool_grace: Duration::from_secs(5),
            lookup_threads_max: 10,
            lookup_queue_max: 1 << 16,
        }
    }
}

impl Builder {
    /// The mechanism to wait on. Default [`Engine::Mio`].
    pub fn engine(mut self, engine: Engine) -> Self {
        self.settings.engine = engine;
        self
    }

    /// What [`Reactor::random`](crate::Reactor::random) and, on [`Engine::Simulated`], the moments at which jobs of the
    /// thread pool run are drawn from. Default: something else each time; 0 on [`Engine::Simulated`].
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// A callback that takes this long or longer is logged as a warning with what ran. Default 100 ms.
    pub fn slow_callback(mut self, threshold: Duration) -> Self {
        self.settings.slow_callback = u64::try_from(threshold.as_nanos()).unwrap_or(u64::MAX);
        self
    }

    /// Polls without blocking for so long before the loop goes to sleep: answers come sooner, for a busy processor.
    /// Default zero, off.
    pub fn spin(mut self, spin: Duration) -> Self {
        self.settings.spin = spin;
        self
    }

    /// How long the loop goes on when its wait for events fails because the system is out of memory or of something else for
    /// the moment (ENOMEM, EAGAIN). Default 10 s; past it the run ends with [`RunError::Wait`](crate::RunError::Wait).
    /// Meanwhile timers and calls run, and the wait is tried again after a rest of 1 to 100 ms. It is logged once.
    pub fn wait_retry(mut self, time: Duration) -> Self {
        self.settings.wait_retry = time;
        self
    }

    /// Whether SIGINT and SIGTERM stop a run, on Unix. Default `true`. Signals asked for with
    /// [`Reactor::on_signal`](crate::Reactor) work either way.
    pub fn stop_signals(mut self, stop: bool) -> Self {
        self.settings.stop_signals = stop;
        self
    }

    /// How long a stop waits for what the triggers of [`Phase::BeforeShutdown`](crate::Phase::BeforeShutdown) returned.
    /// Default 30 s.
    pub fn shutdown_max(mut self, wait: Duration) -> Self {
        self.settings.shutdown_max = wait;
        self
    }

    /// How many calls from other threads may wait. Default 1,048,576; past it, [`RemoteError::Full`](crate::RemoteError).
    pub fn remote_queue_max(mut self, calls: usize) -> Self {
        self.settings.remote_queue_max = calls;
        self
    }

    /// How many threads [`Reactor::defer_to_thread`] may use. Default 10, at least 1.
    pub fn pool_threads_max(mut self, threads: usize) -> Self {
        self.settings.pool_threads_max = threads;
        self
    }

    /// How many jobs may wait for a thread. Default 65,536; past it, [`Failure::Overloaded`](crate::Failure).
    pub fn pool_queue_max(mut self, jobs: usize) -> Self {
        self.settings.pool_queue_max = jobs;
        self
    }

    /// How long the end of a run waits for jobs that still run in threads. Default 5 s. Those that go on are left behind,
    /// with a warning; with zero all are, without one.
    pub fn pool_grace(mut self, grace: Duration) -> Self {
        self.settings.pool_grace = grace;
        self
    }

    /// How many threads look up names ([`Reactor::defer_to_lookup_thread`]), beside those of the pool. Default 10, at least 1. A
    /// lookup holds its thread until the system has an answer, which takes some seconds where no DNS server has one.
    pub fn lookup_threads_max(mut self, threads: usize) -> Self {
        self.settings.lookup_threads_max = threads;
        self
    }

    /// How many lookups may wait for a thread. Default 65,536; past it, [`Failure::Overloaded`](crate::Failure).
    pub fn lookup_queue_max(mut self, lookups: usize) -> Self {
        self.settings.lookup_queue_max = lookups;
        self
    }

    /// Makes the reactor.
    ///
    /// # Errors
    ///
    /// If the system does not let us have the engine, or has no descriptors left for it.
    pub fn build(self) -> Result<Reactor, BuildError> {
        Reactor::from_settings(self.settings)
    }
}
