//! A server whose accepts fail: descriptor limits of the process or the system; connections aborted before they are
//! accepted; connection limits.

use std::cell::Cell;

use sinew::{
    sim::{AcceptFault, Fault, Network, Plan},
    testing::simulate,
};

use super::fixture::{Fixture, patient_server};
use crate::{millis, secs, seeds};

/// Turns of the server per second that indicate a busy loop.
const TURNS_MAX: u64 = 10_000;

/// The limit of a run. Each seed tests one, so that no other limit is reached first.
#[derive(Clone, Copy)]
enum Limit {
    /// Two of the descriptors belong to the listener.
    Descriptors,
    Connections,
    PerClient,
    Backlog,
}

impl Limit {
    const ALL: [Self; 4] = [Self::Descriptors, Self::Connections, Self::PerClient, Self::Backlog];

    const fn name(self) -> &'static str {
        match self {
            Self::Descriptors => "the descriptors of the process",
            Self::Connections => "max_connections",
            Self::PerClient => "max_per_ip",
            Self::Backlog => "the backlog",
        }
    }
}

const DESCRIPTORS: usize = 4;
const CONNECTIONS: usize = 2;
const PER_CLIENT: usize = 1;
const BACKLOG: u16 = 3;

/// The server never exceeds its limit. Counts how often it was at the limit.
fn under(network: &Network, limit: Limit, reached: &Cell<u64>) {
    let config = match limit {
        Limit::Descriptors => patient_server(),
        Limit::Connections => patient_server().max_connections(CONNECTIONS),
        Limit::PerClient => patient_server().max_per_ip(PER_CLIENT),
        Limit::Backlog => patient_server().backlog(BACKLOG),
    };
    let fixture = Fixture::talking(network, 4, config);
    if let Limit::Descriptors = limit {
        fixture.server.set_descriptors_max(DESCRIPTORS);
    }
    let (server, serving) = (fixture.server.clone(), fixture.serving.clone());
    let clients: Vec<_> = fixture.clients.iter().map(|client| client.addr()).collect();
    let at_limit = std::rc::Rc::new(Cell::new(0));
    let seen = at_limit.clone();
    network.after_every_event(move || {
        let (now, max) = match limit {
            Limit::Descriptors => (server.descriptors(), DESCRIPTORS),
            Limit::Connections => (serving.alive(), CONNECTIONS),
            Limit::PerClient => {
                let of_client = clients.iter().map(|client| serving.alive_with(*client));
                (of_client.max().unwrap_or_default(), PER_CLIENT)
            }
            Limit::Backlog => return,
        };
        assert!(now <= max, "{now}, past {max}: {}", limit.name());
        seen.set(seen.get() + u64::from(now == max));
    });
    network.run_for(secs(2)).unwrap();
    if let Limit::Backlog = limit {
        // Connections that arrive during a failure wait in the backlog, and are accepted afterwards.
        fixture.server.pause();
        network.run_for(secs(3)).unwrap();
        let before = fixture.serving.made();
        fixture.server.resume();
        network.run_for(secs(0)).unwrap();
        let waited = fixture.serving.made() - before;
        let max = u64::from(BACKLOG);
        assert!(waited <= max, "{waited} have waited to be accepted, past {max}");
        at_limit.set(u64::from(waited == max));
    }
    fixture.server.fail_next_accepts(AcceptFault::SystemLimit, 5);
    let before = fixture.server.reactor().stats().turns;
    network.run_for(secs(4)).unwrap();
    let turns = fixture.server.reactor().stats().turns - before;
    assert!(turns < 4 * TURNS_MAX, "{turns} turns: the server spins");
    fixture.play(secs(20));
    assert!(fixture.done.get() > 5, "{} talks came to their end", fixture.done.get());
    // Being at a limit does not mean that it held anyone back: there were more clients than that.
    let dialled: u64 = fixture.diallers.iter().map(|client| client.made()).sum();
    let is_held_back = match limit {
        Limit::PerClient => dialled > fixture.serving.made(),
        _ => true,
    };
    if is_held_back {
        reached.set(reached.get() + at_limit.get());
    }
}

#[test]
fn few_descriptors_and_few_connections() {
    let runs: [Cell<u64>; 4] = Default::default();
    let reached: [Cell<u64>; 4] = Default::default();
    simulate(seeds(), |network| {
        let kind = network.seed() as usize % Limit::ALL.len();
        runs[kind].set(runs[kind].get() + 1);
        under(network, Limit::ALL[kind], &reached[kind]);
    });
    for (kind, limit) in Limit::ALL.into_iter().enumerate() {
        let (runs, reached) = (runs[kind].get(), reached[kind].get());
        assert!(runs == 0 || reached > 0, "{} did not bind in {runs} runs", limit.name());
    }
}

/// For ten seconds accepting fails most of the time, for changing reasons; afterwards all waiting clients are served.
#[test]
fn storms_of_emfile() {
    simulate(seeds(), |network| {
        let fixture = Fixture::talking(network, 4, patient_server().backlog(8));
        let mut storms = Plan::default();
        let mut at = millis(100);
        while at < secs(10) {
            let random = fixture.server.reactor().random();
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
            let before = fixture.server.reactor().stats().turns;
            network.run_for(secs(1)).unwrap();
            let turns = fixture.server.reactor().stats().turns - before;
            assert!(turns < TURNS_MAX, "{turns} turns in second {second}: the server spins");
        }
        let before = fixture.serving.made();
        fixture.clients[0].restart();
        fixture.watch.allow_kills();
        fixture.play(secs(20));
        assert!(
            fixture.serving.made() - before > 10,
            "{} accepted",
            fixture.serving.made() - before
        );
    });
}
