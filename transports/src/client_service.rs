//! A client connection that reconnects whenever it is lost: [`ClientService`], with exponential backoff: [`RetryConfig`].

use std::{
    cell::{Cell, RefCell},
    error::Error,
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use sinew_reactor::{Deferred, Failure, Promise, Reactor, WeakReactor};

use crate::{
    ConnectConfig, ConnectError, Connecting, Connection, Factory, OwnedConnection, Protocol,
    SharedFactory,
    endpoint::ClientEndpoint,
    waiters::{push_waiter, push_waiter_unless_gone},
};

/// How a [`ClientService`] connects, and how long it waits between attempts (exponential backoff with jitter).
#[derive(Clone, Debug)]
#[must_use]
pub struct RetryConfig {
    delay: Duration,
    delay_max: Duration,
    factor: f64,
    jitter: f64,
    retries_max: Option<u32>,
    reset_after: Duration,
    connect: ConnectConfig,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(1),
            delay_max: Duration::from_secs(60),
            factor: 1.5,
            jitter: 0.5,
            retries_max: None,
            reset_after: Duration::from_secs(10),
            connect: ConnectConfig::default(),
        }
    }
}

impl RetryConfig {
    /// The wait before the first retry, and the longest wait. Default 1 s and 60 s.
    pub fn delay(mut self, first: Duration, max: Duration) -> Self {
        self.delay = first.min(max);
        self.delay_max = max;
        self
    }

    /// The factor from each wait to the next. Default 1.5; less than 1 counts as 1.
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = factor.max(1.0);
        self
    }

    /// The random part of each wait ([`Reactor::random`]), so that the clients of a failed server do not all reconnect at the
    /// same moment: with 0.5, a wait of 10 s takes 5 to 10 s. Default 0.5; between 0 and 1.
    pub fn jitter(mut self, part: f64) -> Self {
        self.jitter = if part.is_nan() { 0.0 } else { part.clamp(0.0, 1.0) };
        self
    }

    /// Failed retries in a row after which the service gives up. Default: never.
    pub fn retries_max(mut self, retries: impl Into<Option<u32>>) -> Self {
        self.retries_max = retries.into();
        self
    }

    /// How long a connection has to last to reset the backoff. A shorter one counts as a failed attempt: otherwise a server that
    /// accepts and closes would be contacted every second. Default 10 s.
    pub fn reset_after(mut self, time: Duration) -> Self {
        self.reset_after = time;
        self
    }

    /// The configuration of each attempt.
    pub fn connect(mut self, config: ConnectConfig) -> Self {
        self.connect = config;
        self
    }

    /// The wait after this many failures in a row. Zero counts as one.
    fn wait(&self, failures: u32, random: u64) -> Duration {
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let max = self.delay_max.as_secs_f64();
        let wait = (self.delay.as_secs_f64() * self.factor.powi(exponent)).min(max);
        // The upper 53 bits, as a number below 1.
        let chance = (random >> 11) as f64 / (1_u64 << 53) as f64;
        Duration::try_from_secs_f64(wait * (1.0 - self.jitter * chance)).unwrap_or(self.delay_max)
    }
}

/// Why a service has no connection to return.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The service was stopped.
    #[error("the service was stopped")]
    Stopped,
    /// This many attempts in a row failed.
    #[error("{}{last}", failed(*failures))]
    Failed {
        /// Number of failed attempts in a row.
        failures: u32,
        /// Why the last of them failed: a [`ConnectError`] or [`ShortLivedConnection`].
        #[source]
        last: Rc<dyn Error>,
    },
    /// The wait was cancelled, or the reactor ended first.
    #[error("waiting for a connection was given up: {0}")]
    GivenUp(#[from] Failure),
}

sinew_reactor::error_debug!(ServiceError);

fn failed(failures: u32) -> String {
    match failures {
        1 => "1 attempt failed: ".to_owned(),
        more => format!("{more} attempts in a row failed; the last: "),
    }
}

/// A connection of a [`ClientService`] lasted for less than [`RetryConfig::reset_after`].
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection was lost after {lasted:?}")]
pub struct ShortLivedConnection {
    /// How long it lasted.
    pub lasted: Duration,
}

sinew_reactor::error_debug!(ShortLivedConnection);

/// Keeps a client connected: connects, and reconnects when the connection is lost or an attempt fails, until it is stopped. Cheap
/// to clone.
///
/// Dropping it does not stop the service; the end of the reactor's run does.
///
/// # Examples
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use sinew_transports::{
///     ClientService, Peer, Protocol, RetryConfig, Transport, endpoint::ClientEndpoint,
///     reactor::Reactor,
/// };
///
/// struct Quiet;
///
/// impl Protocol for Quiet {
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// let reactor = Reactor::simulated(7);
/// let endpoint: ClientEndpoint = "memory:nobody-there".parse()?;
/// let config = RetryConfig::default().retries_max(3);
/// let service = ClientService::with(&reactor, endpoint, config, |_: &Peer| Quiet);
/// service.start();
/// let failed = reactor.run_until(service.when_connected())?.unwrap_err();
/// assert!(failed.to_string().starts_with("4 attempts in a row failed; the last: "));
/// # Ok(())
/// # }
/// ```
pub struct ClientService<P: Protocol> {
    inner: Rc<Inner<P>>,
}

type Connects<P> = dyn Fn(&Reactor) -> Connecting<P>;

struct Inner<P: Protocol> {
    reactor: WeakReactor,
    connect: Box<Connects<P>>,
    config: RetryConfig,
    connection: RefCell<Option<Connection<P>>>,
    failures: Cell<u32>,
    /// Resolved by `stop`. Present while the service runs and `stop` was not called.
    stop: Cell<Option<Promise<()>>>,
    running: Cell<bool>,
    /// Why it no longer runs.
    ended: RefCell<Option<ServiceError>>,
    waiting: RefCell<Vec<PendingConnect<P>>>,
    /// Promises of `stop`.
    stopping: RefCell<Vec<Promise<()>>>,
}

/// A pending `when_connected`, and after how many more failures it fails.
struct PendingConnect<P: Protocol> {
    promise: Promise<Connection<P>, ServiceError>,
    failures_left: Option<u32>,
}

impl<P: Protocol> ClientService<P> {
    /// A service with the default [`RetryConfig`]. It does nothing before [`start`](Self::start).
    pub fn new<F: Factory<Protocol = P>>(
        reactor: &Reactor,
        endpoint: impl Into<ClientEndpoint>,
        factory: F,
    ) -> Self {
        Self::with(reactor, endpoint, RetryConfig::default(), factory)
    }

    /// A service with this configuration.
    pub fn with<F: Factory<Protocol = P>>(
        reactor: &Reactor,
        endpoint: impl Into<ClientEndpoint>,
        config: RetryConfig,
        factory: F,
    ) -> Self {
        let (endpoint, factory) = (endpoint.into(), SharedFactory::new(factory));
        let connect_config = config.connect.clone();
        let connect = Box::new(move |reactor: &Reactor| {
            endpoint.connect_with(reactor, connect_config.clone(), factory.clone())
        });
        let inner = Inner {
            reactor: reactor.downgrade(),
            connect,
            config,
            connection: RefCell::default(),
            failures: Cell::default(),
            stop: Cell::default(),
            running: Cell::default(),
            ended: RefCell::default(),
            waiting: RefCell::default(),
            stopping: RefCell::default(),
        };
        Self { inner: Rc::new(inner) }
    }

    /// Starts connecting, from the event loop. Returns `false` if the service runs already, or has not finished stopping.
    pub fn start(&self) -> bool {
        let Some(reactor) = self.inner.reactor.upgrade() else { return false };
        if self.inner.running.replace(true) {
            return false;
        }
        self.inner.ended.take();
        self.inner.failures.set(0);
        let (promise, stop) = reactor.promise();
        self.inner.stop.set(Some(promise));
        let running = Running(self.inner.clone());
        reactor.spawn(async move { running.run(stop).await }).detach();
        true
    }

    /// Stops the service: makes no further attempt, cancels a running one, and closes a connection gracefully. Resolves when no
    /// timer and no socket is left. Then the service may be started again.
    pub fn stop(&self) -> Deferred<()> {
        let (promise, stopped) = self.inner.reactor.promise();
        if !self.inner.running.get() || self.inner.reactor.upgrade().is_none() {
            promise.resolve(());
            return stopped;
        }
        push_waiter(&self.inner.stopping, promise);
        if let Some(stop) = self.inner.stop.take() {
            self.inner.ended.replace(Some(ServiceError::Stopped));
            stop.resolve(());
            for waiting in self.inner.waiting.take() {
                waiting.promise.reject(ServiceError::Stopped);
            }
        }
        stopped
    }

    /// Resolves with the connection: at once if there is one, else when the next is made, however many attempts that takes. It
    /// may be lost again before you receive it. Waits for a service that is not started; fails if it has stopped or given up.
    pub fn when_connected(&self) -> Deferred<Connection<P>, ServiceError> {
        self.wait(None)
    }

    /// Like [`when_connected`](Self::when_connected), but fails after this many further failed attempts; the service continues.
    pub fn when_connected_within(&self, failures: u32) -> Deferred<Connection<P>, ServiceError> {
        self.wait(Some(failures.max(1)))
    }

    /// The present connection, if there is one.
    #[must_use]
    pub fn connection(&self) -> Option<Connection<P>> {
        let connection = self.inner.connection.borrow().clone();
        connection.filter(|connection| !connection.transport().is_closing())
    }

    /// Whether the service connects, is connected, waits to reconnect, or has not finished stopping.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.inner.running.get()
    }

    /// Number of failed attempts in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.inner.failures.get()
    }

    fn wait(&self, failures_left: Option<u32>) -> Deferred<Connection<P>, ServiceError> {
        let (promise, connected) = self.inner.reactor.promise();
        if self.inner.reactor.upgrade().is_none() {
            promise.reject(Failure::Abandoned.into());
            return connected;
        }
        if let Some(connection) = self.connection() {
            promise.resolve(connection);
            return connected;
        }
        let ended = self.inner.ended.borrow().clone();
        if let Some(error) = ended {
            promise.reject(error);
            return connected;
        }
        let waiting = PendingConnect { promise, failures_left };
        push_waiter_unless_gone(&self.inner.waiting, waiting, |waiting| {
            waiting.promise.is_awaited()
        });
        connected
    }
}

/// One run of a service, from `start` until its task ends, however that happens.
struct Running<P: Protocol>(Rc<Inner<P>>);

impl<P: Protocol> Running<P> {
    async fn run(self, mut stop: Deferred<()>) {
        loop {
            let Some(reactor) = self.0.reactor.upgrade() else { return };
            let mut connecting = (self.0.connect)(&reactor);
            drop(reactor);
            let failure: Rc<dyn Error> = match or_stopped(&mut stop, &mut connecting).await {
                None => return cancel_attempt(&connecting).await,
                Some(Ok(connection)) => match self.hold_connection(connection, &mut stop).await {
                    Ended::Stopped => return,
                    Ended::Stable => {
                        self.0.failures.set(0);
                        if self.pause(&mut stop).await { continue } else { return }
                    }
                    Ended::TooShort(short_lived) => Rc::new(short_lived),
                },
                // The reactor's run ends, so this task ends, too.
                Some(Err(ConnectError::GivenUp(Failure::Abandoned))) => return,
                Some(Err(error)) => Rc::new(error),
            };
            if !self.failed(failure) || !self.pause(&mut stop).await {
                return;
            }
        }
    }

    /// Returns when the connection is lost, or was closed because the service stops.
    async fn hold_connection(&self, owned: OwnedConnection<P>, stop: &mut Deferred<()>) -> Ended {
        let Some(reactor) = self.0.reactor.upgrade() else { return Ended::Stopped };
        let since = reactor.now();
        drop(reactor);
        let mut lost = owned.transport().when_lost();
        let connection: &Connection<P> = &owned;
        self.0.connection.replace(Some(connection.clone()));
        for waiting in self.0.waiting.take() {
            waiting.promise.resolve(connection.clone());
        }
        let was_lost = or_stopped(stop, &mut lost).await.is_some();
        self.0.connection.take();
        if !was_lost {
            // An error means that the reactor's run ends, and the connection with it.
            let _ = owned.close().await;
            return Ended::Stopped;
        }
        let Some(reactor) = self.0.reactor.upgrade() else { return Ended::Stopped };
        let lasted = reactor.now().saturating_duration_since(since);
        if lasted >= self.0.config.reset_after {
            Ended::Stable
        } else {
            Ended::TooShort(ShortLivedConnection { lasted })
        }
    }

    /// Returns `false` if that was the last retry.
    fn failed(&self, last: Rc<dyn Error>) -> bool {
        let failures = self.0.failures.get().saturating_add(1);
        self.0.failures.set(failures);
        let error = ServiceError::Failed { failures, last };
        tracing::debug!(%error, "not connected");
        let is_last = self.0.config.retries_max.is_some_and(|retries| failures > retries);
        if is_last {
            self.0.ended.replace(Some(error.clone()));
        }
        for mut waiting in self.0.waiting.take() {
            waiting.failures_left = waiting.failures_left.map(|left| left - 1);
            if is_last || waiting.failures_left == Some(0) {
                waiting.promise.reject(error.clone());
            } else {
                self.0.waiting.borrow_mut().push(waiting);
            }
        }
        !is_last
    }

    /// Waits before the next attempt. Returns `false` if the service stops meanwhile.
    async fn pause(&self, stop: &mut Deferred<()>) -> bool {
        let Some(reactor) = self.0.reactor.upgrade() else { return false };
        let wait = self.0.config.wait(self.0.failures.get(), reactor.random());
        let mut sleep = reactor.sleep(wait);
        drop(reactor);
        or_stopped(stop, &mut sleep).await.is_some()
    }
}

/// How a connection of the service ended.
enum Ended {
    /// It lasted for at least `reset_after`.
    Stable,
    TooShort(ShortLivedConnection),
    /// It was closed because the service stops.
    Stopped,
}

impl<P: Protocol> Drop for Running<P> {
    fn drop(&mut self) {
        let inner = &self.0;
        inner.running.set(false);
        inner.stop.take();
        inner.connection.take();
        // If `stop` was not called, the reactor's run has ended.
        inner.ended.borrow_mut().get_or_insert(Failure::Abandoned.into());
        inner.waiting.take();
        inner.stopping.take().into_iter().for_each(|promise| promise.resolve(()));
    }
}

/// Awaits a value. Returns `None` if the service is stopped first.
async fn or_stopped<F: Future + Unpin>(
    stop: &mut Deferred<()>,
    value: &mut F,
) -> Option<F::Output> {
    poll_fn(|context| {
        if Pin::new(&mut *stop).poll(context).is_ready() {
            return Poll::Ready(None);
        }
        Pin::new(&mut *value).poll(context).map(Some)
    })
    .await
}

/// Cancels an attempt. A connection that it has made at this moment is closed gracefully.
async fn cancel_attempt<P: Protocol>(connecting: &Connecting<P>) {
    connecting.cancel();
    if let Some(Ok(connection)) = connecting.take() {
        let _ = connection.close().await;
    }
}

impl<P: Protocol> Clone for ClientService<P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<P: Protocol> fmt::Debug for ClientService<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientService")
            .field("running", &self.is_running())
            .field("connected", &self.inner.connection.borrow().is_some())
            .field("failures", &self.failures())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_the_maximum() {
        let secs = Duration::from_secs_f64;
        let config = RetryConfig::default().jitter(0.0);
        let waits = [0, 1, 2, 3, 4, 10, 11, 12, 1000, u32::MAX].map(|n| config.wait(n, u64::MAX));
        let expected = [1.0, 1.0, 1.5, 2.25, 3.375, 38.443359375, 57.6650390625, 60.0, 60.0, 60.0];
        assert_eq!(waits, expected.map(secs));

        let config = RetryConfig::default().delay(secs(8.0), secs(9.0)).factor(0.5).jitter(0.25);
        assert_eq!([1, 2].map(|n| config.wait(n, 0)), [8.0, 8.0].map(secs));
        assert_eq!(config.wait(1, 1 << 63), secs(7.0));
        let least = config.wait(1, u64::MAX);
        assert!(least >= secs(6.0) && least < secs(6.001), "{least:?}");
        let all = RetryConfig::default().jitter(7.0).wait(1, u64::MAX);
        assert!(all < secs(0.001), "{all:?}");
    }
}
