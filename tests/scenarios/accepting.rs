//! A server that cannot accept: descriptors run out, its own or the system's; connections are over before they are accepted;
//! limits are reached.

use sinew::transports::{
    sim::{AcceptFault, Fault, Plan},
    testing::simulate,
};

use super::stage::{Stage, patient_server};
use crate::{millis, secs, seeds};

/// Turns of the server in a second that are more than it has work for.
const TURNS_MAX: u64 = 10_000;

#[test]
fn few_descriptors_and_few_connections() {
    const DESCRIPTORS: usize = 6;
    simulate(seeds(), |network| {
        let config = patient_server().max_connections(6).max_per_ip(3).backlog(4);
        let stage = Stage::talking(network, 4, config);
        let (server, serving) = (stage.server.clone(), stage.serving.clone());
        server.set_descriptors_max(DESCRIPTORS);
        network.after_every_event(move || {
            assert!(server.descriptors() <= DESCRIPTORS && serving.alive() <= 6);
        });
        network.run_for(secs(2)).unwrap();
        stage.server.fail_next_accepts(AcceptFault::SystemLimit, 5);
        let turns = stage.server.reactor().stats().turns;
        network.run_for(secs(4)).unwrap();
        let turns = stage.server.reactor().stats().turns - turns;
        assert!(turns < 4 * TURNS_MAX, "{turns} turns: the server spins");
        stage.play(secs(20));
        assert!(stage.done.get() > 10, "{} talks came to their end", stage.done.get());
    });
}

/// For ten seconds accepting fails most of the time, of one cause or another, time and again; then it is over, and all are
/// served that had to wait.
#[test]
fn storms_of_emfile() {
    simulate(seeds(), |network| {
        let stage = Stage::talking(network, 4, patient_server().backlog(8));
        let mut storms = Plan::default();
        let mut at = millis(100);
        while at < secs(10) {
            let random = stage.server.reactor().random();
            let fault = match random % 3 {
                0 => AcceptFault::ProcessLimit,
                1 => AcceptFault::SystemLimit,
                _ => AcceptFault::Aborted,
            };
            let lasts = millis(1 + (random >> 8) % 1_500);
            storms = storms.fault(at, Fault::FailAccepts("server".into(), fault), lasts);
            at += lasts + millis((random >> 32) % 200);
        }
        network.plan(&storms).unwrap();
        for second in 1..=10 {
            let before = stage.server.reactor().stats().turns;
            network.run_for(secs(1)).unwrap();
            let turns = stage.server.reactor().stats().turns - before;
            assert!(turns < TURNS_MAX, "{turns} turns in second {second}: the server spins");
        }
        let before = stage.serving.made();
        stage.clients[0].restart();
        stage.watch.allow_kills();
        stage.play(secs(20));
        assert!(stage.serving.made() - before > 10, "{} accepted", stage.serving.made() - before);
    });
}
