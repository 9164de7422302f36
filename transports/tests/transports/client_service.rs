//! `ClientService`: reconnecting with backoff, in a simulated network whose links, servers and connections fail.

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

/// Counts open connections, and all that were made.
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

struct Fixture<'a> {
    network: &'a Network,
    server: Host,
    client: Host,
    census: Census,
    service: ClientService<Counted>,
}

impl<'a> Fixture<'a> {
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

    /// Stops the service, and checks that nothing is left.
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
        assert_eq!(self.census.made.get(), made, "no further connection is made");
    }
}

#[test]
fn lost_connection_is_made_again() {
    for_seeds(0..5, |seed| {
        let network = Network::new(seed);
        let fixture = Fixture::new(&network, RetryConfig::default());
        serve(&fixture.server);
        let first = fixture.service.when_connected();
        assert!(fixture.service.start() && !fixture.service.start());
        network.run_until(secs(1), || first.is_settled()).unwrap();
        assert!(first.take().unwrap().is_ok() && fixture.service.connection().is_some());
        assert_eq!(fixture.census.made.get(), 1);
        // With a connection, the deferred is settled at once.
        let same = fixture.service.when_connected();
        assert!(same.is_settled() && same.take().unwrap().is_ok());

        network.run_for(secs(11)).unwrap();
        fixture.server.kill();
        network.run_for(ms(100)).unwrap();
        assert!(fixture.service.connection().is_none());
        let next = fixture.service.when_connected();
        network.run_for(secs(20)).unwrap();
        assert!(!next.is_settled() && fixture.service.failures() > 3);
        fixture.server.restart();
        network.run_until(secs(61), || next.is_settled()).unwrap();
        assert_eq!(fixture.census.made.get(), 2);
        assert!(next.take().unwrap().is_ok());
        fixture.stop();
    });
}

/// Times of the attempts, to the millisecond: there is no jitter.
#[test]
fn backoff_grows_and_is_reset_by_a_lasting_connection() {
    let network = Network::new(3);
    let config = RetryConfig::default().delay(secs(1), secs(5)).factor(2.0).jitter(0.0);
    let fixture = Fixture::new(&network, config.reset_after(secs(10)));
    fixture.service.start();
    let mut tries = Vec::new();
    while tries.len() < 6 {
        let failures = fixture.service.failures();
        let failed = || fixture.service.failures() > failures;
        network.run_until(secs(10), failed).unwrap();
        tries.push(network.age());
    }
    let waits: Vec<_> = tries.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert_eq!(
        waits,
        [1, 2, 4, 5, 5],
        "the rest is lookups and refusals, which take some milliseconds"
    );

    // A short-lived connection counts as a failure.
    serve(&fixture.server);
    network.run_until(secs(10), || fixture.service.connection().is_some()).unwrap();
    network.run_for(secs(9)).unwrap();
    fixture.server.kill();
    network.run_until(secs(1), || fixture.service.connection().is_none()).unwrap();
    assert_eq!(fixture.service.failures(), 7);
    // A lasting one resets the count.
    fixture.server.restart();
    network.run_until(secs(10), || fixture.service.connection().is_some()).unwrap();
    network.run_for(secs(11)).unwrap();
    assert_eq!(fixture.service.failures(), 7, "not before the connection is lost");
    fixture.server.kill();
    fixture.server.restart();
    network.run_until(secs(1), || fixture.service.connection().is_none()).unwrap();
    assert_eq!(fixture.service.failures(), 0);
    let lost_at = network.age();
    network.run_until(secs(2), || fixture.service.connection().is_some()).unwrap();
    assert_eq!((network.age() - lost_at).as_secs(), 1);
    fixture.stop();
}

#[test]
fn service_fails_after_retries_max() {
    let network = Network::new(4);
    let config = RetryConfig::default().retries_max(2).delay(secs(1), secs(1));
    let fixture = Fixture::new(&network, config);
    let (patient, hasty) =
        (fixture.service.when_connected(), fixture.service.when_connected_within(1));
    fixture.service.start();
    network.run_until(secs(1), || hasty.is_settled()).unwrap();
    let error = hasty.take().unwrap().unwrap_err().to_string();
    assert!(error.starts_with("1 attempt failed: could not connect to 10."), "{error}");
    assert!(fixture.service.is_running() && !patient.is_settled());
    network.run_until(secs(5), || patient.is_settled()).unwrap();
    assert!(matches!(patient.take(), Some(Err(ServiceError::Failed { failures: 3, .. }))));
    network.run_for(Duration::ZERO).unwrap();
    assert!(!fixture.service.is_running());
    let late = fixture.service.when_connected();
    assert!(matches!(late.take(), Some(Err(ServiceError::Failed { failures: 3, .. }))));
    assert_clean(&fixture.client.reactor());

    // It can be started again.
    serve(&fixture.server);
    assert!(fixture.service.start());
    network.run_until(secs(5), || fixture.service.connection().is_some()).unwrap();
    fixture.stop();
}

/// Stopped at each of many moments while connecting, connected, or waiting to reconnect.
#[test]
fn stopping_at_any_moment_leaves_nothing() {
    for at in 0..120 {
        let network = Network::new(at);
        let config = RetryConfig::default().delay(ms(200), ms(200)).jitter(0.0);
        let fixture = Fixture::new(&network, config);
        serve(&fixture.server);
        network.run_for(ms(1)).unwrap();
        fixture.service.start();
        let waiting = fixture.service.when_connected();
        let server = fixture.server.clone();
        fixture.client.reactor().call_later(ms(400), move |_| server.kill());
        // Odd times, so that no event coincides with the stop.
        network.run_for(Duration::from_micros(10_500 * at)).unwrap();
        let was_connected = waiting.is_settled();
        // The pending timer is the test's own.
        network.run_for(if at < 40 { Duration::ZERO } else { ms(1) }).unwrap();
        let stopped = fixture.service.stop();
        let refused = fixture.service.when_connected();
        network.run_until(secs(30), || stopped.is_settled()).unwrap();
        assert!(matches!(refused.take(), Some(Err(ServiceError::Stopped)) | Some(Ok(_))));
        match waiting.take() {
            Some(Ok(_)) => {}
            Some(Err(ServiceError::Stopped)) => assert!(!was_connected),
            other => panic!("{other:?} at {at}"),
        }
        network.run_for(secs(1)).unwrap();
        assert_eq!((fixture.census.open.get(), fixture.client.descriptors()), (0, 0), "at {at}");
        assert_clean(&fixture.client.reactor());
    }
}

#[test]
fn stopped_before_the_first_turn() {
    let network = Network::new(5);
    let fixture = Fixture::new(&network, RetryConfig::default());
    assert!(fixture.service.stop().is_settled(), "the service was not started");
    serve(&fixture.server);
    network.run_for(ms(1)).unwrap();
    fixture.service.start();
    fixture.stop();
    assert_eq!(fixture.census.made.get(), 0);
}

/// Stops the service in `connection_made`.
struct Stops(Rc<RefCell<Option<ClientService<Self>>>>, Census);

impl Protocol for Stops {
    fn connection_made(&mut self, _: &Transport) {
        self.1.made.set(self.1.made.get() + 1);
        let service = self.0.take().expect("there is one connection");
        service.stop().then(|_, stopped| stopped.expect("the service stops"));
        assert!(service.connection().is_none() && service.is_running());
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        assert!(reason.is_clean(), "{reason}");
    }
}

/// `connection_made` runs before the service has received the connection.
#[test]
fn stopped_during_connection_made() {
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
fn end_of_the_run_ends_the_service() {
    let network = Network::new(6);
    let fixture = Fixture::new(&network, RetryConfig::default());
    fixture.service.start();
    let waiting = fixture.service.when_connected();
    network.run_for(secs(5)).unwrap();
    fixture.client.reactor().call_soon(|reactor| reactor.stop().expect("it runs"));
    network.run_for(secs(1)).unwrap();
    assert!(matches!(waiting.take(), Some(Err(ServiceError::GivenUp(_)))));
    assert!(!fixture.service.is_running());
}

/// With flapping links, killed servers and resets, there is never more than one connection; the service reconnects once the
/// network is healthy; and stopping it at a random moment leaves nothing.
#[test]
fn flapping_links() {
    simulate(0..150, |network| {
        let config = RetryConfig::default()
            .delay(ms(200), secs(2))
            .reset_after(secs(1))
            .connect(ConnectConfig::default().timeout(secs(2)));
        let fixture = Fixture::new(network, config);
        network.set_link(Link::default().latency(Latency::Uniform(ms(1), ms(300))).loss(0.02));
        serve(&fixture.server);
        fixture.service.start();
        let told = Rc::new(RefCell::new(0));
        let census = fixture.census.clone();
        network.after_every_event(move || assert!(census.open.get() <= 1, "two connections"));
        network.set_random_faults(
            RandomFaults::every(secs(3)).lasting(secs(4)).cuts().one_way_cuts().resets(),
        );
        for round in 0..6 {
            if round % 2 == 1 {
                fixture.server.kill();
                fixture.server.restart();
            }
            let counter = told.clone();
            fixture.service.when_connected().then(move |_, connected| {
                *counter.borrow_mut() += usize::from(connected.is_ok());
            });
            network.run_for(secs(10) + Duration::from_micros(network.seed() * 7919)).unwrap();
        }
        network.set_random_faults(None);
        network.heal();
        // A dead TCP connection may not have been detected, since nothing was sent.
        if let Some(connection) = fixture.service.connection() {
            connection.transport().abort();
        }
        network.run_for(secs(6)).unwrap();
        assert!(fixture.service.connection().is_some(), "{:?}", fixture.service);
        assert_eq!(*told.borrow(), 6);
        fixture.stop();
    });
}
