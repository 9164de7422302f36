//! Tests of panics and slowness in every place where the loop calls user code.

use std::{
    io::Write,
    os::unix::net::UnixStream,
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    rc::Rc,
    time::{Duration, Instant},
};

use crate::kit::{Bomb, Log, Puppet, Trail, reactor, reactors, turn};
use sinew_reactor::{Handler, Interest, Reactor, Ready};

#[test]
fn a_panic_in_any_callback_is_caught() {
    type Set = fn(&Reactor);
    let callbacks: [(&str, Set); 5] = [
        ("a call", |reactor| reactor.call_soon(|_| panic!("boo"))),
        ("a call", |reactor| reactor.remote().call(|_| panic!("boo")).unwrap()),
        ("a delayed call", |reactor| drop(reactor.call_later(Duration::ZERO, |_| panic!("boo")))),
        ("a task spawned at reactor/tests/reactor/faults.rs:", |reactor| {
            reactor.spawn(async { panic!("boo") }).detach()
        }),
        ("a call", |reactor| {
            let (promise, deferred) = reactor.promise::<(), sinew_reactor::Failure>();
            deferred.then(|_, _| panic!("boo"));
            promise.resolve(());
        }),
    ];
    for (what, set) in callbacks {
        let reactor = reactor();
        set(&reactor);
        let trail = Trail::default();
        let log = Log::of(|| {
            reactor.call_soon(trail.mark("the next call"));
            turn(&reactor);
        });
        assert_eq!(log.len(), 1, "{log:?}");
        let start = format!("ERROR message=a callback panicked what=\"{what}");
        assert!(log[0].starts_with(&start) && log[0].ends_with("\" panic=\"boo\""), "{log:?}");
        assert_eq!(trail.take(), ["the next call"]);
    }
}

#[test]
fn a_handler_that_panics_is_deregistered() {
    type Provoke = fn(&Reactor, sinew_reactor::Token);
    let provocations: [(&str, Provoke); 5] = [
        ("rescheduled", |reactor, token| reactor.reschedule(token)),
        ("flush", |reactor, token| reactor.flush_later(token)),
        ("finalize", |reactor, token| reactor.finalize_later(token)),
        ("timer", |reactor, token| _ = reactor.arm_timer(token, Duration::ZERO)),
        ("message_received", |reactor, _| reactor.broadcast(Rc::new(()))),
    ];
    for (method, provoke) in provocations {
        let reactor = reactor();
        let trail = Trail::default();
        let log = trail.clone();
        let token = Puppet::enter(&reactor, move |_, method| {
            log.push(method);
            panic!("in {method}");
        });
        for _ in 0..2 {
            provoke(&reactor, token);
            let log = Log::of(|| turn(&reactor));
            assert!(log.iter().all(|line| line.contains("what=\"a puppet\"")), "{log:?}");
        }
        assert_eq!(trail.take(), [method]);
        assert_eq!(reactor.stats().handlers, 0);
    }
    for reactor in reactors() {
        let (near, mut far) = UnixStream::pair().unwrap();
        far.write_all(b"x").unwrap();
        let puppet = Puppet::new(|_, method| panic!("in {method}"));
        let registration = reactor.register(&mut &near, Interest::READ, puppet).unwrap();
        let log = Log::of(|| {
            turn(&reactor);
            turn(&reactor);
        });
        assert_eq!(log, ["ERROR message=a callback panicked what=\"a puppet\" panic=\"in ready\""]);
        assert_eq!(reactor.stats().handlers, 0);
        // The registration has nothing left to end.
        registration.deregister();
    }
}

/// Panics, and then handles that or panics once more.
struct Panicking(bool, Trail);

impl Handler for Panicking {
    fn ready(self: Rc<Self>, _: &Reactor, _: Ready) {}
    fn rescheduled(self: Rc<Self>, _: &Reactor) {
        panic!("first");
    }
    fn panicked(self: Rc<Self>, _: &Reactor, message: &str) -> bool {
        self.1.push(message);
        assert!(self.0, "second");
        true
    }
    fn describe(&self) -> String {
        panic!("third");
    }
}

#[test]
fn a_handler_may_handle_its_own_panic() {
    for (handles, left) in [(true, 1), (false, 0)] {
        let reactor = reactor();
        let trail = Trail::default();
        let token = reactor.reserve().unwrap();
        reactor.bind(token, Rc::new(Panicking(handles, trail.clone())));
        reactor.reschedule(token);
        let log = Log::of(|| turn(&reactor));
        assert_eq!(trail.take(), ["first"]);
        assert_eq!(reactor.stats().handlers, left);
        // Its description panics, too.
        assert!(log.iter().all(|line| line.contains("whose description panics")), "{log:?}");
    }
}

#[test]
fn a_panic_payload_that_panics_in_its_drop_is_caught() {
    let reactor = reactor();
    reactor.call_soon(|_| panic_any(Bomb));
    reactor.call_soon(|_| panic_any(String::from("owned")));
    let log = Log::of(|| turn(&reactor));
    let line = |what| format!("ERROR message=a callback panicked what=\"a call\" panic=\"{what}\"");
    assert_eq!(log, [line("a panic without a message"), line("owned")]);
}

#[test]
fn a_panic_in_a_drop_is_caught() {
    type DeferDrop = fn(&Reactor);
    let ways: [DeferDrop; 7] = [
        |reactor| reactor.defer_drop(Bomb),
        |reactor| {
            let bomb = Bomb;
            reactor.call_later(Duration::from_secs(9), move |_| drop(bomb)).cancel();
        },
        |reactor| {
            let bomb = Bomb;
            reactor.call_every(Duration::from_secs(9), move |_| _ = &bomb).stop();
        },
        |reactor| {
            let bomb = Bomb;
            let token = Puppet::enter(reactor, move |_, _| _ = &bomb);
            reactor.deregister(token, false);
        },
        |reactor| {
            let (promise, deferred) = reactor.promise::<Bomb, sinew_reactor::Failure>();
            drop(deferred);
            promise.resolve(Bomb);
        },
        |reactor| {
            let bomb = Bomb;
            reactor.call_soon(move |_| drop(bomb));
        },
        |reactor| {
            let bomb = Bomb;
            let task = reactor.spawn(async move {
                let _bomb = bomb;
                std::future::pending::<()>().await;
            });
            task.cancel();
        },
    ];
    for defer_drop in ways {
        let reactor = reactor();
        defer_drop(&reactor);
        let log = Log::of(|| turn(&reactor));
        assert_eq!(log.len(), 1, "{log:?}");
        assert!(log[0].contains("a bomb went off"), "{log:?}");
        // And at the end of the reactor.
        defer_drop(&reactor);
        let log = Log::of(|| drop(reactor));
        assert_eq!(log.len(), 1, "{log:?}");
    }
}

#[test]
fn a_reactor_is_torn_down_while_its_owner_unwinds() {
    let trail = Trail::default();
    let log = trail.clone();
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let reactor = reactor();
        Puppet::enter(&reactor, move |_, method| {
            log.push(method);
            panic!("in the shutdown");
        });
        reactor.call_later(Duration::from_secs(9), {
            let bomb = Bomb;
            move |_| drop(bomb)
        });
        panic!("the owner");
    }));
    assert!(unwound.is_err());
    assert_eq!(trail.take(), ["shutdown"]);
}

fn be_slow(_: &Reactor) {
    let until = Instant::now() + Duration::from_millis(3);
    while Instant::now() < until {}
}

#[test]
fn a_slow_callback_is_reported_by_name() {
    let builder = crate::kit::builder().slow_callback(Duration::from_millis(2));
    let reactor = builder.build().unwrap();
    let token = Puppet::enter(&reactor, |reactor, _| be_slow(reactor));
    reactor.reschedule(token);
    reactor.call_soon(be_slow);
    reactor.call_later(Duration::ZERO, be_slow);
    let log = Log::of(|| turn(&reactor));
    assert_eq!(reactor.stats().slow_callbacks as usize, log.len());
    // A busy machine may slow down others, but these are slow in any case.
    for what in ["a call", "a delayed call", "a puppet"] {
        let report = |line: &&String| {
            line.contains("WARN message=a slow callback held up the loop")
                && line.contains(&format!("what={what:?} took="))
        };
        assert_eq!(log.iter().filter(report).count(), 1, "{what}: {log:?}");
    }
    assert!(reactor.stats().longest_turn >= Duration::from_millis(9));
}

#[test]
fn a_task_that_blocks_is_reported_with_the_place_where_it_was_spawned() {
    let builder = crate::kit::builder().slow_callback(Duration::from_millis(2));
    let reactor = builder.build().unwrap();
    let group = sinew_reactor::TaskGroup::<sinew_reactor::Failure>::new(&reactor);
    let mut places = Vec::new();
    let handle = reactor.clone();
    let slow = async move { be_slow(&handle) };
    places.push(line!() + 1);
    reactor.spawn(slow).detach();
    let handle = reactor.clone();
    let slow = async move {
        be_slow(&handle);
        Ok(())
    };
    places.push(line!() + 1);
    group.spawner().spawn(slow);
    let log = Log::of(|| turn(&reactor));
    for line in places {
        let place = format!("what=\"a task spawned at reactor/tests/reactor/faults.rs:{line}:");
        assert_eq!(log.iter().filter(|log| log.contains(&place)).count(), 1, "{place}: {log:?}");
    }
}

#[test]
fn a_task_that_is_not_done_is_named_by_the_leak_report() {
    let reactor = crate::kit::reactor();
    let (first, second) = (line!() + 1, line!() + 2);
    reactor.spawn(std::future::pending::<()>()).detach();
    reactor.spawn(std::future::pending::<()>()).detach();
    let report = reactor.leak_report();
    assert_eq!(report.tasks.len(), 2);
    for (task, line) in report.tasks.iter().zip([first, second]) {
        let place = format!("a task spawned at reactor/tests/reactor/faults.rs:{line}:");
        assert!(task.starts_with(&place), "{task}");
    }
    assert!(report.to_string().starts_with(&report.tasks.join(", ")), "{report}");
}

#[test]
fn the_wait_for_jobs_is_not_reported_as_a_slow_callback() {
    let half = Duration::from_millis(500);
    let builder = crate::kit::builder().slow_callback(half).pool_grace(half);
    let reactor = builder.build().unwrap();
    let (gate, closed) = std::sync::mpsc::channel::<()>();
    reactor.defer_to_thread(move || closed.recv()).detach();
    // Dropped right after the wait.
    reactor.call_later(Duration::from_secs(9), |_| ());
    let log = Log::of(|| reactor.run_until(std::future::ready(())).unwrap());
    assert!(log.iter().all(|line| !line.contains("what=\"a drop\"")), "{log:?}");
    drop(gate);
}

#[test]
fn a_guard_returns_and_logs_the_panic() {
    let reactor = reactor();
    let log = Log::of(|| {
        assert_eq!(reactor.guard(|| "mine".to_owned(), || 1), Ok(1));
        let failed = reactor.guard(|| "mine".to_owned(), || panic!("boo")).map(|()| 2);
        assert_eq!(failed.unwrap_err().to_string(), "boo");
    });
    assert_eq!(log, ["ERROR message=a callback panicked what=\"mine\" panic=\"boo\""]);
}
