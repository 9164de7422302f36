//! A life in which every callback comes: what brings each about, for scenarios that do something inside of them.

use std::time::Duration;

use super::{Fate, Line, TOO_MUCH, Told, What, World, noise};

/// The callbacks, by number, but for `connection_lost`.
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

/// Where in [`NAMES`] a callback is.
pub(crate) fn number(what: &What<'_>) -> Option<usize> {
    Some(match what {
        What::Made => 0,
        What::Data(_) => 1,
        What::ReadingResumed => 2,
        What::WritingPaused => 3,
        What::WritingResumed => 4,
        What::Timer(_) => 5,
        What::Idle => 6,
        What::Drain => 7,
        What::ReadClosed => 8,
        What::Lost(_) => return None,
    })
}

/// Brings about every callback up to the one called `name`, and does not insist: the connection may end on the way.
pub(crate) fn lead_through_life(world: &World, line: &mut Line, name: &str) {
    let transport = line.transport();
    line.far.try_send(b"x");
    transport.pause_reading();
    world.settle();
    transport.resume_reading();
    world.settle();
    if name.starts_with("writing") {
        transport.write(&noise(TOO_MUCH));
        world.settle();
        world.until("the queue to empty", || {
            line.far.take();
            transport.queued() == 0 || line.far.fate_so_far() != Fate::Open
        });
    }
    if transport.call_later(Duration::ZERO).is_some() {
        world.settle();
    }
    transport.set_idle_timeout(Duration::from_millis(1));
    world.until("the idle timeout", || {
        transport.is_closing() || line.trace.has(&Told::Idle) || line.trace.is_lost()
    });
    transport.set_idle_timeout(None);
    transport.resume_reading();
    if name == "drain_requested" {
        drop(line.port.as_ref().expect("it was accepted").drain(Duration::from_secs(1000)));
    } else {
        line.far.end();
    }
}
