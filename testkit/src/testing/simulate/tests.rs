//! Tests of `simulate`: it shrinks to the fault that matters, and reproduces the run exactly.

use std::{cell::Cell, rc::Rc};

use super::*;
use crate::sim::{Link, RandomFaults};
use sinew_transports::{ConnectionLost, Peer, Protocol, ReactorTcp, TimerId, Transport};

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// Sends a byte every second. Panics on a reset, and after `patience` bytes without an answer.
struct Sensitive {
    patience: u32,
    unanswered: u32,
}

impl Protocol for Sensitive {
    fn connection_made(&mut self, transport: &Transport) {
        transport.call_later(Duration::from_secs(1));
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        assert!(self.unanswered < self.patience, "too many unanswered bytes");
        self.unanswered += 1;
        transport.write(b"?");
        transport.call_later(Duration::from_secs(1));
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {
        self.unanswered = 0;
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        assert!(!matches!(reason, ConnectionLost::Reset), "on purpose");
    }
}

fn talk(network: &Network, patience: u32) {
    let hosts = ["server", "client", "one", "two"].map(|name| network.host(name));
    hosts[0].boot(|reactor| drop(reactor.listen_tcp("0.0.0.0:7", |_: &Peer| Echo).unwrap()));
    hosts[1].boot(move |reactor| {
        let client = move |_: &Peer| Sensitive { patience, unanswered: 0 };
        reactor.connect_tcp("server:7", client).detach();
    });
}

/// Fails once the right connection is reset.
fn scenario(network: &Network) {
    talk(network, u32::MAX);
    network.set_random_faults(RandomFaults::every(Duration::from_secs(3)).cuts().pauses().resets());
    network.run_for(Duration::from_secs(300)).unwrap();
}

#[test]
fn many_faults_are_shrunk_to_one() {
    let silence = Silence::begin();
    let late = (0..20).find_map(|seed| {
        let failure = explore(seed, &scenario).err()?;
        (failure.faults.entries.len() >= 10).then_some((seed, failure))
    });
    drop(silence);
    let (seed, failure) = late.unwrap();
    let shortest = failure.shortest.as_ref().unwrap();
    assert!(shortest.is_exact, "{failure}");
    assert_eq!(shortest.plan.entries.len(), 1, "{failure}");
    assert!(shortest.plan.to_string().contains("reset "), "{failure}");
    // The printed plan reproduces the failure.
    let printed = failure.to_string();
    let (_, words) = printed.split_once("SINEW_PLAN='").unwrap();
    let plan: Plan = words.trim_end_matches('\'').parse().unwrap();
    assert_eq!(plan, shortest.plan);
    assert!(printed.contains("on purpose"), "{printed}");
    let _silence = Silence::begin();
    let again = run(seed, Some(plan), &scenario).unwrap_err();
    assert_eq!(again.tail, failure.tail);
    assert!(run(seed, Some(Plan::default()), &scenario).is_ok());
}

#[test]
fn faults_are_shortened() {
    let silence = Silence::begin();
    let failure = explore(0, &|network| {
        talk(network, 5);
        let plan = "at 3 s pause one for 9 s; at 5678901234 ns pause server for 1 min".parse();
        network.plan(&plan.unwrap()).unwrap();
        network.run_for(Duration::from_secs(100)).unwrap();
    });
    drop(silence);
    let failure = failure.unwrap_err();
    let shortest = failure.shortest.as_ref().unwrap();
    assert_eq!(shortest.plan.to_string(), "at 5 s pause server for 7500 ms\n", "{failure}");
    assert!(shortest.is_exact);
}

#[test]
fn a_scenario_that_fails_without_faults_is_shrunk_to_none() {
    let silence = Silence::begin();
    let failure = explore(0, &|network| {
        network.set_random_faults(RandomFaults::every(Duration::from_secs(1)).pauses());
        let _host = network.host("a");
        network.run_for(Duration::from_secs(10)).unwrap();
        panic!("always");
    });
    drop(silence);
    let failure = failure.unwrap_err();
    assert!(failure.faults.entries.len() > 3);
    assert!(failure.shortest.as_ref().unwrap().plan.entries.is_empty());
    assert!(failure.to_string().ends_with("to reproduce: SINEW_SEED=0 SINEW_PLAN=''"));
}

#[test]
fn a_failure_that_is_not_reproducible_is_reported() {
    let silence = Silence::begin();
    let runs = Cell::new(0);
    let failure = explore(0, &|network| {
        runs.set(runs.get() + 1);
        let _host = network.host("a");
        network.plan(&"at 1 s pause a".parse().unwrap()).unwrap();
        network.run_for(Duration::from_secs(10)).unwrap();
        assert_ne!(runs.get(), 1);
    });
    drop(silence);
    let failure = failure.unwrap_err();
    assert!(failure.shortest.is_none());
    assert!(
        failure
            .to_string()
            .contains("it does not fail when the same faults are replayed as a plan")
    );
}

#[test]
fn checks_run_after_every_event_and_fail_the_run() {
    let network = Network::new(0);
    talk(&network, 5);
    let (server, seen) = (network.host("server"), Rc::new(Cell::new(0)));
    let count = seen.clone();
    network.after_every_event(move || {
        count.set(count.get() + 1);
        assert!(server.reactor().stats().connections == 0, "unexpected connection");
    });
    let silence = Silence::begin();
    let ran = catch_unwind(AssertUnwindSafe(|| network.run_for(Duration::from_secs(10))));
    assert!(silence.first_message().unwrap().ends_with("unexpected connection"));
    drop(silence);
    assert!(ran.is_err());
    assert!(
        seen.get() > 3 && network.age() < Duration::from_secs(1),
        "{}",
        network.age().as_micros()
    );
    assert_eq!(network.run_for(Duration::from_secs(1)), Ok(()), "the network can be run again");
}

#[test]
fn a_failure_under_a_given_plan_prints_the_plan() {
    let silence = Silence::begin();
    let plan: Plan = "at 9 s reset server-client".parse().unwrap();
    let ran = run(3, Some(plan), &scenario).unwrap_err();
    drop(silence);
    let printed = Failure::of(3, ran).to_string();
    assert!(
        printed.starts_with("the scenario fails with seed 3, under 1 fault:\n    at 9 s reset")
    );
    assert!(printed.ends_with("SINEW_SEED=3 SINEW_PLAN='at 9 s reset server-client'"), "{printed}");
}

/// All random and planned faults, on hosts with constant traffic.
fn all_faults(network: &Network) {
    for name in ["h0", "h1", "h2", "h3"] {
        network.host(name).boot(|reactor| {
            drop(reactor.listen_tcp("0.0.0.0:7", |_: &Peer| Echo).unwrap());
            reactor.call_every(Duration::from_millis(500), |reactor| {
                let to = format!("h{}:7", reactor.random() % 4);
                let client = |_: &Peer| Sensitive { patience: u32::MAX, unanswered: 0 };
                reactor.connect_tcp(to, client).detach();
            });
        });
    }
    network.allow_panics();
    network.set_link(Link::default().loss(0.05));
    let chance = RandomFaults::every(Duration::from_millis(500)).lasting(Duration::from_secs(3));
    let cuts = chance.cuts().one_way_cuts().partitions();
    network.set_random_faults(cuts.pauses().kills().power_cuts().resets());
    let plan = "at 2 s emfile h1 for 1 s; at 2 s cut h0-h1; at 3 s restart h2; at 3 s kill h3";
    network.plan(&plan.parse().unwrap()).unwrap();
    network.run_for(Duration::from_secs(6)).unwrap();
    network.set_random_faults(None);
    network.heal();
    network.run_for(Duration::from_secs(2)).unwrap();
}

#[test]
fn replaying_the_faults_of_a_run_reproduces_it() {
    let _silence = Silence::begin();
    for seed in 0..10 {
        let network = Network::new(seed);
        all_faults(&network);
        let words = network.faults().to_string();
        let again = Network::with_faults(seed, words.parse().unwrap());
        all_faults(&again);
        assert_eq!(again.trace_hash(), network.trace_hash(), "{seed}");
        assert_eq!(again.faults(), network.faults(), "{seed}");
        let none = Network::with_faults(seed, Plan::default());
        all_faults(&none);
        assert_ne!(none.trace_hash(), network.trace_hash(), "{seed}");
    }
}
