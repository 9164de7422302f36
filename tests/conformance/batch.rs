//! Events of one turn: what a callback does to another connection holds for an event that has come already.

use std::{cell::RefCell, rc::Rc};

use sinew::prelude::*;

use crate::support::{Line, Lost, Script, Told, What, World, table};

table! {
    everywhere:
        aborting_another_whose_event_has_come,
        closing_another_whose_event_has_come,
        pausing_another_whose_event_has_come,
        panicking_beside_another_whose_event_has_come,
        writing_to_another_whose_event_has_come,
        all_of_many_abort_each_other;
}

/// Connections that do `act` to each of the others when they first hear something; all hear something in one batch.
fn rivals(world: &World, count: usize, act: fn(&Transport)) -> Vec<Line> {
    let all: Rc<RefCell<Vec<Transport>>> = Rc::default();
    let mut lines: Vec<_> = (0..count)
        .map(|_| {
            let all = all.clone();
            world.join(Script(move |transport: &Transport, what: What<'_>| match what {
                What::Data(_) => {
                    let others = all.take();
                    others.iter().filter(|other| *other != transport).for_each(act);
                }
                What::ReadClosed => transport.lose_connection(),
                _ => {}
            }))
        })
        .collect();
    all.borrow_mut().extend(lines.iter().map(Line::transport));
    for line in &mut lines {
        line.far.send(b"x");
    }
    world.until("the first to hear", || lines.iter().any(|line| line.trace.received() > 0));
    world.settle();
    lines
}

fn heard(lines: &[Line]) -> usize {
    lines.iter().filter(|line| line.trace.received() > 0).count()
}

fn aborting_another_whose_event_has_come(world: &World) {
    let lines = rivals(world, 2, Transport::abort);
    assert_eq!(heard(&lines), 1, "the other hears nothing any more");
    assert_eq!(
        lines.iter().filter(|line| line.trace.lost() == Some(Lost::Aborted)).count(),
        1,
        "connections that ended so"
    );
}

fn closing_another_whose_event_has_come(world: &World) {
    let lines = rivals(world, 2, Transport::lose_connection);
    assert_eq!(heard(&lines), 1, "protocols that have heard of it");
    for line in lines {
        let expected = if line.trace.received() > 0 { Lost::Done } else { Lost::Closed };
        line.far.close();
        assert_eq!(world.lost(&line.trace), expected);
    }
}

fn pausing_another_whose_event_has_come(world: &World) {
    let lines = rivals(world, 2, Transport::pause_reading);
    assert_eq!(heard(&lines), 1, "protocols that have heard of it");
    for line in &lines {
        line.transport().resume_reading();
    }
    world.until("the other", || heard(&lines) == 2);
}

fn panicking_beside_another_whose_event_has_come(world: &World) {
    let lines = rivals(world, 3, |_| panic!("the first is enough"));
    assert_eq!(heard(&lines), 3, "the others hear what is theirs");
    let panicked = lines.iter().filter(|line| line.trace.is_lost()).count();
    assert_eq!(panicked, 1, "panics");
}

fn writing_to_another_whose_event_has_come(world: &World) {
    let mut lines = rivals(world, 2, |other| {
        other.write_vectored(&[b"from", b" another"]);
    });
    assert_eq!(heard(&lines), 2, "protocols that have heard of it");
    world.until("the words", || lines.iter_mut().any(|line| line.far.take() == b"from another"));
}

fn all_of_many_abort_each_other(world: &World) {
    let lines = rivals(world, 20, Transport::abort);
    assert_eq!(heard(&lines), 1, "protocols that have heard of it");
    for line in &lines {
        let told = line.trace.told();
        let expected: &[Told] = if line.trace.received() > 0 {
            &[Told::Made, Told::Data(1)]
        } else {
            &[Told::Made, Told::Lost(Lost::Aborted)]
        };
        assert_eq!(told, expected);
    }
}
