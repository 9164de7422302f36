//! Connections that are kept: which is used again, who waits, what is forgotten.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_http::{
    Method,
    client::{
        ClientConnection, ConnectionConfig, Phase, Pool, PoolConfig, PooledConnection, RequestError,
    },
};
use sinew_transports::{
    StreamConfig,
    memory::{self, Wire},
    reactor::{Deferred, Reactor},
};

use super::server::{ok, request};

/// A pool whose connections are in memory, and those connections in the order in which they were made.
struct Pooled {
    reactor: Reactor,
    pool: Pool,
    wires: Rc<RefCell<Vec<(String, Wire)>>>,
}

impl Pooled {
    fn new(config: PoolConfig) -> Self {
        crate::watchdog::watch_this_test();
        let reactor = Reactor::simulated(0);
        Self { reactor, pool: Pool::new(config), wires: Rc::default() }
    }

    fn rest(&self) {
        self.advance(Duration::ZERO);
    }

    fn advance(&self, by: Duration) {
        self.reactor.advance(by).unwrap();
    }

    fn ask(&self, key: &str) -> Deferred<PooledConnection, RequestError> {
        let (wires, name) = (Rc::clone(&self.wires), key.to_owned());
        let asked = self.pool.connection(&self.reactor, key, move |reactor| {
            let (promise, made) = reactor.promise();
            let (connection, mut factory) = ClientConnection::new(ConnectionConfig::default());
            let stream = StreamConfig::default();
            let (_, wire) = memory::connect(reactor, stream, factory.protocol()).unwrap();
            wires.borrow_mut().push((name, wire));
            // In a later turn, as a connection over a network.
            reactor.call_later(Duration::from_millis(1), |_| promise.resolve(connection));
            made
        });
        self.advance(Duration::from_millis(2));
        asked
    }

    fn take(&self, key: &str) -> PooledConnection {
        self.ask(key).take().expect("there is one at once").expect("it is good")
    }

    fn wire(&self, at: usize) -> Wire {
        self.wires.borrow()[at].1.clone()
    }

    /// Sends a request and has it answered, on the connection made as that number.
    fn serve(&self, connection: PooledConnection, at: usize) {
        let waiting = connection.send(request(Method::GET, "/")).unwrap();
        self.rest();
        self.wire(at).receive(ok(""));
        self.rest();
        drop(waiting.take().unwrap().unwrap());
        self.rest();
    }

    fn made(&self) -> usize {
        self.wires.borrow().len()
    }
}

#[test]
fn the_last_that_was_used_is_used_again() {
    let pooled = Pooled::new(PoolConfig::default());
    let (first, second) = (pooled.take("a"), pooled.take("a"));
    assert_eq!((pooled.made(), pooled.pool.open(), pooled.pool.idle()), (2, 2, 0));
    pooled.serve(second, 1);
    pooled.serve(first, 0);
    assert_eq!(pooled.pool.idle(), 2);
    let again = pooled.take("a");
    assert_eq!((pooled.made(), pooled.pool.idle()), (2, 1));
    pooled.serve(again, 0);
    drop(pooled.take("b"));
    assert_eq!(pooled.made(), 3, "another place has connections of its own");
}

#[test]
fn broken_ones_are_forgotten() {
    let pooled = Pooled::new(PoolConfig::default());
    pooled.serve(pooled.take("a"), 0);
    pooled.wire(0).close();
    pooled.rest();
    assert_eq!((pooled.pool.idle(), pooled.pool.open()), (0, 0));
    pooled.serve(pooled.take("a"), 1);
    // It breaks while somebody has it, before anything is sent.
    let lent = pooled.take("a");
    pooled.wire(1).reset();
    pooled.rest();
    let refused = lent.send(request(Method::POST, "/")).unwrap_err();
    assert_eq!(*refused.method(), Method::POST, "nothing was sent");
    assert_eq!(pooled.pool.open(), 0);
}

#[test]
fn idle_ones_close_after_a_while() {
    let pooled = Pooled::new(PoolConfig::default());
    pooled.serve(pooled.take("a"), 0);
    pooled.advance(Duration::from_secs(61));
    assert!(pooled.wire(0).is_ended());
    assert_eq!(pooled.pool.idle(), 0);
}

#[test]
fn pool_full_waits() {
    let pooled = Pooled::new(PoolConfig::default().per_key_max(2));
    let (first, second) = (pooled.take("a"), pooled.take("a"));
    let (third, fourth) = (pooled.ask("a"), pooled.ask("a"));
    assert!(third.take().is_none() && pooled.made() == 2);
    pooled.serve(first, 0);
    let third = third.take().expect("its turn has come").unwrap();
    assert!(fourth.take().is_none());
    // A connection that ends makes room for a new one.
    second.send(request(Method::GET, "/")).unwrap().detach();
    pooled.wire(1).reset();
    pooled.advance(Duration::from_millis(2));
    assert!(fourth.take().expect("a new one was made").is_ok());
    assert_eq!(pooled.made(), 3);
    drop(third);
    pooled.rest();
    assert_eq!(pooled.pool.idle(), 2, "both were lent and not used");
}

#[test]
fn waiting_has_its_limits() {
    let pooled = Pooled::new(PoolConfig::default().per_key_max(1).waiting_max(2));
    let _first = pooled.take("a");
    let second = pooled.ask("a");
    pooled.advance(Duration::from_secs(5));
    let third = pooled.ask("a");
    let fourth = pooled.ask("a");
    assert!(matches!(fourth.take(), Some(Err(RequestError::PoolFull { max: 2 }))));
    pooled.advance(Duration::from_secs(6));
    let late = second.take().expect("its time is over").unwrap_err();
    assert!(matches!(late, RequestError::TimedOut { phase: Phase::Pool, .. }), "{late}");
    assert!(third.take().is_none(), "this one has time yet");
    pooled.advance(Duration::from_secs(5));
    assert!(third.take().is_some_and(|third| third.is_err()));
}

#[test]
fn the_limit_of_all_closes_an_idle_one_elsewhere() {
    let pooled = Pooled::new(PoolConfig::default().connections_max(2));
    pooled.serve(pooled.take("a"), 0);
    let busy = pooled.take("b");
    let third = pooled.ask("c");
    pooled.wire(0).close_if_open();
    pooled.advance(Duration::from_millis(2));
    assert!(pooled.wire(0).is_ended());
    let _third = third.take().expect("there is room now").unwrap();
    // None is idle: the next waits until one is.
    let fourth = pooled.ask("a");
    assert!(fourth.take().is_none());
    pooled.serve(busy, 1);
    pooled.advance(Duration::from_millis(2));
    let _fourth = fourth.take().expect("the one that was idle made room").unwrap();
    assert_eq!(pooled.pool.open(), 2);
}

#[test]
fn cancelled_ones_do_not_get_a_connection() {
    let pooled = Pooled::new(PoolConfig::default().per_key_max(1));
    let first = pooled.take("a");
    let (second, third) = (pooled.ask("a"), pooled.ask("a"));
    second.cancel();
    pooled.serve(first, 0);
    assert!(third.take().expect("the next in line").is_ok());
    assert_eq!(pooled.pool.idle(), 1, "dropped unused, it is back");
}

#[test]
fn closing_all() {
    let pooled = Pooled::new(PoolConfig::default());
    pooled.serve(pooled.take("a"), 0);
    pooled.pool.close_idle();
    pooled.rest();
    assert!(pooled.wire(0).is_ended());
    pooled.serve(pooled.take("a"), 1);
    let Pooled { reactor, pool, wires } = pooled;
    drop(pool);
    reactor.advance(Duration::ZERO).unwrap();
    assert!(wires.borrow()[1].1.is_ended(), "a pool that is dropped closes what is idle");
}
