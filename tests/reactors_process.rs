//! Several reactors and the process: signals, descriptors and threads. One test, since all of these are of the process.

#![cfg(target_os = "linux")]

#[path = "support/watchdog.rs"]
mod watchdog;

mod reactors {
    #[allow(dead_code, reason = "other tests use the rest")]
    pub(super) mod kit;
}

use std::{fs, time::Duration};

use reactors::kit::{Client, actors, any_port, free_path, quiet, serving};
use rustix::process::{Signal, getpid, kill_process};
use sinew::{
    prelude::*,
    transports::reactors::{Distribution, OnFailure, Reactors, Shard},
};

/// The open descriptors and the threads of this process, but for the watchdog's and the test harness's.
fn in_use() -> (usize, Vec<String>) {
    let count = |path: &str| fs::read_dir(path).expect("it is mounted").count();
    let tasks = fs::read_dir("/proc/self/task").expect("it is mounted");
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    let ours = names.map(|name| name.trim().to_owned()).filter(|name| name.starts_with("sinew"));
    (count("/proc/self/fd"), ours.collect())
}

#[test]
fn signals_descriptors_and_threads() {
    watchdog::watch_this_test();
    // What is opened once in a process, such as the pipe of signals, is open from here on.
    drop(Reactors::new(1).start().expect("it starts"));
    let before = in_use();
    assert_eq!(before.1, Vec::<String>::new());

    a_crowd_is_handed_over();
    assert_eq!(in_use(), before, "after a crowd");
    connections_move_and_are_closed();
    assert_eq!(in_use(), before, "after moves");
    starts_that_fail();
    assert_eq!(in_use(), before, "after starts that failed");
    restarts();
    assert_eq!(in_use(), before, "after restarts");
    a_signal_drains_all();
    assert_eq!(in_use(), before, "after a signal");
    a_second_signal_ends_the_drain_of_all();
    assert_eq!(in_use(), before, "after two signals");
}

/// More connections at once than may be on their way to a reactor.
fn a_crowd_is_handed_over() {
    const CROWD: usize = 400;
    let reactors = serving(2).distribution(Distribution::RoundRobin).start().expect("they start");
    let mut clients: Vec<_> = (0..CROWD).map(|_| Client::of(&reactors)).collect();
    let on_second = clients.iter_mut().filter_map(|client| (client.shard() == 1).then_some(()));
    assert_ne!(on_second.count(), 0);
    let total = reactors.stats().expect("they run").total();
    assert_eq!(total.connections, CROWD as u64);
}

fn connections_move_and_are_closed() {
    for engine in Engine::available() {
        let path = free_path();
        let reactors = serving(2)
            .listen(format!("unix:{}", path.display()).parse().expect("an endpoint"), actors)
            .distribution(Distribution::RoundRobin)
            .reactor(move |_| Reactor::builder().engine(engine))
            .start()
            .expect("they start");
        let addr = reactors.addresses()[0].socket_addr().expect("an IP address");
        let (mut one, mut other) = (Client::at(addr), Client::at_path(&path));
        one.send("1?0?1?");
        assert_eq!(one.take(3), "101", "{engine}");
        other.send("1?0?1?");
        assert_eq!(other.take(3), "101", "{engine}");
        // Some are on their way when all end.
        one.send("0");
        other.send("0");
        drop(reactors);
        // One that had not left yet may have been told that nobody is there.
        for rest in [one.rest(), other.rest()] {
            assert!(rest.is_empty() || rest.starts_with("reactor 0 does not accept"), "{rest}");
        }
    }
}

fn starts_that_fail() {
    for failing in 0..3 {
        let refused = serving(3)
            .listen(any_port(), move |shard: &Shard| {
                assert_ne!(shard.index(), failing, "no factory");
                actors(shard)
            })
            .start();
        assert_eq!(refused.expect_err("one cannot start").shard, failing);
    }
}

fn restarts() {
    let reactors = serving(2)
        .distribution(Distribution::RoundRobin)
        .on_failure(OnFailure::restart())
        .start()
        .expect("they start");
    for _ in 0..2 {
        let mut clients = [(); 2].map(|()| Client::of(&reactors));
        for client in &mut clients {
            client.shard();
        }
        let [first, mut second] = clients;
        second.send("f");
        assert_eq!(second.rest(), "");
        drop(first);
        while reactors.call_all(|_| ()) != [Ok(()), Ok(())] {
            std::thread::yield_now();
        }
    }
    assert_eq!(reactors.stats().expect("they run").restarts, 2);
}

/// Reactors that take signals, in a thread of their own, with a stubborn connection on each.
fn two_with_signals() -> (sinew::transports::reactors::RunningReactors, [Client; 2]) {
    let reactors = Reactors::new(2)
        .distribution(Distribution::RoundRobin)
        .drain(Duration::from_secs(1_000))
        .reactor(|_| Reactor::builder().shutdown_max(Duration::from_secs(1_000)))
        .listen(any_port(), actors)
        .start()
        .expect("they start");
    let clients = [(); 2].map(|()| {
        let mut client = Client::of(&reactors);
        client.send("d");
        assert_eq!(client.take(1), "d");
        client
    });
    (reactors, clients)
}

fn terminate() {
    kill_process(getpid(), Signal::TERM).expect("it is this process");
}

fn a_signal_drains_all() {
    let (reactors, mut clients) = two_with_signals();
    terminate();
    for client in &mut clients {
        assert_eq!(client.take(1), "D");
    }
    drop(clients);
    reactors.join().expect("none failed");
}

fn a_second_signal_ends_the_drain_of_all() {
    let (reactors, mut clients) = two_with_signals();
    terminate();
    for client in &mut clients {
        assert_eq!(client.take(1), "D");
    }
    terminate();
    reactors.join().expect("none failed");
    clients.into_iter().for_each(|client| assert_eq!(client.rest(), ""));
    // None is left that would take signals.
    let alone = quiet(1).start().expect("it starts");
    drop(alone);
}
