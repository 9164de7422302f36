//! Tests of timers: `DelayedCall`, `LoopingCall`, and the timers of handlers.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use crate::kit::{Census, Count, Marker, Puppet, Trail, reactor, turn, turn_until};
use sinew_reactor::{Deferred, LoopingCall, Phase, Reactor};

const MS: Duration = Duration::from_millis(1);
const FAR: Duration = Duration::from_secs(3600);

#[test]
fn a_call_fires_once_and_never_early() {
    for delay in [0, 1, 999, 1_000, 1_001, 5_500].map(Duration::from_micros) {
        let reactor = reactor();
        let calls = Count::default();
        let (count, due) = (calls.clone(), Instant::now() + delay);
        let call = reactor.call_later(delay, move |reactor| {
            assert!(reactor.now() >= due.checked_sub(MS).unwrap_or(due));
            count.up();
        });
        assert!(call.is_active());
        turn_until(&reactor, || calls.value() == 1);
        assert!(Instant::now() >= due);
        assert!(!call.is_active());
        assert_eq!(call.due(), None);
        for changed in [call.cancel(), call.reset(MS), call.delay(MS)] {
            assert!(!changed);
        }
        turn(&reactor);
        assert_eq!(calls.value(), 1);
    }
}

#[test]
fn a_call_is_not_active_while_it_runs() {
    let reactor = reactor();
    let call = Rc::new(RefCell::new(None::<sinew_reactor::DelayedCall>));
    let own = call.clone();
    let ran = Count::default();
    let count = ran.clone();
    *call.borrow_mut() = Some(reactor.call_later(Duration::ZERO, move |_| {
        let own = own.borrow_mut().take().unwrap();
        assert!(!own.is_active() && !own.cancel() && !own.reset(MS) && !own.delay(MS));
        count.up();
    }));
    turn(&reactor);
    assert_eq!(ran.value(), 1);
}

#[test]
fn a_delay_is_rounded_up_to_the_tick() {
    let reactor = Reactor::simulated(0);
    let call = reactor.call_later(MS, |_| ());
    let mut due = call.due().unwrap();
    for (more_us, ticks) in [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (2_500, 3)] {
        assert!(call.delay(Duration::from_micros(more_us)));
        due += MS * ticks;
        assert_eq!(call.due(), Some(due), "{more_us} us more");
    }
    assert!(call.delay(Duration::from_nanos(1)));
    assert_eq!(call.due(), Some(due + MS));
}

#[test]
fn due_is_the_delay_rounded_up() {
    let reactor = reactor();
    reactor.call_soon(|reactor| {
        let delay = Duration::from_micros(2_500);
        let call = reactor.call_later(delay, |_| ());
        let due = call.due().unwrap();
        assert!(due >= reactor.now() + delay);
        assert!(due < reactor.now() + delay + MS);
        assert!(call.delay(Duration::from_secs(1)));
        assert_eq!(call.due(), Some(due + Duration::from_secs(1)));
        assert!(call.reset(delay));
        assert_eq!(call.due(), Some(due));
    });
    turn(&reactor);
    assert_eq!(reactor.stats().slow_callbacks, 0);
    assert_eq!(reactor.stats().timers, 1, "the assertions in the callback did not panic");
}

#[test]
fn a_handlers_timer_is_due_at_a_whole_millisecond_of_the_reactors_age() {
    let reactor = sinew_reactor::Reactor::simulated(0);
    let start = reactor.now();
    reactor.advance(Duration::from_micros(1_300)).unwrap();
    assert_eq!(reactor.age(), Duration::from_micros(1_300));
    let token = reactor.reserve().unwrap();
    let [disarmed, fires] = [MS * 2, MS].map(|delay| reactor.arm_timer(token, delay));
    assert_eq!(reactor.timer_due(disarmed), Some(start + MS * 4));
    assert_eq!(reactor.timer_due(fires), Some(start + MS * 3));
    assert!(reactor.disarm_timer(disarmed));
    reactor.advance(MS * 2).unwrap();
    assert_eq!([disarmed, fires].map(|key| reactor.timer_due(key)), [None, None]);
}

#[test]
fn calls_can_be_rescheduled_past_each_other() {
    let reactor = reactor();
    let trail = Trail::default();
    let soon = reactor.call_later(MS, trail.mark("soon"));
    let later = reactor.call_later(FAR, trail.mark("later"));
    assert!(later.reset(Duration::ZERO));
    assert!(soon.delay(MS));
    turn_until(&reactor, || trail.len() == 2);
    assert_eq!(trail.take(), ["later", "soon"]);
}

#[test]
fn a_due_call_can_still_be_postponed() {
    let reactor = reactor();
    let trail = Trail::default();
    let second = Rc::new(RefCell::new(None::<sinew_reactor::DelayedCall>));
    let postponed = second.clone();
    reactor.call_later(Duration::ZERO, move |_| {
        assert!(postponed.borrow().as_ref().unwrap().reset(FAR));
    });
    *second.borrow_mut() = Some(reactor.call_later(Duration::ZERO, trail.mark("second")));
    turn(&reactor);
    turn(&reactor);
    assert_eq!(trail.len(), 0);
    assert!(second.borrow().as_ref().unwrap().is_active());
}

#[test]
fn a_cancelled_call_is_dropped_by_the_loop() {
    let reactor = reactor();
    let trail = Trail::default();
    let marker = Marker(trail.clone(), "dropped");
    let call = reactor.call_later(FAR, move |_| drop(marker));
    assert!(call.cancel());
    assert!(!call.is_active());
    assert_eq!(trail.len(), 0);
    turn(&reactor);
    assert_eq!(trail.take(), ["dropped"]);
}

#[test]
fn all_of_many_cancelled_calls_are_dropped_though_some_panic() {
    struct Bomb(Trail);
    impl Drop for Bomb {
        fn drop(&mut self) {
            self.0.push("dropped");
            assert!(!self.0.len().is_multiple_of(25), "a bomb");
        }
    }
    let reactor = reactor();
    let trail = Trail::default();
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let bomb = Bomb(trail.clone());
            reactor.call_later(FAR, move |_| drop(bomb))
        })
        .collect();
    assert!(calls.iter().all(sinew_reactor::DelayedCall::cancel));
    assert_eq!((trail.len(), reactor.stats().timers), (0, 0));
    let log = crate::kit::Log::of(|| turn(&reactor));
    assert_eq!(trail.len(), 100);
    assert_eq!(log, ["ERROR message=a callback panicked what=\"a drop\" panic=\"a bomb\""; 4]);
    assert_eq!(reactor.stats().panics, 4);
}

/// No duration makes a call panic. `call_every` is left out, since an interval of zero does.
#[test]
fn zero_and_maximal_durations_work() {
    for time in [Duration::ZERO, Duration::MAX] {
        let builder =
            crate::kit::builder().shutdown_max(time).pool_grace(time).wait_retry(time).spin(time);
        let reactor = builder.slow_callback(Duration::MAX).build().unwrap();
        let (token, clone) = (reactor.reserve().unwrap(), reactor.clone());
        reactor.on(Phase::BeforeShutdown, |reactor| Deferred::ready_on(reactor, ()));
        reactor
            .spawn(async move {
                let _ = clone.timeout(time, clone.sleep(time)).await;
            })
            .detach();
        reactor.call_soon(move |reactor| {
            let call = reactor.call_later(time, |_| ());
            let _ = (call.delay(time), call.reset(time), call.due());
            let _ = reactor.timer_due(reactor.arm_timer(token, time));
            let job = reactor.defer_to_thread(|| ());
            job.then(|reactor, _| reactor.stop().unwrap());
        });
        reactor.run().unwrap();
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    let simulated = Reactor::simulated(0);
    simulated.advance(Duration::MAX).unwrap();
}

#[test]
fn the_maximal_delay_does_not_overflow() {
    let reactor = reactor();
    let call = reactor.call_later(Duration::MAX, |_| unreachable!());
    assert!(call.is_active());
    assert!(call.delay(Duration::MAX));
    assert!(call.reset(Duration::MAX));
    let series = reactor.call_every(Duration::MAX, |_| unreachable!());
    turn(&reactor);
    assert!(series.is_active());
    // The kernel's maximal timeout bounds the wait, which does not affect other timers.
    let trail = Trail::default();
    reactor.call_later(MS, trail.mark("near"));
    turn_until(&reactor, || trail.len() == 1);
}

#[test]
fn a_handle_outlives_its_reactor() {
    let reactor = reactor();
    let call = reactor.call_later(FAR, |_| ());
    let series = reactor.call_every(FAR, |_| ());
    drop(reactor);
    assert!(!call.is_active() && !call.cancel() && !call.reset(MS) && !call.delay(MS));
    assert_eq!(call.due(), None);
    assert!(!series.is_active() && !series.stop());
}

#[test]
fn a_series_stays_on_its_grid_and_skips_missed_calls() {
    let reactor = reactor();
    let interval = 4 * MS;
    let start = Rc::new(Cell::new(None));
    let ticks = Rc::new(RefCell::new(Vec::new()));
    let (began, times) = (start.clone(), ticks.clone());
    reactor.call_soon(move |reactor| {
        began.set(Some(reactor.now()));
        let series = Rc::new(RefCell::new(None::<LoopingCall>));
        let own = series.clone();
        *series.borrow_mut() = Some(reactor.call_every(interval, move |reactor| {
            times.borrow_mut().push(reactor.now());
            if times.borrow().len() == 2 {
                // Past two points of the grid, and into the third period.
                let until = reactor.now() + 9 * MS;
                while Instant::now() < until {}
            }
            if times.borrow().len() == 4 {
                let own = own.borrow();
                let series = own.as_ref().unwrap();
                assert!(series.skipped() >= 2);
                assert!(series.stop());
                assert!(!series.is_active() && !series.stop());
                let _ = reactor.stop();
            }
        }));
    });
    reactor.run().unwrap();
    let start = start.get().unwrap();
    let ticks = ticks.take();
    assert_eq!(ticks.len(), 4);
    // Each call is in a period of its own, and none is before its grid point.
    let points: Vec<_> =
        ticks.iter().map(|tick| (*tick - start).as_nanos() / interval.as_nanos()).collect();
    assert!(points[0] >= 1);
    assert!(points.windows(2).all(|pair| pair[0] < pair[1]), "{points:?}");
    assert!(points[2] >= points[1] + 3, "{points:?}");
}

#[test]
fn an_interval_shorter_than_a_tick_skips_calls() {
    let reactor = reactor();
    let calls = Count::default();
    let count = calls.clone();
    let series = reactor.call_every(Duration::from_nanos(1), move |_| count.up());
    turn_until(&reactor, || calls.value() == 3);
    assert!(series.skipped() > 3);
    assert!(series.stop());
    turn(&reactor);
    turn(&reactor);
    assert_eq!(calls.value(), 3);
}

#[test]
fn a_stopped_series_is_dropped_by_the_loop() {
    let reactor = reactor();
    let trail = Trail::default();
    let marker = Marker(trail.clone(), "dropped");
    let series = reactor.call_every(FAR, move |_| marker.0.push("called"));
    assert!(series.is_active());
    assert!(series.stop());
    assert!(!series.is_active() && !series.stop());
    assert_eq!(trail.len(), 0);
    turn(&reactor);
    assert_eq!(trail.take(), ["dropped"], "though the handle still exists");
    drop(series);
}

#[test]
fn a_series_whose_callback_holds_its_handle_does_not_leak() {
    let reactor = reactor();
    let census = Census::default();
    let calls = Count::default();
    let handle = Rc::new(RefCell::new(None::<LoopingCall>));
    let (own, one, count) = (handle.clone(), census.one(), calls.clone());
    *handle.borrow_mut() = Some(reactor.call_every(MS, move |_| {
        let _ = &one;
        assert!(own.borrow().as_ref().unwrap().is_active());
        own.borrow().as_ref().unwrap().stop();
        count.up();
    }));
    drop(handle);
    turn_until(&reactor, || calls.value() == 1);
    turn(&reactor);
    assert_eq!(census.alive(), 0);
}

#[test]
fn a_panic_ends_the_series() {
    let reactor = reactor();
    let calls = Count::default();
    let count = calls.clone();
    let census = Census::default();
    let one = census.one();
    let series = reactor.call_every(MS, move |_| {
        let _ = &one;
        count.up();
        panic!("in a series");
    });
    let log = crate::kit::Log::of(|| turn_until(&reactor, || calls.value() == 1));
    assert_eq!(
        log,
        ["ERROR message=a callback panicked what=\"a looping call\" panic=\"in a series\""]
    );
    assert!(!series.is_active() && !series.stop());
    assert_eq!(census.alive(), 0);
    assert_eq!(reactor.stats().timers, 0);
}

#[test]
#[should_panic(expected = "longer than zero")]
fn an_interval_of_zero_is_refused() {
    drop(reactor().call_every(Duration::ZERO, |_| ()));
}

#[test]
fn a_series_ends_with_the_run() {
    let reactor = reactor();
    let census = Census::default();
    let one = census.one();
    let series = reactor.call_every(FAR, move |_| drop(one.one()));
    reactor.call_soon(|reactor| reactor.stop().unwrap());
    reactor.run().unwrap();
    assert!(!series.is_active());
    assert_eq!(census.alive(), 0);
}

#[test]
fn a_handlers_timer_is_armed_and_disarmed() {
    let reactor = reactor();
    let trail = Trail::default();
    let log = trail.clone();
    let token = Puppet::enter(&reactor, move |_, method| log.push(method));
    let disarmed = reactor.arm_timer(token, Duration::ZERO);
    let stays = reactor.arm_timer(token, Duration::ZERO);
    assert!(reactor.disarm_timer(disarmed));
    assert!(!reactor.disarm_timer(disarmed));
    turn(&reactor);
    assert_eq!(trail.take(), ["timer"]);
    assert!(!reactor.disarm_timer(stays));

    // A timer that outlives its handler calls nothing, also if the slot has been reused.
    reactor.arm_timer(token, Duration::ZERO);
    reactor.deregister(token, false);
    let log = trail.clone();
    let other = Puppet::enter(&reactor, move |_, method| log.push(method));
    assert_ne!(token, other);
    turn(&reactor);
    assert_eq!(trail.len(), 0);
    assert_eq!(reactor.stats().timers, 0);
}
