//! Whether a loop is at rest: it waits, and does not spin, when it has nothing to do.

use std::{cell::Cell, rc::Rc, time::Duration};

use sinew::prelude::Reactor;

/// Turns that an idle loop may make before a timer of some milliseconds: some for late kernel events, one per level
/// of the timer wheel, and one for the timer itself.
const TURNS_MAX: u64 = 12;

/// How many times a loop that made more turns is checked again: late kernel events, and signals for the children of other tests,
/// are finite; a busy loop is not.
const LOOKS: usize = 5;

/// Fails if the loop is busy with nothing to do.
pub(crate) fn assert_at_rest(reactor: &Reactor) {
    let turns = || {
        let before = reactor.stats().turns;
        pass(reactor, Duration::from_millis(40));
        reactor.stats().turns - before
    };
    let looks: Vec<u64> =
        (0..LOOKS).map(|_| turns()).take_while(|&turns| turns > TURNS_MAX).collect();
    assert!(looks.len() < LOOKS, "{looks:?} turns with nothing to do");
}

/// Runs the loop for this time.
pub(crate) fn pass(reactor: &Reactor, time: Duration) {
    let over = Rc::new(Cell::new(false));
    let rings = over.clone();
    reactor.call_later(time, move |reactor| {
        rings.set(true);
        // Otherwise this turn would wait for an event.
        reactor.call_soon(|_| ());
    });
    while !over.get() {
        reactor.turn(None).expect("the loop turns");
    }
}
