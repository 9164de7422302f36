//! Events of one turn: an action on another connection also applies to an event that has already been reported for
//! it.

use std::{cell::RefCell, rc::Rc};

use sinew::prelude::*;

use crate::support::{Callback, Event, Lost, Script, TestConnection, World, table};

table! {
    everywhere:
        aborting_a_connection_with_a_reported_event,
        closing_a_connection_with_a_reported_event,
        pausing_a_connection_with_a_reported_event,
        panicking_beside_a_connection_with_a_reported_event,
        writing_to_a_connection_with_a_reported_event,
        connections_abort_each_other;
}

/// Connections that apply `act` to each other on the first input; all receive input in one batch.
fn rivals(world: &World, count: usize, act: fn(&Transport)) -> Vec<TestConnection> {
    let all: Rc<RefCell<Vec<Transport>>> = Rc::default();
    let mut lines: Vec<_> = (0..count)
        .map(|_| {
            let all = all.clone();
            world.join(Script(move |transport: &Transport, what: Event<'_>| match what {
                Event::Data(_) => {
                    let others = all.take();
                    others.iter().filter(|other| *other != transport).for_each(act);
                }
                Event::ReadClosed => transport.lose_connection(),
                _ => {}
            }))
        })
        .collect();
    all.borrow_mut().extend(lines.iter().map(TestConnection::transport));
    for line in &mut lines {
        line.remote.send(b"x");
    }
    world.until("the first to hear", || lines.iter().any(|line| line.trace.received() > 0));
    world.settle();
    lines
}

fn heard(lines: &[TestConnection]) -> usize {
    lines.iter().filter(|line| line.trace.received() > 0).count()
}

fn aborting_a_connection_with_a_reported_event(world: &World) {
    let lines = rivals(world, 2, Transport::abort);
    assert_eq!(heard(&lines), 1, "the other hears nothing any more");
    assert_eq!(
        lines.iter().filter(|line| line.trace.lost() == Some(Lost::Aborted)).count(),
        1,
        "connections that ended so"
    );
}

fn closing_a_connection_with_a_reported_event(world: &World) {
    let lines = rivals(world, 2, Transport::lose_connection);
    assert_eq!(heard(&lines), 1, "protocols that have heard of it");
    for line in lines {
        let expected = if line.trace.received() > 0 { Lost::Done } else { Lost::Closed };
        line.remote.close();
        assert_eq!(world.lost(&line.trace), expected);
    }
}

fn pausing_a_connection_with_a_reported_event(world: &World) {
    let lines = rivals(world, 2, Transport::pause_reading);
    assert_eq!(heard(&lines), 1, "protocols that have heard of it");
    for line in &lines {
        line.transport().resume_reading();
    }
    world.until("the other", || heard(&lines) == 2);
}

fn panicking_beside_a_connection_with_a_reported_event(world: &World) {
    let lines = rivals(world, 3, |_| panic!("the first is enough"));
    assert_eq!(heard(&lines), 3, "the others hear what is theirs");
    let panicked = lines.iter().filter(|line| line.trace.is_lost()).count();
    assert_eq!(panicked, 1, "panics");
}

fn writing_to_a_connection_with_a_reported_event(world: &World) {
    let mut lines = rivals(world, 2, |other| {
        other.write_vectored(&[b"from", b" another"]);
    });
    assert_eq!(heard(&lines), 2, "protocols that have heard of it");
    world.until("the words", || lines.iter_mut().any(|line| line.remote.take() == b"from another"));
}

fn connections_abort_each_other(world: &World) {
    let lines = rivals(world, 20, Transport::abort);
    assert_eq!(heard(&lines), 1, "protocols that have heard of it");
    for line in &lines {
        let callbacks = line.trace.callbacks();
        let expected: &[Callback] = if line.trace.received() > 0 {
            &[Callback::Made, Callback::Data(1)]
        } else {
            &[Callback::Made, Callback::Lost(Lost::Aborted)]
        };
        assert_eq!(callbacks, expected);
    }
}
