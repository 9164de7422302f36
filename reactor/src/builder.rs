//! Configuring a reactor: [`Builder`], and the settings that it produces.

use std::time::Duration;

use crate::{BuildError, Engine, Reactor};

/// Configures and builds a [`Reactor`].
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
    /// In nanoseconds, the unit of the callback timer.
    pub(crate) slow_callback: u64,
    pub(crate) spin: Duration,
    pub(crate) inspection: bool,
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
            inspection: false,
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
    /// The engine to wait on. Default [`Engine::Mio`].
    pub fn engine(mut self, engine: Engine) -> Self {
        self.settings.engine = engine;
        self
    }

    /// The seed of [`Reactor::random`](crate::Reactor::random) and, on [`Engine::Simulated`], of the times at which
    /// jobs of the thread pool complete. Default: random; 0 on [`Engine::Simulated`].
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = Some(seed);
        self
    }

    /// The duration from which a callback is logged as slow, with its name. Default 100 ms.
    pub fn slow_callback(mut self, threshold: Duration) -> Self {
        self.settings.slow_callback = u64::try_from(threshold.as_nanos()).unwrap_or(u64::MAX);
        self
    }

    /// How long to busy-poll before the loop sleeps: lower latency for more processor time. Default zero: off.
    pub fn spin(mut self, spin: Duration) -> Self {
        self.settings.spin = spin;
        self
    }

    /// Whether the loop counts for each handler, such as a connection, what it has sent and received, its age and its
    /// longest callback, and measures its own lag: for a look inside ([`Reactor::loop_report`], and the snapshots of
    /// `sinew-transports`). Then each callback is timed apart from others, with the processor's time-stamp counter where
    /// there is one, and a handler takes 64 bytes more. Default `false`, which costs nothing.
    pub fn inspection(mut self, on: bool) -> Self {
        self.settings.inspection = on;
        self
    }

    /// How long the loop retries when its wait for events fails for lack of memory or another transient cause (ENOMEM,
    /// EAGAIN). Default 10 s; past it the run ends with [`RunError::Wait`](crate::RunError::Wait). Meanwhile timers and
    /// calls run, and the wait is retried with a backoff of 1 to 100 ms. The failure is logged once.
    pub fn wait_retry(mut self, time: Duration) -> Self {
        self.settings.wait_retry = time;
        self
    }

    /// Whether SIGINT and SIGTERM stop a run, on Unix. Default `true`. Signals watched by
    /// [`Reactor::on_signal`](crate::Reactor) work either way.
    pub fn stop_signals(mut self, stop: bool) -> Self {
        self.settings.stop_signals = stop;
        self
    }

    /// How long a stop waits for the deferreds of [`Phase::BeforeShutdown`](crate::Phase::BeforeShutdown) triggers.
    /// Default 30 s.
    pub fn shutdown_max(mut self, wait: Duration) -> Self {
        self.settings.shutdown_max = wait;
        self
    }

    /// How many calls from other threads may be queued. Default 1,048,576; past it,
    /// [`RemoteError::Full`](crate::RemoteError).
    pub fn remote_queue_max(mut self, calls: usize) -> Self {
        self.settings.remote_queue_max = calls;
        self
    }

    /// How many threads [`Reactor::defer_to_thread`] may use. Default 10, at least 1.
    pub fn pool_threads_max(mut self, threads: usize) -> Self {
        self.settings.pool_threads_max = threads;
        self
    }

    /// How many jobs may be queued for a thread. Default 65,536; past it, [`Failure::Overloaded`](crate::Failure).
    pub fn pool_queue_max(mut self, jobs: usize) -> Self {
        self.settings.pool_queue_max = jobs;
        self
    }

    /// How long the end of a run waits for jobs that are running in threads. Default 5 s. Jobs that take longer are
    /// abandoned, with a warning; with zero, running jobs are abandoned at once and without a warning.
    pub fn pool_grace(mut self, grace: Duration) -> Self {
        self.settings.pool_grace = grace;
        self
    }

    /// How many threads resolve names ([`Reactor::defer_to_lookup_thread`]), apart from the pool. Default 10, at least 1. A
    /// lookup occupies its thread until the system has an answer, which takes some seconds when no DNS server responds.
    pub fn lookup_threads_max(mut self, threads: usize) -> Self {
        self.settings.lookup_threads_max = threads;
        self
    }

    /// How many lookups may be queued for a thread. Default 65,536; past it, [`Failure::Overloaded`](crate::Failure).
    pub fn lookup_queue_max(mut self, lookups: usize) -> Self {
        self.settings.lookup_queue_max = lookups;
        self
    }

    /// Builds the reactor.
    ///
    /// # Errors
    ///
    /// If the system refuses the engine, or has no descriptors left for it.
    pub fn build(self) -> Result<Reactor, BuildError> {
        Reactor::from_settings(self.settings)
    }
}
