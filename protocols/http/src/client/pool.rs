//! Connections kept for the next request to the same place: [`Pool`]. It knows keys, not what they stand for, and has others connect.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    fmt, mem,
    rc::{Rc, Weak},
    time::Duration,
};

use sinew_transports::reactor::{Canceller, Deferred, DelayedCall, Promise, Reactor};

use super::{ClientConnection, Outgoing, Phase, RequestError, Response, link::Watcher};

/// How many connections a [`Pool`] may have, and how long a request waits for one.
///
/// | limit | default | past it |
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
    /// Most connections to one place, busy or idle. Default 8.
    pub fn per_key_max(mut self, connections: usize) -> Self {
        self.per_key_max = connections.max(1);
        self
    }

    /// Most connections in all, busy or idle. Default 64.
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections.max(1);
        self
    }

    /// Most requests that wait for a connection to one place. Default 1,000.
    pub fn waiting_max(mut self, requests: usize) -> Self {
        self.waiting_max = requests;
        self
    }

    /// How long a request may wait for a connection that others use. How long connecting takes does not count. Default 10 s.
    pub fn wait_timeout(mut self, timeout: Duration) -> Self {
        self.wait_timeout = timeout;
        self
    }
}

/// Connections kept for the next request to the same place, which is named by a key. Cheap to clone: clones share the connections.
///
/// Idle connections are used again in the order last in, first out, so those that are not needed grow old and close. A connection that
/// breaks, or that the server closes, is forgotten at once.
#[derive(Clone)]
pub struct Pool(Rc<Shared>);

/// A connection of a [`Pool`], for one request. Dropped unused, it goes back.
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
    /// Connections in all, with those that are being made.
    open: usize,
}

#[derive(Default)]
struct Place {
    idle: Vec<ClientConnection>,
    /// Connections, with those that are being made.
    open: usize,
    waiting: VecDeque<Waiting>,
}

type Connect = Box<dyn FnOnce(&Reactor) -> Deferred<ClientConnection, RequestError>>;

struct Waiting {
    promise: Promise<PooledConnection, RequestError>,
    connect: Connect,
    timer: Option<DelayedCall>,
}

/// Tells the pool about one connection.
struct Watch {
    pool: Weak<Shared>,
    key: Rc<str>,
}

impl Pool {
    /// An empty one.
    #[must_use]
    pub fn new(config: PoolConfig) -> Self {
        Self(Rc::new(Shared { config, state: RefCell::default(), is_looking: Cell::default() }))
    }

    /// A connection to the place of that key: an idle one, or a new one that `connect` makes, or the next that is free if there are as
    /// many as there may be. Cancelled, a connection that is being made for it is given up.
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

    /// Closes all idle connections. Those in use are closed when their responses are over.
    pub fn close_idle(&self) {
        let mut state = self.0.state.borrow_mut();
        let idle: Vec<_> =
            state.places.values_mut().flat_map(|place| mem::take(&mut place.idle)).collect();
        drop(state);
        idle.iter().for_each(ClientConnection::close);
    }

    /// Closes the idle connections to the place of that key.
    pub fn close_idle_of(&self, key: &str) {
        let mut state = self.0.state.borrow_mut();
        let idle = state.places.get_mut(key).map(|place| mem::take(&mut place.idle));
        drop(state);
        idle.iter().flatten().for_each(ClientConnection::close);
    }

    /// How many connections are idle.
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

    /// How many connections there are: idle, in use and being made.
    #[must_use]
    pub fn open(&self) -> usize {
        self.0.state.borrow().open
    }
}

impl Place {
    /// The last connection that became idle and is still there. Those that are gone are told to the pool by themselves.
    fn take_idle(&mut self) -> Option<ClientConnection> {
        let at = self.idle.iter().rposition(ClientConnection::is_idle)?;
        Some(self.idle.remove(at))
    }
}

impl Shared {
    fn lend(self: &Rc<Self>, connection: ClientConnection, key: Rc<str>) -> PooledConnection {
        PooledConnection { connection, pool: Rc::downgrade(self), key, is_sent: false }
    }

    /// Has the loop check whether connections can be made for waiting requests, because no call into the library may run a closure of the
    /// user.
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

    /// Makes connections for waiting requests, up to the limits.
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
                // That is told to the pool, which looks again.
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

    /// Starts the timeout of the request that was queued last.
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

    /// All wait equally long, so the first is the one whose time is over.
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

    /// A connection is free: gives it to the first waiting request, or keeps it.
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

    /// A connection is gone, or was never made: there is room for another.
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
    /// Sends the request. The connection goes back to the pool when the response is over.
    ///
    /// # Errors
    ///
    /// The request, if the connection was closed before it could be sent. Nothing of it was sent then: ask the pool for another one.
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
