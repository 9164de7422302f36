//! Tests of the order of callbacks within a turn and across turns.

use std::{
    cell::RefCell,
    io::Write,
    os::unix::net::UnixStream,
    rc::Rc,
    time::{Duration, Instant},
};

use crate::kit::{Marker, Puppet, Trail, reactor, reactors, turn};
use sinew_reactor::Interest;

#[test]
fn the_phases_of_a_turn_run_in_order() {
    for reactor in reactors() {
        let trail = Trail::default();
        let (near, mut far) = UnixStream::pair().unwrap();
        far.write_all(b"x").unwrap();
        let log = trail.clone();
        let puppet = Puppet::new(move |_, method| log.push(method));
        let registration = reactor.register(&mut &near, Interest::READ, puppet).unwrap();
        let token = registration.token().unwrap();

        reactor.defer_drop(Marker(trail.clone(), "drop"));
        reactor.finalize_later(token);
        reactor.reschedule(token);
        reactor.flush_later(token);
        let log = trail.clone();
        reactor.spawn(async move { log.push("task") }).detach();
        reactor.call_later(Duration::ZERO, trail.mark("delayed call"));
        reactor.call_soon(trail.mark("call_soon"));
        // A remote call must be Send, so it gets its trail from the reactor.
        reactor.local::<RefCell<Trail>>().replace(trail.clone());
        let remote = reactor.remote();
        remote
            .call(|reactor| reactor.local::<RefCell<Trail>>().borrow().push("remote call"))
            .unwrap();

        turn(&reactor);
        let phases = [
            "remote call",
            "call_soon",
            "delayed call",
            "task",
            "flush",
            "ready",
            "rescheduled",
            "finalize",
            "drop",
        ];
        assert_eq!(trail.take(), phases);
    }
}

#[test]
fn calls_made_by_a_call_run_in_the_next_turn() {
    let reactor = reactor();
    let trail = Trail::default();
    let log = trail.clone();
    reactor.call_soon(move |reactor| {
        log.push("call");
        reactor.call_later(Duration::ZERO, log.mark("its delayed call"));
        reactor.call_soon(log.mark("its call"));
    });
    turn(&reactor);
    assert_eq!(trail.take(), ["call"]);
    turn(&reactor);
    assert_eq!(trail.take(), ["its call", "its delayed call"]);
}

#[test]
fn calls_made_by_a_remote_call_run_in_the_next_turn() {
    let reactor = reactor();
    reactor
        .remote()
        .call(|reactor| reactor.call_soon(|reactor| reactor.defer_drop(reactor.local::<()>())))
        .unwrap();
    turn(&reactor);
    assert_eq!(reactor.stats().calls, 1);
    turn(&reactor);
    assert_eq!(reactor.stats().calls, 2);
}

#[test]
fn calls_made_by_a_timer_run_in_the_next_turn() {
    let reactor = reactor();
    let trail = Trail::default();
    let log = trail.clone();
    reactor.call_later(Duration::ZERO, move |reactor| {
        log.push("timer");
        reactor.call_soon(log.mark("its call"));
        reactor.call_later(Duration::ZERO, log.mark("its timer"));
    });
    turn(&reactor);
    assert_eq!(trail.take(), ["timer"]);
    turn(&reactor);
    assert_eq!(trail.take(), ["its call", "its timer"]);
}

#[test]
fn a_zero_delay_does_not_wait_for_a_tick() {
    let reactor = reactor();
    for _ in 0..1_000 {
        let trail = Trail::default();
        reactor.call_later(Duration::ZERO, trail.mark("now"));
        turn(&reactor);
        assert_eq!(trail.take(), ["now"]);
    }
}

#[test]
fn equal_deadlines_fire_in_insertion_order_before_later_ones() {
    let reactor = reactor();
    let trail = Trail::default();
    // All made at the same time, since a turn has only one.
    let log = trail.clone();
    reactor.call_soon(move |reactor| {
        reactor.call_later(Duration::from_millis(2), log.mark("late"));
        for n in 0..3 {
            reactor.call_later(Duration::from_millis(1), log.mark(n.to_string()));
        }
    });
    crate::kit::turn_until(&reactor, || trail.len() == 4);
    assert_eq!(trail.take(), ["0", "1", "2", "late"]);
}

#[test]
fn a_timer_cancelled_by_an_earlier_one_of_its_batch_does_not_fire() {
    let reactor = reactor();
    let trail = Trail::default();
    let victim = Rc::new(RefCell::new(None::<sinew_reactor::DelayedCall>));
    let (log, second) = (trail.clone(), victim.clone());
    reactor.call_later(Duration::ZERO, move |_| {
        log.push("first");
        let second = second.borrow_mut().take().unwrap();
        assert!(second.cancel());
        assert!(!second.cancel());
    });
    *victim.borrow_mut() = Some(reactor.call_later(Duration::ZERO, trail.mark("second")));
    reactor.call_later(Duration::ZERO, trail.mark("third"));
    turn(&reactor);
    turn(&reactor);
    assert_eq!(trail.take(), ["first", "third"]);
}

#[test]
fn the_callbacks_before_the_poll_see_the_same_time() {
    let reactor = reactor();
    let times = Rc::new(RefCell::new(Vec::new()));
    let (of_call, of_timer) = (times.clone(), times.clone());
    reactor.call_soon(move |reactor| {
        let now = reactor.now();
        of_call.borrow_mut().push(now);
        while Instant::now() == now {}
    });
    reactor.call_later(Duration::ZERO, move |reactor| of_timer.borrow_mut().push(reactor.now()));
    turn(&reactor);
    let times = times.take();
    assert_eq!(times[0], times[1]);
}

#[test]
fn outside_of_a_turn_time_passes() {
    let reactor = reactor();
    for _ in 0..2 {
        let before = reactor.now();
        while reactor.now() == before {}
        turn(&reactor);
    }
}

#[test]
fn a_task_that_wakes_itself_is_polled_once_a_turn() {
    let reactor = reactor();
    let trail = Trail::default();
    let log = trail.clone();
    reactor
        .spawn(std::future::poll_fn(move |context| {
            log.push("polled");
            context.waker().wake_by_ref();
            std::task::Poll::<()>::Pending
        }))
        .detach();
    for polled in 1..5 {
        turn(&reactor);
        assert_eq!(trail.len(), polled);
    }
}

#[test]
fn a_request_made_from_a_queue_runs_in_the_next_turn() {
    let reactor = reactor();
    let trail = Trail::default();
    let token = Rc::new(std::cell::Cell::new(None));
    let (log, own) = (trail.clone(), token.clone());
    token.set(Some(Puppet::enter(&reactor, move |reactor, method| {
        log.push(method);
        let token = own.get().unwrap();
        match method {
            "flush" => reactor.flush_later(token),
            "rescheduled" => reactor.reschedule(token),
            _ => reactor.finalize_later(token),
        }
    })));
    let token = token.get().unwrap();
    reactor.flush_later(token);
    reactor.reschedule(token);
    reactor.finalize_later(token);
    for _ in 0..3 {
        turn(&reactor);
        assert_eq!(trail.take(), ["flush", "rescheduled", "finalize"]);
    }
}

#[test]
fn timers_are_on_time_while_the_loop_spins() {
    let reactor = crate::kit::builder().spin(Duration::from_millis(2)).build().unwrap();
    let due = reactor.now() + Duration::from_millis(5);
    let waited = reactor.run_until(reactor.sleep(Duration::from_millis(5)));
    waited.unwrap();
    assert!(reactor.now() >= due);
}

/// Otherwise a handler rescheduled twice is called twice and reschedules itself four times: soon it has the loop to itself.
#[test]
fn a_handler_rescheduled_several_times_is_called_once() {
    let reactor = reactor();
    let trail = Trail::default();
    let tokens: Rc<std::cell::OnceCell<[sinew_reactor::Token; 2]>> = Rc::default();
    let both = ["one", "other"].map(|name| {
        let (log, tokens) = (trail.clone(), tokens.clone());
        Puppet::enter(&reactor, move |reactor, _| {
            log.push(name);
            let [one, other] = *tokens.get().unwrap();
            [one, other, one].iter().for_each(|token| reactor.reschedule(*token));
        })
    });
    tokens.set(both).unwrap();
    [both[0], both[1], both[0]].iter().for_each(|token| reactor.reschedule(*token));
    for turns in 0..5 {
        turn(&reactor);
        // A handler that was called may be rescheduled, by itself or the other; one still queued is called anyway.
        assert_eq!(trail.take(), ["one", "other"], "after {turns} turns");
    }
}
