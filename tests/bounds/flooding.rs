//! Connections beside flooding ones get their share: answers, and handshakes.

use std::{hint::black_box, rc::Rc, thread::JoinHandle};

use sinew::prelude::*;

use crate::support::{Echo, TestConnection, Trace, World, table};

table! {
    sockets:
        a_flood_leaves_a_neighbour_its_answers,
        a_flood_leaves_its_own_connection_a_share;
    secured:
        a_flood_leaves_a_neighbour_its_handshake;
}

const FLOODS: usize = 2;

/// Turns that an answer may take: delivery, the answer, and some for late kernel events.
const TURNS_MAX: u64 = 6;

/// Turns that a connection with its handshake may take: some for each flight.
const TURNS_TO_JOIN_MAX: u64 = 40;

/// Maximum input per turn: 16 reads of 64 KiB, once for an event and once because it was rescheduled.
const TURN_MAX: usize = 2 * 16 * 65_536;

/// Connections whose remote ends send continuously from their own threads.
struct Floods {
    lines: Vec<Rc<Trace>>,
    threads: Vec<JoinHandle<()>>,
}

impl Floods {
    fn new(world: &World) -> Self {
        let (lines, threads) = (0..FLOODS)
            .map(|_| {
                let TestConnection { trace, remote, .. } = world.join(Work);
                (trace, remote.flood())
            })
            .unzip();
        let floods = Self { lines, threads };
        let traces = floods.lines.clone();
        world.meanwhile(move || {
            traces.iter().for_each(|trace| {
                trace.forget();
            })
        });
        world.until("the flood", || floods.lines.iter().all(|trace| trace.received() > 1 << 20));
        floods
    }

    /// They have continued up to the end of the test.
    fn end(self, world: &World) {
        let received: Vec<_> = self.lines.iter().map(|trace| trace.received()).collect();
        world.turn();
        world.until("more of the flood", || {
            self.lines.iter().zip(&received).all(|(trace, before)| trace.received() > *before)
        });
        self.lines.iter().for_each(|trace| trace.transport().abort());
        world.until("the end", || self.lines.iter().all(|trace| trace.is_lost()));
        self.threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
    }
}

/// A protocol with work for each byte.
struct Work;

impl Protocol for Work {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        black_box(data.iter().fold(0_u32, |sum, byte| sum.rotate_left(1) ^ u32::from(*byte)));
    }
}

fn turns_until(world: &World, what: &str, condition: impl FnMut() -> bool) -> u64 {
    let before = world.reactor().stats().turns;
    world.until(what, condition);
    world.reactor().stats().turns - before
}

fn a_flood_leaves_a_neighbour_its_answers(world: &World) {
    let mut neighbour = world.join(Echo);
    let floods = Floods::new(world);
    for round in 0..20 {
        neighbour.remote.send(&[round]);
        let turns = turns_until(world, "an answer", || neighbour.remote.take() == [round]);
        assert!(turns <= TURNS_MAX, "{turns} turns for an answer in round {round}");
    }
    floods.end(world);
}

fn a_flood_leaves_a_neighbour_its_handshake(world: &World) {
    let floods = Floods::new(world);
    for round in 0..3 {
        let mut neighbour = None;
        let turns = turns_until(world, "a turn", || neighbour.replace(world.join(Echo)).is_none());
        assert!(turns <= TURNS_TO_JOIN_MAX, "{turns} turns for a handshake in round {round}");
    }
    floods.end(world);
}

/// Between two turns of another connection, at most one share of input is delivered.
fn a_flood_leaves_its_own_connection_a_share(world: &World) {
    let floods = Floods::new(world);
    let mut before: Vec<usize> = floods.lines.iter().map(|trace| trace.received()).collect();
    for _ in 0..30 {
        world.turn();
        for (trace, before) in floods.lines.iter().zip(&mut before) {
            let received = trace.received();
            let callbacks = received - std::mem::replace(before, received);
            assert!(callbacks <= TURN_MAX, "{callbacks} bytes in one turn");
        }
    }
    floods.end(world);
}
