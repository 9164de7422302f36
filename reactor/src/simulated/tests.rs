//! Tests of simulated reactors: the clock, the thread pool, shutdown and the driver.

use std::{cell::RefCell, future::pending, rc::Rc};

use super::*;

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn the_clock_shows_each_timers_tick_when_it_fires() {
    let reactor = Reactor::simulated(0);
    let start = reactor.now();
    let ran = Rc::new(RefCell::new(Vec::new()));
    for delay in [5_000, 3, 700_000, 3, 64, 4_096] {
        let ran = ran.clone();
        reactor.call_later(millis(delay), move |reactor| {
            ran.borrow_mut().push((delay, reactor.now() - start));
        });
    }
    reactor.advance(millis(4_999)).unwrap();
    let expected: Vec<_> = [3, 3, 64, 4_096].map(|delay| (delay, millis(delay))).into();
    assert_eq!(*ran.borrow(), expected);
    assert_eq!(reactor.now() - start, millis(4_999));
    reactor.advance(millis(1)).unwrap();
    assert_eq!(ran.borrow().last(), Some(&(5_000, millis(5_000))));
    assert_eq!(reactor.leak_report().timers, 1, "pending timers");
}

#[test]
fn a_timer_made_by_a_timer_fires_within_the_advance() {
    let reactor = Reactor::simulated(0);
    let start = reactor.now();
    let ran = Rc::new(RefCell::new(Vec::new()));
    let inner = ran.clone();
    reactor.call_later(millis(10), move |reactor| {
        let outer = inner.clone();
        reactor
            .call_later(millis(10), move |reactor| inner.borrow_mut().push(reactor.now() - start));
        reactor.call_soon(move |reactor| outer.borrow_mut().push(reactor.now() - start));
    });
    reactor.advance(millis(100)).unwrap();
    assert_eq!(*ran.borrow(), [millis(10), millis(20)]);
}

#[test]
fn ten_years_with_nothing_to_do_take_one_turn() {
    let reactor = Reactor::simulated(0);
    reactor.advance(10 * YEAR).unwrap();
    assert_eq!(reactor.stats().turns, 1, "turns");
    let clone = reactor.clone();
    reactor.run_until(async move { clone.sleep(10 * YEAR).await }).unwrap();
    assert!(reactor.stats().turns < 30, "{:?}", reactor.stats());
    let wall = reactor.wall_clock().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(wall.as_secs(), 1_767_225_600 + 20 * YEAR.as_secs());
}

#[test]
fn a_run_with_nothing_to_wait_for_ends_with_an_error() {
    let reactor = Reactor::simulated(0);
    assert!(matches!(reactor.run(), Err(RunError::NothingLeft)));
    assert!(matches!(reactor.run_until(pending::<()>()), Err(RunError::NothingLeft)));
    reactor.call_later(Duration::MAX, |_| unreachable!());
    assert!(matches!(reactor.run(), Err(RunError::NothingLeft)));
    reactor.call_later(Duration::from_secs(9), |reactor| {
        let _ = reactor.stop();
    });
    reactor.run().unwrap();
}

#[test]
fn a_reactor_that_never_becomes_idle_is_an_error() {
    let reactor = Reactor::simulated(0);
    reactor.run_until_idle().unwrap();
    let series = reactor.call_every(Duration::from_secs(1), |_| {});
    assert!(matches!(reactor.run_until_idle(), Err(RunError::NeverIdle { .. })));
    series.stop();
    fn reschedule(reactor: &Reactor) {
        reactor.call_later(Duration::ZERO, reschedule);
    }
    reactor.call_soon(reschedule);
    assert!(matches!(reactor.advance(YEAR), Err(RunError::NeverIdle { .. })));
}

#[test]
fn a_stop_ends_an_advance_at_that_instant() {
    let reactor = Reactor::simulated(0);
    let start = reactor.now();
    reactor.call_later(millis(10), |reactor| reactor.stop().unwrap());
    assert!(matches!(reactor.advance(YEAR), Err(RunError::Stopped)));
    assert_eq!(reactor.now() - start, millis(10));
}

#[test]
fn jobs_run_on_this_thread_at_times_drawn_from_the_seed() {
    let order = |seed| {
        let reactor = Reactor::simulated(seed);
        let done = Rc::new(RefCell::new(Vec::new()));
        for number in 0..20 {
            let (done, thread) = (done.clone(), std::thread::current().id());
            let job = reactor.defer_to_thread(move || {
                assert_eq!(std::thread::current().id(), thread);
                number
            });
            job.then(move |_, number| done.borrow_mut().push(number.unwrap()));
        }
        assert_eq!(reactor.leak_report().jobs, 20, "pending jobs");
        assert_eq!(reactor.leak_report().timers, 0, "pending timers");
        reactor.run_until_idle().unwrap();
        assert!(reactor.leak_report().is_empty(), "{}", reactor.leak_report());
        done.take()
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
}

#[test]
fn a_job_that_is_cancelled_in_time_does_not_run() {
    let reactor = Reactor::simulated(3);
    let job = reactor.defer_to_thread(|| unreachable!("it is cancelled"));
    job.cancel();
    reactor.run_until_idle().unwrap();
    assert_eq!(job.take(), Some(Err::<(), _>(crate::Failure::Cancelled)));
    assert_eq!(reactor.leak_report().to_string(), "nothing");
}

#[test]
fn leaks_are_named() {
    let reactor = Reactor::simulated(0);
    reactor.call_later(YEAR, |_| {});
    reactor.call_later(YEAR, |_| {});
    reactor.spawn(pending::<()>()).detach();
    reactor.advance(YEAR / 2).unwrap();
    assert_eq!(
        reactor.leak_report().to_string(),
        "2 timers, a task spawned at reactor/src/simulated/tests.rs:135:13"
    );
}

#[test]
fn a_real_reactor_cannot_be_advanced() {
    let reactor = Reactor::new().unwrap();
    assert!(matches!(reactor.advance(YEAR), Err(RunError::NotSimulated)));
    assert!(matches!(reactor.take_over(), Err(RunError::NotSimulated)));
}

#[cfg(unix)]
#[test]
fn a_simulated_reactor_cannot_watch_a_descriptor() {
    let reactor = Reactor::simulated(0);
    let error = reactor.register_source(&mut std::io::stdin(), crate::Interest::READ).unwrap_err();
    let crate::RegisterError::Io(error) = error else { panic!("{error}") };
    assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
}

#[test]
fn a_driver_runs_through_startup_and_shutdown() {
    let reactor = Reactor::simulated(0);
    let driver = reactor.take_over().unwrap();
    assert!(matches!(reactor.run(), Err(RunError::Driven)));
    assert!(matches!(reactor.advance(YEAR), Err(RunError::Driven)));
    let fired = Rc::new(RefCell::new(Vec::new()));
    for phase in [Phase::BeforeStartup, Phase::AfterStartup, Phase::DuringShutdown] {
        let fired = fired.clone();
        reactor.on(phase, move |_| fired.borrow_mut().push(phase));
    }
    reactor.on(Phase::BeforeShutdown, |reactor| {
        let (promise, deferred) = reactor.promise::<(), crate::Failure>();
        reactor.call_later(millis(20), move |_| promise.resolve(()));
        deferred
    });
    reactor.call_later(millis(10), |reactor| reactor.stop().unwrap());
    assert_eq!(driver.turn().unwrap(), Turned::Asleep);
    while driver.turn().unwrap() == Turned::Asleep {
        driver.advance_clock_to(driver.next_wakeup().unwrap());
    }
    assert_eq!(driver.age(), millis(30));
    assert_eq!(*fired.borrow(), [Phase::BeforeStartup, Phase::AfterStartup, Phase::DuringShutdown]);
    assert!(reactor.leak_report().is_empty());
}

#[test]
fn a_killed_reactor_calls_nothing() {
    let reactor = Reactor::simulated(0);
    let driver = reactor.take_over().unwrap();
    reactor.on(Phase::DuringShutdown, |_: &Reactor| -> () { unreachable!() });
    reactor.call_later(millis(1), |_| unreachable!());
    driver.turn().unwrap();
    driver.kill();
    assert!(reactor.leak_report().is_empty());
}
