//! Graceful shutdown: a server is stopped while clients are connected and more connect.

use sinew::{prelude::*, sim::RandomFaults, testing::simulate};

use super::{
    fixture::Fixture,
    parties::{ECHO_QUEUED_MAX, Echo},
};
use crate::{millis, secs, seeds};

const DRAIN: std::time::Duration = secs(3);

/// The server accepts no new connections, lets existing ones finish within a limit, and has ended by then, whatever
/// the network does.
#[test]
fn a_server_drains_under_load() {
    simulate(seeds(), |network| {
        let mut fixture = Fixture::empty(network, 4, ECHO_QUEUED_MAX);
        let serving = fixture.serving.clone();
        let until_stop = millis(500 + fixture.server.reactor().random() % 5_000);
        fixture.server.boot(move |reactor| {
            let serving = serving.clone();
            let factory = move |_: &Peer| serving.watch(Echo);
            let port = reactor.listen_tcp("0.0.0.0:7", factory).expect("a free port");
            reactor.on(Phase::BeforeShutdown, move |_| port.drain(DRAIN));
            reactor.call_later(until_stop, |reactor| reactor.stop().expect("it runs"));
        });
        fixture.talk();
        let chance = RandomFaults::every(secs(1)).lasting(secs(1));
        network.set_random_faults(chance.cuts().partitions().resets());
        network.run_for(until_stop).unwrap();
        let made = fixture.serving.made();
        let server = fixture.server.clone();
        network.run_until(DRAIN + millis(1), move || !server.is_up()).unwrap();
        assert_eq!(fixture.serving.alive(), 0, "connections that are alive");
        assert_eq!(fixture.serving.made(), made, "accepted after the stop");
        fixture.play(secs(20));
    });
}
