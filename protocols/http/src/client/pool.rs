//! Connection pool, which keeps connections for reuse: [`Pool`]. Knows keys, not what they stand for; callers connect.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    fmt, mem,
    rc::{Rc, Weak},
    time::Duration,
};

use sinew_transports::reactor::{Canceller, Deferred, DelayedCall, Promise, Reactor};

use super::{ClientConnection, Outgoing, Phase, RequestError, Response, exchange::Watcher};

/// Limits of a [`Pool`]: connections, and how long a request waits for one.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`per_key_max`](Self::per_key_max) | 8 connections | the request waits |
/// | [`connections_max`](Self::connections_max) | 64 connections in all | an idle one is closed; if there is none, the request waits |
/// | [`waiting_max`](Self::waiting_max) | 1,000 requests for a key | [`RequestError::PoolFull`] |
/// | [`wait_timeout`](Self::wait_timeout) | 10 s | [`RequestError::TimedOut`] |
///
/// How long a connection may be idle is set by [`ConnectionConfig::keep_alive`](super::ConnectionConfig::keep_alive).
///
/// # Examples
///
/// ```
/// use sinew_http::client::{Pool, PoolConfig};
///
/// let pool = Pool::new(PoolConfig::default().per_key_max(2));
/// assert_eq!(pool.idle(), 0);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PoolConfig {
    per_key_max: usize,
    connections_max: usize,
    waiting_max: usize,
    wait_timeout: Duration,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            per_key_max: 8,
            connections_max: 64,
            waiting_max: 1_000,
            wait_timeout: Duration::from_secs(10),
        }
    }
}

impl PoolConfig {
    /// Most connections with the same key, busy or idle. Default 8.
    pub fn per_key_max(mut self, connections: usize) -> Self {
        self.per_key_max = connections.max(1);
        self
    }

    /// Most connections in total, busy or idle. Default 64.
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections.max(1);
        self
    }

    /// Most requests that wait for a connection with the same key. Default 1,000.
    pub fn waiting_max(mut self, requests: usize) -> Self {
        self.waiting_max = requests;
        self
    }

    /// How long a request may wait for a busy connection. Connecting does not count. Default 10 s.
    pub fn wait_timeout(mut self, timeout: Duration) -> Self {
        self.wait_timeout = timeout;
        self
    }
}

/// Connections kept for reuse, by key. Cheap to clone: clones share the connections.
///
/// Idle connections are reused last in, first out, so that surplus ones reach their keep-alive limit and close. A connection that
/// breaks, or that the server closes, is removed at once.
#[derive(Clone)]
pub struct Pool(Rc<Shared>);

/// A connection of a [`Pool`], for one request. Dropping it unused returns it.
#[derive(Debug)]
#[must_use = "it is for a request"]
pub struct PooledConnection {
    connection: ClientConnection,
    pool: Weak<Shared>,
    key: Rc<str>,
    is_sent: bool,
}

struct Shared {
    config: PoolConfig,
    state: RefCell<State>,
    is_looking: Cell<bool>,
}

#[derive(Default)]
struct State {
    places: BTreeMap<Rc<str>, Place>,
    /// Connections in total, including those being established.
    open: usize,
}

#[derive(Default)]
struct Place {
    idle: Vec<ClientConnection>,
    /// Connections, including those being established.
    open: usize,
    waiting: VecDeque<Waiting>,
}

type Connect = Box<dyn FnOnce(&Reactor) -> Deferred<ClientConnection, RequestError>>;

struct Waiting {
    promise: Promise<PooledConnection, RequestError>,
    connect: Connect,
    timer: Option<DelayedCall>,
}

/// Reports events of one connection to the pool.
struct Watch {
    pool: Weak<Shared>,
    key: Rc<str>,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(config: PoolConfig) -> Self {
        Self(Rc::new(Shared { config, state: RefCell::default(), is_looking: Cell::default() }))
    }

    /// A connection with this key: an idle one, a new one from `connect`, or the next that becomes free if the limit is
    /// reached. Cancelling ends a connection attempt for it.
    pub fn connection(
        &self,
        reactor: &Reactor,
        key: &str,
        connect: impl FnOnce(&Reactor) -> Deferred<ClientConnection, RequestError> + 'static,
    ) -> Deferred<PooledConnection, RequestError> {
        let (promise, deferred) = reactor.promise();
        let mut state = self.0.state.borrow_mut();
        let key = match state.places.get_key_value(key) {
            Some((key, _)) => Rc::clone(key),
            None => Rc::from(key),
        };
        let place = state.places.entry(Rc::clone(&key)).or_default();
        if let Some(connection) = place.take_idle() {
            drop(state);
            promise.resolve(self.0.lend(connection, key));
            return deferred;
        }
        if place.waiting.len() >= self.0.config.waiting_max {
            promise.reject(RequestError::PoolFull { max: self.0.config.waiting_max });
            return deferred;
        }
        let waiting = Waiting { promise, connect: Box::new(connect), timer: None };
        place.waiting.push_back(waiting);
        drop(state);
        self.0.time_last(reactor, &key);
        self.0.look_later(reactor);
        deferred
    }

    /// Closes all idle connections. Busy ones close after their responses.
    pub fn close_idle(&self) {
        let mut state = self.0.state.borrow_mut();
        let idle: Vec<_> =
            state.places.values_mut().flat_map(|place| mem::take(&mut place.idle)).collect();
        drop(state);
        idle.iter().for_each(ClientConnection::close);
    }

    /// Closes the idle connections with this key.
    pub fn close_idle_of(&self, key: &str) {
        let mut state = self.0.state.borrow_mut();
        let idle = state.places.get_mut(key).map(|place| mem::take(&mut place.idle));
        drop(state);
        idle.iter().flatten().for_each(ClientConnection::close);
    }

    /// The number of idle connections.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.0
            .state
            .borrow()
            .places
            .values()
            .flat_map(|place| &place.idle)
            .filter(|idle| idle.is_idle())
            .count()
    }

    /// The number of connections: idle, busy and being established.
    #[must_use]
    pub fn open(&self) -> usize {
        self.0.state.borrow().open
    }
}

impl Place {
    /// The last connection that became idle and is still open. Closed ones are reported separately.
    fn take_idle(&mut self) -> Option<ClientConnection> {
        let at = self.idle.iter().rposition(ClientConnection::is_idle)?;
        Some(self.idle.remove(at))
    }
}

impl Shared {
    fn lend(self: &Rc<Self>, connection: ClientConnection, key: Rc<str>) -> PooledConnection {
        PooledConnection { connection, pool: Rc::downgrade(self), key, is_sent: false }
    }

    /// Has the loop check whether connections can be made for waiting requests: no call into the library runs user code.
    fn look_later(self: &Rc<Self>, reactor: &Reactor) {
        if self.is_looking.replace(true) {
            return;
        }
        let pool = Rc::downgrade(self);
        reactor.call_soon(move |reactor| {
            let Some(pool) = pool.upgrade() else { return };
            pool.is_looking.set(false);
            let state = pool.state.borrow();
            let waiting = state.places.iter().filter(|(_, place)| !place.waiting.is_empty());
            let waiting: Vec<_> = waiting.map(|(key, _)| Rc::clone(key)).collect();
            drop(state);
            for key in waiting {
                pool.connect_more(reactor, &key);
            }
        });
    }

    /// Makes connections for waiting requests, within the limits.
    fn connect_more(self: &Rc<Self>, reactor: &Reactor, key: &Rc<str>) {
        loop {
            let mut guard = self.state.borrow_mut();
            let state = &mut *guard;
            let Some(place) = state.places.get_mut(key) else { return };
            // A cancelled request is dropped while nothing is borrowed.
            if let Some(at) = place.waiting.iter().position(|one| !one.promise.is_pending()) {
                let cancelled = place.waiting.remove(at);
                drop(guard);
                drop(cancelled);
                continue;
            }
            if place.waiting.is_empty() || place.open >= self.config.per_key_max {
                return;
            }
            if state.open >= self.config.connections_max {
                let idle = state.places.values_mut().find_map(Place::take_idle);
                drop(guard);
                // The pool is told, and checks again.
                return idle.iter().for_each(ClientConnection::close);
            }
            let Some(waiting) = place.waiting.pop_front() else { return };
            place.open += 1;
            state.open += 1;
            drop(guard);
            self.connect(reactor, key, waiting);
        }
    }

    fn connect(self: &Rc<Self>, reactor: &Reactor, key: &Rc<str>, waiting: Waiting) {
        let Waiting { promise, connect, timer } = waiting;
        if let Some(timer) = timer {
            timer.cancel();
        }
        let connecting = connect(reactor);
        let canceller: Canceller<_, _> = connecting.canceller();
        promise.on_cancel(move |_| canceller.cancel());
        let (pool, key) = (Rc::downgrade(self), Rc::clone(key));
        connecting.then(move |reactor, made| {
            let Some(pool) = pool.upgrade() else { return };
            match made {
                Ok(connection) if connection.is_idle() => {
                    let watch = Watch { pool: Rc::downgrade(&pool), key: Rc::clone(&key) };
                    connection.set_watcher(Rc::new(watch));
                    promise.resolve(pool.lend(connection, key));
                }
                Ok(_) => {
                    pool.gone(reactor, &key, None);
                    let reason = "it was closed at once".to_owned();
                    promise.reject(RequestError::Lost { reason, is_stale: false });
                }
                Err(error) => {
                    pool.gone(reactor, &key, None);
                    promise.reject(error);
                }
            }
        });
    }

    /// Starts the timer of the last waiting request.
    fn time_last(self: &Rc<Self>, reactor: &Reactor, key: &Rc<str>) {
        let mut state = self.state.borrow_mut();
        let place = state.places.get_mut(key);
        let Some(last) = place.and_then(|place| place.waiting.back_mut()) else { return };
        if last.timer.is_some() {
            return;
        }
        let after = self.config.wait_timeout;
        let (pool, key) = (Rc::downgrade(self), Rc::clone(key));
        last.timer = Some(reactor.call_later(after, move |_| {
            if let Some(pool) = pool.upgrade() {
                pool.first_is_late(&key, after);
            }
        }));
    }

    /// All have the same timeout, so the first has expired.
    fn first_is_late(&self, key: &Rc<str>, after: Duration) {
        let mut state = self.state.borrow_mut();
        let Some(place) = state.places.get_mut(key) else { return };
        let late = place
            .waiting
            .iter()
            .position(|waiting| waiting.timer.as_ref().is_none_or(|timer| !timer.is_active()));
        let late = late.and_then(|at| place.waiting.remove(at));
        drop(state);
        if let Some(late) = late {
            late.promise.reject(RequestError::TimedOut { phase: Phase::Pool, after });
        }
    }

    /// A connection is free: it goes to the first waiting request, or is kept.
    fn idle(self: &Rc<Self>, key: &Rc<str>, connection: ClientConnection) {
        let mut state = self.state.borrow_mut();
        let Some(place) = state.places.get_mut(key) else { return connection.close() };
        while let Some(waiting) = place.waiting.pop_front() {
            if let Some(timer) = &waiting.timer {
                timer.cancel();
            }
            if waiting.promise.is_pending() {
                drop(state);
                return waiting.promise.resolve(self.lend(connection, Rc::clone(key)));
            }
        }
        place.idle.push(connection);
        let is_wanted_elsewhere = state.open >= self.config.connections_max
            && state.places.values().any(|place| !place.waiting.is_empty());
        if is_wanted_elsewhere
            && let Some(connection) = state.places.get_mut(key).and_then(Place::take_idle)
        {
            drop(state);
            connection.close();
        }
    }

    /// A connection has closed, or could not be made: there is room for another.
    fn gone(
        self: &Rc<Self>,
        reactor: &Reactor,
        key: &Rc<str>,
        connection: Option<&ClientConnection>,
    ) {
        let mut state = self.state.borrow_mut();
        state.open = state.open.saturating_sub(1);
        if let Some(place) = state.places.get_mut(key) {
            place.open = place.open.saturating_sub(1);
            if let Some(connection) = connection {
                place.idle.retain(|idle| !idle.is_same(connection));
            }
            if place.open == 0 && place.waiting.is_empty() {
                state.places.remove(key);
            }
        }
        drop(state);
        self.look_later(reactor);
    }
}

impl Watcher for Watch {
    fn idle(&self, connection: &ClientConnection) {
        match self.pool.upgrade() {
            Some(pool) => pool.idle(&self.key, connection.clone()),
            None => connection.close(),
        }
    }

    fn gone(&self, reactor: Option<&Reactor>, connection: &ClientConnection) {
        if let (Some(pool), Some(reactor)) = (self.pool.upgrade(), reactor) {
            pool.gone(reactor, &self.key, Some(connection));
        }
    }
}

impl PooledConnection {
    /// Sends the request. The connection returns to the pool after the response.
    ///
    /// # Errors
    ///
    /// Returns the request, if the connection was closed before anything was sent: ask the pool for another.
    pub fn send(
        mut self,
        outgoing: Outgoing,
    ) -> Result<Deferred<Response, RequestError>, Box<Outgoing>> {
        let sent = self.connection.send(outgoing);
        self.is_sent = sent.is_ok();
        sent
    }

    /// The connection.
    #[must_use]
    pub const fn connection(&self) -> &ClientConnection {
        &self.connection
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        if self.is_sent || !self.connection.is_idle() {
            return;
        }
        match self.pool.upgrade() {
            Some(pool) => pool.idle(&self.key, self.connection.clone()),
            None => self.connection.close(),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let state = mem::take(self.state.get_mut());
        for place in state.places.into_values() {
            place.idle.iter().for_each(ClientConnection::close);
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.borrow();
        f.debug_struct("Pool")
            .field("open", &state.open)
            .field("places", &state.places.len())
            .finish()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
