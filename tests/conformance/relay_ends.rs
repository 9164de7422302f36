//! The ends of relays: whatever ends one connection ends the other, in order or not, and the outcome is told.

use std::time::Duration;

use sinew::prelude::*;

use super::relaying::{Relay, counts, tie};
use crate::support::{
    Fate, Line, Link, Lost, Script, Sink, TOO_MUCH, Told, What, Width, World, noise, table,
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
        an_answer_goes_through_though_the_other_way_fails,
        an_answer_goes_through_though_its_sender_had_ended,
        what_came_before_a_reset_is_passed_on_to_the_last_byte,
        what_was_carried_arrives_though_its_sender_is_gone,
        the_reactor_may_stop;
    resets:
        a_reset_is_seen_by_who_is_held_up,
        a_reset_is_seen_before_the_other_end_reads,
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
    assert_eq!(
        counts(relay.a.transport().relayed()),
        (0, 12),
        "bytes that were carried there and back"
    );
    relay.b.far.end();
    assert_eq!(world.lost(&relay.b.trace), Lost::Done);
}

const ANSWER: &[u8] = b"413 too large\r\n";

/// `a` sends and sends; `b` answers and goes without having read all.
fn an_answer_goes_through_though_the_other_way_fails(world: &World) {
    for is_swapped in [false, true] {
        let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
        let Relay { mut a, mut b, relayed } = Relay::with(world, Width::Narrow, b);
        if is_swapped {
            (a, b) = (b, a);
        }
        let bytes = noise(65_521);
        fill(world, &mut a, &bytes);
        b.far.send(ANSWER);
        b.far.reset();
        let (mut received, mut fate) = (Vec::new(), Fate::Open);
        world.until("the answer and the end", || {
            // It goes on sending: what it sends is for nobody.
            a.far.try_send(&bytes);
            received.extend(a.far.take());
            fate = a.far.fate_so_far();
            fate != Fate::Open
        });
        assert_eq!(received, ANSWER);
        world.link.assert_aborted(fate, "since its upload was not taken");
        assert_eq!(world.lost(&b.trace), Lost::Reset);
        assert_eq!(world.lost(&a.trace), Lost::Aborted);
        world.until("the outcome", || relayed.take().is_some());
    }
}

/// The same with an end behind the answer, which is carried over before anybody knows of the reset.
fn an_answer_goes_through_though_its_sender_had_ended(world: &World) {
    if world.link == Link::Memory {
        // A wire that has ended is closed.
        return;
    }
    let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    let Relay { mut a, mut b, relayed } = Relay::with(world, Width::Narrow, b);
    let bytes = noise(65_521);
    fill(world, &mut a, &bytes);
    b.far.send(ANSWER);
    b.far.end();
    assert_eq!(world.receive_to_end(&mut a.far), (ANSWER.to_vec(), Fate::Ended));
    b.far.reset();
    assert_eq!(world.lost(&b.trace), Lost::Reset);
    assert_eq!(world.lost(&a.trace), Lost::Aborted);
    world.until("the outcome", || relayed.take().is_some());
}

/// Sends for as long as anybody takes something.
fn fill(world: &World, line: &mut Line, bytes: &[u8]) {
    let (mut waits, mut sent) = (0, 0);
    while waits < 3 && sent < 4 * TOO_MUCH {
        let taken = line.far.try_send(bytes);
        (waits, sent) = (if taken == 0 { waits + 1 } else { 0 }, sent + taken);
        world.settle();
    }
}

/// Its receiver begins to read late. All that was carried arrives, and only then does it see how that ended.
fn what_came_before_a_reset_is_passed_on_to_the_last_byte(world: &World) {
    let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    let Relay { mut a, mut b, relayed } = Relay::with(world, Width::Wide, b);
    // What it has not read makes its going a reset, also over a Unix socket.
    b.far.send(b"unread");
    world.until("something unread", || counts(a.transport().relayed()).1 == 6);
    let bytes = noise(300_000);
    world.send_all(&mut a.far, &bytes);
    while !a.far.pump() {
        world.turn();
    }
    a.far.send(b"!");
    // Over all links but that in memory, which is as good as read.
    world.until("all of it to be carried", || {
        let carried = counts(a.transport().relayed()).0;
        carried == 300_001 || b.transport().queued() > 0
    });
    a.far.reset();
    world.settle();
    let (received, fate) = world.receive_to_end(&mut b.far);
    assert_eq!(received.len() as u64, counts(a.trace.transport().relayed()).0);
    assert!(bytes.starts_with(&received[..received.len().min(300_000)]));
    world.link.assert_aborted(fate, "by the other's reset");
    assert_eq!(world.lost(&a.trace), Lost::Reset);
    assert_eq!(world.lost(&b.trace), Lost::Aborted);
    world.until("the outcome", || relayed.take().is_some());
}

/// The connection that something came from is closed and over while it is still on its way, in the kernel's pipe where it is much:
/// it arrives to the last byte, and the end is clean.
fn what_was_carried_arrives_though_its_sender_is_gone(world: &World) {
    let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    let Relay { mut a, mut b, relayed } = Relay::with(world, Width::Wide, b);
    let bytes = noise(2 * TOO_MUCH);
    let (mut sent, mut waits) = (0, 0);
    while waits < 3 && sent < bytes.len() {
        let taken = a.far.try_send(&bytes[sent..bytes.len().min(sent + 100_000)]);
        (waits, sent) = (if taken == 0 { waits + 1 } else { 0 }, sent + taken);
        world.settle();
    }
    a.transport().lose_connection();
    world.receive_to_end(&mut a.far);
    a.far.close();
    assert_eq!(world.lost(&a.trace), Lost::Closed);
    let carried = counts(a.trace.transport().relayed()).0 as usize;
    let (received, fate) = world.receive_to_end(&mut b.far);
    assert_eq!(received.len(), carried, "bytes that arrive, and that were carried");
    assert!(received[..] == bytes[..carried], "other bytes than were sent");
    assert_eq!(fate, Fate::Ended);
    b.far.close();
    assert_eq!(world.lost(&b.trace), Lost::Closed);
    world.until("the outcome", || relayed.take().is_some());
}

/// Nobody reads what it has sent, and it sends more than there is room for; then it resets the connection. That is seen, and
/// what it had sent is not waited for for ever.
fn a_reset_is_seen_by_who_is_held_up(world: &World) {
    let config = StreamConfig::default().linger_timeout(Duration::from_millis(100));
    let b = world.join_with(config.clone(), Width::Narrow, Sink);
    let a = world.join_with(config, Width::Narrow, Sink);
    let relayed = tie(&a, &b);
    let mut relay = Relay { a, b, relayed };
    fill(world, &mut relay.a, &noise(65_521));
    relay.a.far.reset();
    assert_eq!(world.lost(&relay.a.trace), Lost::Reset);
    let reason = world.lost(&relay.b.trace);
    assert!(matches!(reason, Lost::Aborted), "{reason:?}");
    world.until("the outcome", || relay.relayed.take().is_some());
    assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
}

/// As in a proxy that does not read from its client before the other end is there.
fn a_reset_is_seen_before_the_other_end_reads(world: &World) {
    let mut relay = Relay::new(world);
    relay.a.transport().pause_reading();
    world.settle();
    relay.a.far.reset();
    assert_eq!(world.lost(&relay.a.trace), Lost::Reset);
    assert_eq!(world.lost(&relay.b.trace), Lost::Aborted);
    world.link.assert_aborted(relay.b.far.fate(), "by the other's reset");
    world.until("the outcome", || relay.relayed.take().is_some());
}

/// With bytes on the way and nobody to take them. Their ends are judged with all others.
fn the_reactor_may_stop(world: &World) {
    let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    let mut relay = Relay::with(world, Width::Wide, b);
    relay.a.far.try_send(&noise(TOO_MUCH));
    world.settle();
}
