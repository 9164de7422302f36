//! A reactor that fails: reported, restarted, missed.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use sinew::{
    prelude::*,
    transports::reactors::{
        CallError, Distribution, Mailboxes, NotSent, OnFailure, Reactors, RunningReactors, Shard,
        ShardError, ShardFailure,
    },
};

use super::kit::{Actor, Client, any_port, only_address, quiet, serving, text};

/// Collects reports.
#[derive(Clone, Default)]
struct Reports(Arc<Mutex<Vec<String>>>);

impl Reports {
    fn of(&self, reactors: Reactors) -> Reactors {
        let reports = self.0.clone();
        reactors.report(move |failure: &ShardFailure| {
            reports.lock().expect("nobody panics").push(failure.to_string());
        })
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("nobody panics"))
    }
}

/// Actors whose factory is made anew for each start; `panics` says at which starts of which reactor that panics.
fn with_makers(
    reactors: usize,
    panics: impl Fn(usize, usize) -> bool + Send + Sync + 'static,
) -> (Reactors, Arc<Vec<AtomicUsize>>) {
    let starts = Arc::new((0..reactors).map(|_| AtomicUsize::new(0)).collect::<Vec<_>>());
    let made = starts.clone();
    let serving = quiet(reactors).distribution(Distribution::RoundRobin).listen(
        any_port(),
        move |shard: &Shard| {
            let index = shard.index();
            let start = made[index].fetch_add(1, Ordering::SeqCst);
            assert!(!panics(index, start), "no factory for reactor {index}");
            move |_: &Peer| Actor::on(index)
        },
    );
    (serving, starts)
}

/// Fails a reactor by one of its connections, and waits for that to end.
fn fail(reactors: &RunningReactors, shard: usize) {
    loop {
        let mut client = Client::of(reactors);
        if client.shard() == shard {
            client.send("f");
            return assert_eq!(client.rest(), "", "it is closed without a drain");
        }
    }
}

#[test]
fn a_panic_of_the_maker_of_factories_fails_the_start() {
    let (reactors, starts) = with_makers(3, |shard, _| shard == 1);
    let failure = reactors.start().expect_err("one cannot start");
    assert_eq!(failure.shard, 1);
    assert!(matches!(failure.error, ShardError::Panicked(_)), "{failure}");
    assert_eq!(failure.to_string(), "reactor 1 failed: panicked: no factory for reactor 1");
    let starts: Vec<_> = starts.iter().map(|starts| starts.load(Ordering::SeqCst)).collect();
    assert_eq!(starts, [1, 1, 0], "none is started after that, and none again");
}

#[test]
fn what_keeps_a_reactor_from_starting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().expect("an address");
    let refused = quiet(2).listen(addr.into(), super::kit::actors).start();
    let refused = text(refused);
    assert!(
        refused.starts_with(&format!("reactor 0 failed: could not listen on {addr}: ")),
        "{refused}"
    );

    let no_setup = |shard: &Shard| match shard.index() {
        0 => Ok(()),
        _ => Err(io::Error::other("no disk")),
    };
    let refused = text(quiet(2).setup(no_setup).start());
    assert_eq!(refused, "reactor 1 failed: could not set it up: no disk");

    let failing = |shard: &Shard| -> Result<(), io::Error> {
        shard.fail("no use");
        Ok(())
    };
    assert_eq!(text(quiet(2).setup(failing).start()), "reactor 0 failed: no use");

    let panicking = |shard: usize| match shard {
        0 => Reactor::builder(),
        _ => panic!("no builder"),
    };
    assert_eq!(text(quiet(2).reactor(panicking).start()), "reactor 1 failed: panicked: no builder");
}

/// By default one that fails stops all.
#[test]
fn a_failure_stops_all_and_is_returned() {
    let reports = Reports::default();
    let serving = serving(2).distribution(Distribution::RoundRobin);
    let reactors = reports.of(serving).start().expect("they start");
    let mut other = Client::of(&reactors);
    assert_eq!(other.shard(), 0);
    fail(&reactors, 1);
    assert_eq!(other.rest(), "bye", "the others are drained");
    let failure = reactors.join().expect_err("one has failed");
    assert_eq!((failure.shard, &*failure.to_string()), (1, "reactor 1 failed: it is broken"));
    assert_eq!(reports.taken(), ["reactor 1 failed: it is broken"]);
}

/// With a new factory, on the same port, with its mailbox.
#[test]
fn a_failed_reactor_is_restarted() {
    for failing in [1, 0] {
        let reports = Reports::default();
        let (serving, starts) = with_makers(2, |_, _| false);
        let words = Mailboxes::<u32>::new(8);
        let reactors = reports
            .of(serving)
            .receive(&words, |shard: &Shard| {
                let sum = shard.local::<std::cell::Cell<u32>>();
                move |_, n| sum.set(sum.get() + n)
            })
            .on_failure(OnFailure::restart())
            .start()
            .expect("they start");
        let addr = only_address(&reactors);
        words.send(failing, 7).expect("it runs");
        fail(&reactors, failing);
        // Its successor has none of that.
        while reactors.call(failing, |shard| shard.local::<std::cell::Cell<u32>>().get()) != Ok(0) {
            std::thread::yield_now();
        }
        assert_eq!(only_address(&reactors), addr);
        let mut clients = [(); 2].map(|()| Client::of(&reactors));
        let mut shards = clients.each_mut().map(|client| client.shard());
        shards.sort();
        assert_eq!(shards, [0, 1]);
        words.send(failing, 3).expect("it runs again");
        while reactors.call(failing, |shard| shard.local::<std::cell::Cell<u32>>().get()) != Ok(3) {
            std::thread::yield_now();
        }
        assert_eq!(reports.taken(), [format!("reactor {failing} failed: it is broken")]);
        assert_eq!(starts[failing].load(Ordering::SeqCst), 2);
        assert_eq!(starts[1 - failing].load(Ordering::SeqCst), 1);
        let stats = reactors.stats().expect("they run");
        assert_eq!(stats.restarts, 1);
        assert!(stats.ended.connections_made > 0, "those of the one that failed");
        reactors.stop().expect("they run");
        clients.into_iter().for_each(|client| assert_eq!(client.rest(), "bye"));
        reactors.join().expect("it was restarted");
    }
}

/// Where each reactor listens by itself, the restarted one listens on the port again.
#[test]
fn a_restarted_reactor_listens_beside_the_others() {
    let reactors = serving(2).on_failure(OnFailure::restart()).start().expect("they start");
    for failing in [0, 1] {
        fail(&reactors, failing);
        loop {
            if Client::of(&reactors).shard_if_served() == Some(failing) {
                break;
            }
        }
    }
    reactors.stop().expect("they run");
    reactors.join().expect("it was restarted");
}

impl Client {
    /// `None` if the connection was in the backlog of the reactor that failed.
    fn shard_if_served(mut self) -> Option<usize> {
        use std::io::{Read, Write};
        let mut answer = [0];
        self.0.write_all(b"?").ok()?;
        self.0.read_exact(&mut answer).ok()?;
        Some(usize::from(answer[0] - b'0'))
    }
}

#[test]
fn restarts_in_a_row_are_limited() {
    let reports = Reports::default();
    // Every start of reactor 1 but the first fails.
    let (serving, starts) = with_makers(2, |shard, start| shard == 1 && start > 0);
    let reactors =
        reports.of(serving).on_failure(OnFailure::Restart { max: 2 }).start().expect("they start");
    fail(&reactors, 1);
    let failure = reactors.join().expect_err("it was given up");
    assert_eq!(failure.shard, 1);
    let expected = [
        "reactor 1 failed: it is broken",
        "reactor 1 failed: panicked: no factory for reactor 1",
        "reactor 1 failed: panicked: no factory for reactor 1",
    ];
    assert_eq!(reports.taken(), expected);
    assert_eq!(starts[1].load(Ordering::SeqCst), 3);
}

#[test]
fn the_others_continue_without_it() {
    let reports = Reports::default();
    let words = Mailboxes::<u32>::new(8);
    let serving = serving(2)
        .distribution(Distribution::RoundRobin)
        .receive(&words, |_: &Shard| |_: &Reactor, _: u32| ())
        .on_failure(OnFailure::Continue);
    let reactors = reports.of(serving).start().expect("they start");
    let mut other = Client::of(&reactors);
    assert_eq!(other.shard(), 0);
    fail(&reactors, 1);
    while reactors.remote(1).is_some() {
        std::thread::yield_now();
    }
    // Bad use has a typed error.
    assert_eq!(reactors.call(1, |_| ()), Err(CallError::Stopped { shard: 1 }));
    let refused = words.send(1, 5).expect_err("it does not run");
    assert_eq!((refused.message, refused.reason), (5, NotSent::Stopped { shard: 1 }));
    other.send("1");
    assert_eq!(
        other.line(),
        "reactor 1 does not accept connections: it has stopped, or its port is closed or paused"
    );
    // All connections are for the one that is left.
    for _ in 0..3 {
        assert_eq!(Client::of(&reactors).shard(), 0);
    }
    assert_eq!(reactors.stats().expect("one runs").each[1], None);
    // The first cannot be missed.
    other.send("f");
    let failure = reactors.join().expect_err("the first has failed");
    assert_eq!(failure.shard, 0);
    assert_eq!(reports.taken().len(), 2);
}

/// A panic in a callback concerns its connection, and a panic of the closure that reports concerns nobody.
#[test]
fn panics_elsewhere() {
    let reactors = serving(2)
        .distribution(Distribution::RoundRobin)
        .report(|_| panic!("no report"))
        .on_failure(OnFailure::restart())
        .start()
        .expect("they start");
    let mut clients = [(); 2].map(|()| Client::of(&reactors));
    assert_eq!(clients.each_mut().map(|client| client.shard()), [0, 1]);
    let [mut first, second] = clients;
    let mut second = second;
    second.send("p");
    assert_eq!(second.rest(), "");
    assert_eq!(reactors.stats().expect("they run").total().panics, 1);
    fail(&reactors, 1);
    while reactors.call(1, |_| ()).is_err() {
        std::thread::yield_now();
    }
    assert_eq!(first.shard(), 0);
}
