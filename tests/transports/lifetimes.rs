//! What is given up is closed: connections whose future, task or guard is dropped at any moment, and those that are detached.

use crate::support::{certs, watchdog};
use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use sinew::{
    prelude::*,
    sim::{Host, Latency, Link, Network},
    testing::assert_clean,
};

const PORT: u16 = 7;

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// A server, with or without TLS, and a client, on a slow network.
struct Fixture {
    network: Network,
    client: Host,
    port: ListeningPort,
    tls: bool,
}

impl Fixture {
    fn new(tls: bool) -> Self {
        let network = Network::new(7);
        network.set_link(Link::default().latency(Latency::Fixed(millis(5))));
        let (server, client) = (network.host("server"), network.host("client"));
        let port = if tls {
            let config = TlsServerConfig::new(certs::authority().issue(&["server"]).identity());
            server.reactor().listen_tls(("0.0.0.0", PORT), &config, |_: &Peer| Echo).unwrap()
        } else {
            server.reactor().listen_tcp(("0.0.0.0", PORT), |_: &Peer| Echo).unwrap()
        };
        Self { network, client, port, tls }
    }

    fn connect(&self) -> Connecting<Quiet> {
        let reactor = self.client.reactor();
        let quiet = |_: &Peer| Quiet;
        match self.tls {
            false => reactor.connect_tcp(("server", PORT), quiet),
            true => reactor.connect_tls(("server", PORT), &certs::client(), quiet),
        }
    }

    /// How many connections are open at the server after all that was given up is over.
    fn left(&self, what: &str) -> u64 {
        self.network.run_for(Duration::from_secs(100)).unwrap();
        let stats = self.client.reactor().stats();
        assert_eq!(stats.connections, self.port.connections() as u64, "{what}");
        assert_eq!((stats.timers, stats.tasks), (0, 0), "{what}: timers, tasks");
        stats.connections
    }
}

/// The output of the first future that is ready; the other is dropped.
async fn first<T>(one: impl Future<Output = T>, two: impl Future<Output = T>) -> T {
    let (mut one, mut two) = (pin!(one), pin!(two));
    poll_fn(|context| match one.as_mut().poll(context) {
        Poll::Pending => two.as_mut().poll(context),
        ready => ready,
    })
    .await
}

/// A way to give up a connection after a time.
type GiveUp = fn(&Fixture, Duration);

const WAYS: [(&str, GiveUp); 6] = [
    ("a timeout", |fixture, after| {
        let reactor = fixture.client.reactor();
        reactor.spawn(reactor.timeout(after, fixture.connect())).detach();
    }),
    ("the other arm of a select", |fixture, after| {
        let (reactor, connecting) = (fixture.client.reactor(), fixture.connect());
        let sleep = reactor.sleep(after);
        let connect = async { drop(connecting.await) };
        reactor.spawn(first(connect, sleep)).detach();
    }),
    ("a cancelled task", |fixture, after| {
        let connecting = fixture.connect();
        let reactor = fixture.client.reactor();
        let task = reactor.spawn(async move {
            let _connection = connecting.await;
            std::future::pending::<()>().await;
        });
        reactor.call_later(after, move |_| task.cancel());
    }),
    ("a dropped task", |fixture, after| {
        let connecting = fixture.connect();
        let reactor = fixture.client.reactor();
        let task = reactor.spawn(async move {
            let _connection = connecting.await;
            std::future::pending::<()>().await;
        });
        reactor.call_later(after, move |_| drop(task));
    }),
    ("a dropped attempt, whether or not it has connected", |fixture, after| {
        let connecting = fixture.connect();
        fixture.client.reactor().call_later(after, move |_| drop(connecting));
    }),
    ("a dropped guard in a callback", |fixture, after| {
        fixture.connect().then(move |reactor, connected| {
            let guard = connected.unwrap().owned();
            reactor.call_later(after, move |_| drop(guard));
        });
    }),
];

#[test]
fn a_connection_that_is_given_up_at_any_moment_closes() {
    watchdog::watch_this_test();
    for tls in [false, true] {
        for (way, give_up) in WAYS {
            // The name is found and the connection made within 120 ms.
            for after in (0..150).step_by(3) {
                let fixture = Fixture::new(tls);
                give_up(&fixture, millis(after));
                let what = format!("{way}, TLS {tls}, after {after} ms");
                assert_eq!(fixture.left(&what), 0, "{what}");
                assert_clean(&fixture.client.reactor());
            }
        }
    }
}

/// The listening port accepts, and never answers the handshake.
#[test]
fn giving_up_a_tls_handshake_closes_its_socket() {
    watchdog::watch_this_test();
    for (way, give_up) in &WAYS[..5] {
        let mut fixture = Fixture::new(false);
        fixture.tls = true;
        fixture.port.stop_listening();
        let server = fixture.network.host("silent");
        fixture.network.set_name("server", [server.addr()]);
        fixture.port = server.reactor().listen_tcp(("0.0.0.0", PORT), |_: &Peer| Quiet).unwrap();
        give_up(&fixture, Duration::from_secs(10));
        fixture.network.run_for(Duration::from_secs(5)).unwrap();
        assert_eq!(fixture.port.connections(), 1, "{way}: the handshake is in progress");
        assert_eq!(fixture.left(way), 0, "{way}");
    }
}

#[test]
fn a_connection_that_is_detached_stays() {
    watchdog::watch_this_test();
    type Detach = fn(&Fixture);
    let ways: [(&str, Detach); 5] = [
        ("before it connects", |fixture| fixture.connect().detach()),
        ("after it was awaited", |fixture| {
            let connecting = fixture.connect();
            let connect = async move { drop(connecting.await.unwrap().detach()) };
            fixture.client.reactor().spawn(connect).detach();
        }),
        ("a callback", |fixture| fixture.connect().then(|_, connected| drop(connected.unwrap()))),
        ("a guard", |fixture| {
            fixture.connect().then(|_, connected| drop(connected.unwrap().owned().detach()));
        }),
        ("a clone of what a guard holds", |fixture| {
            let kept = Rc::new(RefCell::new(None));
            let slot = kept.clone();
            fixture.connect().then(move |_, connected| {
                let guard = connected.unwrap().owned();
                drop(Connection::clone(&guard));
                slot.replace(Some(guard));
            });
            fixture.network.run_for(Duration::from_secs(1)).unwrap();
            assert!(kept.take().map(OwnedConnection::detach).is_some());
        }),
    ];
    for tls in [false, true] {
        for (way, detach) in ways {
            let fixture = Fixture::new(tls);
            detach(&fixture);
            assert_eq!(fixture.left(way), 1, "{way}, TLS {tls}");
        }
    }
}

#[test]
fn a_guard_closes_gracefully_or_aborts() {
    watchdog::watch_this_test();
    let lost = |end: fn(OwnedConnection<Tells>)| {
        let fixture = Fixture::new(false);
        let told: Rc<RefCell<Vec<String>>> = Rc::default();
        let theirs = told.clone();
        let reactor = fixture.client.reactor();
        let connecting =
            reactor.connect_tcp(("server", PORT), move |_: &Peer| Tells(theirs.clone()));
        reactor.spawn(async move { end(connecting.await.unwrap()) }).detach();
        assert_eq!(fixture.left("a guard"), 0);
        told.take()
    };
    assert_eq!(lost(drop), ["closed by this side"]);
    assert_eq!(
        lost(|guard| guard.close().then(|_, closed| closed.unwrap())),
        ["closed by this side"]
    );
    assert_eq!(lost(OwnedConnection::abort), ["aborted by this side"]);
}

/// Tells why the connection ended.
struct Tells(Rc<RefCell<Vec<String>>>);

impl Protocol for Tells {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write("hello");
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.0.borrow_mut().push(reason.to_string());
    }
}

struct Asks {
    answered: bool,
}

impl Protocol for Asks {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write("are you there?");
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {
        self.answered = true;
    }
}

/// On real sockets: a client that gives up most of its attempts, and drops the connections of the others.
#[test]
fn a_client_that_retries_leaves_no_connection_behind() {
    watchdog::watch_this_test();
    for engine in Engine::available() {
        let reactor = Reactor::builder().engine(engine).build().unwrap();
        let port = reactor.listen_tcp("127.0.0.1:0", |_: &Peer| Echo).unwrap();
        let (handle, to) = (reactor.clone(), port.local());
        let exchanges = async move {
            for n in 0..200 {
                let connecting = handle.connect_tcp(("localhost", to.port()), |_: &Peer| Quiet);
                match n % 3 {
                    0 => drop(handle.timeout(Duration::ZERO, connecting).await),
                    1 => drop(connecting.await.unwrap()),
                    _ => {
                        let task = handle.spawn(connecting);
                        handle.sleep(Duration::ZERO).await;
                        task.cancel();
                    }
                }
            }
            // Once this one is accepted, all before it are.
            let last = handle.connect_tcp(to, |_: &Peer| Asks { answered: false }).await.unwrap();
            while last.with(|asks, _| asks.answered) == Some(false) {
                handle.sleep(millis(1)).await;
            }
            drop(last);
            while port.connections() > 0 || handle.stats().connections > 0 {
                handle.sleep(millis(1)).await;
            }
        };
        reactor.run_until(exchanges).unwrap();
    }
}
