//! Clients of an echo server, with all kinds of failing links and hosts.

use sinew::{
    sim::{Latency, Link, Network, RandomFaults},
    testing::simulate,
};

use super::fixture::{Fixture, patient_server};
use crate::{millis, secs, seeds};

#[test]
fn talk_over_bad_links() {
    simulate(seeds(), |network| {
        let fixture = Fixture::talking(network, 3, patient_server());
        let latency = Latency::Tailed(millis(5), millis(5));
        network.set_link(Link::default().latency(latency).loss(0.03).bandwidth(3_000_000));
        fixture.play(secs(20));
        assert!(fixture.done.get() > 10, "{} talks came to their end", fixture.done.get());
    });
}

#[test]
fn talk_under_partitions_and_pauses() {
    simulate(seeds(), |network| {
        let fixture = Fixture::talking(network, 3, patient_server());
        let chance = RandomFaults::every(millis(700)).lasting(secs(3));
        network.set_random_faults(chance.cuts().partitions().pauses());
        fixture.play(secs(20));
    });
}

pub(crate) fn resets_kills_and_power_cuts(network: &Network) {
    let fixture = Fixture::talking(network, 3, patient_server());
    fixture.watch.allow_kills();
    let chance = RandomFaults::every(millis(900)).lasting(secs(2));
    network.set_random_faults(chance.resets().kills().power_cuts());
    fixture.play(secs(20));
}

#[test]
fn talk_under_resets_kills_and_power_cuts() {
    simulate(seeds(), resets_kills_and_power_cuts);
}
