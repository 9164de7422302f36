//! Tests of life-cycle phases, the wait for shutdown triggers, and the shutdown of handlers.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use crate::kit::{Log, Puppet, Trail, reactor, reactors};
use sinew_reactor::{Deferred, Failure, NotRunning, Phase, Promise, Reactor};

const PHASES: [Phase; 5] = [
    Phase::BeforeStartup,
    Phase::AfterStartup,
    Phase::BeforeShutdown,
    Phase::DuringShutdown,
    Phase::AfterShutdown,
];

/// A run that stops in its first turn.
fn run_and_stop(reactor: &Reactor) {
    reactor.call_soon(|reactor| reactor.stop().unwrap());
    reactor.run().unwrap();
}

#[test]
fn phases_run_in_order_and_each_trigger_once() {
    let reactor = reactor();
    let trail = Trail::default();
    for phase in PHASES.into_iter().rev() {
        for n in 1..3 {
            let log = trail.clone();
            reactor.on(phase, move |reactor| {
                log.push(format!("{phase:?} {n} {}", reactor.is_running()));
            });
        }
    }
    run_and_stop(&reactor);
    let expected = [
        "BeforeStartup 1 false",
        "BeforeStartup 2 false",
        "AfterStartup 1 true",
        "AfterStartup 2 true",
        "BeforeShutdown 1 true",
        "BeforeShutdown 2 true",
        "DuringShutdown 1 false",
        "DuringShutdown 2 false",
        "AfterShutdown 1 false",
        "AfterShutdown 2 false",
    ];
    assert_eq!(trail.take(), expected);
    run_and_stop(&reactor);
    assert_eq!(trail.len(), 0);
}

#[test]
fn a_panic_in_a_trigger_does_not_stop_the_others() {
    let reactor = reactor();
    let trail = Trail::default();
    for phase in PHASES {
        reactor.on(phase, |_| -> () { panic!("in a trigger") });
        let log = trail.clone();
        reactor.on(phase, move |_| log.push("ran"));
    }
    let log = Log::of(|| run_and_stop(&reactor));
    assert_eq!(trail.len(), PHASES.len());
    assert_eq!(log.len(), PHASES.len());
    for (line, phase) in log.iter().zip(PHASES) {
        assert!(line.contains(&format!("a {phase:?} trigger")), "{line}");
    }
}

#[test]
fn a_trigger_added_in_its_own_phase_runs_in_the_next_run() {
    let reactor = reactor();
    let trail = Trail::default();
    let log = trail.clone();
    reactor.on(Phase::AfterStartup, move |reactor| {
        log.push("first");
        reactor.on(Phase::AfterStartup, move |_| log.push("second"));
    });
    run_and_stop(&reactor);
    assert_eq!(trail.take(), ["first"]);
    run_and_stop(&reactor);
    assert_eq!(trail.take(), ["second"]);
}

#[test]
fn a_stop_in_after_startup_ends_the_run() {
    let reactor = reactor();
    reactor.on(Phase::AfterStartup, |reactor| reactor.stop().unwrap());
    reactor.run().unwrap();
}

#[test]
fn the_loop_runs_until_the_triggers_are_done() {
    for reactor in reactors() {
        let trail = Trail::default();
        // One needs the loop, one another thread, one is settled already, and one fails.
        let log = trail.clone();
        reactor.on(Phase::BeforeShutdown, move |reactor| {
            let (promise, deferred) = reactor.promise();
            reactor.call_later(Duration::from_millis(2), move |_| {
                log.push("the loop");
                promise.resolve(());
            });
            deferred
        });
        reactor.on(Phase::BeforeShutdown, |reactor| reactor.defer_to_thread(|| ()));
        reactor.on(Phase::BeforeShutdown, |reactor| Deferred::ready_on(reactor, ()));
        reactor.on(Phase::BeforeShutdown, |reactor| {
            let (promise, deferred) = reactor.promise();
            promise.reject(Failure::Panicked("on purpose".to_owned()));
            deferred
        });
        let after = trail.clone();
        reactor.on(Phase::DuringShutdown, move |_| after.push("the shutdown"));
        let log = Log::of(|| run_and_stop(&reactor));
        assert_eq!(trail.take(), ["the loop", "the shutdown"]);
        let line = "ERROR message=a BeforeShutdown trigger failed error=panicked: on purpose";
        assert_eq!(log, [line]);
    }
}

#[test]
fn a_deferred_of_another_phase_is_not_awaited() {
    let reactor = reactor();
    let kept = Rc::new(RefCell::new(Vec::<Promise<()>>::new()));
    for phase in PHASES {
        if phase != Phase::BeforeShutdown {
            let kept = kept.clone();
            reactor.on(phase, move |reactor| {
                let (promise, deferred) = reactor.promise();
                kept.borrow_mut().push(promise);
                deferred
            });
        }
    }
    run_and_stop(&reactor);
    assert_eq!(kept.borrow().len(), PHASES.len() - 1);
}

/// Has the run wait for a promise that is kept here.
fn never_done(reactor: &Reactor) -> Rc<Cell<Option<Promise<()>>>> {
    let kept = Rc::new(Cell::new(None));
    let keep = kept.clone();
    reactor.on(Phase::BeforeShutdown, move |reactor| {
        let (promise, deferred) = reactor.promise();
        keep.set(Some(promise));
        deferred
    });
    kept
}

#[test]
fn the_wait_for_triggers_is_bounded() {
    let millisecond = Duration::from_millis(1);
    let reactor = crate::kit::builder().shutdown_max(millisecond).build().unwrap();
    let promise = never_done(&reactor);
    let log = Log::of(|| run_and_stop(&reactor));
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(log[0].contains("shutdown triggers did not finish in time"), "{log:?}");
    // Its result comes in another run, which it does not end.
    let promise = promise.take().unwrap();
    let trail = Trail::default();
    let log = trail.clone();
    reactor.call_soon(move |reactor| {
        promise.resolve(());
        reactor.call_later(millisecond, move |reactor| {
            log.push("still here");
            reactor.stop().unwrap();
        });
    });
    reactor.run().unwrap();
    assert_eq!(trail.take(), ["still here"]);
}

#[test]
fn a_wait_without_a_limit_is_ended_by_a_second_stop() {
    let builder = crate::kit::builder().shutdown_max(Duration::MAX);
    let reactor = builder.build().unwrap();
    let promise = never_done(&reactor);
    reactor.on(Phase::BeforeShutdown, |reactor| {
        // The first stop is still being handled.
        assert_eq!(reactor.stop(), Err(NotRunning));
        reactor.call_soon(|reactor| reactor.stop().unwrap());
    });
    let log = Log::of(|| run_and_stop(&reactor));
    assert!(log.is_empty(), "{log:?}");
    assert!(promise.take().is_some());
}

#[test]
fn a_crash_ends_the_wait_and_the_shutdown() {
    let reactor = reactor();
    let promise = never_done(&reactor);
    let trail = Trail::default();
    let log = trail.clone();
    reactor.on(Phase::DuringShutdown, move |_| log.push("shutdown"));
    reactor.on(Phase::BeforeShutdown, |reactor| {
        reactor.call_soon(|reactor| reactor.crash().unwrap());
    });
    run_and_stop(&reactor);
    assert_eq!(trail.len(), 0);
    assert!(promise.take().is_some());
}

#[test]
fn handlers_registered_during_the_shutdown_are_notified_too() {
    let reactor = reactor();
    let trail = Trail::default();
    let log = trail.clone();
    let own = Rc::new(Cell::new(None));
    let token = own.clone();
    own.set(Some(Puppet::enter(&reactor, move |reactor, method| {
        log.push(format!("first {method}"));
        if method == "shutdown" {
            reactor.flush_later(token.get().unwrap());
            reactor.finalize_later(token.get().unwrap());
            let log = log.clone();
            Puppet::enter(reactor, move |_, method| log.push(format!("second {method}")));
        }
    })));
    run_and_stop(&reactor);
    let expected = ["first shutdown", "first finalize", "first flush", "second shutdown"];
    assert_eq!(trail.take(), expected);
    assert_eq!(reactor.stats().handlers, 0);
}

#[test]
fn a_handler_that_never_stops_rescheduling_is_bounded() {
    let reactor = reactor();
    let own = Rc::new(Cell::new(None));
    let token = own.clone();
    own.set(Some(Puppet::enter(&reactor, move |reactor, _| {
        for _ in 0..2 {
            reactor.flush_later(token.get().unwrap());
            reactor.finalize_later(token.get().unwrap());
        }
    })));
    run_and_stop(&reactor);
    assert_eq!(reactor.stats().handlers, 0);
}

#[test]
fn a_reactor_that_never_ran_fires_no_trigger() {
    let reactor = reactor();
    let trail = Trail::default();
    for phase in PHASES {
        let log = trail.clone();
        reactor.on(phase, move |_| log.push("fired"));
    }
    drop(reactor);
    assert_eq!(trail.len(), 0);
}
