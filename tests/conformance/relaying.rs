//! Relays: two connections tied together carry what comes, in order, both ways, at the pace of who reads, to the end of each.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use sinew::{
    prelude::*,
    transports::{RelayError, Relayed, memory},
};

use super::producing::pieces;
use crate::support::{
    Far, Fate, Line, Link, Lost, Pull, Script, Sink, TOO_MUCH, Told, What, Width, World,
    life::{NAMES, lead_through_life, number},
    noise,
    sockets::listener,
    table,
};

table! {
    everywhere:
        bytes_go_both_ways,
        much_goes_both_ways_at_once,
        early_bytes_go_first,
        a_relay_may_begin_inside_data_received,
        a_relay_may_begin_inside_any_callback,
        what_was_queued_goes_first,
        producers_go_first,
        a_waiting_producer_is_not_disturbed,
        a_slow_reader_holds_up_the_sender,
        a_write_limit_is_not_reached,
        pausing_holds_one_direction_up,
        what_is_written_by_hand_goes_between,
        nobody_can_be_tied_twice,
        ends_of_other_kinds_may_be_tied,
        relays_form_chains;
    smooth:
        // Faults lie around the socket, which is then not plainly the kernel's.
        the_kernel_moves_what_is_much;
}

/// Two connections that are tied together.
pub(super) struct Relay {
    pub(super) a: Line,
    pub(super) b: Line,
    pub(super) relayed: Rc<Cell<Option<Relayed>>>,
}

pub(super) fn tie(a: &Line, b: &Line) -> Rc<Cell<Option<Relayed>>> {
    let relayed = Rc::new(Cell::new(None));
    let there = relayed.clone();
    let deferred = a.transport().relay(&b.transport()).expect("both are open");
    deferred.then(move |_, result| there.set(result.ok()));
    relayed
}

impl Relay {
    pub(super) fn new(world: &World) -> Self {
        Self::with(world, Width::Wide, world.join(Sink))
    }

    /// Between a connection of this width and another.
    pub(super) fn with(world: &World, width: Width, b: Line) -> Self {
        let a = world.join_with(StreamConfig::default(), width, Sink);
        let relayed = tie(&a, &b);
        Self { a, b, relayed }
    }

    /// Both have ended by themselves, with so much carried.
    fn end(self, world: &World, there: u64, back: u64) {
        let Self { mut a, mut b, relayed } = self;
        assert_eq!(relayed.take(), None, "it is still going on");
        a.far.end();
        assert_eq!(world.receive_to_end(&mut b.far), (vec![], Fate::Ended));
        b.far.end();
        assert_eq!(world.receive_to_end(&mut a.far), (vec![], Fate::Ended));
        a.far.close();
        b.far.close();
        for trace in [&a.trace, &b.trace] {
            assert_eq!(world.lost(trace), Lost::Done);
            assert!(
                trace.told().iter().all(|told| !matches!(told, Told::Data(_) | Told::ReadClosed))
            );
        }
        assert_eq!(counts(a.trace.transport().relayed()), (there, back));
        assert_eq!(counts(b.trace.transport().relayed()), (back, there));
        let mut result = None;
        world.until("the outcome", || {
            result = relayed.take();
            result.is_some()
        });
        assert_eq!(counts(result), (there, back));
    }
}

pub(super) fn counts(relayed: Option<Relayed>) -> (u64, u64) {
    relayed.map(|relayed| (relayed.there, relayed.back)).expect("it is relayed")
}

fn bytes_go_both_ways(world: &World) {
    let mut relay = Relay::new(world);
    for round in 0..10 {
        relay.a.far.send(b"there");
        assert_eq!(world.receive(&mut relay.b.far, 5), b"there");
        relay.b.far.send(b"and back");
        assert_eq!(world.receive(&mut relay.a.far, 8), b"and back");
        let carried = counts(relay.a.transport().relayed());
        assert_eq!(carried, (5 * (round + 1), 8 * (round + 1)));
    }
    world.assert_asleep();
    relay.end(world, 50, 80);
}

/// Has both far ends send all of this, and receive all of the other's.
fn cross(world: &World, a: &mut Far, b: &mut Far, there: &[u8], back: &[u8]) {
    let (mut sent, mut got) = ([0, 0], [Vec::new(), Vec::new()]);
    world.until("both to have it all", || {
        sent[0] += a.try_send(&there[sent[0]..]);
        sent[1] += b.try_send(&back[sent[1]..]);
        got[0].extend(b.take());
        got[1].extend(a.take());
        got[0].len() >= there.len() && got[1].len() >= back.len()
    });
    assert!(got[0] == there && got[1] == back);
}

fn much_goes_both_ways_at_once(world: &World) {
    let noise = noise(TOO_MUCH / 3);
    let (there, back) = (&noise[1..], &noise[7..]);
    for width in [Width::Wide, Width::Narrow] {
        let mut relay = Relay::with(world, width, world.join(Sink));
        cross(world, &mut relay.a.far, &mut relay.b.far, there, back);
        world.assert_asleep();
        relay.end(world, there.len() as u64, back.len() as u64);
    }
}

fn can_move(world: &World) -> bool {
    cfg!(target_os = "linux")
        && world.reactor().engine() != engine_that_receives()
        && !matches!(world.link, Link::Memory | Link::TlsAccepted | Link::TlsConnected)
}

/// What this engine has received already, nobody can move.
fn engine_that_receives() -> Engine {
    #[cfg(target_os = "linux")]
    return Engine::Uring;
    #[cfg(not(target_os = "linux"))]
    Engine::Best
}

fn the_kernel_moves_what_is_much(world: &World) {
    let noise = noise(TOO_MUCH);
    let mut relay = Relay::new(world);
    relay.a.far.send(b"little");
    world.receive(&mut relay.b.far, 6);
    assert_eq!(world.reactor().stats().bytes_moved, 0, "little is copied");
    cross(world, &mut relay.a.far, &mut relay.b.far, &noise, &noise);
    let moved = world.reactor().stats().bytes_moved as usize;
    match can_move(world) {
        true => assert!(moved > TOO_MUCH, "{moved} of {}", 2 * TOO_MUCH),
        false => assert_eq!(moved, 0),
    }
    relay.end(world, 6 + TOO_MUCH as u64, TOO_MUCH as u64);
}

/// What has come before the call, and nobody was told of.
fn early_bytes_go_first(world: &World) {
    let mut lines = [world.join(Sink), world.join(Sink)];
    for line in &mut lines {
        line.transport().pause_reading();
        line.far.send(b"early ");
    }
    world.settle();
    let [a, b] = lines;
    let relayed = tie(&a, &b);
    let mut relay = Relay { a, b, relayed };
    relay.a.far.send(b"late");
    relay.a.transport().resume_reading();
    relay.b.transport().resume_reading();
    assert_eq!(world.receive(&mut relay.b.far, 10), b"early late");
    assert_eq!(world.receive(&mut relay.a.far, 6), b"early ");
    relay.end(world, 10, 6);
}

fn a_relay_may_begin_inside_data_received(world: &World) {
    let b = world.join(Sink);
    let (to, relayed) = (b.transport(), Rc::new(Cell::new(None)));
    let there = relayed.clone();
    let a = world.join(Script(move |transport: &Transport, what: What<'_>| {
        if let What::Data(data) = what {
            assert_eq!(data, b"hello ");
            to.write(data);
            let there = there.clone();
            let deferred = transport.relay(&to).expect("both are open");
            deferred.then(move |_, result| there.set(result.ok()));
        }
    }));
    let mut relay = Relay { a, b, relayed };
    relay.a.far.send(b"hello ");
    assert_eq!(world.receive(&mut relay.b.far, 6), b"hello ");
    relay.a.far.send(b"world");
    assert_eq!(world.receive(&mut relay.b.far, 5), b"world");
    relay.b.far.send(b"yes?");
    assert_eq!(world.receive(&mut relay.a.far, 4), b"yes?");
    assert_eq!(relay.a.trace.received(), 6, "bytes that were received");
    assert_eq!(
        counts(relay.a.transport().relayed()),
        (5, 4),
        "bytes that were carried there and back"
    );
}

/// Whatever comes after it: the connections end as those of any relay.
fn a_relay_may_begin_inside_any_callback(world: &World) {
    for (at, name) in NAMES.iter().enumerate() {
        if *name == "drain_requested" && !world.link.is_accepted() {
            continue;
        }
        let mut b = world.join(Sink);
        let (to, relayed) = (b.transport(), Rc::new(Cell::new(None)));
        let (there, begun) = (relayed.clone(), Rc::new(Cell::new(0)));
        let count = begun.clone();
        let protocol = Script(move |transport: &Transport, what: What<'_>| {
            let number = number(&what);
            if number == Some(at) && count.get() == 0 {
                count.set(1);
                let there = there.clone();
                let deferred = transport.relay(&to).expect("both are open");
                deferred.then(move |_, result| there.set(result.ok()));
            } else if number.is_none() && transport.relay(&to).is_err() {
                count.set(count.get() + 1);
            }
        });
        let mut a = world.join_with(StreamConfig::default(), Width::Narrow, protocol);
        lead_through_life(world, &mut a, name);
        if *name == "drain_requested" {
            a.far.end();
        }
        let mut has_ended = false;
        world.until("the end of both", || {
            a.far.take();
            b.far.take();
            if b.far.fate_so_far() != Fate::Open && !std::mem::replace(&mut has_ended, true) {
                b.far.end();
            }
            a.trace.is_lost() && b.trace.is_lost()
        });
        assert_eq!(begun.get(), 2, "{name}: once, and refused in the end");
        assert_eq!(
            (world.lost(&a.trace), world.lost(&b.trace)),
            (Lost::Done, Lost::Done),
            "{name}"
        );
        world.until("the outcome", || relayed.take().is_some());
    }
}

fn what_was_queued_goes_first(world: &World) {
    let queued = noise(TOO_MUCH);
    let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    b.transport().write(&queued);
    let mut relay = Relay::with(world, Width::Wide, b);
    relay.a.far.send(b"behind");
    relay.b.far.send(b"the other way is free");
    assert_eq!(world.receive(&mut relay.a.far, 21), b"the other way is free");
    world.assert_asleep();
    let received = world.receive(&mut relay.b.far, TOO_MUCH + 6);
    assert!(received[..TOO_MUCH] == queued && received.ends_with(b"behind"));
    relay.end(world, 6, 21);
}

fn producers_go_first(world: &World) {
    let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    b.transport().stream(pieces(b'1', 50_000, 10));
    let mut relay = Relay::with(world, Width::Wide, b);
    relay.a.far.send(b"behind");
    let received = world.receive(&mut relay.b.far, 500_006);
    assert!(received[..500_000].iter().all(|byte| *byte == b'1') && received.ends_with(b"behind"));
    relay.end(world, 6, 0);
}

fn a_waiting_producer_is_not_disturbed(world: &World) {
    let asked = Rc::new(Cell::new(0));
    let count = asked.clone();
    let b = world.join(Sink);
    b.transport().stream(Pull(move |transport: &Transport| {
        count.set(count.get() + 1);
        transport.write(b"!");
        if count.get() == 2 { Production::Done } else { Production::Waiting }
    }));
    let mut relay = Relay::with(world, Width::Wide, b);
    relay.a.far.send(b"behind");
    relay.a.far.end();
    world.assert_asleep();
    assert_eq!(asked.get(), 1, "nobody resumed it");
    assert_eq!(relay.b.far.take(), b"!");
    relay.b.transport().resume_producing();
    assert_eq!(world.receive_to_end(&mut relay.b.far), (b"!behind".to_vec(), Fate::Ended));
}

/// What one read brings, through a layer.
const QUEUED_MAX: usize = 96 * 1024;

/// More than what the kernel may hold on the way through two sockets.
const HELD_MAX: usize = 48 << 20;

fn a_slow_reader_holds_up_the_sender(world: &World) {
    let piece = noise(65_521);
    for is_swapped in [false, true] {
        let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
        let Relay { mut a, mut b, relayed } = Relay::with(world, Width::Narrow, b);
        if is_swapped {
            (a, b) = (b, a);
        }
        // A wire takes all that is received.
        let len_max = if world.link == Link::Memory { 1 << 20 } else { HELD_MAX };
        let mut sent = 0;
        let mut waits = 0;
        while waits < 3 && sent < len_max {
            let taken = a.far.try_send(&piece[sent % piece.len()..]);
            sent += taken;
            waits = if taken == 0 { waits + 1 } else { 0 };
            if taken == 0 {
                world.settle();
            }
        }
        assert!(sent < HELD_MAX, "nothing held it up");
        let queued = b.transport().queued();
        assert!(queued <= QUEUED_MAX, "{queued} queued");
        assert!(!b.trace.has(&Told::WritingPaused), "that is the relay's business");
        b.far.send(b"the other way is free");
        assert_eq!(world.receive(&mut a.far, 21), b"the other way is free");
        world.assert_asleep();
        let mut got = 0;
        world.until("all of it", || {
            // A session keeps what its socket has not taken.
            a.far.pump();
            let taken = b.far.take();
            let mut rest = &taken[..];
            while !rest.is_empty() {
                let expected = &piece[got % piece.len()..];
                let len = expected.len().min(rest.len());
                assert!(rest[..len] == expected[..len], "after {got}");
                (rest, got) = (&rest[len..], got + len);
            }
            assert!(b.transport().queued() <= QUEUED_MAX);
            got >= sent
        });
        assert_eq!(got, sent);
        let (there, back) = counts(a.transport().relayed());
        assert_eq!((there, back), (sent as u64, 21));
        if is_swapped {
            (a, b) = (b, a);
        }
        let (there, back) = if is_swapped { (21, there) } else { (there, 21) };
        Relay { a, b, relayed }.end(world, there, back);
    }
}

/// It is for what a user writes.
fn a_write_limit_is_not_reached(world: &World) {
    let config = StreamConfig::default().watermarks(1000, 10).write_limit(2000);
    let bytes = noise(TOO_MUCH / 8);
    let b = world.join_with(config, Width::Narrow, Sink);
    let mut relay = Relay::with(world, Width::Wide, b);
    let mut sent = 0;
    let mut got = Vec::new();
    world.until("all of it", || {
        sent += relay.a.far.try_send(&bytes[sent..]);
        got.extend(relay.b.far.take_some(10_000));
        got.len() >= bytes.len()
    });
    assert!(got == bytes);
    relay.end(world, bytes.len() as u64, 0);
}

fn pausing_holds_one_direction_up(world: &World) {
    let mut relay = Relay::new(world);
    world.settle();
    relay.a.transport().pause_reading();
    relay.a.far.send(b"later");
    relay.b.far.send(b"now");
    assert_eq!(world.receive(&mut relay.a.far, 3), b"now");
    world.assert_asleep();
    assert_eq!(relay.b.far.take(), b"");
    relay.a.transport().resume_reading();
    assert_eq!(world.receive(&mut relay.b.far, 5), b"later");
    relay.end(world, 5, 3);
}

fn what_is_written_by_hand_goes_between(world: &World) {
    let mut relay = Relay::new(world);
    relay.a.far.send(b"one ");
    assert_eq!(world.receive(&mut relay.b.far, 4), b"one ");
    assert_eq!(relay.b.transport().write(b"by hand "), WriteStatus::Ok);
    assert_eq!(world.receive(&mut relay.b.far, 8), b"by hand ");
    relay.a.far.send(b"two");
    assert_eq!(world.receive(&mut relay.b.far, 3), b"two");
    // What is given as a producer waits for the end of what comes.
    relay.b.transport().stream(pieces(b'.', 1, 3));
    relay.a.far.send(b" three");
    assert_eq!(world.receive(&mut relay.b.far, 6), b" three");
    relay.a.far.end();
    assert_eq!(world.receive_to_end(&mut relay.b.far), (b"...".to_vec(), Fate::Ended));
}

fn nobody_can_be_tied_twice(world: &World) {
    let (a, b, c) = (world.join(Sink), world.join(Sink), world.join(Sink));
    let refused = |one: &Line, other: &Line| one.transport().relay(&other.transport()).err();
    assert_eq!(refused(&a, &a), Some(RelayError::Itself));
    c.transport().close_write();
    assert_eq!(refused(&a, &c), Some(RelayError::Closed));
    assert_eq!(refused(&c, &a), Some(RelayError::Closed));
    c.transport().abort();
    assert_eq!(refused(&a, &c), Some(RelayError::Closed));
    world.lost(&c.trace);
    assert_eq!(refused(&a, &c), Some(RelayError::Closed));
    assert_eq!(a.transport().relayed(), None);
    let _tied = tie(&a, &b);
    let d = world.join(Sink);
    assert_eq!(refused(&a, &b), Some(RelayError::AlreadyRelayed));
    assert_eq!(refused(&b, &d), Some(RelayError::AlreadyRelayed));
    assert_eq!(refused(&d, &a), Some(RelayError::AlreadyRelayed));
    let others = Reactor::new().expect("a reactor");
    let (connection, _wire) =
        memory::connect(&others, StreamConfig::default(), Sink).expect("room for one");
    let refused = d.transport().relay(connection.transport()).err();
    assert_eq!(refused, Some(RelayError::OtherReactor));
}

/// A plain TCP connection, whatever the others of this world are.
fn plain(world: &World) -> Line {
    let listener = listener(Width::Wide);
    let addr = listener.local_addr().expect("a listener has an address");
    drop(world.reactor().connect_tcp(addr, world.watched(|| Sink)));
    let mut accepted = None;
    world.until("a plain connection", || {
        accepted = accepted.take().or_else(|| listener.accept().ok());
        accepted.is_some() && world.traces.last().is_made()
    });
    let far = Far::socket(accepted.expect("it was accepted").0);
    Line { far, trace: world.traces.last(), port: None }
}

fn ends_of_other_kinds_may_be_tied(world: &World) {
    let noise = noise(TOO_MUCH / 4);
    for is_swapped in [false, true] {
        let (mut a, mut b) = (world.join(Sink), plain(world));
        if is_swapped {
            (a, b) = (b, a);
        }
        let relayed = tie(&a, &b);
        let mut relay = Relay { a, b, relayed };
        cross(world, &mut relay.a.far, &mut relay.b.far, &noise, &noise[3..]);
        world.assert_asleep();
        relay.end(world, noise.len() as u64, noise.len() as u64 - 3);
    }
}

/// From `a` to `b`, whose far end is a connection to a port that answers; by way of two relays.
fn relays_form_chains(world: &World) {
    let middle = Rc::new(RefCell::new(Vec::new()));
    let ends = middle.clone();
    let port = world.reactor().listen_tcp(
        "127.0.0.1:0",
        world.watched(move || {
            let ends = ends.clone();
            Script(move |transport: &Transport, what: What<'_>| {
                if let What::Made = what {
                    ends.borrow_mut().push(transport.clone());
                }
            })
        }),
    );
    let port = port.expect("a free port");
    let joint = world.reactor().connect_tcp(port.local(), world.watched(|| Sink));
    let there = Rc::new(RefCell::new(None));
    let kept = there.clone();
    joint.then(move |_, connected| {
        *kept.borrow_mut() = connected.ok().map(|connection| connection.transport().clone());
    });
    world.until("the joint", || middle.borrow().len() == 1 && there.borrow().is_some());
    let (inner, outer) = (there.take().expect("it is there"), middle.borrow()[0].clone());
    let (mut a, mut b) = (world.join(Sink), world.join(Sink));
    drop(a.transport().relay(&inner).expect("both are open"));
    drop(outer.relay(&b.transport()).expect("both are open"));
    let noise = noise(TOO_MUCH / 4);
    cross(world, &mut a.far, &mut b.far, &noise, &noise[3..]);
    a.far.end();
    assert_eq!(world.receive_to_end(&mut b.far), (vec![], Fate::Ended));
    b.far.end();
    assert_eq!(world.receive_to_end(&mut a.far), (vec![], Fate::Ended));
    assert_eq!(world.lost(&a.trace), Lost::Done);
    assert_eq!(world.lost(&b.trace), Lost::Done);
    port.stop_listening();
}
