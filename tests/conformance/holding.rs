//! Reading held for a time (`hold_reading`), independently of the protocol's own pauses.

use std::{cell::Cell, rc::Rc, time::Duration};

use super::relaying::tie;
use crate::support::{
    Callback, EndState, Event, Lost, Script, Sink, TestConnection, World, noise, table,
};
use sinew::{
    prelude::*,
    protocols::{
        basic::{LineHandler, LineReceiver, LineTransport},
        policies::{Rate, RateLimit},
    },
};

table! {
    everywhere:
        held_input_is_delivered_after_the_time,
        a_hold_and_a_pause_are_independent,
        the_last_hold_counts,
        a_held_end_of_a_relay,
        a_held_connection_may_be_closed,
        a_rate_is_kept_on_every_engine,
        what_is_left_of_a_yielded_turn_comes_later,
        a_yielded_turn_does_not_end_a_pause,
        a_yielded_connection_may_be_closed,
        frames_of_a_turn_are_bounded;
}

const SOME: Duration = Duration::from_millis(40);
const FAR: Duration = Duration::from_secs(1000);

fn held(world: &World, time: Duration) -> TestConnection {
    let mut line = world.join(Sink);
    line.transport().hold_reading(time);
    assert!(!line.transport().is_reading());
    line.remote.send(b"hello");
    line
}

fn held_input_is_delivered_after_the_time(world: &World) {
    let begin = world.reactor().now();
    let line = held(world, SOME);
    world.until("the time to be over", || line.trace.received() == 5);
    assert!(world.reactor().now() - begin >= SOME);
    assert_eq!(
        line.trace.callbacks(),
        [Callback::Made, Callback::ReadingResumed, Callback::Data(5)]
    );
    world.assert_asleep();
}

fn a_hold_and_a_pause_are_independent(world: &World) {
    let line = held(world, FAR);
    // The protocol cannot undo it.
    line.transport().pause_reading();
    line.transport().resume_reading();
    world.settle();
    assert_eq!(line.trace.received(), 0, "bytes that were received");
    // And it does not undo a pause.
    line.transport().pause_reading();
    line.transport().hold_reading(SOME);
    let begin = world.reactor().now();
    world.until("the time to be over", || world.reactor().now() - begin > 2 * SOME);
    assert_eq!(line.trace.callbacks(), [Callback::Made]);
    line.transport().resume_reading();
    world.until("the input", || line.trace.received() == 5);
}

fn the_last_hold_counts(world: &World) {
    let line = held(world, FAR);
    world.settle();
    line.transport().hold_reading(Duration::ZERO);
    world.until("the input", || line.trace.received() == 5);
    world.assert_asleep();
}

fn a_held_end_of_a_relay(world: &World) {
    let mut b = world.join(Sink);
    let a = held(world, SOME);
    tie(&a, &b);
    assert_eq!(world.receive(&mut b.remote, 5), b"hello");
    assert_eq!(a.trace.received(), 0, "bytes that were received");
}

fn a_held_connection_may_be_closed(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: Event<'_>| {
        if let Event::Made = what {
            transport.hold_reading(Duration::from_secs(1000));
        }
    }));
    line.remote.send(b"hello");
    line.transport().lose_connection();
    assert_eq!(world.receive_to_end(&mut line.remote), (vec![], EndState::Ended));
    line.remote.close();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
    assert_eq!(line.trace.received(), 0, "bytes that were received");
}

/// A fast sender is read at the limited rate, and the loop sleeps in between.
fn a_rate_is_kept_on_every_engine(world: &World) {
    const FLOOD: usize = 512 * 1024;
    let rate = Rate::bytes_per_second(4 << 20).burst(0);
    let mut line = world.join(RateLimit::new(Sink, rate));
    let (flood, mut sent) = (noise(FLOOD), 0);
    let (begin, turns) = (world.reactor().now(), world.reactor().stats().turns);
    world.until("all of it", || {
        if sent < FLOOD {
            sent += line.remote.try_send(&flood[sent..]);
        }
        line.trace.received() == FLOOD
    });
    let took = world.reactor().now() - begin;
    // The data of the last read are delivered immediately.
    let least = Duration::from_secs(1) * (FLOOD - 64 * 1024) as u32 / (4 << 20);
    assert!(took >= least, "{took:?}");
    let turns = world.reactor().stats().turns - turns;
    assert!(turns < 2_000, "{turns} turns in {took:?}");
    assert!(line.trace.data() == flood);
    world.assert_asleep();
}

/// Counts lines.
struct Lines(Rc<Cell<usize>>);

impl LineHandler for Lines {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        assert_eq!(line, self.0.get().to_string().as_bytes());
        self.0.set(self.0.get() + 1);
        transport.write(b"ok\n");
    }
}

/// Lines that are there at once are delivered a share in each turn, in order, and the last is not forgotten.
fn frames_of_a_turn_are_bounded(world: &World) {
    const SHARE: usize = 7;
    const LINES: usize = 1_000;
    let count = Rc::new(Cell::new(0));
    let lines = LineReceiver::new(Lines(Rc::clone(&count))).frames_per_turn(SHARE as u8);
    let mut line = world.join(lines);
    let input: String = (0..LINES).map(|line| format!("{line}\r\n")).collect();
    line.remote.send(input.as_bytes());
    let mut turns = 0;
    while count.get() < LINES {
        let before = count.get();
        world.turn();
        let delivered = count.get() - before;
        assert!(delivered <= SHARE, "{delivered} lines in one turn");
        turns += usize::from(delivered > 0);
    }
    assert!(turns >= LINES / SHARE, "{turns} turns");
    assert_eq!(world.receive(&mut line.remote, 3 * LINES), b"ok\n".repeat(LINES));
    world.assert_asleep();
}

fn what_is_left_of_a_yielded_turn_comes_later(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: Event<'_>| {
        if let Event::Data(_) = what {
            transport.yield_turn();
            assert!(!transport.is_reading());
        }
    }));
    line.remote.send(b"hello");
    world.until("the input", || line.trace.received() == 5);
    world.settle();
    assert_eq!(
        line.trace.callbacks(),
        [Callback::Made, Callback::Data(5), Callback::ReadingResumed]
    );
    line.remote.send(b"again");
    world.until("the input", || line.trace.received() == 10);
    world.assert_asleep();
}

fn a_yielded_turn_does_not_end_a_pause(world: &World) {
    let mut line = world.join(Sink);
    line.transport().pause_reading();
    line.transport().yield_turn();
    line.remote.send(b"hello");
    world.settle();
    assert_eq!(line.trace.callbacks(), [Callback::Made]);
    line.transport().resume_reading();
    world.until("the input", || line.trace.received() == 5);
    world.assert_asleep();
}

fn a_yielded_connection_may_be_closed(world: &World) {
    let mut line = world.join(Script(|transport: &Transport, what: Event<'_>| {
        if let Event::Data(_) = what {
            transport.write(b"bye");
            transport.yield_turn();
            transport.lose_connection();
        }
    }));
    line.remote.send(b"hello");
    assert_eq!(world.receive_to_end(&mut line.remote), (b"bye".to_vec(), EndState::Ended));
    line.remote.close();
    assert_eq!(world.lost(&line.trace), Lost::Closed);
}
