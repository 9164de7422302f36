//! The ends of relays: however one connection ends, the other one ends, too, and the outcome is reported.

use std::time::Duration;

use sinew::prelude::*;

use super::relaying::{Relay, counts, tie};
use crate::support::{
    Callback, EndState, Event, Link, Lost, Script, Sink, TOO_MUCH, TestConnection, Width, World,
    noise, table,
};

table! {
    everywhere:
        each_side_may_end_first,
        an_earlier_eof_is_forwarded,
        an_abort_inside_a_callback_ends_both,
        a_close_inside_a_callback_ends_both,
        a_panic_ends_both,
        both_may_be_aborted_at_once,
        close_write_by_hand_ends_one_direction,
        an_answer_goes_through_though_the_other_way_fails,
        an_answer_goes_through_though_its_sender_had_ended,
        input_before_a_reset_is_forwarded_completely,
        forwarded_data_arrive_after_the_sender_has_ended,
        the_reactor_may_stop;
    resets:
        a_reset_of_a_blocked_sender_is_noticed,
        a_reset_is_noticed_before_the_other_end_connects,
        a_reset_of_one_side_aborts_the_other,
        a_reset_is_noticed_under_backpressure;
}

fn each_side_may_end_first(world: &World) {
    for is_swapped in [false, true] {
        let Relay { mut a, mut b, relayed } = Relay::new(world);
        if is_swapped {
            (a, b) = (b, a);
        }
        world.send_all(&mut a.remote, b"the last of one side");
        a.remote.end();
        let (received, end_state) = world.receive_to_end(&mut b.remote);
        assert_eq!((&received[..], end_state), (&b"the last of one side"[..], EndState::Ended));
        if world.link != Link::Memory {
            // An in-memory connection that has ended is closed.
            b.remote.send(b"the other goes on");
            assert_eq!(world.receive(&mut a.remote, 17), b"the other goes on");
            assert!(!a.trace.is_lost() && !b.trace.is_lost() && relayed.take().is_none());
        }
        b.remote.end();
        assert_eq!(world.receive_to_end(&mut a.remote), (vec![], EndState::Ended));
        assert_eq!(world.lost(&a.trace), Lost::Done);
        assert_eq!(world.lost(&b.trace), Lost::Done);
        world.until("the outcome", || relayed.take().is_some());
    }
}

/// `read_closed` was called, and the protocol did nothing.
fn an_earlier_eof_is_forwarded(world: &World) {
    let mut a = world.join(Script(|_: &Transport, _: Event<'_>| ()));
    a.remote.end();
    world.until("the end", || a.trace.has(&Callback::ReadClosed));
    let mut b = world.join(Sink);
    let relayed = tie(&a, &b);
    assert_eq!(world.receive_to_end(&mut b.remote), (vec![], EndState::Ended));
    b.remote.end();
    assert_eq!(world.receive_to_end(&mut a.remote), (vec![], EndState::Ended));
    assert_eq!(world.lost(&a.trace), Lost::Done);
    assert_eq!(world.lost(&b.trace), Lost::Done);
    world.until("the outcome", || relayed.take().is_some());
}

/// A relay in which one end does this when its timer fires.
fn in_a_callback(world: &World, act: fn(&Transport), is_swapped: bool) -> Relay {
    let actor = world.join(Script(move |transport: &Transport, what: Event<'_>| {
        if let Event::Timer(_) = what {
            act(transport);
        }
    }));
    let other = world.join(Sink);
    let (a, b) = if is_swapped { (other, actor) } else { (actor, other) };
    let relayed = tie(&a, &b);
    let mut relay = Relay { a, b, relayed };
    relay.a.remote.send(b"there");
    world.receive(&mut relay.b.remote, 5);
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
        for remote in [&mut a.remote, &mut b.remote] {
            let (_, end_state) = world.receive_to_end(remote);
            world.link.assert_aborted(end_state, "by the abort");
        }
    }
}

fn a_close_inside_a_callback_ends_both(world: &World) {
    for is_swapped in [false, true] {
        let Relay { mut a, mut b, relayed } =
            in_a_callback(world, Transport::lose_connection, is_swapped);
        let (first, second) = if is_swapped { (&mut b, &mut a) } else { (&mut a, &mut b) };
        assert_eq!(world.receive_to_end(&mut first.remote), (vec![], EndState::Ended));
        // Further input is discarded.
        second.remote.try_send(b"too late");
        first.remote.end();
        assert_eq!(world.lost(&first.trace), Lost::Closed);
        assert_eq!(world.receive_to_end(&mut second.remote), (vec![], EndState::Ended));
        second.remote.end();
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
    relay.b.remote.try_send(&noise(100_000));
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
        a.remote.send(b"something");
        world.receive(&mut b.remote, 9);
        a.remote.reset();
        assert_eq!(world.lost(&a.trace), Lost::Reset);
        assert_eq!(world.lost(&b.trace), Lost::Aborted);
        world.link.assert_aborted(b.remote.end_state(), "by the other's reset");
        world.until("the outcome", || relayed.take().is_some());
    }
}

/// Its sender is under backpressure, with more data than the path holds.
fn a_reset_is_noticed_under_backpressure(world: &World) {
    let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    let Relay { mut a, b, relayed } = Relay::with(world, Width::Wide, b);
    let bytes = noise(TOO_MUCH);
    let mut waits = 0;
    while waits < 3 {
        let taken = a.remote.try_send(&bytes);
        waits = if taken == 0 || world.link == Link::Memory { waits + 1 } else { 0 };
        world.settle();
    }
    b.remote.reset();
    assert_eq!(world.lost(&b.trace), Lost::Reset);
    assert_eq!(world.lost(&a.trace), Lost::Aborted);
    world.until("the outcome", || relayed.take().is_some());
}

/// Data for it from the other end are discarded.
fn close_write_by_hand_ends_one_direction(world: &World) {
    let mut relay = Relay::new(world);
    relay.b.transport().close_write();
    assert_eq!(world.receive_to_end(&mut relay.b.remote), (vec![], EndState::Ended));
    relay.a.remote.send(b"for nobody");
    relay.b.remote.send(b"this goes on");
    assert_eq!(world.receive(&mut relay.a.remote, 12), b"this goes on");
    world.assert_asleep();
    assert_eq!(
        counts(relay.a.transport().relayed()),
        (0, 12),
        "bytes that were carried there and back"
    );
    relay.b.remote.end();
    assert_eq!(world.lost(&relay.b.trace), Lost::Done);
}

const ANSWER: &[u8] = b"413 too large\r\n";

/// `a` keeps sending; `b` answers and closes without reading everything.
fn an_answer_goes_through_though_the_other_way_fails(world: &World) {
    for is_swapped in [false, true] {
        let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
        let Relay { mut a, mut b, relayed } = Relay::with(world, Width::Narrow, b);
        if is_swapped {
            (a, b) = (b, a);
        }
        let bytes = noise(65_521);
        fill(world, &mut a, &bytes);
        b.remote.send(ANSWER);
        b.remote.reset();
        let (mut received, mut end_state) = (Vec::new(), EndState::Open);
        world.until("the answer and the end", || {
            // It keeps sending; the data are discarded.
            a.remote.try_send(&bytes);
            received.extend(a.remote.take());
            end_state = a.remote.end_state_so_far();
            end_state != EndState::Open
        });
        assert_eq!(received, ANSWER);
        world.link.assert_aborted(end_state, "since its upload was not taken");
        assert_eq!(world.lost(&b.trace), Lost::Reset);
        assert_eq!(world.lost(&a.trace), Lost::Aborted);
        world.until("the outcome", || relayed.take().is_some());
    }
}

/// The same with EOF after the answer, which is forwarded before the reset is noticed.
fn an_answer_goes_through_though_its_sender_had_ended(world: &World) {
    if world.link == Link::Memory {
        // An in-memory connection that has ended is closed.
        return;
    }
    let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    let Relay { mut a, mut b, relayed } = Relay::with(world, Width::Narrow, b);
    let bytes = noise(65_521);
    fill(world, &mut a, &bytes);
    b.remote.send(ANSWER);
    b.remote.end();
    assert_eq!(world.receive_to_end(&mut a.remote), (ANSWER.to_vec(), EndState::Ended));
    b.remote.reset();
    assert_eq!(world.lost(&b.trace), Lost::Reset);
    assert_eq!(world.lost(&a.trace), Lost::Aborted);
    world.until("the outcome", || relayed.take().is_some());
}

/// Sends as long as data are accepted.
fn fill(world: &World, line: &mut TestConnection, bytes: &[u8]) {
    let (mut waits, mut sent) = (0, 0);
    while waits < 3 && sent < 4 * TOO_MUCH {
        let taken = line.remote.try_send(bytes);
        (waits, sent) = (if taken == 0 { waits + 1 } else { 0 }, sent + taken);
        world.settle();
    }
}

/// The receiver starts to read late. All forwarded data arrive, and only then the end.
fn input_before_a_reset_is_forwarded_completely(world: &World) {
    let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    let Relay { mut a, mut b, relayed } = Relay::with(world, Width::Wide, b);
    // Closing with unread data is a reset, also over a Unix socket.
    b.remote.send(b"unread");
    world.until("something unread", || counts(a.transport().relayed()).1 == 6);
    let bytes = noise(300_000);
    world.send_all(&mut a.remote, &bytes);
    while !a.remote.pump() {
        world.turn();
    }
    a.remote.send(b"!");
    // Over all links except in-memory ones, which are read immediately.
    world.until("all of it to be carried", || {
        let carried = counts(a.transport().relayed()).0;
        carried == 300_001 || b.transport().queued() > 0
    });
    a.remote.reset();
    world.settle();
    let (received, end_state) = world.receive_to_end(&mut b.remote);
    assert_eq!(received.len() as u64, counts(a.trace.transport().relayed()).0);
    assert!(bytes.starts_with(&received[..received.len().min(300_000)]));
    world.link.assert_aborted(end_state, "by the other's reset");
    assert_eq!(world.lost(&a.trace), Lost::Reset);
    assert_eq!(world.lost(&b.trace), Lost::Aborted);
    world.until("the outcome", || relayed.take().is_some());
}

/// The source connection has ended while data are in flight (in the kernel's pipe if there is much): everything
/// arrives, and the end is clean.
fn forwarded_data_arrive_after_the_sender_has_ended(world: &World) {
    let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    let Relay { mut a, mut b, relayed } = Relay::with(world, Width::Wide, b);
    let bytes = noise(2 * TOO_MUCH);
    let (mut sent, mut waits) = (0, 0);
    while waits < 3 && sent < bytes.len() {
        let taken = a.remote.try_send(&bytes[sent..bytes.len().min(sent + 100_000)]);
        (waits, sent) = (if taken == 0 { waits + 1 } else { 0 }, sent + taken);
        world.settle();
    }
    a.transport().lose_connection();
    world.receive_to_end(&mut a.remote);
    a.remote.close();
    assert_eq!(world.lost(&a.trace), Lost::Closed);
    let carried = counts(a.trace.transport().relayed()).0 as usize;
    let (received, end_state) = world.receive_to_end(&mut b.remote);
    assert_eq!(received.len(), carried, "bytes that arrive, and that were carried");
    assert!(received[..] == bytes[..carried], "other bytes than were sent");
    assert_eq!(end_state, EndState::Ended);
    b.remote.close();
    assert_eq!(world.lost(&b.trace), Lost::Closed);
    world.until("the outcome", || relayed.take().is_some());
}

/// The sender sends more than the path holds, and then resets the connection. The reset is noticed, and the data in
/// flight are not awaited forever.
fn a_reset_of_a_blocked_sender_is_noticed(world: &World) {
    let config = StreamConfig::default().linger_timeout(Duration::from_millis(100));
    let b = world.join_with(config.clone(), Width::Narrow, Sink);
    let a = world.join_with(config, Width::Narrow, Sink);
    let relayed = tie(&a, &b);
    let mut relay = Relay { a, b, relayed };
    fill(world, &mut relay.a, &noise(65_521));
    relay.a.remote.reset();
    assert_eq!(world.lost(&relay.a.trace), Lost::Reset);
    let reason = world.lost(&relay.b.trace);
    assert!(matches!(reason, Lost::Aborted), "{reason:?}");
    world.until("the outcome", || relay.relayed.take().is_some());
    assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
}

/// As in a proxy that does not read from its client until the other end is connected.
fn a_reset_is_noticed_before_the_other_end_connects(world: &World) {
    let mut relay = Relay::new(world);
    // Session tickets are read before the pause: with unread input, the connection would end after the linger timeout.
    world.settle();
    relay.a.transport().pause_reading();
    world.settle();
    relay.a.remote.reset();
    assert_eq!(world.lost(&relay.a.trace), Lost::Reset);
    assert_eq!(world.lost(&relay.b.trace), Lost::Aborted);
    world.link.assert_aborted(relay.b.remote.end_state(), "by the other's reset");
    world.until("the outcome", || relay.relayed.take().is_some());
}

/// With data in flight and no reader. The traces check the ends.
fn the_reactor_may_stop(world: &World) {
    let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    let mut relay = Relay::with(world, Width::Wide, b);
    relay.a.remote.try_send(&noise(TOO_MUCH));
    world.settle();
}
