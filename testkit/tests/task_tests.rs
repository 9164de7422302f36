//! `task_test`: virtual time, and tests that fail because of a panic, a wait without end, or a task that never ends.

#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use sinew_reactor::Reactor;
use sinew_testkit::{
    sim::{Latency, Link, Network},
    testing::{task_test, task_test_on},
};
use sinew_transports::{Peer, Protocol, ReactorTcp, Transport};

fn hours(n: u64) -> Duration {
    Duration::from_secs(n * 3600)
}

/// The message with which a test fails.
fn failure<F: Future<Output: 'static> + 'static>(test: impl FnOnce(Reactor) -> F) -> String {
    let failed = catch_unwind(AssertUnwindSafe(|| task_test(test))).map(drop).unwrap_err();
    *failed.downcast::<String>().expect("a formatted message")
}

#[test]
fn time_is_virtual_and_the_value_is_returned() {
    watchdog::watch_this_test();
    let age = task_test(|reactor| async move {
        reactor.sleep(hours(20)).await;
        reactor.timeout(hours(1), pending::<()>()).await.unwrap_err();
        reactor.age()
    });
    assert_eq!(age, hours(21));
}

#[test]
fn a_panic_in_the_test_fails_it() {
    watchdog::watch_this_test();
    let message = failure(|_| async { panic!("three is not four") });
    assert!(message.contains("three is not four"), "{message}");
}

#[test]
fn a_panic_in_another_task_fails_the_test() {
    watchdog::watch_this_test();
    for after in [0, 2] {
        let message = failure(|reactor| async move {
            let sleep = reactor.sleep(hours(after));
            reactor
                .spawn(async move {
                    sleep.await;
                    panic!("boo")
                })
                .detach();
            reactor.sleep(hours(1)).await;
        });
        assert!(message.contains("panicked"), "{message}");
    }
}

#[test]
fn a_test_that_waits_for_nothing_fails_at_once() {
    watchdog::watch_this_test();
    let message = failure(|reactor| {
        reactor.call_later(hours(2), |_| ());
        pending::<()>()
    });
    assert!(message.starts_with("the test does not end"), "{message}");
    assert!(message.contains("a task spawned at testkit/"), "{message}");
}

#[test]
fn a_task_that_never_ends_is_reported_with_the_place_where_it_was_spawned() {
    watchdog::watch_this_test();
    let line = line!() + 2;
    let message = failure(|reactor| async move {
        reactor.spawn(pending::<()>()).detach();
    });
    let place = format!("a task spawned at testkit/tests/task_tests.rs:{line}:");
    assert!(message.contains(&place), "{message}");

    let message = failure(|reactor| async move {
        let handle = reactor.clone();
        let ticks = async move {
            loop {
                handle.sleep(Duration::from_secs(60)).await;
            }
        };
        reactor.spawn(ticks).detach();
    });
    let line = line!() - 2;
    let place = format!("a task spawned at testkit/tests/task_tests.rs:{line}:");
    assert!(message.contains(&place), "{message}");
}

#[test]
fn a_task_may_end_after_the_test() {
    watchdog::watch_this_test();
    task_test(|reactor| async move {
        reactor.spawn(reactor.sleep(Duration::from_secs(3_000))).detach();
        drop(reactor.spawn(pending::<()>()));
    });
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

#[test]
fn a_host_talks_to_itself_and_to_others() {
    watchdog::watch_this_test();
    task_test(|reactor| async move {
        let port = reactor.listen_tcp("0.0.0.0:7", |_: &Peer| Echo).unwrap();
        for name in ["localhost:7", "test:7"] {
            let connection = reactor.connect_tcp(name, |_: &Peer| Echo).await.unwrap();
            connection.close().await.unwrap();
        }
        port.stop_listening();
    });

    let network = Network::new(7);
    network.set_link(Link::default().latency(Latency::Fixed(Duration::from_millis(500))));
    let (server, client) = (network.host("server"), network.host("client"));
    server.boot(|reactor| {
        // The tasks of other hosts may serve for ever.
        reactor.spawn(pending::<()>()).detach();
        reactor.listen_tcp("0.0.0.0:7", |_: &Peer| Echo).unwrap();
    });
    let age = task_test_on(&network, &client, |reactor| async move {
        let connection = reactor.connect_tcp("server:7", |_: &Peer| Echo).await.unwrap();
        connection.close().await.unwrap();
        reactor.age()
    });
    assert!(age >= Duration::from_secs(1), "{age:?}: the latency of the handshake");
}
