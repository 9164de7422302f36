//! Tests of runs: nested runs, `stop`, `crash`, `run_until`, and running again.

use std::{
    cell::Cell,
    future::{pending, ready},
    rc::Rc,
    time::Duration,
};

use crate::kit::{Census, Log, PHASES, Puppet, Trail, reactor, reactors, run_and_stop, turn};
use sinew_reactor::{Failure, NotRunning, Phase, Reactor, RunError};

const FAR: Duration = Duration::from_secs(3600);

#[test]
fn run_and_turn_are_refused_inside_each_other() {
    let reactor = reactor();
    let refusals = Trail::default();
    let check = |log: Trail| {
        move |reactor: &Reactor| {
            let errors = [
                reactor.run().unwrap_err(),
                reactor.turn(None).unwrap_err(),
                reactor.run_until(ready(())).unwrap_err(),
            ];
            for error in errors {
                assert!(matches!(error, RunError::AlreadyRunning));
                log.push("refused");
            }
        }
    };
    reactor.call_soon(check(refusals.clone()));
    turn(&reactor);
    assert_eq!(refusals.take().len(), 3);
    for phase in PHASES {
        reactor.on(phase, check(refusals.clone()));
    }
    reactor.call_soon(check(refusals.clone()));
    run_and_stop(&reactor);
    assert_eq!(refusals.take().len(), 3 * (PHASES.len() + 1));
    assert_eq!(reactor.stats().tasks, 0, "refused futures leave no task");
}

#[test]
fn a_reactor_that_is_not_running_cannot_be_stopped() {
    let reactor = reactor();
    let check = |reactor: &Reactor| {
        assert_eq!(reactor.stop(), Err(NotRunning));
        assert_eq!(reactor.crash(), Err(NotRunning));
        assert!(!reactor.is_running());
    };
    check(&reactor);
    for phase in [Phase::BeforeStartup, Phase::DuringShutdown, Phase::AfterShutdown] {
        reactor.on(phase, check);
    }
    reactor.call_soon(|reactor| {
        assert!(reactor.is_running());
        reactor.stop().unwrap();
        assert_eq!(reactor.stop(), Err(NotRunning));
        assert!(reactor.is_running());
    });
    let log = Log::of(|| reactor.run().unwrap());
    assert!(log.is_empty(), "{log:?}");
    check(&reactor);
    turn(&reactor);
    check(&reactor);
}

#[test]
fn a_stop_in_a_turn_does_not_affect_later_turns() {
    let reactor = reactor();
    reactor.call_soon(|reactor| reactor.stop().unwrap());
    reactor.turn(None).unwrap();
    assert!(!reactor.is_running());
    // Otherwise this turn would not wait for the timer, and the run would end at once.
    let trail = Trail::default();
    let log = trail.clone();
    reactor.call_later(Duration::from_millis(1), move |reactor| {
        log.push("fired");
        reactor.stop().unwrap();
    });
    reactor.turn(None).unwrap();
    reactor.run().unwrap();
    assert_eq!(trail.take(), ["fired"]);
}

/// Otherwise a loop around `turn` would block: the second turn would fire the timer, then wait forever.
#[test]
fn a_turn_with_work_does_not_wait() {
    let reactor = reactor();
    let done = Rc::new(Cell::new(false));
    let flag = done.clone();
    reactor.call_later(Duration::from_millis(1), move |reactor| {
        reactor.call_soon(move |_| flag.set(true));
    });
    while !done.get() {
        reactor.turn(None).unwrap();
    }
}

#[test]
fn a_reactor_runs_again_after_a_stop() {
    let reactor = reactor();
    let trail = Trail::default();
    for _ in 0..3 {
        reactor.call_soon(trail.mark("call"));
        run_and_stop(&reactor);
    }
    assert_eq!(trail.len(), 3);
}

#[test]
fn handlers_tasks_and_timers_survive_a_crash() {
    let reactor = reactor();
    let trail = Trail::default();
    let (log, token) = (trail.clone(), Rc::new(Cell::new(None)));
    token.set(Some(Puppet::enter(&reactor, move |_, method| log.push(method))));
    for phase in [Phase::BeforeShutdown, Phase::DuringShutdown] {
        let log = trail.clone();
        reactor.on(phase, move |_| log.push(format!("{phase:?}")));
    }
    let log = trail.clone();
    let (sleep, timer) = (reactor.sleep(Duration::from_millis(1)), trail.mark("timer"));
    reactor
        .spawn(async move {
            sleep.await;
            log.push("task");
        })
        .detach();
    reactor.call_later(Duration::from_millis(1), timer);
    reactor.call_soon(|reactor| reactor.crash().unwrap());
    reactor.run().unwrap();
    assert!(!reactor.is_running());
    assert_eq!(trail.len(), 0);
    assert_eq!((reactor.stats().handlers, reactor.stats().tasks), (1, 1));

    reactor.call_later(Duration::from_millis(5), |reactor| reactor.stop().unwrap());
    reactor.run().unwrap();
    let mut seen = trail.take();
    seen[..2].sort();
    assert_eq!(seen, ["task", "timer", "BeforeShutdown", "DuringShutdown", "shutdown"]);
}

#[test]
fn run_until_returns_the_value() {
    for reactor in reactors() {
        let sleep = reactor.sleep(Duration::from_millis(1));
        let value = reactor.run_until(async {
            sleep.await;
            42
        });
        assert_eq!(value.unwrap(), 42);
        assert_eq!(reactor.run_until(ready(43)).unwrap(), 43);
    }
}

#[test]
fn run_until_returns_the_value_if_the_future_stops_the_loop() {
    let reactor = reactor();
    let weak = reactor.downgrade();
    let value = reactor.run_until(async move {
        weak.upgrade().unwrap().stop().unwrap();
        42
    });
    assert_eq!(value.unwrap(), 42);
}

#[test]
fn run_until_reports_a_stop() {
    let reactor = reactor();
    let census = Census::default();
    let endless = || {
        let one = census.one();
        async move {
            let _one = one;
            pending::<()>().await;
        }
    };
    reactor.call_soon(|reactor| reactor.stop().unwrap());
    assert!(matches!(reactor.run_until(endless()), Err(RunError::Stopped)));
    assert_eq!(census.alive(), 0);
    // After a crash the future is not left to the next run, and does not stop it.
    reactor.call_soon(|reactor| reactor.crash().unwrap());
    assert!(matches!(reactor.run_until(endless()), Err(RunError::Stopped)));
    let value = reactor.run_until(reactor.sleep(Duration::from_millis(2)));
    value.unwrap();
    assert_eq!(census.alive(), 0);
}

#[test]
fn run_until_reports_a_panic() {
    let reactor = reactor();
    let failed = reactor.run_until(async { panic!("in the future") });
    let failed: RunError = Result::<(), _>::unwrap_err(failed);
    assert!(
        matches!(&failed, RunError::Failed(Failure::Panicked(what)) if what == "in the future"),
        "{failed}"
    );
    reactor.run_until(ready(())).unwrap();
}

#[test]
fn a_shutdown_drops_everything_pending() {
    let reactor = reactor();
    let trail = Trail::default();
    reactor.call_later(FAR, trail.mark("timer"));
    reactor.call_soon(|reactor| {
        reactor.call_soon(|_| unreachable!());
        reactor.stop().unwrap();
    });
    let log = Log::of(|| reactor.run().unwrap());
    assert!(log.is_empty());
    let stats = reactor.stats();
    assert_eq!((stats.timers, stats.tasks, stats.handlers), (0, 0, 0));
}
