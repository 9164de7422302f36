//! A neighbour of connections that flood gets its turns: its answers, and its handshake.

use std::{cell::RefCell, rc::Rc};

use crate::support::{Echo, Line, Sink, World, noise, table};

table! {
    sockets:
        a_flood_leaves_a_neighbour_its_answers,
        a_flood_leaves_its_own_connection_a_share;
    secured:
        a_flood_leaves_a_neighbour_its_handshake;
}

const FLOODS: usize = 3;

/// Turns that an answer may take: the message is told, the answer is sent, and some for a kernel that delivers late.
const TURNS_MAX: u64 = 6;

/// Turns that a connection and its handshake may take: some for each of its flights.
const TURNS_TO_JOIN_MAX: u64 = 40;

/// What a connection is given in a turn: 16 reads of 64 KiB, once for an event and once because it asked to be run again.
const TURN_MAX: usize = 2 * 16 * 65_536;

/// Connections whose far ends send as much as goes, before each turn.
fn flood(world: &World) -> Rc<RefCell<Vec<Line>>> {
    let floods: Vec<_> = (0..FLOODS).map(|_| world.join(Sink)).collect();
    let floods = Rc::new(RefCell::new(floods));
    let (lines, piece) = (floods.clone(), noise(1 << 20));
    world.meanwhile(move || {
        for line in &mut *lines.borrow_mut() {
            while line.far.try_send(&piece) > 0 {}
            line.trace.forget();
        }
    });
    floods
}

fn turns_until(world: &World, what: &str, is_so: impl FnMut() -> bool) -> u64 {
    let before = world.reactor().stats().turns;
    world.until(what, is_so);
    world.reactor().stats().turns - before
}

fn a_flood_leaves_a_neighbour_its_answers(world: &World) {
    let mut neighbour = world.join(Echo);
    let floods = flood(world);
    // The flood has begun.
    (0..10).for_each(|_| world.turn());
    for round in 0..20 {
        neighbour.far.send(&[round]);
        let turns = turns_until(world, "an answer", || neighbour.far.take() == [round]);
        assert!(turns <= TURNS_MAX, "{turns} turns for an answer in round {round}");
    }
    assert!(floods.borrow().iter().all(|line| line.trace.forget() > 0), "nothing was flooded");
}

fn a_flood_leaves_a_neighbour_its_handshake(world: &World) {
    let floods = flood(world);
    (0..10).for_each(|_| world.turn());
    for round in 0..3 {
        let before = world.reactor().stats().turns;
        let _neighbour = world.join(Echo);
        let turns = world.reactor().stats().turns - before;
        assert!(turns <= TURNS_TO_JOIN_MAX, "{turns} turns for a handshake in round {round}");
    }
    assert!(floods.borrow().iter().all(|line| line.trace.forget() > 0), "nothing was flooded");
}

/// Between two turns of anybody else, no more is told of than a turn's share.
fn a_flood_leaves_its_own_connection_a_share(world: &World) {
    let floods = flood(world);
    let mut before: Vec<usize> = floods.borrow().iter().map(|line| line.trace.forget()).collect();
    for _ in 0..30 {
        world.turn();
        for (line, before) in floods.borrow().iter().zip(&mut before) {
            let received = line.trace.forget();
            let told = received - std::mem::replace(before, received);
            assert!(told <= TURN_MAX, "{told} bytes in one turn");
        }
    }
}
