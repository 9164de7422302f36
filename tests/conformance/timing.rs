//! Idle timeouts and the timers of a connection. Nothing here asserts that something is quick, only that it is not early.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use sinew::prelude::*;

use crate::support::{
    Echo, Line, Lost, Script, Sink, TOO_MUCH, Told, What, Width, World, noise, table,
};

table! {
    everywhere:
        an_idle_connection_is_closed_by_default,
        the_idle_timeout_is_never_early,
        the_idle_timeout_comes_again_and_again,
        the_idle_timeout_may_be_moved_and_taken_away,
        output_counts_as_activity,
        no_time_at_all_is_a_tick_and_ends_with_the_close,
        a_read_timeout_counts_what_is_received_alone,
        a_read_timeout_does_not_count_while_input_is_held_back,
        the_timeout_that_was_set_last_counts,
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
    assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
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
            let now = transport.reactor().unwrap().now();
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
    assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
    let later = Rc::new(Cell::new(false));
    let flag = later.clone();
    world.reactor().call_later(2 * MOMENT, move |_| flag.set(true));
    world.until("time to pass", || later.get());
    assert_eq!(line.trace.count(&Told::Idle), 1, "times idle_timeout was told");
}

/// A connection that lingers has no timeout any more, and one without time leaves some to all others.
fn no_time_at_all_is_a_tick_and_ends_with_the_close(world: &World) {
    let line = world.join(Script(|transport: &Transport, what: What<'_>| {
        if let What::Made = what {
            transport.set_idle_timeout(Duration::ZERO);
        }
    }));
    let began = (Instant::now(), world.reactor().stats().turns);
    world.until("several", || line.trace.count(&Told::Idle) == 5);
    assert!(began.0.elapsed() >= Duration::from_millis(4), "a tick each");
    let transport = line.transport();
    transport.lose_connection();
    // The far end neither reads nor ends its side. What is left is the bound of the close, if there is one.
    let told = line.trace.count(&Told::Idle);
    let later = Rc::new(Cell::new(false));
    let flag = later.clone();
    world.reactor().call_later(MOMENT, move |_| flag.set(true));
    world.until("time to pass", || later.get());
    assert!(line.trace.count(&Told::Idle) <= told + 1);
    assert!(world.reactor().stats().timers <= 1);
}

/// By the reactor's clock: how long after the last bytes that it received a connection was idle, each time.
fn silences(world: &World, config: StreamConfig) -> (Line, Rc<RefCell<Vec<Duration>>>) {
    let (heard, idle) = (Rc::new(Cell::new(None)), Rc::<RefCell<Vec<Duration>>>::default());
    let log = idle.clone();
    let line = world.join_with(
        config,
        Width::Wide,
        Script(move |transport: &Transport, what: What<'_>| {
            let now = transport.reactor().unwrap().now();
            match what {
                What::Made | What::Data(_) => heard.set(Some(now)),
                What::Idle => log.borrow_mut().push(now - heard.get().expect("it is made")),
                _ => {}
            }
        }),
    );
    (line, idle)
}

/// A silent member of a busy room is idle.
fn a_read_timeout_counts_what_is_received_alone(world: &World) {
    let (mut line, idle) = silences(world, StreamConfig::default().read_timeout(MOMENT));
    let transport = line.transport();
    world.until("an end to the silence", || {
        transport.write(b"x");
        line.far.take();
        !idle.borrow().is_empty()
    });
    let start = Instant::now();
    while start.elapsed() < 5 * MOMENT {
        line.far.send(b"x");
        world.turn();
    }
    assert!(idle.borrow().iter().all(|silent| *silent >= MOMENT), "{:?}", idle.borrow());
    assert!(!transport.is_closing());
}

fn a_read_timeout_does_not_count_while_input_is_held_back(world: &World) {
    let (mut line, idle) = silences(world, StreamConfig::default().read_timeout(MOMENT));
    let transport = line.transport();
    transport.pause_reading();
    let later = Rc::new(Cell::new(false));
    let flag = later.clone();
    line.far.send(b"waits");
    world.reactor().call_later(4 * MOMENT, move |_| flag.set(true));
    world.until("time to pass", || later.get());
    assert!(idle.borrow().is_empty(), "it was not its silence");
    let resumed = Instant::now();
    transport.resume_reading();
    world.until("silence", || !idle.borrow().is_empty());
    assert!(resumed.elapsed() >= MOMENT, "all of it anew");
    assert_eq!(line.trace.data(), b"waits");
}

fn the_timeout_that_was_set_last_counts(world: &World) {
    let (mut line, idle) = silences(world, StreamConfig::default().read_timeout(LONG));
    let transport = line.transport();
    transport.set_read_timeout(MOMENT);
    transport.set_idle_timeout(LONG);
    let later = Rc::new(Cell::new(false));
    let flag = later.clone();
    world.reactor().call_later(2 * MOMENT, move |_| flag.set(true));
    world.until("time to pass", || later.get());
    assert!(idle.borrow().is_empty(), "the first one has gone");
    transport.set_read_timeout(None);
    assert_eq!(world.reactor().stats().timers, 0, "either takes away the other");
    transport.set_idle_timeout(LONG);
    transport.set_read_timeout(MOMENT);
    world.until("silence", || {
        transport.write(b"x");
        line.far.take();
        !idle.borrow().is_empty()
    });
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
    assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
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
    assert_eq!(line.trace.calls(), 2, "callbacks");
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
    assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
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
