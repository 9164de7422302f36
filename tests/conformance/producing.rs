//! Pull producers: called when there is room, one after another, until they are done or the connection is lost.

use std::{cell::Cell, rc::Rc};

use sinew::prelude::*;

use crate::support::{EndState, Event, Lost, Pull, Script, Sink, Width, World, table};

table! {
    everywhere:
        producers_run_one_after_another,
        a_producer_runs_only_while_there_is_room,
        a_waiting_producer_waits_until_it_is_resumed,
        a_resume_inside_the_producer_is_not_lost,
        a_close_waits_for_the_producers,
        a_close_does_not_wait_for_ever,
        close_write_waits_for_the_producers,
        a_producer_may_end_its_connection,
        a_producer_may_hand_over_to_another,
        producers_are_dropped_with_the_connection,
        a_refused_producer_is_dropped_by_the_loop,
        a_producer_that_panics_ends_its_connection,
        an_endless_producer_is_fair;
}

/// Produces `pieces` pieces of `len` bytes of the number `mark`.
pub(super) fn pieces(mark: u8, len: usize, pieces: usize) -> impl Producer {
    let mut left = pieces;
    Pull(move |transport: &Transport| {
        transport.write(&vec![mark; len]);
        left -= 1;
        if left == 0 { Production::Done } else { Production::More }
    })
}

fn producers_run_one_after_another(world: &World) {
    let mut line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    let transport = line.transport();
    transport.write(b"0000");
    assert!(transport.stream(pieces(b'1', 1, 5)));
    assert!(transport.stream(pieces(b'2', 30_000, 10)));
    assert!(transport.stream(pieces(b'3', 1, 5)));
    let received = world.receive(&mut line.remote, 300_014);
    let mut expected = b"000011111".to_vec();
    expected.extend(vec![b'2'; 300_000]);
    expected.extend(b"33333");
    assert!(received == expected);
    assert!(!transport.is_closing());
    world.assert_asleep();
}

fn a_producer_runs_only_while_there_is_room(world: &World) {
    let most = Rc::new(Cell::new(0));
    let seen = most.clone();
    let asked = Rc::new(Cell::new(0));
    let count = asked.clone();
    let line = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    line.transport().stream(Pull(move |transport: &Transport| {
        seen.set(seen.get().max(transport.queued()));
        count.set(count.get() + 1);
        transport.write(&[0; 5_000]);
        Production::More
    }));
    world.settle();
    world.assert_asleep();
    assert!(most.get() <= 16 * 1024, "asked with {} bytes queued", most.get());
    let before = asked.get();
    world.settle();
    assert_eq!(asked.get(), before, "the peer does not read");
    assert!(line.transport().queued() <= 16 * 1024 + 5_000);
}

fn a_waiting_producer_waits_until_it_is_resumed(world: &World) {
    let asked = Rc::new(Cell::new(0));
    let count = asked.clone();
    let mut line = world.join(Sink);
    let transport = line.transport();
    transport.resume_producing();
    transport.stream(Pull(move |transport: &Transport| {
        count.set(count.get() + 1);
        match count.get() {
            1 | 2 => Production::Waiting,
            3 => {
                transport.write(b"at last");
                Production::Waiting
            }
            _ => Production::Done,
        }
    }));
    transport.stream(pieces(b'!', 1, 1));
    for round in 1..=4 {
        world.settle();
        assert_eq!(asked.get(), round);
        world.assert_asleep();
        if round < 3 {
            assert_eq!(line.remote.take(), b"", "those behind it wait, too");
        }
        transport.resume_producing();
    }
    assert_eq!(world.receive(&mut line.remote, 8), b"at last!");
    world.settle();
    assert_eq!(asked.get(), 4, "it is done");
}

fn a_resume_inside_the_producer_is_not_lost(world: &World) {
    let mut left = 3;
    let mut line = world.join(Sink);
    line.transport().stream(Pull(move |transport: &Transport| {
        transport.write(b"x");
        transport.resume_producing();
        left -= 1;
        if left == 0 { Production::Done } else { Production::Waiting }
    }));
    assert_eq!(world.receive(&mut line.remote, 3), b"xxx");
}

fn a_close_waits_for_the_producers(world: &World) {
    for width in [Width::Wide, Width::Narrow] {
        let mut line = world.join_with(
            StreamConfig::default(),
            width,
            Script(|transport: &Transport, what: Event<'_>| {
                if let Event::Made = what {
                    transport.write(b"0");
                    transport.stream(pieces(b'1', 50_000, 20));
                    transport.stream(pieces(b'2', 1, 1));
                    transport.lose_connection();
                    assert_eq!(transport.write(b"refused"), WriteStatus::Closed);
                    assert!(!transport.stream(pieces(b'3', 1, 1)));
                }
            }),
        );
        let (received, end_state) = world.receive_to_end(&mut line.remote);
        assert_eq!((received.len(), end_state), (1_000_002, EndState::Ended), "{width:?}");
        assert!(received.starts_with(b"01") && received.ends_with(b"12"));
        line.remote.close();
        assert_eq!(world.lost(&line.trace), Lost::Closed);
    }
}

fn a_close_does_not_wait_for_ever(world: &World) {
    let config = StreamConfig::default().linger_timeout(std::time::Duration::from_millis(30));
    let line = world.join_with(config, Width::Wide, Sink);
    line.transport().stream(Pull(|_: &Transport| Production::Waiting));
    line.transport().lose_connection();
    assert_eq!(world.lost(&line.trace), Lost::TimedOut);
}

fn close_write_waits_for_the_producers(world: &World) {
    let mut line = world.join(Sink);
    let transport = line.transport();
    transport.stream(pieces(b'1', 50_000, 20));
    transport.close_write();
    assert_eq!(transport.write(b"refused"), WriteStatus::Closed);
    let (received, end_state) = world.receive_to_end(&mut line.remote);
    assert_eq!((received.len(), end_state), (1_000_000, EndState::Ended));
    line.remote.send(b"input goes on");
    world.until("input", || line.trace.received() == 13);
}

fn a_producer_may_end_its_connection(world: &World) {
    type End = fn(&Transport);
    let ends: [(End, Lost); 3] = [
        (Transport::abort, Lost::Aborted),
        (Transport::lose_connection, Lost::Closed),
        (|transport| transport.fail("enough"), Lost::Protocol("enough".to_owned())),
    ];
    for (end, expected) in ends {
        let asked = Rc::new(Cell::new(0));
        let count = asked.clone();
        let line = world.join(Sink);
        line.transport().stream(Pull(move |transport: &Transport| {
            count.set(count.get() + 1);
            if count.get() == 1 {
                end(transport);
            }
            if count.get() == 3 { Production::Done } else { Production::More }
        }));
        line.remote.close();
        assert_eq!(world.lost(&line.trace), expected);
        let more = if expected == Lost::Aborted { 1 } else { 3 };
        assert_eq!(
            asked.get(),
            more,
            "{expected:?}: a graceful close hears it out, an abort does not"
        );
    }
}

fn a_producer_may_hand_over_to_another(world: &World) {
    let mut line = world.join(Sink);
    line.transport().stream(Pull(|transport: &Transport| {
        transport.write(b"head ");
        assert!(transport.stream(pieces(b'x', 1, 4)));
        transport.write(b"body ");
        Production::Done
    }));
    line.transport().lose_connection();
    assert_eq!(world.receive_to_end(&mut line.remote).0, b"head body xxxx");
}

/// A producer that never finishes, and counts its drops.
struct Tells(Rc<Cell<usize>>);

impl Producer for Tells {
    fn produce(&mut self, _: &Transport) -> Production {
        Production::Waiting
    }
}

impl Drop for Tells {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

fn producers_are_dropped_with_the_connection(world: &World) {
    let dropped = Rc::new(Cell::new(0));
    let line = world.join(Sink);
    let transport = line.transport();
    transport.stream(Tells(dropped.clone()));
    transport.stream(Tells(dropped.clone()));
    world.settle();
    transport.abort();
    assert_eq!(dropped.get(), 0, "not inside the call");
    world.lost(&line.trace);
    assert_eq!(dropped.get(), 2, "although the transport is still held");
}

fn a_refused_producer_is_dropped_by_the_loop(world: &World) {
    let dropped = Rc::new(Cell::new(0));
    let line = world.join(Sink);
    let transport = line.transport();
    transport.lose_connection();
    assert!(!transport.stream(Tells(dropped.clone())));
    assert_eq!(dropped.get(), 0, "a drop may be user code");
    world.until("the loop", || dropped.get() == 1);
}

fn a_producer_that_panics_ends_its_connection(world: &World) {
    struct Bad;
    impl Producer for Bad {
        fn produce(&mut self, _: &Transport) -> Production {
            panic!("no more ideas");
        }
    }
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("and badly dropped");
        }
    }
    let mut line = world.join(Sink);
    let mut other = world.join(crate::support::Echo);
    line.transport().write(b"queued before");
    line.transport().stream(Bad);
    line.transport().stream(Pull(|_: &Transport| Production::Waiting));
    assert_eq!(world.lost(&line.trace), Lost::Panicked("no more ideas".to_owned()));
    assert!(line.trace.is_dropped());
    let (_, end_state) = world.receive_to_end(&mut line.remote);
    world.link.assert_aborted(end_state, "by the panic");
    other.remote.send(b"others go on");
    world.receive(&mut other.remote, 12);
}

fn an_endless_producer_is_fair(world: &World) {
    let mut line = world.join(Sink);
    line.transport().stream(Pull(|transport: &Transport| {
        transport.write(&[0; 100]);
        Production::More
    }));
    // The canary of `settle` is another connection, and gets its answers.
    for _ in 0..10 {
        line.remote.take();
        world.settle();
    }
}
