//! Triggers every callback of a protocol once, for scenarios that do something inside a callback.

use std::time::Duration;

use super::{Callback, EndState, Event, TOO_MUCH, TestConnection, World, noise};

/// The names of the callbacks except `connection_lost`, in order.
pub(crate) const NAMES: [&str; 9] = [
    "connection_made",
    "data_received",
    "reading_resumed",
    "writing_paused",
    "writing_resumed",
    "timer_fired",
    "idle_timeout",
    "drain_requested",
    "read_closed",
];

/// The index of a callback in [`NAMES`].
pub(crate) fn number(what: &Event<'_>) -> Option<usize> {
    Some(match what {
        Event::Made => 0,
        Event::Data(_) => 1,
        Event::ReadingResumed => 2,
        Event::WritingPaused => 3,
        Event::WritingResumed => 4,
        Event::Timer(_) => 5,
        Event::Idle => 6,
        Event::Drain => 7,
        Event::ReadClosed => 8,
        Event::Lost(_) => return None,
    })
}

/// Triggers every callback up to the one called `name`. Stops early if the connection ends.
pub(crate) fn trigger_callbacks(world: &World, line: &mut TestConnection, name: &str) {
    let transport = line.transport();
    line.remote.try_send(b"x");
    transport.pause_reading();
    world.settle();
    transport.resume_reading();
    world.settle();
    if name.starts_with("writing") {
        transport.write(&noise(TOO_MUCH));
        world.settle();
        world.until("the queue to empty", || {
            line.remote.take();
            transport.queued() == 0 || line.remote.end_state_so_far() != EndState::Open
        });
    }
    if transport.call_later(Duration::ZERO).is_some() {
        world.settle();
    }
    transport.set_idle_timeout(Duration::from_millis(1));
    world.until("the idle timeout", || {
        transport.is_closing() || line.trace.has(&Callback::Idle) || line.trace.is_lost()
    });
    transport.set_idle_timeout(None);
    transport.resume_reading();
    if name == "drain_requested" {
        line.port.as_ref().expect("it was accepted").drain(Duration::from_secs(1000)).detach();
    } else {
        line.remote.end();
    }
}
