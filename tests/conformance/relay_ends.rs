//! The ends of relays: whatever ends one connection ends the other, in order or not, and the outcome is told.

use std::time::Duration;

use sinew::prelude::*;

use super::relaying::{Relay, counts, tie};
use crate::support::{
    Fate, Link, Lost, Script, Sink, TOO_MUCH, Told, What, Width, World, noise, table,
};

table! {
    everywhere:
        each_side_may_end_first,
        an_end_that_came_before_is_carried_over,
        an_abort_inside_a_callback_ends_both,
        a_close_inside_a_callback_ends_both,
        a_panic_ends_both,
        both_may_be_aborted_at_once,
        close_write_by_hand_ends_one_direction,
        the_reactor_may_stop;
    resets:
        a_reset_of_one_side_aborts_the_other,
        a_reset_is_seen_by_who_waits_for_room;
}

fn each_side_may_end_first(world: &World) {
    for is_swapped in [false, true] {
        let Relay { mut a, mut b, relayed } = Relay::new(world);
        if is_swapped {
            (a, b) = (b, a);
        }
        world.send_all(&mut a.far, b"the last of one side");
        a.far.end();
        let (received, fate) = world.receive_to_end(&mut b.far);
        assert_eq!((&received[..], fate), (&b"the last of one side"[..], Fate::Ended));
        if world.link != Link::Memory {
            // A wire that has ended is closed.
            b.far.send(b"the other goes on");
            assert_eq!(world.receive(&mut a.far, 17), b"the other goes on");
            assert!(!a.trace.is_lost() && !b.trace.is_lost() && relayed.take().is_none());
        }
        b.far.end();
        assert_eq!(world.receive_to_end(&mut a.far), (vec![], Fate::Ended));
        assert_eq!(world.lost(&a.trace), Lost::Done);
        assert_eq!(world.lost(&b.trace), Lost::Done);
        world.until("the outcome", || relayed.take().is_some());
    }
}

/// `read_closed` was told, and the protocol did nothing about it.
fn an_end_that_came_before_is_carried_over(world: &World) {
    let mut a = world.join(Script(|_: &Transport, _: What<'_>| ()));
    a.far.end();
    world.until("the end", || a.trace.has(&Told::ReadClosed));
    let mut b = world.join(Sink);
    let relayed = tie(&a, &b);
    assert_eq!(world.receive_to_end(&mut b.far), (vec![], Fate::Ended));
    b.far.end();
    assert_eq!(world.receive_to_end(&mut a.far), (vec![], Fate::Ended));
    assert_eq!(world.lost(&a.trace), Lost::Done);
    assert_eq!(world.lost(&b.trace), Lost::Done);
    world.until("the outcome", || relayed.take().is_some());
}

/// A relay one end of which does this when its timer fires; and which end.
fn in_a_callback(world: &World, act: fn(&Transport), is_swapped: bool) -> Relay {
    let actor = world.join(Script(move |transport: &Transport, what: What<'_>| {
        if let What::Timer(_) = what {
            act(transport);
        }
    }));
    let other = world.join(Sink);
    let (a, b) = if is_swapped { (other, actor) } else { (actor, other) };
    let relayed = tie(&a, &b);
    let mut relay = Relay { a, b, relayed };
    relay.a.far.send(b"there");
    world.receive(&mut relay.b.far, 5);
    for line in [&relay.a, &relay.b] {
        line.transport().call_later(Duration::ZERO);
    }
    relay
}

fn an_abort_inside_a_callback_ends_both(world: &World) {
    for is_swapped in [false, true] {
        let Relay { mut a, mut b, relayed } = in_a_callback(world, Transport::abort, is_swapped);
        assert_eq!(world.lost(&a.trace), Lost::Aborted);
        assert_eq!(world.lost(&b.trace), Lost::Aborted);
        world.until("the outcome", || relayed.take().is_some());
        for far in [&mut a.far, &mut b.far] {
            let (_, fate) = world.receive_to_end(far);
            world.link.assert_aborted(fate, "by the abort");
        }
    }
}

fn a_close_inside_a_callback_ends_both(world: &World) {
    for is_swapped in [false, true] {
        let Relay { mut a, mut b, relayed } =
            in_a_callback(world, Transport::lose_connection, is_swapped);
        let (first, second) = if is_swapped { (&mut b, &mut a) } else { (&mut a, &mut b) };
        assert_eq!(world.receive_to_end(&mut first.far), (vec![], Fate::Ended));
        // What comes now is for nobody.
        second.far.try_send(b"too late");
        first.far.end();
        assert_eq!(world.lost(&first.trace), Lost::Closed);
        assert_eq!(world.receive_to_end(&mut second.far), (vec![], Fate::Ended));
        second.far.end();
        assert_eq!(world.lost(&second.trace), Lost::Closed);
        world.until("the outcome", || relayed.take().is_some());
    }
}

fn a_panic_ends_both(world: &World) {
    let panics = |_: &Transport| panic!("no more relays");
    let Relay { a, b, relayed } = in_a_callback(world, panics, false);
    assert_eq!(world.lost(&a.trace), Lost::Panicked("no more relays".to_owned()));
    assert_eq!(world.lost(&b.trace), Lost::Aborted);
    world.until("the outcome", || relayed.take().is_some());
}

fn both_may_be_aborted_at_once(world: &World) {
    let mut relay = Relay::with(world, Width::Narrow, world.join(Sink));
    relay.b.far.try_send(&noise(100_000));
    relay.a.transport().abort();
    relay.b.transport().abort();
    assert_eq!(world.lost(&relay.a.trace), Lost::Aborted);
    assert_eq!(world.lost(&relay.b.trace), Lost::Aborted);
    world.until("the outcome", || relay.relayed.take().is_some());
}

fn a_reset_of_one_side_aborts_the_other(world: &World) {
    for is_swapped in [false, true] {
        let Relay { mut a, mut b, relayed } = Relay::new(world);
        if is_swapped {
            (a, b) = (b, a);
        }
        a.far.send(b"something");
        world.receive(&mut b.far, 9);
        a.far.reset();
        assert_eq!(world.lost(&a.trace), Lost::Reset);
        assert_eq!(world.lost(&b.trace), Lost::Aborted);
        world.link.assert_aborted(b.far.fate(), "by the other's reset");
        world.until("the outcome", || relayed.take().is_some());
    }
}

/// Its sender is held up meanwhile, with more than the way between them holds.
fn a_reset_is_seen_by_who_waits_for_room(world: &World) {
    let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    let Relay { mut a, b, relayed } = Relay::with(world, Width::Wide, b);
    let bytes = noise(TOO_MUCH);
    let mut waits = 0;
    while waits < 3 {
        let taken = a.far.try_send(&bytes);
        waits = if taken == 0 || world.link == Link::Memory { waits + 1 } else { 0 };
        world.settle();
    }
    b.far.reset();
    assert_eq!(world.lost(&b.trace), Lost::Reset);
    assert_eq!(world.lost(&a.trace), Lost::Aborted);
    world.until("the outcome", || relayed.take().is_some());
}

/// What comes for it from the other end is thrown away.
fn close_write_by_hand_ends_one_direction(world: &World) {
    let mut relay = Relay::new(world);
    relay.b.transport().close_write();
    assert_eq!(world.receive_to_end(&mut relay.b.far), (vec![], Fate::Ended));
    relay.a.far.send(b"for nobody");
    relay.b.far.send(b"this goes on");
    assert_eq!(world.receive(&mut relay.a.far, 12), b"this goes on");
    world.assert_asleep();
    assert_eq!(counts(relay.a.transport().relayed()), (0, 12));
    relay.b.far.end();
    assert_eq!(world.lost(&relay.b.trace), Lost::Done);
}

/// With bytes on the way and nobody to take them. Their ends are judged with all others.
fn the_reactor_may_stop(world: &World) {
    let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    let mut relay = Relay::with(world, Width::Wide, b);
    relay.a.far.try_send(&noise(TOO_MUCH));
    world.settle();
}
