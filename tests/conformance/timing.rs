//! Idle timeouts and connection timers. No assertion that anything is fast, only that it is not early.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use sinew::prelude::*;

use crate::support::{
    Callback, Echo, Event, Lost, Script, Sink, TOO_MUCH, TestConnection, Width, World, noise, table,
};

table! {
    everywhere:
        an_idle_connection_is_closed_by_default,
        the_idle_timeout_is_never_early,
        the_idle_timeout_repeats,
        the_idle_timeout_can_be_changed_and_removed,
        output_counts_as_activity,
        a_zero_idle_timeout_is_one_tick,
        a_read_timeout_counts_what_is_received_alone,
        a_read_timeout_does_not_count_while_input_is_held_back,
        the_last_timeout_set_applies,
        timers_fire_once_in_order_with_their_ids,
        timers_may_be_cancelled,
        a_timer_cancelled_by_one_that_is_due_with_it_does_not_fire,
        timers_are_cancelled_with_the_connection,
        timers_fire_during_a_close;
    memory:
        no_timer_fires_before_connection_made;
}

const MOMENT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(1000);

fn an_idle_connection_is_closed_by_default(world: &World) {
    let config = StreamConfig::default().idle_timeout(MOMENT);
    let start = Instant::now();
    let mut line = world.join_with(config, Width::Wide, Echo);
    world.receive_to_end(&mut line.remote);
    assert!(start.elapsed() >= MOMENT, "not early");
    line.remote.end();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
    let expected = [Callback::Made, Callback::Idle, Callback::Lost(Lost::Closed)];
    assert_eq!(line.trace.callbacks(), expected);
    assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
}

fn the_idle_timeout_is_never_early(world: &World) {
    // By the reactor's time, which is sampled once per turn.
    let last = Rc::new(Cell::new(None));
    let early = Rc::new(Cell::new(false));
    let too_early = early.clone();
    let config = StreamConfig::default().idle_timeout(MOMENT);
    let mut line = world.join_with(
        config,
        Width::Wide,
        Script(move |transport: &Transport, what: Event<'_>| {
            let now = transport.reactor().unwrap().now();
            match (what, last.get()) {
                (Event::Data(_), _) => last.set(Some(now)),
                (Event::Idle, Some(last)) if now - last < MOMENT => too_early.set(true),
                _ => {}
            }
        }),
    );
    let start = Instant::now();
    while start.elapsed() < 10 * MOMENT {
        line.remote.send(b"x");
        world.turn();
    }
    let heard = line.trace.received();
    world.until("the idle timeout, in the end", || line.trace.has(&Callback::Idle));
    assert!(heard > 0 && !early.get());
    assert!(!line.transport().is_closing());
}

fn the_idle_timeout_repeats(world: &World) {
    let line = world.join(Script(|transport: &Transport, what: Event<'_>| {
        if let Event::Made = what {
            transport.set_idle_timeout(Duration::from_millis(3));
        }
    }));
    let start = Instant::now();
    world.until("several", || line.trace.count(&Callback::Idle) == 4);
    assert!(start.elapsed() >= Duration::from_millis(12), "not early");
}

fn the_idle_timeout_can_be_changed_and_removed(world: &World) {
    let line = world.join(Script(|_: &Transport, _: Event<'_>| {}));
    let transport = line.transport();
    transport.set_idle_timeout(LONG);
    transport.set_idle_timeout(MOMENT);
    transport.set_idle_timeout(Duration::MAX);
    transport.set_idle_timeout(MOMENT);
    world.until("the shorter one", || line.trace.has(&Callback::Idle));
    transport.set_idle_timeout(MOMENT);
    transport.set_idle_timeout(None);
    assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
    let later = Rc::new(Cell::new(false));
    let flag = later.clone();
    world.reactor().call_later(2 * MOMENT, move |_| flag.set(true));
    world.until("time to pass", || later.get());
    assert_eq!(line.trace.count(&Callback::Idle), 1, "times idle_timeout was told");
}

/// A lingering connection has no idle timeout, and one whose timeout was removed does not affect others.
fn a_zero_idle_timeout_is_one_tick(world: &World) {
    let line = world.join(Script(|transport: &Transport, what: Event<'_>| {
        if let Event::Made = what {
            transport.set_idle_timeout(Duration::ZERO);
        }
    }));
    let began = (Instant::now(), world.reactor().stats().turns);
    world.until("several", || line.trace.count(&Callback::Idle) == 5);
    assert!(began.0.elapsed() >= Duration::from_millis(4), "a tick each");
    let transport = line.transport();
    transport.lose_connection();
    // The remote end neither reads nor closes. Only the linger timeout is left, if there is one.
    let callbacks = line.trace.count(&Callback::Idle);
    let later = Rc::new(Cell::new(false));
    let flag = later.clone();
    world.reactor().call_later(MOMENT, move |_| flag.set(true));
    world.until("time to pass", || later.get());
    assert!(line.trace.count(&Callback::Idle) <= callbacks + 1);
    assert!(world.reactor().stats().timers <= 1);
}

/// Measured with the reactor's clock: the time since the last received data at each idle timeout.
fn silences(world: &World, config: StreamConfig) -> (TestConnection, Rc<RefCell<Vec<Duration>>>) {
    let (heard, idle) = (Rc::new(Cell::new(None)), Rc::<RefCell<Vec<Duration>>>::default());
    let log = idle.clone();
    let line = world.join_with(
        config,
        Width::Wide,
        Script(move |transport: &Transport, what: Event<'_>| {
            let now = transport.reactor().unwrap().now();
            match what {
                Event::Made | Event::Data(_) => heard.set(Some(now)),
                Event::Idle => log.borrow_mut().push(now - heard.get().expect("it is made")),
                _ => {}
            }
        }),
    );
    (line, idle)
}

/// A connection that only receives no data is idle, even if it sends.
fn a_read_timeout_counts_what_is_received_alone(world: &World) {
    let (mut line, idle) = silences(world, StreamConfig::default().read_timeout(MOMENT));
    let transport = line.transport();
    world.until("an end to the silence", || {
        transport.write(b"x");
        line.remote.take();
        !idle.borrow().is_empty()
    });
    let start = Instant::now();
    while start.elapsed() < 5 * MOMENT {
        line.remote.send(b"x");
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
    line.remote.send(b"waits");
    world.reactor().call_later(4 * MOMENT, move |_| flag.set(true));
    world.until("time to pass", || later.get());
    assert!(idle.borrow().is_empty(), "it was not its silence");
    let resumed = Instant::now();
    transport.resume_reading();
    world.until("silence", || !idle.borrow().is_empty());
    assert!(resumed.elapsed() >= MOMENT, "all of it anew");
    assert_eq!(line.trace.data(), b"waits");
}

fn the_last_timeout_set_applies(world: &World) {
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
        line.remote.take();
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
        Script(move |_: &Transport, what: Event<'_>| {
            if let Event::Idle = what {
                too_early.set(too_early.get() || last.get().elapsed() < MOMENT);
            }
        }),
    );
    let start = Instant::now();
    let transport = line.transport();
    while start.elapsed() < 10 * MOMENT {
        // Recorded before sending, which can only make the timeout later, and counted afterwards: if this process is
        // suspended, the timeout may be due before the data are sent.
        let noted = Instant::now();
        transport.write(b"x");
        world.receive(&mut line.remote, 1);
        wrote.set(noted);
    }
    assert!(!early.get());
}

fn timers_fire_once_in_order_with_their_ids(world: &World) {
    let made = Rc::new(RefCell::new(Vec::new()));
    let names = made.clone();
    let line = world.join(Script(move |transport: &Transport, what: Event<'_>| {
        if let Event::Made = what {
            for millis in [9, 1, 5, 0, 5] {
                let timer = transport.call_later(Duration::from_millis(millis));
                names.borrow_mut().push((millis, timer.expect("it is open")));
            }
        }
    }));
    world.until("five timers", || line.trace.calls() == 6);
    let mut expected = made.take();
    // Stable: timers due at the same time fire in the order in which they were created.
    expected.sort_by_key(|(millis, _)| *millis);
    let callbacks: Vec<_> = expected.into_iter().map(|(_, timer)| Callback::Timer(timer)).collect();
    assert_eq!(line.trace.callbacks()[1..], callbacks);
    assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
}

fn timers_may_be_cancelled(world: &World) {
    let line = world.join(Sink);
    let transport = line.transport();
    let keep = transport.call_later(MOMENT).expect("it is open");
    let drop = transport.call_later(Duration::from_millis(1)).expect("it is open");
    assert!(transport.cancel_timer(drop) && !transport.cancel_timer(drop));
    world.until("the other one", || line.trace.has(&Callback::Timer(keep)));
    assert!(!transport.cancel_timer(keep), "it has fired");
    assert_eq!(line.trace.callbacks(), [Callback::Made, Callback::Timer(keep)]);
    // Timers of another connection are not affected.
    let other = world.join(Sink);
    let foreign = other.transport().call_later(LONG).expect("it is open");
    assert!(!transport.cancel_timer(foreign));
    assert!(other.transport().cancel_timer(foreign));
}

fn a_timer_cancelled_by_one_that_is_due_with_it_does_not_fire(world: &World) {
    let timers = Rc::new(RefCell::new(Vec::new()));
    let all = timers.clone();
    let line = world.join(Script(move |transport: &Transport, what: Event<'_>| {
        if let Event::Timer(fired) = what {
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

fn timers_are_cancelled_with_the_connection(world: &World) {
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

/// A protocol can bound a close more tightly than `linger_timeout` this way.
fn timers_fire_during_a_close(world: &World) {
    let line = world.join_with(
        StreamConfig::default(),
        Width::Narrow,
        Script(|transport: &Transport, what: Event<'_>| match what {
            Event::Made => {
                transport.write(&noise(TOO_MUCH));
                transport.lose_connection();
                transport.set_idle_timeout(Duration::from_millis(1));
                transport.call_later(MOMENT);
            }
            Event::Timer(_) => transport.abort(),
            _ => {}
        }),
    );
    assert_eq!(world.lost(&line.trace), Lost::Aborted);
    assert!(!line.trace.has(&Callback::Idle), "a connection that closes is not idle");
}

fn no_timer_fires_before_connection_made(world: &World) {
    let config = StreamConfig::default().idle_timeout(Duration::from_millis(1));
    let protocol = world.traces.watch(Script(|_: &Transport, _: Event<'_>| {}));
    let (connection, _wire) =
        sinew::transports::memory::connect(world.reactor(), config, protocol).expect("room");
    connection.transport().call_later(Duration::ZERO);
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(3) {}
    let trace = world.traces.last();
    world.until("both", || trace.has(&Callback::Idle) && trace.calls() >= 3);
    assert_eq!(trace.callbacks()[0], Callback::Made);
}
