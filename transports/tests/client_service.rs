//! Connections that are made again, in a simulated network whose links, servers and sockets come and go.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use sinew_testkit::{
    sim::{Host, Latency, Link, Network, RandomFaults},
    testing::{assert_clean, for_seeds, simulate},
};
use sinew_transports::{
    ClientService, ConnectConfig, ConnectionLost, Peer, Protocol, ReactorTcp, RetryConfig,
    ServiceError, Transport, endpoint::ClientEndpoint,
};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Counts those that live, and those that there have been.
#[derive(Clone, Default)]
struct Census {
    open: Rc<Cell<usize>>,
    made: Rc<Cell<usize>>,
}

struct Counted(Census);

impl Protocol for Counted {
    fn connection_made(&mut self, _: &Transport) {
        self.0.open.set(self.0.open.get() + 1);
        self.0.made.set(self.0.made.get() + 1);
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

fn serve(host: &Host) {
    host.boot(|reactor| {
        drop(reactor.listen_tcp("0.0.0.0:7", |_: &Peer| Quiet).expect("it is free"))
    });
}

struct Stage<'a> {
    network: &'a Network,
    server: Host,
    client: Host,
    census: Census,
    service: ClientService<Counted>,
}

impl<'a> Stage<'a> {
    fn new(network: &'a Network, config: RetryConfig) -> Self {
        network.set_link(Link::default().latency(Latency::Fixed(ms(10))));
        let (server, client) = (network.host("server"), network.host("client"));
        let census = Census::default();
        let counted = census.clone();
        let endpoint: ClientEndpoint = "tcp:server:7".parse().expect("an endpoint");
        let factory = move |_: &Peer| Counted(counted.clone());
        let service = ClientService::with(&client.reactor(), endpoint, config, factory);
        Self { network, server, client, census, service }
    }

    /// Stops it, and sees to it that nothing is left.
    fn stop(&self) {
        let stopped = self.service.stop();
        self.network.run_until(secs(30), || stopped.is_settled()).unwrap();
        assert!(!self.service.is_running() && self.service.connection().is_none());
        assert_eq!((self.census.open.get(), self.client.descriptors()), (0, 0));
        drop(stopped);
        self.network.run_for(Duration::ZERO).unwrap();
        assert_clean(&self.client.reactor());
        let made = self.census.made.get();
        self.network.run_for(secs(300)).unwrap();
        assert_eq!(self.census.made.get(), made, "it stays so");
    }
}

#[test]
fn a_connection_that_is_lost_is_made_again() {
    for_seeds(0..5, |seed| {
        let network = Network::new(seed);
        let stage = Stage::new(&network, RetryConfig::default());
        serve(&stage.server);
        let first = stage.service.when_connected();
        assert!(stage.service.start() && !stage.service.start());
        network.run_until(secs(1), || first.is_settled()).unwrap();
        assert!(first.take().unwrap().is_ok() && stage.service.connection().is_some());
        assert_eq!(stage.census.made.get(), 1);
        // One that is there is given at once.
        let same = stage.service.when_connected();
        assert!(same.is_settled() && same.take().unwrap().is_ok());

        network.run_for(secs(11)).unwrap();
        stage.server.kill();
        network.run_for(ms(100)).unwrap();
        assert!(stage.service.connection().is_none());
        let next = stage.service.when_connected();
        network.run_for(secs(20)).unwrap();
        assert!(!next.is_settled() && stage.service.failures() > 3);
        stage.server.restart();
        network.run_until(secs(61), || next.is_settled()).unwrap();
        assert_eq!(stage.census.made.get(), 2);
        assert!(next.take().unwrap().is_ok());
        stage.stop();
    });
}

/// When tries are made, to the millisecond: without jitter, the trace is the table.
#[test]
fn waits_grow_and_begin_anew_after_a_connection_that_held() {
    let network = Network::new(3);
    let config = RetryConfig::default().delay(secs(1), secs(5)).factor(2.0).jitter(0.0);
    let stage = Stage::new(&network, config.reset_after(secs(10)));
    stage.service.start();
    let mut tries = Vec::new();
    while tries.len() < 6 {
        let failures = stage.service.failures();
        let failed = || stage.service.failures() > failures;
        network.run_until(secs(10), failed).unwrap();
        tries.push(network.age());
    }
    let waits: Vec<_> = tries.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert_eq!(
        waits,
        [1, 2, 4, 5, 5],
        "and the lookups and refusals, which take some milliseconds"
    );

    // One that does not hold is a failure more.
    serve(&stage.server);
    network.run_until(secs(10), || stage.service.connection().is_some()).unwrap();
    network.run_for(secs(9)).unwrap();
    stage.server.kill();
    network.run_until(secs(1), || stage.service.connection().is_none()).unwrap();
    assert_eq!(stage.service.failures(), 7);
    // One that holds makes good for all.
    stage.server.restart();
    network.run_until(secs(10), || stage.service.connection().is_some()).unwrap();
    network.run_for(secs(11)).unwrap();
    assert_eq!(stage.service.failures(), 7, "not before it is lost");
    stage.server.kill();
    stage.server.restart();
    network.run_until(secs(1), || stage.service.connection().is_none()).unwrap();
    assert_eq!(stage.service.failures(), 0);
    let lost_at = network.age();
    network.run_until(secs(2), || stage.service.connection().is_some()).unwrap();
    assert_eq!((network.age() - lost_at).as_secs(), 1);
    stage.stop();
}

#[test]
fn it_gives_up_after_so_many_retries() {
    let network = Network::new(4);
    let config = RetryConfig::default().retries_max(2).delay(secs(1), secs(1));
    let stage = Stage::new(&network, config);
    let (patient, hasty) = (stage.service.when_connected(), stage.service.when_connected_within(1));
    stage.service.start();
    network.run_until(secs(1), || hasty.is_settled()).unwrap();
    let error = hasty.take().unwrap().unwrap_err().to_string();
    assert!(error.starts_with("1 attempt failed: could not connect to 10."), "{error}");
    assert!(stage.service.is_running() && !patient.is_settled());
    network.run_until(secs(5), || patient.is_settled()).unwrap();
    assert!(matches!(patient.take(), Some(Err(ServiceError::Failed { failures: 3, .. }))));
    network.run_for(Duration::ZERO).unwrap();
    assert!(!stage.service.is_running());
    let late = stage.service.when_connected();
    assert!(matches!(late.take(), Some(Err(ServiceError::Failed { failures: 3, .. }))));
    assert_clean(&stage.client.reactor());

    // It may be started again.
    serve(&stage.server);
    assert!(stage.service.start());
    network.run_until(secs(5), || stage.service.connection().is_some()).unwrap();
    stage.stop();
}

/// At each moment of a second in which it connects, is connected, loses that and waits.
#[test]
fn stopped_at_any_moment_it_leaves_nothing() {
    for at in 0..120 {
        let network = Network::new(at);
        let config = RetryConfig::default().delay(ms(200), ms(200)).jitter(0.0);
        let stage = Stage::new(&network, config);
        serve(&stage.server);
        network.run_for(ms(1)).unwrap();
        stage.service.start();
        let waiting = stage.service.when_connected();
        let server = stage.server.clone();
        stage.client.reactor().call_later(ms(400), move |_| server.kill());
        // A host has something to do at odd times only.
        network.run_for(Duration::from_micros(10_500 * at)).unwrap();
        let was_connected = waiting.is_settled();
        // The timer above is the test's.
        network.run_for(if at < 40 { Duration::ZERO } else { ms(1) }).unwrap();
        let stopped = stage.service.stop();
        let refused = stage.service.when_connected();
        network.run_until(secs(30), || stopped.is_settled()).unwrap();
        assert!(matches!(refused.take(), Some(Err(ServiceError::Stopped)) | Some(Ok(_))));
        match waiting.take() {
            Some(Ok(_)) => {}
            Some(Err(ServiceError::Stopped)) => assert!(!was_connected),
            other => panic!("{other:?} at {at}"),
        }
        network.run_for(secs(1)).unwrap();
        assert_eq!((stage.census.open.get(), stage.client.descriptors()), (0, 0), "at {at}");
        assert_clean(&stage.client.reactor());
    }
}

#[test]
fn stopped_before_the_loop_has_begun() {
    let network = Network::new(5);
    let stage = Stage::new(&network, RetryConfig::default());
    assert!(stage.service.stop().is_settled(), "there is nothing to stop");
    serve(&stage.server);
    network.run_for(ms(1)).unwrap();
    stage.service.start();
    stage.stop();
    assert_eq!(stage.census.made.get(), 0);
}

/// Stops the service as soon as it is connected.
struct Stops(Rc<RefCell<Option<ClientService<Self>>>>, Census);

impl Protocol for Stops {
    fn connection_made(&mut self, _: &Transport) {
        self.1.made.set(self.1.made.get() + 1);
        let service = self.0.take().expect("there is one connection");
        service.stop().then(|_, stopped| stopped.expect("it is answered"));
        assert!(service.connection().is_none() && service.is_running());
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        assert!(reason.is_clean(), "{reason}");
    }
}

/// The attempt has come to a connection, and the service does not know of it yet.
#[test]
fn stopped_in_the_moment_in_which_it_is_connected() {
    let network = Network::new(7);
    let (server, client) = (network.host("server"), network.host("client"));
    serve(&server);
    let (slot, census) =
        (Rc::<RefCell<Option<ClientService<Stops>>>>::default(), Census::default());
    let (stops, counted) = (slot.clone(), census.clone());
    let factory = move |_: &Peer| Stops(stops.clone(), counted.clone());
    let endpoint: ClientEndpoint = "tcp:server:7".parse().expect("an endpoint");
    let service = ClientService::new(&client.reactor(), endpoint, factory);
    slot.replace(Some(service.clone()));
    network.run_for(ms(1)).unwrap();
    service.start();
    network.run_for(secs(5)).unwrap();
    assert_eq!(census.made.get(), 1);
    assert!(!service.is_running() && client.descriptors() == 0);
    assert_clean(&client.reactor());
}

#[test]
fn the_end_of_the_run_ends_it() {
    let network = Network::new(6);
    let stage = Stage::new(&network, RetryConfig::default());
    stage.service.start();
    let waiting = stage.service.when_connected();
    network.run_for(secs(5)).unwrap();
    stage.client.reactor().call_soon(|reactor| reactor.stop().expect("it runs"));
    network.run_for(secs(1)).unwrap();
    assert!(matches!(waiting.take(), Some(Err(ServiceError::GivenUp(_)))));
    assert!(!stage.service.is_running());
}

/// Links flap, servers are killed, connections reset. There is never more than one connection; it comes back whenever things
/// are calm; and when it is stopped, at a moment that the seed chooses, nothing is left.
#[test]
fn under_flapping_links() {
    simulate(0..150, |network| {
        let config = RetryConfig::default()
            .delay(ms(200), secs(2))
            .reset_after(secs(1))
            .connect(ConnectConfig::default().timeout(secs(2)));
        let stage = Stage::new(network, config);
        network.set_link(Link::default().latency(Latency::Uniform(ms(1), ms(300))).loss(0.02));
        serve(&stage.server);
        stage.service.start();
        let told = Rc::new(RefCell::new(0));
        let census = stage.census.clone();
        network.after_every_event(move || assert!(census.open.get() <= 1, "two connections"));
        network.set_random_faults(
            RandomFaults::every(secs(3)).lasting(secs(4)).cuts().one_way_cuts().resets(),
        );
        for round in 0..6 {
            if round % 2 == 1 {
                stage.server.kill();
                stage.server.restart();
            }
            let counter = told.clone();
            stage.service.when_connected().then(move |_, connected| {
                *counter.borrow_mut() += usize::from(connected.is_ok());
            });
            network.run_for(secs(10) + Duration::from_micros(network.seed() * 7919)).unwrap();
        }
        network.set_random_faults(None);
        network.heal();
        // TCP may have to find out first, which it does by what it sends.
        if let Some(connection) = stage.service.connection() {
            connection.transport().abort();
        }
        network.run_for(secs(6)).unwrap();
        assert!(stage.service.connection().is_some(), "{:?}", stage.service);
        assert_eq!(*told.borrow(), 6);
        stage.stop();
    });
}
