//! A neighbour of connections that flood gets its turns: its answers, and its handshake.

use std::{hint::black_box, rc::Rc, thread::JoinHandle};

use sinew::prelude::*;

use crate::support::{Echo, Line, Trace, World, table};

table! {
    sockets:
        a_flood_leaves_a_neighbour_its_answers,
        a_flood_leaves_its_own_connection_a_share;
    secured:
        a_flood_leaves_a_neighbour_its_handshake;
}

const FLOODS: usize = 2;

/// Turns that an answer may take: the message is told, the answer is sent, and some for a kernel that delivers late.
const TURNS_MAX: u64 = 6;

/// Turns that a connection and its handshake may take: some for each of its flights.
const TURNS_TO_JOIN_MAX: u64 = 40;

/// What a connection is given in a turn: 16 reads of 64 KiB, once for an event and once because it asked to be run again.
const TURN_MAX: usize = 2 * 16 * 65_536;

/// Connections whose far ends send as much as goes, all the time, from threads of their own.
struct Floods {
    lines: Vec<Rc<Trace>>,
    threads: Vec<JoinHandle<()>>,
}

impl Floods {
    fn new(world: &World) -> Self {
        let (lines, threads) = (0..FLOODS)
            .map(|_| {
                let Line { trace, far, .. } = world.join(Work);
                (trace, far.flood())
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

    /// They have gone on to the end, which this is.
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

/// Has something to do for each byte.
struct Work;

impl Protocol for Work {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        black_box(data.iter().fold(0_u32, |sum, byte| sum.rotate_left(1) ^ u32::from(*byte)));
    }
}

fn turns_until(world: &World, what: &str, is_so: impl FnMut() -> bool) -> u64 {
    let before = world.reactor().stats().turns;
    world.until(what, is_so);
    world.reactor().stats().turns - before
}

fn a_flood_leaves_a_neighbour_its_answers(world: &World) {
    let mut neighbour = world.join(Echo);
    let floods = Floods::new(world);
    for round in 0..20 {
        neighbour.far.send(&[round]);
        let turns = turns_until(world, "an answer", || neighbour.far.take() == [round]);
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

/// Between two turns of anybody else, no more is told of than a turn's share.
fn a_flood_leaves_its_own_connection_a_share(world: &World) {
    let floods = Floods::new(world);
    let mut before: Vec<usize> = floods.lines.iter().map(|trace| trace.received()).collect();
    for _ in 0..30 {
        world.turn();
        for (trace, before) in floods.lines.iter().zip(&mut before) {
            let received = trace.received();
            let told = received - std::mem::replace(before, received);
            assert!(told <= TURN_MAX, "{told} bytes in one turn");
        }
    }
    floods.end(world);
}
