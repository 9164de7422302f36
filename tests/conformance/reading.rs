//! Pausing and resuming reading: no callbacks in between, nothing lost, and `reading_resumed` exactly when required.

use std::{cell::Cell, rc::Rc, time::Duration};

use sinew::prelude::*;

use crate::support::{Callback, Event, Lost, Script, Sink, World, noise, table};

table! {
    everywhere:
        a_pause_inside_data_received_holds_at_once,
        a_pause_in_connection_made_holds_from_the_start,
        a_timer_may_resume,
        another_connection_may_resume,
        resuming_from_inside_the_callback_that_paused,
        reading_resumed_is_told_once_for_each_pause,
        the_end_of_the_peer_waits_for_the_pause_to_end,
        a_paused_connection_lets_the_loop_sleep,
        a_paused_connection_still_writes_and_closes,
        a_half_closed_connection_lets_the_loop_sleep,
        a_pause_does_not_outlive_a_close;
    resets:
        a_reset_after_eof_is_reported;
}

/// Pauses in the first `data_received`. Send it a single byte where the amount matters.
fn pauses_once() -> impl Protocol {
    let mut paused = false;
    Script(move |transport: &Transport, what: Event<'_>| match what {
        Event::Data(_) if !paused => {
            paused = true;
            transport.pause_reading();
            assert!(!transport.is_reading());
        }
        Event::ReadClosed => transport.lose_connection(),
        _ => {}
    })
}

fn a_pause_inside_data_received_holds_at_once(world: &World) {
    let mut line = world.join(pauses_once());
    // Several reads' worth, so that the loop has more input when the pause happens.
    let bytes = noise(500_000);
    let mut sent = 0;
    world.until("the pause", || {
        sent += line.remote.try_send(&bytes[sent..]);
        line.trace.received() > 0
    });
    world.settle();
    assert_eq!(line.trace.calls(), 2, "connection_made and one data_received");
    line.remote.try_send(b"");
    sent += line.remote.try_send(&bytes[sent..]);
    world.settle();
    assert_eq!(line.trace.calls(), 2, "new input does not count either");
    line.transport().resume_reading();
    assert_eq!(line.trace.calls(), 2, "the loop resumes, not the call");
    world.until("the rest", || {
        sent += line.remote.try_send(&bytes[sent..]);
        line.trace.received() == bytes.len()
    });
    assert!(line.trace.data() == bytes);
    assert_eq!(line.trace.callbacks()[2], Callback::ReadingResumed, "before further input");
}

fn a_pause_in_connection_made_holds_from_the_start(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: Event<'_>| {
        if let Event::Made = what {
            transport.pause_reading();
        }
    }));
    line.remote.send(b"early");
    world.settle();
    assert_eq!(line.trace.callbacks(), [Callback::Made]);
    line.transport().resume_reading();
    world.until("the input", || line.trace.received() == 5);
    assert_eq!(
        line.trace.callbacks(),
        [Callback::Made, Callback::ReadingResumed, Callback::Data(5)]
    );
}

fn a_timer_may_resume(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: Event<'_>| match what {
        Event::Data(_) => {
            transport.pause_reading();
            transport.call_later(Duration::from_millis(1));
        }
        Event::Timer(_) => transport.resume_reading(),
        _ => {}
    }));
    let bytes = noise(600_000);
    world.send_all(&mut line.remote, &bytes);
    world.until("all of it", || line.trace.received() == bytes.len());
    assert!(line.trace.data() == bytes);
    let callbacks = line.trace.callbacks();
    for (at, event) in callbacks.iter().enumerate() {
        if let (Callback::Data(_), Some(next)) = (event, callbacks.get(at + 1)) {
            assert!(matches!(next, Callback::Timer(_)), "{next:?} follows the pause");
        }
    }

    // Also from a timer of the reactor.
    let mut line = world.join(pauses_once());
    line.remote.send(b"1");
    world.until("the pause", || line.trace.received() == 1);
    line.remote.send(b"two");
    let transport = line.transport();
    world.reactor().call_later(Duration::from_millis(1), move |_| transport.resume_reading());
    world.until("the rest", || line.trace.received() == 4);
}

fn another_connection_may_resume(world: &World) {
    let mut paused = world.join(pauses_once());
    let transport = paused.transport();
    let mut other = world.join(Script(move |_: &Transport, what: Event<'_>| {
        if let Event::Data(_) = what {
            transport.resume_reading();
        }
    }));
    paused.remote.send(b"1");
    world.until("the pause", || paused.trace.received() == 1);
    paused.remote.send(b"two");
    world.settle();
    assert_eq!(paused.trace.received(), 1, "bytes that were received");
    other.remote.send(b"go");
    world.until("the rest", || paused.trace.received() == 4);
    assert_eq!(paused.trace.count(&Callback::ReadingResumed), 1, "times reading_resumed was told");
}

fn resuming_from_inside_the_callback_that_paused(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: Event<'_>| {
        if let Event::Data(_) = what {
            transport.pause_reading();
            transport.resume_reading();
            assert!(transport.is_reading());
        }
    }));
    for round in 1..=3 {
        line.remote.send(b"x");
        world.until("each byte", || line.trace.received() == round);
    }
}

fn reading_resumed_is_told_once_for_each_pause(world: &World) {
    let mut line = world.join(Sink);
    let transport = line.transport();
    let resumed = || line.trace.count(&Callback::ReadingResumed);
    transport.resume_reading();
    world.settle();
    assert_eq!(resumed(), 0, "nothing was held back");
    transport.pause_reading();
    transport.pause_reading();
    world.settle();
    assert_eq!(resumed(), 0, "times writing_resumed was told");
    transport.resume_reading();
    transport.resume_reading();
    world.settle();
    assert_eq!(resumed(), 1, "pauses do not add up");
    transport.pause_reading();
    transport.resume_reading();
    transport.pause_reading();
    world.settle();
    assert_eq!(resumed(), 1, "it is paused again by the time that the loop calls it");
    transport.resume_reading();
    world.settle();
    assert_eq!(resumed(), 2, "times writing_resumed was told");
    line.remote.send(b"x");
    world.until("input", || line.trace.received() == 1);
    assert_eq!(line.trace.count(&Callback::ReadingResumed), 2, "input alone resumes nothing");
}

fn the_end_of_the_peer_waits_for_the_pause_to_end(world: &World) {
    let mut line = world.join(pauses_once());
    line.remote.send(b"1");
    world.until("the pause", || line.trace.received() == 1);
    line.remote.send(b"two");
    line.remote.end();
    world.assert_asleep();
    assert_eq!(line.trace.callbacks(), [Callback::Made, Callback::Data(1)]);
    line.transport().resume_reading();
    assert_eq!(world.lost(&line.trace), Lost::Done);
    let expected = [
        Callback::Made,
        Callback::Data(1),
        Callback::ReadingResumed,
        Callback::Data(3),
        Callback::ReadClosed,
        Callback::Lost(Lost::Done),
    ];
    assert_eq!(line.trace.callbacks(), expected);
}

fn a_paused_connection_lets_the_loop_sleep(world: &World) {
    // With unread input; with EOF; with the peer gone; with both directions closed.
    for close_write in [false, true] {
        for end_state in 0..3 {
            let mut line = world.join(pauses_once());
            if close_write {
                line.transport().close_write();
            }
            line.remote.send(b"x");
            world.until("the pause", || line.trace.received() == 1);
            line.remote.send(b"unread");
            match end_state {
                0 => {}
                1 => line.remote.end(),
                _ => line.remote.close(),
            }
            world.assert_asleep();
            assert_eq!(line.trace.calls(), 2, "after {end_state}");
        }
    }
}

fn a_paused_connection_still_writes_and_closes(world: &World) {
    let mut line = world.join(pauses_once());
    line.remote.send(b"x");
    world.until("the pause", || line.trace.received() == 1);
    line.remote.send(b"never delivered");
    let bytes = noise(500_000);
    line.transport().write(&bytes);
    assert!(world.receive(&mut line.remote, bytes.len()) == bytes);
    line.transport().lose_connection();
    world.receive_to_end(&mut line.remote);
    line.remote.end();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
    assert_eq!(line.trace.received(), 1, "bytes that were received");
}

fn a_half_closed_connection_lets_the_loop_sleep(world: &World) {
    let mut line = world.join(Script(|_: &Transport, _: Event<'_>| {}));
    line.remote.end();
    world.until("the peer's end", || line.trace.has(&Callback::ReadClosed));
    world.assert_asleep();
    line.transport().write(b"still here");
    assert_eq!(world.receive(&mut line.remote, 10), b"still here");
    world.assert_asleep();
}

/// Immediately if the engine reports it, otherwise when the socket is next used.
fn a_reset_after_eof_is_reported(world: &World) {
    let mut line = world.join(Script(|_: &Transport, _: Event<'_>| {}));
    line.remote.end();
    world.until("the peer's end", || line.trace.has(&Callback::ReadClosed));
    world.settle();
    line.remote.reset();
    assert_eq!(world.lost(&line.trace), Lost::Reset);
}

fn a_pause_does_not_outlive_a_close(world: &World) {
    let resumed = Rc::new(Cell::new(false));
    let callbacks = resumed.clone();
    let mut line = world.join(Script(move |transport: &Transport, what: Event<'_>| match what {
        Event::Data(_) => {
            transport.pause_reading();
            transport.lose_connection();
            transport.resume_reading();
        }
        Event::ReadingResumed => callbacks.set(true),
        _ => {}
    }));
    line.remote.send(b"x");
    world.receive_to_end(&mut line.remote);
    line.remote.send(b"unread");
    line.remote.end();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
    assert!(!resumed.get(), "there is nothing to resume");
}
