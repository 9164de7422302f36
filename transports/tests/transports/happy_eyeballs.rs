//! Happy Eyeballs (RFC 8305): names with several addresses, in a simulated network with exact times.

use std::{cell::Cell, net::IpAddr, rc::Rc, time::Duration};

use sinew_testkit::{
    sim::{Host, Latency, Link, Network, RandomFaults},
    testing::{assert_clean, for_seeds, simulate},
};
use sinew_transports::{
    ConnectConfig, ConnectError, Connecting, ConnectionLost, Family, Peer, Protocol, ReactorTcp,
    Transport,
    names::{Hosts, ReactorNames, ResolveError},
    reactor::{Failure, Reactor},
};

const SECOND: Duration = Duration::from_secs(1);

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// Three servers, and a client that resolves one name to an address of each.
struct Fixture<'a> {
    network: &'a Network,
    servers: [Host; 3],
    client: Host,
}

/// Default one-way latency.
const LATENCY: Duration = ms(10);

impl<'a> Fixture<'a> {
    /// The resolver returns the IPv6 addresses of servers 0 and 2, then the IPv4 address of server 1. Alternating families, they are
    /// tried in the order 0, 1, 2.
    fn new(network: &'a Network) -> Self {
        network.set_link(Link::default().latency(Latency::Fixed(LATENCY)));
        let servers = ["one", "two", "three"].map(|name| network.host(name));
        let client = network.host("client");
        let ips = [servers[0].addr_v6(), servers[2].addr_v6(), servers[1].addr()];
        // A resolver without delay, so that only connecting takes time.
        client.reactor().set_resolver(Hosts::new().with("service", ips));
        Self { network, servers, client }
    }

    fn serve(&self, which: &[usize]) {
        for at in which {
            self.servers[*at].boot(|reactor| {
                drop(reactor.listen_tcp("[::]:7", |_: &Peer| Quiet).expect("a free port"));
            });
        }
        // Until they listen.
        self.network.run_for(ms(1)).unwrap();
    }

    fn set_latency(&self, at: usize, one_way: Duration) {
        let link = Link::default().latency(Latency::Fixed(one_way));
        self.network.set_link_between(&self.client, &self.servers[at], link);
    }

    fn cut(&self, which: &[usize]) {
        which.iter().for_each(|at| self.network.cut(&self.client, &self.servers[*at]));
    }

    fn connect(&self, config: ConnectConfig) -> Connecting<Quiet> {
        self.client.reactor().connect_tcp_with("service:7", config, |_: &Peer| Quiet)
    }

    /// The server reached, or the error, and how long that took.
    fn outcome(&self, config: ConnectConfig) -> (Result<usize, ConnectError>, Duration) {
        let began = self.network.age();
        let connecting = self.connect(config);
        self.network.run_until(60 * SECOND, || connecting.is_settled()).unwrap();
        let took = self.network.age() - began;
        let made = connecting.take().expect("it is settled").map(|connection| {
            let peer = connection.transport().peer().ip().expect("it is a TCP connection");
            let reached = self.servers.iter().position(|host| self.owns(host, peer));
            connection.transport().lose_connection();
            reached.expect("it is one of them")
        });
        (made, took)
    }

    fn owns(&self, host: &Host, ip: IpAddr) -> bool {
        host.addr() == ip || host.addr_v6() == ip
    }

    /// After a while, no timer, descriptor or connection is left.
    fn assert_nothing_left(&self) {
        self.network.run_for(30 * SECOND).unwrap();
        assert_clean(&self.client.reactor());
        assert_eq!(self.client.descriptors(), 0);
        for host in &self.servers {
            assert_eq!(host.reactor().stats().connections, 0, "{}", host.name());
        }
    }
}

/// Each case: servers that listen, one-way latency to each (`None`: link cut), the server reached, and after how many milliseconds.
#[test]
fn first_address_to_connect_is_used() {
    type Case<'a> = (&'a str, &'a [usize], [Option<u64>; 3], usize, u64);
    let cases: &[Case<'_>] = &[
        ("the first", &[0, 1, 2], [Some(10), Some(10), Some(10)], 0, 20),
        ("the other family next", &[0, 1, 2], [None, Some(10), Some(10)], 1, 250 + 20),
        ("then the first again", &[0, 1, 2], [None, None, Some(10)], 2, 500 + 20),
        ("a refusal starts the next at once", &[1, 2], [Some(10), Some(10), Some(10)], 1, 20 + 20),
        ("two refusals", &[2], [Some(10), Some(10), Some(10)], 2, 20 + 20 + 20),
        ("faster though later", &[0, 1, 2], [Some(200), Some(10), Some(10)], 1, 250 + 20),
        ("slower but earlier", &[0, 1, 2], [Some(130), Some(10), Some(10)], 0, 260),
        ("refused while the next is tried", &[2], [Some(150), None, Some(10)], 2, 300 + 20),
        ("the delay begins with the attempt", &[2], [Some(10), None, Some(10)], 2, 20 + 250 + 20),
    ];
    for_seeds(0..3, |seed| {
        for (what, listening, ways, reached, took) in cases {
            let network = Network::new(seed);
            let fixture = Fixture::new(&network);
            fixture.serve(listening);
            for (at, way) in ways.iter().enumerate() {
                match way {
                    Some(way) => fixture.set_latency(at, ms(*way)),
                    None => fixture.cut(&[at]),
                }
            }
            let (made, after) = fixture.outcome(ConnectConfig::default());
            assert_eq!((made.unwrap(), after), (*reached, ms(*took)), "{what}");
            fixture.assert_nothing_left();
        }
    });
}

#[test]
fn configuration_is_honoured() {
    let network = Network::new(1);
    let fixture = Fixture::new(&network);
    fixture.serve(&[0, 1, 2]);
    let config = ConnectConfig::default;
    let (made, took) = fixture.outcome(config().first_family(Family::V4));
    assert_eq!((made.unwrap(), took), (1, ms(20)));
    // A socket bound to IPv4 can only reach IPv4 addresses.
    let (made, took) = fixture.outcome(config().bind((fixture.client.addr(), 0).into()));
    assert_eq!((made.unwrap(), took), (1, ms(20)));
    fixture.cut(&[0, 1]);
    let (made, took) = fixture.outcome(config().attempt_delay(ms(100)));
    assert_eq!((made.unwrap(), took), (2, ms(220)));
    let (made, took) = fixture.outcome(config().attempt_delay(Duration::ZERO));
    assert_eq!((made.unwrap(), took), (2, ms(40)), "no less than 10 ms");
    fixture.assert_nothing_left();
}

#[test]
fn error_lists_every_address_with_its_cause() {
    let network = Network::new(2);
    let fixture = Fixture::new(&network);
    let (failed, took) = fixture.outcome(ConnectConfig::default());
    let error = failed.unwrap_err();
    let ConnectError::AllFailed { tried, .. } = &error else { panic!("{error}") };
    assert_eq!((tried.len(), took), (3, ms(60)));
    assert!(error.is_refused());
    let text = error.to_string();
    assert!(text.starts_with("could not connect to service:7: "), "{text}");
    for tried in tried {
        assert!(text.contains(&format!("{}: connection refused", tried.addr)), "{text}");
    }

    fixture.cut(&[0, 1]);
    let (failed, took) = fixture.outcome(ConnectConfig::default().timeout(2 * SECOND));
    let error = failed.unwrap_err();
    let ConnectError::TimedOut { tried, .. } = &error else { panic!("{error}") };
    assert_eq!((tried.len(), took), (3, 2 * SECOND));
    assert!(!error.is_refused());
    let refused = format!("[{}]:7: connection refused", fixture.servers[2].addr_v6());
    let silent = format!("{}:7: no answer", fixture.servers[1].addr());
    let text = error.to_string();
    assert!(text.contains("within 2s (") && text.contains(&refused) && text.contains(&silent));

    // The timeout includes the lookup.
    fixture.client.reactor().set_resolver(|reactor: &Reactor, _: &str| {
        let (promise, lookup) = reactor.promise();
        // Neither answers nor drops the promise before the timeout.
        reactor.call_later(20 * SECOND, move |_| promise.reject(ResolveError::NoSuchName));
        lookup
    });
    let (failed, took) = fixture.outcome(ConnectConfig::default().timeout(SECOND));
    let text = failed.unwrap_err().to_string();
    assert_eq!(
        (&*text, took),
        ("could not connect to service:7 within 1s: its name was not resolved by then", SECOND)
    );
    fixture.assert_nothing_left();

    fixture.client.reactor().set_resolver(Hosts::new().with("service", []));
    let (failed, _) = fixture.outcome(ConnectConfig::default());
    let error = failed.unwrap_err();
    assert!(
        matches!(error, ConnectError::Resolve { source: ResolveError::NoAddress, .. }),
        "{error}"
    );
}

#[test]
fn cancelling_at_any_moment_leaves_nothing() {
    for at in 0..60 {
        let network = Network::new(at);
        let fixture = Fixture::new(&network);
        fixture.serve(&[0, 1, 2]);
        fixture.cut(&[0]);
        fixture.set_latency(1, ms(130));
        let connecting = fixture.connect(ConnectConfig::default());
        network.run_for(ms(at * 10)).unwrap();
        let is_made = connecting.is_settled();
        // Server 1 is reached at 250 + 260 ms; server 2, tried at 500 ms, at 520 ms.
        assert_eq!(is_made, at >= 51, "at {at}");
        connecting.cancel();
        if let Some(Ok(connection)) = connecting.take() {
            connection.transport().abort();
        } else {
            assert!(!is_made);
        }
        network.run_for(ms(1)).unwrap();
        assert_clean(&fixture.client.reactor());
        assert_eq!(fixture.client.descriptors(), 0);
        fixture.assert_nothing_left();
    }
}

#[test]
fn cancelling_cancels_the_lookup() {
    let network = Network::new(3);
    let (client, _server) = (network.host("client"), network.host("server"));
    let connecting = client.reactor().connect_tcp("server:7", |_: &Peer| Quiet);
    // The network has not answered yet.
    network.run_for(Duration::from_micros(500)).unwrap();
    connecting.cancel();
    network.run_for(Duration::ZERO).unwrap();
    let failed = connecting.take();
    assert!(matches!(failed, Some(Err(ConnectError::GivenUp(Failure::Cancelled)))));
    assert_clean(&client.reactor());
}

/// Counts open connections.
struct Counted(Rc<Cell<usize>>);

impl Protocol for Counted {
    fn connection_made(&mut self, _: &Transport) {
        self.0.set(self.0.get() + 1);
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        self.0.set(self.0.get() - 1);
    }
}

/// With any network faults, every attempt ends with at most one connection, and no socket leaks.
#[test]
fn faults_leak_nothing() {
    simulate(0..100, |network| {
        let fixture = Fixture::new(network);
        network.set_link(Link::default().latency(Latency::Uniform(ms(1), ms(400))).loss(0.05));
        fixture.serve(&[0, 1]);
        network.set_random_faults(
            RandomFaults::every(SECOND).lasting(3 * SECOND).cuts().one_way_cuts().resets(),
        );
        let open = Rc::new(Cell::new(0));
        let client = &fixture.client;
        for round in 0..20 {
            let counter = open.clone();
            let config = ConnectConfig::default().timeout(3 * SECOND);
            let factory = move |_: &Peer| Counted(counter.clone());
            let connecting = client.reactor().connect_tcp_with("service:7", config, factory);
            network.run_until(4 * SECOND, || connecting.is_settled()).unwrap();
            if round % 3 == 0 {
                // Leaks might show later.
                network.run_for(2 * SECOND).unwrap();
            }
            assert!(open.get() <= 1 && open.get() as u64 == client.reactor().stats().connections);
            assert_eq!(client.descriptors(), open.get());
            match connecting.take().expect("it is settled") {
                Ok(connection) => connection.transport().abort(),
                Err(_) => assert_eq!(open.get(), 0),
            }
            network.run_for(Duration::ZERO).unwrap();
            assert_clean(&client.reactor());
            assert_eq!((open.get(), client.descriptors()), (0, 0));
        }
    });
}
