//! Stopping and draining all.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use sinew::{
    prelude::*,
    transports::reactors::{CallError, Distribution, RunningReactors, Shard},
};

use super::kit::{Client, connections, serving};

#[test]
fn a_stop_drains_all() {
    let reactors = serving(2).distribution(Distribution::RoundRobin).start().expect("they start");
    let mut clients: Vec<_> = (0..4).map(|_| Client::of(&reactors)).collect();
    for client in &mut clients {
        client.shard();
    }
    reactors.stop().expect("they run");
    for client in clients {
        assert_eq!(client.rest(), "bye");
    }
    let handle = reactors.handle().clone();
    let stats = reactors.join().expect("none failed");
    assert_eq!((stats.connections_made, stats.connections, stats.handlers), (4, 0, 0));
    assert!(handle.stop().is_err() && handle.stop_now().is_err());
    assert_eq!(handle.call(0, |_| ()), Err(CallError::Stopped { shard: 0 }));
    assert!(handle.remote(0).is_none());
}

/// Two reactors with a client each, which will be told of the drain.
fn serving_two() -> (RunningReactors, [Client; 2]) {
    let reactors = serving(2).distribution(Distribution::RoundRobin).start().expect("they start");
    let mut clients = [(); 2].map(|()| Client::of(&reactors));
    for client in &mut clients {
        client.send("d");
        assert_eq!(client.take(1), "d");
    }
    (reactors, clients)
}

/// The second call must not end the drain.
#[test]
fn stopping_twice_is_stopping_once() {
    let (reactors, mut clients) = serving_two();
    reactors.stop().expect("they run");
    for client in &mut clients {
        assert_eq!(client.take(1), "D");
    }
    reactors.stop().expect("they still run");
    // Both reactors still serve their connections.
    assert_eq!(clients.each_mut().map(|client| client.shard()), [0, 1]);
    assert_eq!(connections(&reactors), [1, 1]);
    // These end as soon as their clients do.
    drop(clients);
    reactors.join().expect("none failed");
}

#[test]
fn stop_now_ends_the_drain() {
    let (reactors, mut clients) = serving_two();
    reactors.stop().expect("they run");
    for client in &mut clients {
        assert_eq!(client.take(1), "D");
    }
    reactors.stop_now().expect("they still run");
    reactors.join().expect("none failed");
    clients.into_iter().for_each(|client| assert_eq!(client.rest(), ""));
}

/// One reactor whose drain was ended by a second stop, as by a second signal, ends that of the others.
#[test]
fn a_drain_that_is_ended_on_one_is_ended_on_all() {
    let (reactors, mut clients) = serving_two();
    let first = reactors.remote(0).expect("it runs");
    first.stop().expect("it runs");
    for client in &mut clients {
        assert_eq!(client.take(1), "D", "the stop of the first has stopped the other");
    }
    first.stop().expect("it drains");
    reactors.join().expect("none failed");
    clients.into_iter().for_each(|client| assert_eq!(client.rest(), ""));
}

#[test]
fn without_a_drain_connections_end_at_once() {
    let reactors = serving(2)
        .distribution(Distribution::RoundRobin)
        .drain(Duration::ZERO)
        .start()
        .expect("they start");
    let mut clients = [(); 2].map(|()| Client::of(&reactors));
    for client in &mut clients {
        client.shard();
    }
    reactors.stop().expect("they run");
    reactors.join().expect("none failed");
    clients.into_iter().for_each(|client| assert_eq!(client.rest(), ""));
}

/// A protocol that stops its reactor stops the server, as where there is only one.
#[test]
fn a_stop_of_one_is_a_stop_of_all() {
    let reactors = serving(3).distribution(Distribution::RoundRobin).start().expect("they start");
    let mut clients = [(); 3].map(|()| Client::of(&reactors));
    assert_eq!(clients.each_mut().map(|client| client.shard()), [0, 1, 2]);
    clients[1].send("s");
    clients.into_iter().for_each(|client| assert_eq!(client.rest(), "bye"));
    reactors.join().expect("none failed");
}

#[test]
fn the_owner_stops_them_when_it_is_dropped_and_not_when_it_is_detached() {
    let reactors = serving(2).start().expect("they start");
    let mut client = Client::of(&reactors);
    client.shard();
    drop(reactors);
    assert_eq!(client.rest(), "");

    let handle = serving(2).start().expect("they start").detach();
    let mut client = Client::of(&handle);
    client.shard();
    handle.stop().expect("they run");
    assert_eq!(client.rest(), "bye");
}

/// Triggers of users run as on one reactor; each on the thread of its reactor.
#[test]
fn life_cycle_triggers_run_on_each() {
    let (sender, receiver) = mpsc::channel();
    let sender = Arc::new(Mutex::new(sender));
    let reactors = serving(2)
        .setup(move |shard: &Shard| -> Result<(), std::io::Error> {
            for phase in [Phase::AfterStartup, Phase::BeforeShutdown, Phase::AfterShutdown] {
                let (index, sender) = (shard.index(), sender.clone());
                shard.reactor().on(phase, move |_| {
                    let name = std::thread::current().name().unwrap_or_default().to_owned();
                    let _ = sender.lock().expect("nobody panics").send((index, phase, name));
                });
            }
            Ok(())
        })
        .start()
        .expect("they start");
    reactors.stop().expect("they run");
    reactors.join().expect("none failed");
    let all: Vec<_> = receiver.iter().collect();
    for shard in 0..2 {
        let of_it = all.iter().filter(|(index, ..)| *index == shard);
        let (phases, names): (Vec<_>, Vec<_>) =
            of_it.map(|(_, phase, name)| (*phase, name.clone())).unzip();
        let expected = [Phase::AfterStartup, Phase::BeforeShutdown, Phase::AfterShutdown];
        assert_eq!(phases, expected);
        assert!(names.iter().all(|name| *name == format!("sinew-{shard}")), "{names:?}");
    }
}
