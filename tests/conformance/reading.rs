//! Pausing and resuming: nothing in between, nothing lost, and `reading_resumed` exactly when it is owed.

use std::{cell::Cell, rc::Rc, time::Duration};

use sinew::prelude::*;

use crate::support::{Lost, Script, Sink, Told, What, World, noise, table};

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
        a_reset_after_the_end_is_heard;
}

/// Pauses in the first `data_received`. Send it a single byte where it matters how much that brings.
fn pauses_once() -> impl Protocol {
    let mut paused = false;
    Script(move |transport: &Transport, what: What<'_>| match what {
        What::Data(_) if !paused => {
            paused = true;
            transport.pause_reading();
            assert!(!transport.is_reading());
        }
        What::ReadClosed => transport.lose_connection(),
        _ => {}
    })
}

fn a_pause_inside_data_received_holds_at_once(world: &World) {
    let mut line = world.join(pauses_once());
    // Several reads' worth, so that the loop has more at hand when the pause comes.
    let bytes = noise(500_000);
    let mut sent = 0;
    world.until("the pause", || {
        sent += line.far.try_send(&bytes[sent..]);
        line.trace.received() > 0
    });
    world.settle();
    assert_eq!(line.trace.calls(), 2, "connection_made and one data_received");
    line.far.try_send(b"");
    sent += line.far.try_send(&bytes[sent..]);
    world.settle();
    assert_eq!(line.trace.calls(), 2, "new input does not count either");
    line.transport().resume_reading();
    assert_eq!(line.trace.calls(), 2, "the loop resumes, not the call");
    world.until("the rest", || {
        sent += line.far.try_send(&bytes[sent..]);
        line.trace.received() == bytes.len()
    });
    assert!(line.trace.data() == bytes);
    assert_eq!(line.trace.told()[2], Told::ReadingResumed, "before further input");
}

fn a_pause_in_connection_made_holds_from_the_start(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: What<'_>| {
        if let What::Made = what {
            transport.pause_reading();
        }
    }));
    line.far.send(b"early");
    world.settle();
    assert_eq!(line.trace.told(), [Told::Made]);
    line.transport().resume_reading();
    world.until("the input", || line.trace.received() == 5);
    assert_eq!(line.trace.told(), [Told::Made, Told::ReadingResumed, Told::Data(5)]);
}

fn a_timer_may_resume(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: What<'_>| match what {
        What::Data(_) => {
            transport.pause_reading();
            transport.call_later(Duration::from_millis(1));
        }
        What::Timer(_) => transport.resume_reading(),
        _ => {}
    }));
    let bytes = noise(600_000);
    world.send_all(&mut line.far, &bytes);
    world.until("all of it", || line.trace.received() == bytes.len());
    assert!(line.trace.data() == bytes);
    let told = line.trace.told();
    for (at, event) in told.iter().enumerate() {
        if let (Told::Data(_), Some(next)) = (event, told.get(at + 1)) {
            assert!(matches!(next, Told::Timer(_)), "{next:?} follows the pause");
        }
    }

    // One of the reactor's, too.
    let mut line = world.join(pauses_once());
    line.far.send(b"1");
    world.until("the pause", || line.trace.received() == 1);
    line.far.send(b"two");
    let transport = line.transport();
    world.reactor().call_later(Duration::from_millis(1), move |_| transport.resume_reading());
    world.until("the rest", || line.trace.received() == 4);
}

fn another_connection_may_resume(world: &World) {
    let mut paused = world.join(pauses_once());
    let transport = paused.transport();
    let mut other = world.join(Script(move |_: &Transport, what: What<'_>| {
        if let What::Data(_) = what {
            transport.resume_reading();
        }
    }));
    paused.far.send(b"1");
    world.until("the pause", || paused.trace.received() == 1);
    paused.far.send(b"two");
    world.settle();
    assert_eq!(paused.trace.received(), 1, "bytes that were received");
    other.far.send(b"go");
    world.until("the rest", || paused.trace.received() == 4);
    assert_eq!(paused.trace.count(&Told::ReadingResumed), 1, "times reading_resumed was told");
}

fn resuming_from_inside_the_callback_that_paused(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: What<'_>| {
        if let What::Data(_) = what {
            transport.pause_reading();
            transport.resume_reading();
            assert!(transport.is_reading());
        }
    }));
    for round in 1..=3 {
        line.far.send(b"x");
        world.until("each byte", || line.trace.received() == round);
    }
}

fn reading_resumed_is_told_once_for_each_pause(world: &World) {
    let mut line = world.join(Sink);
    let transport = line.transport();
    let resumed = || line.trace.count(&Told::ReadingResumed);
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
    assert_eq!(resumed(), 1, "it is paused again by the time that the loop comes by");
    transport.resume_reading();
    world.settle();
    assert_eq!(resumed(), 2, "times writing_resumed was told");
    line.far.send(b"x");
    world.until("input", || line.trace.received() == 1);
    assert_eq!(line.trace.count(&Told::ReadingResumed), 2, "input alone resumes nothing");
}

fn the_end_of_the_peer_waits_for_the_pause_to_end(world: &World) {
    let mut line = world.join(pauses_once());
    line.far.send(b"1");
    world.until("the pause", || line.trace.received() == 1);
    line.far.send(b"two");
    line.far.end();
    world.assert_asleep();
    assert_eq!(line.trace.told(), [Told::Made, Told::Data(1)]);
    line.transport().resume_reading();
    assert_eq!(world.lost(&line.trace), Lost::Done);
    let expected = [
        Told::Made,
        Told::Data(1),
        Told::ReadingResumed,
        Told::Data(3),
        Told::ReadClosed,
        Told::Lost(Lost::Done),
    ];
    assert_eq!(line.trace.told(), expected);
}

fn a_paused_connection_lets_the_loop_sleep(world: &World) {
    // With unread input; with the peer's end; with the peer gone altogether; with both ends closed.
    for close_write in [false, true] {
        for fate in 0..3 {
            let mut line = world.join(pauses_once());
            if close_write {
                line.transport().close_write();
            }
            line.far.send(b"x");
            world.until("the pause", || line.trace.received() == 1);
            line.far.send(b"unread");
            match fate {
                0 => {}
                1 => line.far.end(),
                _ => line.far.close(),
            }
            world.assert_asleep();
            assert_eq!(line.trace.calls(), 2, "fate {fate}");
        }
    }
}

fn a_paused_connection_still_writes_and_closes(world: &World) {
    let mut line = world.join(pauses_once());
    line.far.send(b"x");
    world.until("the pause", || line.trace.received() == 1);
    line.far.send(b"never delivered");
    let bytes = noise(500_000);
    line.transport().write(&bytes);
    assert!(world.receive(&mut line.far, bytes.len()) == bytes);
    line.transport().lose_connection();
    world.receive_to_end(&mut line.far);
    line.far.end();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
    assert_eq!(line.trace.received(), 1, "bytes that were received");
}

fn a_half_closed_connection_lets_the_loop_sleep(world: &World) {
    let mut line = world.join(Script(|_: &Transport, _: What<'_>| {}));
    line.far.end();
    world.until("the peer's end", || line.trace.has(&Told::ReadClosed));
    world.assert_asleep();
    line.transport().write(b"still here");
    assert_eq!(world.receive(&mut line.far, 10), b"still here");
    world.assert_asleep();
}

/// At once where the engine tells of it, else when the socket is looked at next.
fn a_reset_after_the_end_is_heard(world: &World) {
    let mut line = world.join(Script(|_: &Transport, _: What<'_>| {}));
    line.far.end();
    world.until("the peer's end", || line.trace.has(&Told::ReadClosed));
    world.settle();
    line.far.reset();
    assert_eq!(world.lost(&line.trace), Lost::Reset);
}

fn a_pause_does_not_outlive_a_close(world: &World) {
    let resumed = Rc::new(Cell::new(false));
    let told = resumed.clone();
    let mut line = world.join(Script(move |transport: &Transport, what: What<'_>| match what {
        What::Data(_) => {
            transport.pause_reading();
            transport.lose_connection();
            transport.resume_reading();
        }
        What::ReadingResumed => told.set(true),
        _ => {}
    }));
    line.far.send(b"x");
    world.receive_to_end(&mut line.far);
    line.far.send(b"unread");
    line.far.end();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
    assert!(!resumed.get(), "there is nothing to resume");
}
