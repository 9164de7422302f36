//! Calls to all reactors, and the sums of their statistics.

use std::sync::mpsc;

use sinew::{
    prelude::*,
    reactor::Panicked,
    transports::reactors::{CallError, Distribution, Shard},
};

use super::kit::{Client, connections, quiet, serving};

#[test]
fn results_come_in_the_order_of_the_reactors() {
    let reactors = quiet(3).start().expect("they start");
    let indexes = reactors.call_all(|shard| (shard.index(), shard.count()));
    assert_eq!(indexes, [Ok((0, 3)), Ok((1, 3)), Ok((2, 3))]);
    assert_eq!(reactors.call(2, |shard| shard.index() * 10), Ok(20));
    let names = reactors.call_all(|_| std::thread::current().name().map(str::to_owned));
    let expected = ["sinew-0", "sinew-1", "sinew-2"].map(|name| Ok(Some(name.to_owned())));
    assert_eq!(names, expected);
}

#[test]
fn a_call_that_has_no_result_says_why() {
    let reactors = quiet(2).start().expect("they start");
    let no_such = CallError::NoSuchShard { shard: 2, shards: 2 };
    assert_eq!(reactors.call(2, |_| ()), Err(no_such));
    let panic = Panicked { message: "oh".to_owned() };
    let some = reactors.call_all(|shard| assert_eq!(shard.index(), 0, "oh"));
    assert_eq!(some[0], Ok(()));
    let CallError::Panicked { shard: 1, panic: other } = some[1].clone().unwrap_err() else {
        panic!("{some:?}");
    };
    assert!(other.message.ends_with("oh\n  left: 1\n right: 0"), "{other} is not {panic}");
    // A reactor that waits for another can wait for ever.
    let handle = reactors.handle().clone();
    let nested = reactors.call(0, move |_| {
        (handle.call(1, |_| ()), handle.call_all(|_| ()), handle.stats().map(|_| ()))
    });
    let refused = Err(CallError::OnReactorThread);
    assert_eq!(
        nested,
        Ok((refused.clone(), vec![refused.clone(), refused.clone()], refused.clone()))
    );
    let handle = reactors.handle().clone();
    drop(reactors);
    assert_eq!(
        handle.call_all(|_| ()),
        [Err(CallError::Stopped { shard: 0 }), Err(CallError::Stopped { shard: 1 })]
    );
}

/// A call that a reactor has not made when it ends.
#[test]
fn a_call_to_a_reactor_that_ends_first() {
    let reactors = quiet(2).start().expect("they start");
    let (arrived, has_arrived) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let remote = reactors.remote(1).expect("it runs");
    // It stops itself, but ends the turn only when the call behind it is queued.
    let stopped = remote.call(move |reactor| {
        let _ = reactor.stop();
        arrived.send(()).expect("somebody waits");
        let _ = may_go.recv();
    });
    stopped.expect("it runs");
    has_arrived.recv().expect("it is called");
    let handle = reactors.handle().clone();
    let shard_0 = reactors.call(0, |shard| shard.index());
    assert_eq!(shard_0, Ok(0));
    let waiting = std::thread::spawn(move || handle.call(1, |_| "called"));
    go.send(()).expect("it waits");
    // Either way there is an end: it was made in the drain, or never.
    let result = waiting.join().expect("it does not panic");
    let stopped = Err(CallError::Stopped { shard: 1 });
    assert!(result == Ok("called") || result == stopped, "{result:?}");
    reactors.join().expect("none failed");
}

/// On a reactor's own thread nothing blocks.
#[test]
fn a_reactor_gathers_results_in_its_loop() {
    let (sender, receiver) = mpsc::channel();
    let reactors = quiet(3).start().expect("they start");
    let remote = reactors.remote(1).expect("it runs");
    let asked = remote.call(move |reactor| {
        let shard = Shard::of(reactor).expect("it is one of several");
        let all = shard.call_all(|shard| {
            assert_ne!(shard.index(), 2, "not this one");
            shard.index()
        });
        all.then(move |reactor, results| {
            let own = Shard::of(reactor).map(|shard| shard.index());
            let results = results.expect("it is not cancelled");
            let values: Vec<_> = results.into_iter().map(Result::ok).collect();
            let _ = sender.send((own, values));
        });
    });
    asked.expect("it runs");
    let answer = receiver.recv().expect("an answer");
    assert_eq!(answer, (Some(1), vec![Some(0), Some(1), None]));
    assert!(Shard::of(&Reactor::new().expect("a reactor")).is_none());
}

#[test]
fn statistics_are_summed() {
    let reactors = serving(2).distribution(Distribution::RoundRobin).start().expect("they start");
    let mut clients: Vec<_> = (0..5).map(|_| Client::of(&reactors)).collect();
    for client in &mut clients {
        client.shard();
        client.shard();
    }
    let stats = reactors.stats().expect("they run");
    let each: Vec<_> = stats.each.iter().map(|stats| stats.expect("it runs")).collect();
    let bytes: Vec<_> = each.iter().map(|stats| stats.bytes_received).collect();
    assert_eq!(bytes, [6, 4]);
    let total = stats.total();
    assert_eq!((total.bytes_received, total.bytes_sent), (10, 10));
    assert_eq!((total.connections, total.connections_made), (5, 5));
    assert_eq!(total.turns, each.iter().map(|stats| stats.turns).sum::<u64>());
    let longest = each.iter().map(|stats| stats.longest_turn).max();
    assert_eq!(Some(total.longest_turn), longest);
    assert_eq!(connections(&reactors), [3, 2]);
    drop(clients);
    reactors.stop().expect("they run");
    let total = reactors.join().expect("none failed");
    assert_eq!((total.bytes_received, total.connections, total.connections_made), (10, 0, 5));
}
