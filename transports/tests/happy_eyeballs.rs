//! Names with several addresses (RFC 8305), on the time of a simulated network.

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

/// Three servers, and a client that knows an address of each under one name.
struct Stage<'a> {
    network: &'a Network,
    servers: [Host; 3],
    client: Host,
}

/// One way, unless something else is said.
const LATENCY: Duration = ms(10);

impl<'a> Stage<'a> {
    /// In the order of the resolver: IPv6 of the first, IPv6 of the third, IPv4 of the second. So they are tried as they are
    /// counted.
    fn new(network: &'a Network) -> Self {
        network.set_link(Link::default().latency(Latency::Fixed(LATENCY)));
        let servers = ["one", "two", "three"].map(|name| network.host(name));
        let client = network.host("client");
        let ips = [servers[0].addr_v6(), servers[2].addr_v6(), servers[1].addr()];
        // A lookup that takes no time, so that the rest can be measured.
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

    fn is_reached_in(&self, at: usize, one_way: Duration) {
        let link = Link::default().latency(Latency::Fixed(one_way));
        self.network.set_link_between(&self.client, &self.servers[at], link);
    }

    fn cut(&self, which: &[usize]) {
        which.iter().for_each(|at| self.network.cut(&self.client, &self.servers[*at]));
    }

    fn connect(&self, config: ConnectConfig) -> Connecting<Quiet> {
        self.client.reactor().connect_tcp_with("service:7", config, |_: &Peer| Quiet)
    }

    /// Which server is reached, or why none is, and how long that took.
    fn outcome(&self, config: ConnectConfig) -> (Result<usize, ConnectError>, Duration) {
        let began = self.network.age();
        let connecting = self.connect(config);
        self.network.run_until(60 * SECOND, || connecting.is_settled()).unwrap();
        let took = self.network.age() - began;
        let made = connecting.take().expect("it is settled").map(|connection| {
            let peer = connection.transport().peer().ip().expect("it is over TCP");
            let reached = self.servers.iter().position(|host| self.owns(host, peer));
            connection.transport().lose_connection();
            reached.expect("it is one of them")
        });
        (made, took)
    }

    fn owns(&self, host: &Host, ip: IpAddr) -> bool {
        host.addr() == ip || host.addr_v6() == ip
    }

    /// A while later, nothing is left of it anywhere.
    fn assert_nothing_left(&self) {
        self.network.run_for(30 * SECOND).unwrap();
        assert_clean(&self.client.reactor());
        assert_eq!(self.client.descriptors(), 0);
        for host in &self.servers {
            assert_eq!(host.reactor().stats().connections, 0, "{}", host.name());
        }
    }
}

/// One line each: who listens, how long the way to each is (`None`: cut), and who is reached after how long.
#[test]
fn the_first_that_answers_is_taken() {
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
            let stage = Stage::new(&network);
            stage.serve(listening);
            for (at, way) in ways.iter().enumerate() {
                match way {
                    Some(way) => stage.is_reached_in(at, ms(*way)),
                    None => stage.cut(&[at]),
                }
            }
            let (made, after) = stage.outcome(ConnectConfig::default());
            assert_eq!((made.unwrap(), after), (*reached, ms(*took)), "{what}");
            stage.assert_nothing_left();
        }
    });
}

#[test]
fn what_is_configured_is_kept_to() {
    let network = Network::new(1);
    let stage = Stage::new(&network);
    stage.serve(&[0, 1, 2]);
    let config = ConnectConfig::default;
    let (made, took) = stage.outcome(config().first_family(Family::V4));
    assert_eq!((made.unwrap(), took), (1, ms(20)));
    // From an address of IPv4 only those of IPv4 can be reached.
    let (made, took) = stage.outcome(config().bind((stage.client.addr(), 0).into()));
    assert_eq!((made.unwrap(), took), (1, ms(20)));
    stage.cut(&[0, 1]);
    let (made, took) = stage.outcome(config().attempt_delay(ms(100)));
    assert_eq!((made.unwrap(), took), (2, ms(220)));
    let (made, took) = stage.outcome(config().attempt_delay(Duration::ZERO));
    assert_eq!((made.unwrap(), took), (2, ms(40)), "no less than 10 ms");
    stage.assert_nothing_left();
}

#[test]
fn a_failure_names_every_address_with_its_cause() {
    let network = Network::new(2);
    let stage = Stage::new(&network);
    let (failed, took) = stage.outcome(ConnectConfig::default());
    let error = failed.unwrap_err();
    let ConnectError::AllFailed { tried, .. } = &error else { panic!("{error}") };
    assert_eq!((tried.len(), took), (3, ms(60)));
    assert!(error.is_refused());
    let text = error.to_string();
    assert!(text.starts_with("could not connect to service:7: "), "{text}");
    for tried in tried {
        assert!(text.contains(&format!("{}: connection refused", tried.addr)), "{text}");
    }

    stage.cut(&[0, 1]);
    let (failed, took) = stage.outcome(ConnectConfig::default().timeout(2 * SECOND));
    let error = failed.unwrap_err();
    let ConnectError::TimedOut { tried, .. } = &error else { panic!("{error}") };
    assert_eq!((tried.len(), took), (3, 2 * SECOND));
    assert!(!error.is_refused());
    let refused = format!("[{}]:7: connection refused", stage.servers[2].addr_v6());
    let silent = format!("{}:7: no answer", stage.servers[1].addr());
    let text = error.to_string();
    assert!(text.contains("within 2s (") && text.contains(&refused) && text.contains(&silent));

    // The time includes the lookup.
    stage.client.reactor().set_resolver(|reactor: &Reactor, _: &str| {
        let (promise, lookup) = reactor.promise();
        // Never answered, and not abandoned either.
        reactor.call_later(20 * SECOND, move |_| promise.reject(ResolveError::NoSuchName));
        lookup
    });
    let (failed, took) = stage.outcome(ConnectConfig::default().timeout(SECOND));
    let text = failed.unwrap_err().to_string();
    assert_eq!(
        (&*text, took),
        ("could not connect to service:7 within 1s: its name was not looked up by then", SECOND)
    );
    stage.assert_nothing_left();

    stage.client.reactor().set_resolver(Hosts::new().with("service", []));
    let (failed, _) = stage.outcome(ConnectConfig::default());
    let error = failed.unwrap_err();
    assert!(
        matches!(error, ConnectError::Resolve { source: ResolveError::NoAddress, .. }),
        "{error}"
    );
}

#[test]
fn cancelled_at_any_moment_it_leaves_nothing() {
    for at in 0..60 {
        let network = Network::new(at);
        let stage = Stage::new(&network);
        stage.serve(&[0, 1, 2]);
        stage.cut(&[0]);
        stage.is_reached_in(1, ms(130));
        let connecting = stage.connect(ConnectConfig::default());
        network.run_for(ms(at * 10)).unwrap();
        let is_made = connecting.is_settled();
        // The second is there at 250 + 260, and the third, tried at 500, at 520.
        assert_eq!(is_made, at >= 51, "at {at}");
        connecting.cancel();
        if let Some(Ok(connection)) = connecting.take() {
            connection.transport().abort();
        } else {
            assert!(!is_made);
        }
        network.run_for(ms(1)).unwrap();
        assert_clean(&stage.client.reactor());
        assert_eq!(stage.client.descriptors(), 0);
        stage.assert_nothing_left();
    }
}

#[test]
fn a_lookup_that_is_not_waited_for_any_more_is_cancelled() {
    let network = Network::new(3);
    let (client, _server) = (network.host("client"), network.host("server"));
    let connecting = client.reactor().connect_tcp("server:7", |_: &Peer| Quiet);
    // The network has not answered by now.
    network.run_for(Duration::from_micros(500)).unwrap();
    connecting.cancel();
    network.run_for(Duration::ZERO).unwrap();
    let failed = connecting.take();
    assert!(matches!(failed, Some(Err(ConnectError::GivenUp(Failure::Cancelled)))));
    assert_clean(&client.reactor());
}

/// Counts those that live.
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

/// Whatever happens to the network: every attempt ends, one connection at most comes of it, and no socket is left over.
#[test]
fn under_faults_nothing_is_left_over() {
    simulate(0..100, |network| {
        let stage = Stage::new(network);
        network.set_link(Link::default().latency(Latency::Uniform(ms(1), ms(400))).loss(0.05));
        stage.serve(&[0, 1]);
        network.set_random_faults(
            RandomFaults::every(SECOND).lasting(3 * SECOND).cuts().one_way_cuts().resets(),
        );
        let open = Rc::new(Cell::new(0));
        let client = &stage.client;
        for round in 0..20 {
            let counter = open.clone();
            let config = ConnectConfig::default().timeout(3 * SECOND);
            let factory = move |_: &Peer| Counted(counter.clone());
            let connecting = client.reactor().connect_tcp_with("service:7", config, factory);
            network.run_until(4 * SECOND, || connecting.is_settled()).unwrap();
            if round % 3 == 0 {
                // What was left over might show later.
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
