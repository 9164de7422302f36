//! Idle timeouts and the timers of a connection. Nothing here asserts that something is quick, only that it is not early.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use sinew::prelude::*;

use crate::support::{Echo, Lost, Script, Sink, TOO_MUCH, Told, What, Width, World, noise, table};

table! {
    everywhere:
        an_idle_connection_is_closed_by_default,
        the_idle_timeout_is_never_early,
        the_idle_timeout_comes_again_and_again,
        the_idle_timeout_may_be_moved_and_taken_away,
        output_counts_as_activity,
        timers_fire_once_in_order_with_their_names,
        timers_may_be_cancelled,
        a_timer_cancelled_by_one_that_is_due_with_it_does_not_fire,
        timers_die_with_the_connection,
        timers_fire_during_a_close;
    memory:
        no_timer_comes_before_connection_made;
}

const MOMENT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(1000);

fn an_idle_connection_is_closed_by_default(world: &World) {
    let config = StreamConfig::default().idle_timeout(MOMENT);
    let start = Instant::now();
    let mut line = world.join_with(config, Width::Wide, Echo);
    world.receive_to_end(&mut line.far);
    assert!(start.elapsed() >= MOMENT, "not early");
    line.far.end();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
    let expected = [Told::Made, Told::Idle, Told::Lost(Lost::Closed)];
    assert_eq!(line.trace.told(), expected);
    assert_eq!(world.reactor().stats().timers, 0);
}

fn the_idle_timeout_is_never_early(world: &World) {
    // By the reactor's time, which a turn samples once.
    let last = Rc::new(Cell::new(None));
    let early = Rc::new(Cell::new(false));
    let too_early = early.clone();
    let config = StreamConfig::default().idle_timeout(MOMENT);
    let mut line = world.join_with(
        config,
        Width::Wide,
        Script(move |transport: &Transport, what: What<'_>| {
            let now = transport.reactor().now();
            match (what, last.get()) {
                (What::Data(_), _) => last.set(Some(now)),
                (What::Idle, Some(last)) if now - last < MOMENT => too_early.set(true),
                _ => {}
            }
        }),
    );
    let start = Instant::now();
    while start.elapsed() < 10 * MOMENT {
        line.far.send(b"x");
        world.turn();
    }
    let heard = line.trace.received();
    world.until("the idle timeout, in the end", || line.trace.has(&Told::Idle));
    assert!(heard > 0 && !early.get());
    assert!(!line.transport().is_closing());
}

fn the_idle_timeout_comes_again_and_again(world: &World) {
    let line = world.join(Script(|transport: &Transport, what: What<'_>| {
        if let What::Made = what {
            transport.set_idle_timeout(Duration::from_millis(3));
        }
    }));
    let start = Instant::now();
    world.until("several", || line.trace.count(&Told::Idle) == 4);
    assert!(start.elapsed() >= Duration::from_millis(12), "not early");
}

fn the_idle_timeout_may_be_moved_and_taken_away(world: &World) {
    let line = world.join(Script(|_: &Transport, _: What<'_>| {}));
    let transport = line.transport();
    transport.set_idle_timeout(LONG);
    transport.set_idle_timeout(MOMENT);
    transport.set_idle_timeout(Duration::MAX);
    transport.set_idle_timeout(MOMENT);
    world.until("the shorter one", || line.trace.has(&Told::Idle));
    transport.set_idle_timeout(MOMENT);
    transport.set_idle_timeout(None);
    assert_eq!(world.reactor().stats().timers, 0);
    let later = Rc::new(Cell::new(false));
    let flag = later.clone();
    world.reactor().call_later(2 * MOMENT, move |_| flag.set(true));
    world.until("time to pass", || later.get());
    assert_eq!(line.trace.count(&Told::Idle), 1);
}

fn output_counts_as_activity(world: &World) {
    let wrote = Rc::new(Cell::new(Instant::now()));
    let early = Rc::new(Cell::new(false));
    let (last, too_early) = (wrote.clone(), early.clone());
    let config = StreamConfig::default().idle_timeout(MOMENT);
    let mut line = world.join_with(
        config,
        Width::Wide,
        Script(move |_: &Transport, what: What<'_>| {
            if let What::Idle = what {
                too_early.set(too_early.get() || last.get().elapsed() < MOMENT);
            }
        }),
    );
    let start = Instant::now();
    let transport = line.transport();
    while start.elapsed() < 10 * MOMENT {
        // Noted before it is sent, which only makes the timeout later, and counted once it has been: after a pause of this
        // process the timeout is due before what is written now goes out.
        let noted = Instant::now();
        transport.write(b"x");
        world.receive(&mut line.far, 1);
        wrote.set(noted);
    }
    assert!(!early.get());
}

fn timers_fire_once_in_order_with_their_names(world: &World) {
    let made = Rc::new(RefCell::new(Vec::new()));
    let names = made.clone();
    let line = world.join(Script(move |transport: &Transport, what: What<'_>| {
        if let What::Made = what {
            for millis in [9, 1, 5, 0, 5] {
                let timer = transport.call_later(Duration::from_millis(millis));
                names.borrow_mut().push((millis, timer.expect("it is open")));
            }
        }
    }));
    world.until("five timers", || line.trace.calls() == 6);
    let mut expected = made.take();
    // Stable: those that are due together come in the order in which they were made.
    expected.sort_by_key(|(millis, _)| *millis);
    let told: Vec<_> = expected.into_iter().map(|(_, timer)| Told::Timer(timer)).collect();
    assert_eq!(line.trace.told()[1..], told);
    assert_eq!(world.reactor().stats().timers, 0);
}

fn timers_may_be_cancelled(world: &World) {
    let line = world.join(Sink);
    let transport = line.transport();
    let keep = transport.call_later(MOMENT).expect("it is open");
    let drop = transport.call_later(Duration::from_millis(1)).expect("it is open");
    assert!(transport.cancel_timer(drop) && !transport.cancel_timer(drop));
    world.until("the other one", || line.trace.has(&Told::Timer(keep)));
    assert!(!transport.cancel_timer(keep), "it has fired");
    assert_eq!(line.trace.told(), [Told::Made, Told::Timer(keep)]);
    // Another connection's timers are none of its business.
    let other = world.join(Sink);
    let foreign = other.transport().call_later(LONG).expect("it is open");
    assert!(!transport.cancel_timer(foreign));
    assert!(other.transport().cancel_timer(foreign));
}

fn a_timer_cancelled_by_one_that_is_due_with_it_does_not_fire(world: &World) {
    let timers = Rc::new(RefCell::new(Vec::new()));
    let all = timers.clone();
    let line = world.join(Script(move |transport: &Transport, what: What<'_>| {
        if let What::Timer(fired) = what {
            for timer in all.take() {
                let cancelled = transport.cancel_timer(timer);
                assert_eq!(cancelled, timer != fired);
            }
        }
    }));
    for _ in 0..3 {
        let timer = line.transport().call_later(Duration::from_millis(2));
        timers.borrow_mut().push(timer.expect("it is open"));
    }
    world.until("one of them", || line.trace.calls() > 1);
    world.settle();
    assert_eq!(line.trace.calls(), 2);
}

fn timers_die_with_the_connection(world: &World) {
    let config = StreamConfig::default().idle_timeout(LONG);
    let line = world.join_with(config, Width::Wide, Sink);
    let transport = line.transport();
    for _ in 0..10 {
        transport.call_later(LONG);
        transport.call_later(Duration::ZERO);
    }
    transport.lose_connection();
    assert!(world.reactor().stats().timers > 20);
    transport.abort();
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
    assert_eq!(world.reactor().stats().timers, 0);
    world.settle();
    assert!(line.trace.is_lost());
}

/// That is how a protocol bounds a close more tightly than `linger_timeout` does.
fn timers_fire_during_a_close(world: &World) {
    let line = world.join_with(
        StreamConfig::default(),
        Width::Narrow,
        Script(|transport: &Transport, what: What<'_>| match what {
            What::Made => {
                transport.write(&noise(TOO_MUCH));
                transport.lose_connection();
                transport.set_idle_timeout(Duration::from_millis(1));
                transport.call_later(MOMENT);
            }
            What::Timer(_) => transport.abort(),
            _ => {}
        }),
    );
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
    assert!(!line.trace.has(&Told::Idle), "a connection that closes is not idle");
}

fn no_timer_comes_before_connection_made(world: &World) {
    let config = StreamConfig::default().idle_timeout(Duration::from_millis(1));
    let protocol = world.traces.watch(Script(|_: &Transport, _: What<'_>| {}));
    let (connection, _wire) =
        sinew::transports::memory::connect(world.reactor(), config, protocol).expect("room");
    connection.transport().call_later(Duration::ZERO);
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(3) {}
    let trace = world.traces.last();
    world.until("both", || trace.has(&Told::Idle) && trace.calls() >= 3);
    assert_eq!(trace.told()[0], Told::Made);
}
