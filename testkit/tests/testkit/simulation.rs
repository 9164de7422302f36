//! The simulated network: TCP semantics, fault injection, and deterministic runs from a seed.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    io::ErrorKind,
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use sinew_testkit::{
    sim::{AcceptFault, Host, Latency, Link, Network, Plan, RandomFaults, SimError},
    testing::{assert_clean, for_seeds},
};
use sinew_transports::{
    ConnectConfig, ConnectError, ConnectionLost, ListenConfig, ListenError, Peer, Protocol,
    ReactorTcp, StreamConfig, Transport,
    reactor::{Phase, Reactor},
};

type Log = Rc<RefCell<Vec<String>>>;

const HOUR: Duration = Duration::from_secs(3600);

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn network(seed: u64) -> (Network, Host, Host) {
    let network = Network::new(seed);
    let (server, client) = (network.host("server"), network.host("client"));
    (network, server, client)
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// Sends `total` bytes, checks that the same bytes come back, then closes.
struct Sends {
    total: usize,
    got: usize,
    log: Log,
}

fn pattern(at: usize) -> u8 {
    (at ^ (at >> 8) ^ (at >> 16)) as u8
}

impl Sends {
    fn new(total: usize, log: &Log) -> Self {
        Self { total, got: 0, log: log.clone() }
    }
}

impl Protocol for Sends {
    fn connection_made(&mut self, transport: &Transport) {
        let data: Vec<u8> = (0..self.total).map(pattern).collect();
        transport.set_auto_pause(false);
        transport.write(&data);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        for byte in data {
            assert_eq!(*byte, pattern(self.got), "at {}", self.got);
            self.got += 1;
        }
        if self.got == self.total {
            transport.lose_connection();
        }
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.log.borrow_mut().push(format!("{}: {reason}", self.got));
    }
}

fn serve(host: &Host) {
    host.boot(|reactor| {
        drop(reactor.listen_tcp("0.0.0.0:7", |_: &Peer| Echo).expect("a free port"))
    });
}

/// Connects to `to`, and logs the outcome.
fn dial(from: &Host, to: &str, total: usize, log: &Log) {
    let (sends, log_copy) = (log.clone(), log.clone());
    let connecting = from.reactor().connect_tcp(to, move |_: &Peer| Sends::new(total, &sends));
    connecting.then(move |_, connection| {
        if let Err(error) = connection {
            log_copy.borrow_mut().push(match error {
                ConnectError::Connect { source, .. } => format!("connect: {:?}", source.kind()),
                error => error.to_string(),
            });
        }
    });
}

#[test]
fn data_arrives_on_every_kind_of_link() {
    let links = [
        Link::default(),
        Link::default().loss(0.1),
        Link::default().bandwidth(100_000),
        Link::default()
            .latency(Latency::Tailed(Duration::from_millis(20), Duration::from_millis(5))),
        Link::default().latency(Latency::Fixed(Duration::ZERO)),
    ];
    for_seeds(0..4, |seed| {
        for link in &links {
            let (network, server, client) = network(seed);
            network.set_link(link.clone());
            serve(&server);
            let log = Log::default();
            dial(&client, "server:7", 300_000, &log);
            network.run_for(HOUR).unwrap();
            assert_eq!(*log.borrow(), ["300000: closed by this side"], "{link:?}");
            assert_clean(&client.reactor());
            assert_eq!(network.stats().connections, 0, "connections");
            assert_eq!(client.descriptors(), 0, "descriptors");
            assert_eq!(server.descriptors(), 2, "the port, and its spare descriptor");
        }
    });
}

#[test]
fn bandwidth_limits_throughput() {
    let (network, server, client) = network(1);
    network.set_link(Link::default().bandwidth(10_000));
    serve(&server);
    let log = Log::default();
    dial(&client, "server:7", 100_000, &log);
    network.run_until(HOUR, || !log.borrow().is_empty()).unwrap();
    let took = network.age();
    assert!(took > secs(10) && took < secs(25), "{took:?}");
}

#[test]
fn connecting_to_nothing() {
    let (network, server, client) = network(2);
    let log = Log::default();
    dial(&client, "server:7", 1, &log);
    dial(&client, "nowhere:7", 1, &log);
    network.run_for(secs(1)).unwrap();
    log.borrow_mut().sort();
    let expected =
        ["connect: ConnectionRefused", "could not resolve nowhere: the name does not exist"];
    assert_eq!(*log.borrow(), expected);

    log.borrow_mut().clear();
    dial(&client, "10.9.9.9:7", 1, &log);
    server.power_off();
    network.run_for(secs(1)).unwrap();
    dial(&client, "server:7", 1, &log);
    network.run_for(secs(31)).unwrap();
    let mut expected = ["10.9.9.9:7 within 30s", "server:7 within 30s (10.0.0.1:7: no answer)"]
        .map(|what| format!("could not connect to {what}"));
    expected.sort();
    log.borrow_mut().sort();
    assert_eq!(*log.borrow(), expected);

    log.borrow_mut().clear();
    let config = ConnectConfig::default().timeout(HOUR);
    let log_copy = log.clone();
    let to: SocketAddr = "10.9.9.9:7".parse().unwrap();
    client.reactor().connect_tcp_with(to, config, |_: &Peer| Echo).then(move |_, failed| {
        log_copy.borrow_mut().push(failed.unwrap_err().to_string());
    });
    let start = network.age();
    network.run_until(HOUR, || !log.borrow().is_empty()).unwrap();
    let took = network.age() - start;
    assert!(took >= secs(127) && took < secs(128), "{took:?}: {log:?}");
}

#[test]
fn short_cut_delays_and_long_cut_ends_a_connection() {
    let (network, server, client) = network(3);
    serve(&server);
    let log = Log::default();
    dial(&client, "server:7", 2_000_000, &log);
    network.run_for(Duration::from_millis(30)).unwrap();
    network.cut(&server, &client);
    network.run_for(secs(60)).unwrap();
    assert!(log.borrow().is_empty());
    network.join(&server, &client);
    network.run_for(secs(120)).unwrap();
    assert_eq!(*log.borrow(), ["2000000: closed by this side"]);

    dial(&client, "server:7", 2_000_000, &log);
    network.run_for(Duration::from_millis(30)).unwrap();
    network.partition([&server], [&client]);
    network.run_for(HOUR).unwrap();
    assert!(log.borrow()[1].ends_with("timed out"), "{log:?}");
}

/// Counts received bytes.
struct Counts(Rc<Cell<usize>>);

impl Protocol for Counts {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.set(self.0.get() + data.len());
    }
}

#[test]
fn one_way_cut_loses_data_or_acknowledgements() {
    for_seeds(0..10, |seed| {
        let (network, server, client) = network(seed);
        let received = Rc::new(Cell::new(0));
        let count = received.clone();
        server.boot(move |reactor| {
            let count = count.clone();
            drop(reactor.listen_tcp("server:7", move |_: &Peer| Counts(count.clone())).unwrap());
        });
        let log = Log::default();
        dial(&client, "server:7", 2_000_000, &log);
        network.run_for(Duration::from_millis(30)).unwrap();
        let before = received.get();
        assert!(before < 1_000_000);

        // The server still receives, but its acknowledgements are lost, so it receives at most one window.
        network.cut_way(&server, &client);
        network.run_for(secs(30)).unwrap();
        let more = received.get() - before;
        assert!(more > 0 && more <= 64 * 1024, "{more}");
        network.run_for(secs(30)).unwrap();
        assert_eq!(received.get() - before, more);
        network.join_way(&server, &client);
        network.run_for(secs(120)).unwrap();
        assert_eq!(received.get(), 2_000_000, "bytes that were received");

        // A permanent cut: the sender times out, the receiver only sees silence.
        dial(&client, "server:7", 10, &log);
        network.run_for(secs(1)).unwrap();
        let (from, to) = (server.reactor(), client.reactor());
        assert_eq!(
            (from.stats().connections, to.stats().connections),
            (2, 2),
            "connections, connections"
        );
        dial(&client, "server:7", 2_000_000, &log);
        network.run_for(Duration::from_millis(30)).unwrap();
        network.cut_way(&server, &client);
        network.run_for(HOUR).unwrap();
        assert_eq!(*log.borrow(), ["0: timed out"]);
        assert_eq!(
            (from.stats().connections, to.stats().connections),
            (3, 2),
            "connections, connections"
        );

        // Connecting fails, whichever direction is cut.
        log.borrow_mut().clear();
        dial(&client, "server:7", 1, &log);
        dial(&server, "client:7", 1, &log);
        network.run_for(secs(31)).unwrap();
        assert_eq!(log.borrow().len(), 2, "entries of the log");
        assert!(log.borrow().iter().all(|line| line.contains("within 30s")), "{log:?}");
    });
}

#[test]
fn listening_on_names() {
    let (network, server, client) = network(13);
    network.set_name("service", [server.addr_v6(), client.addr_v6()]);
    let listen = |host: &Host, at: &str| host.reactor().listen_tcp(at, |_: &Peer| Echo);
    let port = listen(&server, "server:7").unwrap();
    assert_eq!(port.local(), (server.addr(), 7).into());
    // The first address of the name that belongs to this host.
    assert_eq!(listen(&client, "service:8").unwrap().local().ip(), client.addr_v6());
    assert!(listen(&server, "localhost:8").unwrap().local().ip().is_loopback());
    let log = Log::default();
    dial(&client, "server:7", 10, &log);
    dial(&client, "localhost:8", 10, &log);
    dial(&server, "localhost:8", 10, &log);
    network.run_for(secs(1)).unwrap();
    log.borrow_mut().sort();
    let closed = "10: closed by this side";
    assert_eq!(*log.borrow(), [closed, closed, "connect: ConnectionRefused"]);

    let Err(ListenError::Listen { addr, source }) = listen(&client, "server:9") else {
        panic!("it is another's address");
    };
    assert_eq!((addr.ip(), source.kind()), (server.addr(), ErrorKind::AddrNotAvailable));
    let unknown = listen(&client, "nobody:9").unwrap_err();
    assert!(unknown.to_string().ends_with("no host has this name"), "{unknown}");
    assert!(matches!(listen(&client, "no address"), Err(ListenError::Resolve { .. })));
}

#[test]
fn killed_process_closes_and_power_off_is_silent() {
    let (network, server, client) = network(4);
    serve(&server);
    let log = Log::default();
    dial(&client, "server:7", 0, &log);
    network.run_for(secs(1)).unwrap();
    server.kill();
    network.run_for(secs(1)).unwrap();
    assert_eq!(*log.borrow(), ["0: closed by the peer"]);
    assert!(!server.is_up());

    log.borrow_mut().clear();
    server.restart();
    network.run_for(secs(1)).unwrap();
    dial(&client, "server:7", 0, &log);
    network.run_for(secs(1)).unwrap();
    server.power_off();
    network.run_for(HOUR).unwrap();
    assert!(log.borrow().is_empty(), "the connection is half open: {log:?}");
    server.restart();
    network.run_for(secs(1)).unwrap();
    assert!(log.borrow().is_empty());
    // Only a peer that sends something is reset.
    assert_eq!(client.reactor().stats().connections, 1, "connections");
}

/// Sends data periodically.
struct Pings(Log);

impl Protocol for Pings {
    fn connection_made(&mut self, transport: &Transport) {
        transport.call_later(secs(10));
    }

    fn timer_fired(&mut self, transport: &Transport, _: sinew_transports::TimerId) {
        transport.write(b"ping");
        transport.call_later(secs(10));
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.0.borrow_mut().push(reason.to_string());
    }
}

#[test]
fn restarted_host_resets_unknown_connections() {
    let (network, server, client) = network(5);
    serve(&server);
    let log = Log::default();
    let log_copy = log.clone();
    client.reactor().connect_tcp("server:7", move |_: &Peer| Pings(log_copy.clone())).detach();
    network.run_for(secs(25)).unwrap();
    server.power_off();
    network.run_for(secs(1)).unwrap();
    server.restart();
    network.run_for(secs(2)).unwrap();
    assert!(log.borrow().is_empty());
    network.run_for(secs(10)).unwrap();
    assert_eq!(*log.borrow(), ["reset by the peer"]);
}

#[test]
fn paused_host_resumes_after_its_buffers_are_full() {
    let (network, server, client) = network(6);
    serve(&server);
    let log = Log::default();
    dial(&client, "server:7", 1_000_000, &log);
    network.run_for(Duration::from_millis(20)).unwrap();
    server.pause();
    network.run_for(secs(300)).unwrap();
    assert!(log.borrow().is_empty());
    server.resume();
    network.run_for(secs(10)).unwrap();
    assert_eq!(*log.borrow(), ["1000000: closed by this side"]);
}

/// Stays half-open after the end of its input.
struct HoldsItsHalf(Log);

impl Protocol for HoldsItsHalf {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}

    fn read_closed(&mut self, _: &Transport) {
        self.0.borrow_mut().push("the end".into());
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.0.borrow_mut().push(reason.to_string());
    }
}

#[test]
fn reset_is_reported_after_the_end_of_the_input() {
    let (network, server, client) = network(0);
    let (log, kept) = (Log::default(), Rc::new(RefCell::new(None)));
    let (log_copy, keep) = (log.clone(), kept.clone());
    let factory = move |_: &Peer| HoldsItsHalf(log_copy.clone());
    drop(server.reactor().listen_tcp("0.0.0.0:7", factory).unwrap());
    let connecting = client.reactor().connect_tcp("server:7", |_: &Peer| Echo);
    connecting.then(move |_, connected| {
        let transport = connected.unwrap().transport().clone();
        transport.close_write();
        keep.replace(Some(transport));
    });
    network.run_for(secs(1)).unwrap();
    assert_eq!(*log.borrow(), ["the end"]);
    kept.take().unwrap().abort();
    network.run_for(secs(1)).unwrap();
    assert_eq!(*log.borrow(), ["the end", "reset by the peer"]);
}

/// The peer reads nothing, and its reset is lost, so only window probes detect it.
#[test]
fn blocked_sender_probes_the_window() {
    let (network, server, client) = network(0);
    let (log, kept) = (Log::default(), Rc::new(RefCell::new(None)));
    let (log_copy, keep) = (log.clone(), kept.clone());
    let factory = move |_: &Peer| Sends::new(1_000_000, &log_copy);
    drop(server.reactor().listen_tcp("0.0.0.0:7", factory).unwrap());
    let connecting = client.reactor().connect_tcp("server:7", |_: &Peer| Echo);
    connecting.then(move |_, connected| {
        let transport = connected.unwrap().transport().clone();
        transport.pause_reading();
        keep.replace(Some(transport));
    });
    network.run_for(secs(10)).unwrap();
    network.cut(&server, &client);
    kept.take().unwrap().abort();
    network.run_for(secs(10)).unwrap();
    network.heal();
    network.run_for(HOUR).unwrap();
    assert_eq!(*log.borrow(), ["0: reset by the peer"]);
    assert_eq!(network.stats().connections, 0, "connections");
}

#[test]
fn without_descriptors_clients_are_disconnected_and_the_port_survives() {
    let (network, server, client) = network(7);
    serve(&server);
    network.run_for(secs(1)).unwrap();
    // One for the port, its spare, and ten connections.
    server.set_descriptors_max(12);
    let log = Log::default();
    for _ in 0..30 {
        dial(&client, "server:7", 0, &log);
    }
    network.run_for(secs(5)).unwrap();
    assert_eq!(server.reactor().stats().connections, 10, "connections");
    assert_eq!(log.borrow().len(), 20, "{log:?}");
    server.set_descriptors_max(usize::MAX);
    dial(&client, "server:7", 1_000, &log);
    network.run_for(secs(5)).unwrap();
    assert_eq!(log.borrow().last().unwrap(), "1000: closed by this side");
}

#[test]
fn accept_errors_are_temporary() {
    for fault in [AcceptFault::ProcessLimit, AcceptFault::SystemLimit, AcceptFault::Aborted] {
        let (network, server, client) = network(8);
        serve(&server);
        network.run_for(secs(1)).unwrap();
        server.fail_next_accepts(fault, 3);
        let log = Log::default();
        for _ in 0..8 {
            dial(&client, "server:7", 100, &log);
        }
        let turns = server.reactor().stats().turns;
        network.run_for(secs(30)).unwrap();
        let served = log.borrow().iter().filter(|line| line.starts_with("100:")).count();
        assert!(served >= 5, "{fault:?}: {log:?}");
        assert!(server.reactor().stats().turns - turns < 1_000, "busy loop");
    }
}

#[test]
fn clock_drift_and_skew() {
    let (network, server, client) = network(9);
    client.set_drift(100_000);
    server.skew_ahead(HOUR);
    let rang = Rc::new(Cell::new(Duration::ZERO));
    let (then, bell) = (client.reactor().now(), rang.clone());
    client.reactor().call_later(secs(11), move |reactor| bell.set(reactor.now() - then));
    network.run_until(HOUR, || !rang.get().is_zero()).unwrap();
    assert_eq!(network.age().as_secs(), 10, "seconds that have passed");
    assert!(rang.get() >= secs(11));
    let ahead = server.reactor().wall_clock().duration_since(client.reactor().wall_clock());
    assert_eq!(ahead.unwrap().as_secs(), 3_600 - 1);
}

#[test]
fn stopped_server_drains() {
    let (network, server, client) = network(10);
    server.boot(|reactor: &Reactor| {
        let config = ListenConfig::default().stream(StreamConfig::default());
        let port = reactor.listen_tcp_with("0.0.0.0:7", config, |_: &Peer| Echo).unwrap();
        reactor.on(Phase::BeforeShutdown, move |_| port.drain(secs(10)));
        reactor.call_later(secs(5), |reactor| reactor.stop().unwrap());
    });
    let log = Log::default();
    dial(&client, "server:7", 0, &log);
    network.run_for(secs(20)).unwrap();
    assert!(!server.is_up());
    assert_eq!(*log.borrow(), ["0: closed by the peer"]);
}

#[test]
fn panic_in_a_callback_stops_the_simulation() {
    let (network, _server, client) = network(11);
    client.reactor().call_later(secs(1), |_| panic!("on purpose"));
    let panicked = SimError::Panicked { host: "client".into(), seed: 11 };
    assert_eq!(network.run_for(secs(2)), Err(panicked));
}

/// Some hosts that connect to each other under all kinds of faults; returns the hash of the trace.
fn run_with_faults(seed: u64) -> u64 {
    let network = Network::new(seed);
    network.allow_panics();
    let hosts: Vec<_> = (0..5).map(|n| network.host(&format!("h{n}"))).collect();
    network.set_link(Link::default().loss(0.05));
    for host in &hosts {
        host.boot(|reactor| {
            drop(reactor.listen_tcp("0.0.0.0:7", |_: &Peer| Echo).expect("a free port"));
            reactor.call_every(Duration::from_millis(700), |reactor| {
                let to = format!("h{}:7", reactor.random() % 5);
                let log = Log::default();
                let total = (reactor.random() % 5_000) as usize;
                reactor.connect_tcp(to, move |_: &Peer| Sends::new(total, &log)).detach();
                reactor.defer_to_thread(|| ()).detach();
            });
        });
    }
    let faults = RandomFaults::every(secs(1)).lasting(secs(3)).one_way_cuts();
    network.set_random_faults(faults.cuts().partitions().pauses().kills().power_cuts().resets());
    network
        .plan(
            &"at 2 s emfile h1 for 1 s; at 3 s partition h0,h1|h2,h3 for 2 s"
                .parse::<Plan>()
                .unwrap(),
        )
        .unwrap();
    network.run_for(secs(8)).unwrap();
    network.trace_hash()
}

#[test]
fn same_seed_gives_the_same_run() {
    let runs = if cfg!(debug_assertions) { 50 } else { 1_000 };
    let hashes: Vec<_> = (0..runs).map(|run| run_with_faults(run % 10)).collect();
    let different: BTreeSet<_> = hashes.iter().collect();
    assert_eq!(different.len(), 10, "one hash per seed");
    assert!(hashes.chunks(10).all(|chunk| chunk == &hashes[..10]));
}

#[test]
fn datagrams_are_lost_duplicated_and_reordered() {
    let (network, server, client) = network(12);
    network.set_link(Link::default().loss(0.2).duplicate(0.2).reorder(0.2));
    let to = server.datagrams("0.0.0.0:53".parse().unwrap()).unwrap();
    let from = client.datagrams("0.0.0.0:0".parse().unwrap()).unwrap();
    for n in 0..100_u8 {
        from.send_to(&[n], (server.addr(), 53).into()).unwrap();
    }
    network.run_for(secs(1)).unwrap();
    let mut received = Vec::new();
    let mut buffer = [0; 16];
    while let Ok((1, peer)) = to.receive_from(&mut buffer) {
        assert_eq!(peer.ip(), client.addr());
        received.push(buffer[0]);
    }
    let different: BTreeSet<_> = received.iter().collect();
    assert!((65..95).contains(&different.len()), "{}", different.len());
    assert!(received.len() > different.len());
    assert!(!received.is_sorted());
    assert!(from.send_to(&[0; 1_473], (server.addr(), 53).into()).is_err());
    assert!(from.send_to(&[0; 1_472], (server.addr(), 53).into()).is_ok());
}
