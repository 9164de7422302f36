//! Relays: two connected connections forward data in order, in both directions, with backpressure, up to EOF in each
//! direction.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use sinew::{
    prelude::*,
    transports::{RelayError, RelayedBytes, memory},
};

use super::producing::pieces;
use crate::support::{
    Callback, EndState, Event, Link, Lost, Pull, RemoteEnd, Script, Sink, TOO_MUCH, TestConnection,
    Width, World,
    every_callback::{NAMES, number, trigger_callbacks},
    noise,
    sockets::listener,
    table,
};

table! {
    everywhere:
        bytes_go_both_ways,
        bulk_data_go_both_ways,
        undelivered_input_is_forwarded_first,
        a_relay_may_begin_inside_data_received,
        a_relay_may_begin_inside_any_callback,
        queued_output_goes_first,
        producers_go_first,
        a_waiting_producer_is_not_woken,
        a_slow_reader_pauses_the_sender,
        a_write_limit_is_not_reached,
        pausing_stops_one_direction,
        written_data_are_interleaved,
        a_connection_is_relayed_once_only,
        connections_of_different_kinds_can_be_relayed,
        relays_form_chains;
    smooth:
        // With fault injection the socket is wrapped, so the kernel cannot be used directly.
        large_transfers_are_spliced;
}

/// Two relayed connections.
pub(super) struct Relay {
    pub(super) a: TestConnection,
    pub(super) b: TestConnection,
    pub(super) relayed: Rc<Cell<Option<RelayedBytes>>>,
}

pub(super) fn tie(a: &TestConnection, b: &TestConnection) -> Rc<Cell<Option<RelayedBytes>>> {
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
    pub(super) fn with(world: &World, width: Width, b: TestConnection) -> Self {
        let a = world.join_with(StreamConfig::default(), width, Sink);
        let relayed = tie(&a, &b);
        Self { a, b, relayed }
    }

    /// Both have ended normally, with this many bytes forwarded.
    fn end(self, world: &World, there: u64, back: u64) {
        let Self { mut a, mut b, relayed } = self;
        assert_eq!(relayed.take(), None, "it is still going on");
        a.remote.end();
        assert_eq!(world.receive_to_end(&mut b.remote), (vec![], EndState::Ended));
        b.remote.end();
        assert_eq!(world.receive_to_end(&mut a.remote), (vec![], EndState::Ended));
        a.remote.close();
        b.remote.close();
        for trace in [&a.trace, &b.trace] {
            assert_eq!(world.lost(trace), Lost::Done);
            assert!(
                trace.callbacks().iter().all(|callbacks| !matches!(
                    callbacks,
                    Callback::Data(_) | Callback::ReadClosed
                ))
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

pub(super) fn counts(relayed: Option<RelayedBytes>) -> (u64, u64) {
    relayed.map(|relayed| (relayed.to_other, relayed.from_other)).expect("it is relayed")
}

fn bytes_go_both_ways(world: &World) {
    let mut relay = Relay::new(world);
    for round in 0..10 {
        relay.a.remote.send(b"there");
        assert_eq!(world.receive(&mut relay.b.remote, 5), b"there");
        relay.b.remote.send(b"and back");
        assert_eq!(world.receive(&mut relay.a.remote, 8), b"and back");
        let carried = counts(relay.a.transport().relayed());
        assert_eq!(carried, (5 * (round + 1), 8 * (round + 1)));
    }
    world.assert_asleep();
    relay.end(world, 50, 80);
}

/// Sends all of this from both remote ends, and receives all of the other's.
fn cross(world: &World, a: &mut RemoteEnd, b: &mut RemoteEnd, there: &[u8], back: &[u8]) {
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

fn bulk_data_go_both_ways(world: &World) {
    let noise = noise(TOO_MUCH / 3);
    let (there, back) = (&noise[1..], &noise[7..]);
    for width in [Width::Wide, Width::Narrow] {
        let mut relay = Relay::with(world, width, world.join(Sink));
        cross(world, &mut relay.a.remote, &mut relay.b.remote, there, back);
        world.assert_asleep();
        relay.end(world, there.len() as u64, back.len() as u64);
    }
}

fn can_move(world: &World) -> bool {
    cfg!(target_os = "linux")
        && world.reactor().engine() != engine_that_receives()
        && !matches!(world.link, Link::Memory | Link::TlsAccepted | Link::TlsConnected)
}

/// Data already received by a completion-based engine cannot be spliced.
fn engine_that_receives() -> Engine {
    #[cfg(target_os = "linux")]
    return Engine::Uring;
    #[cfg(not(target_os = "linux"))]
    Engine::Best
}

fn large_transfers_are_spliced(world: &World) {
    let noise = noise(TOO_MUCH);
    let mut relay = Relay::new(world);
    relay.a.remote.send(b"little");
    world.receive(&mut relay.b.remote, 6);
    assert_eq!(world.reactor().stats().bytes_moved, 0, "little is copied");
    cross(world, &mut relay.a.remote, &mut relay.b.remote, &noise, &noise);
    let moved = world.reactor().stats().bytes_moved as usize;
    match can_move(world) {
        true => assert!(moved > TOO_MUCH, "{moved} of {}", 2 * TOO_MUCH),
        false => assert_eq!(moved, 0),
    }
    relay.end(world, 6 + TOO_MUCH as u64, TOO_MUCH as u64);
}

/// Data that arrived before the call and were not delivered.
fn undelivered_input_is_forwarded_first(world: &World) {
    let mut lines = [world.join(Sink), world.join(Sink)];
    for line in &mut lines {
        line.transport().pause_reading();
        line.remote.send(b"early ");
    }
    world.settle();
    let [a, b] = lines;
    let relayed = tie(&a, &b);
    let mut relay = Relay { a, b, relayed };
    relay.a.remote.send(b"late");
    relay.a.transport().resume_reading();
    relay.b.transport().resume_reading();
    assert_eq!(world.receive(&mut relay.b.remote, 10), b"early late");
    assert_eq!(world.receive(&mut relay.a.remote, 6), b"early ");
    relay.end(world, 10, 6);
}

fn a_relay_may_begin_inside_data_received(world: &World) {
    let b = world.join(Sink);
    let (to, relayed) = (b.transport(), Rc::new(Cell::new(None)));
    let there = relayed.clone();
    let a = world.join(Script(move |transport: &Transport, what: Event<'_>| {
        if let Event::Data(data) = what {
            assert_eq!(data, b"hello ");
            to.write(data);
            let there = there.clone();
            let deferred = transport.relay(&to).expect("both are open");
            deferred.then(move |_, result| there.set(result.ok()));
        }
    }));
    let mut relay = Relay { a, b, relayed };
    relay.a.remote.send(b"hello ");
    assert_eq!(world.receive(&mut relay.b.remote, 6), b"hello ");
    relay.a.remote.send(b"world");
    assert_eq!(world.receive(&mut relay.b.remote, 5), b"world");
    relay.b.remote.send(b"yes?");
    assert_eq!(world.receive(&mut relay.a.remote, 4), b"yes?");
    assert_eq!(relay.a.trace.received(), 6, "bytes that were received");
    assert_eq!(
        counts(relay.a.transport().relayed()),
        (5, 4),
        "bytes that were carried there and back"
    );
}

/// Whatever happens afterwards: the connections end like those of any relay.
fn a_relay_may_begin_inside_any_callback(world: &World) {
    for (at, name) in NAMES.iter().enumerate() {
        if *name == "drain_requested" && !world.link.is_accepted() {
            continue;
        }
        let mut b = world.join(Sink);
        let (to, relayed) = (b.transport(), Rc::new(Cell::new(None)));
        let (there, begun) = (relayed.clone(), Rc::new(Cell::new(0)));
        let count = begun.clone();
        let protocol = Script(move |transport: &Transport, what: Event<'_>| {
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
        trigger_callbacks(world, &mut a, name);
        if *name == "drain_requested" {
            a.remote.end();
        }
        let mut has_ended = false;
        world.until("the end of both", || {
            a.remote.take();
            b.remote.take();
            if b.remote.end_state_so_far() != EndState::Open
                && !std::mem::replace(&mut has_ended, true)
            {
                b.remote.end();
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

fn queued_output_goes_first(world: &World) {
    let queued = noise(TOO_MUCH);
    let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    b.transport().write(&queued);
    let mut relay = Relay::with(world, Width::Wide, b);
    relay.a.remote.send(b"behind");
    relay.b.remote.send(b"the other way is free");
    assert_eq!(world.receive(&mut relay.a.remote, 21), b"the other way is free");
    world.assert_asleep();
    let received = world.receive(&mut relay.b.remote, TOO_MUCH + 6);
    assert!(received[..TOO_MUCH] == queued && received.ends_with(b"behind"));
    relay.end(world, 6, 21);
}

fn producers_go_first(world: &World) {
    let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    b.transport().stream(pieces(b'1', 50_000, 10));
    let mut relay = Relay::with(world, Width::Wide, b);
    relay.a.remote.send(b"behind");
    let received = world.receive(&mut relay.b.remote, 500_006);
    assert!(received[..500_000].iter().all(|byte| *byte == b'1') && received.ends_with(b"behind"));
    relay.end(world, 6, 0);
}

fn a_waiting_producer_is_not_woken(world: &World) {
    let asked = Rc::new(Cell::new(0));
    let count = asked.clone();
    let b = world.join(Sink);
    b.transport().stream(Pull(move |transport: &Transport| {
        count.set(count.get() + 1);
        transport.write(b"!");
        if count.get() == 2 { Production::Done } else { Production::Waiting }
    }));
    let mut relay = Relay::with(world, Width::Wide, b);
    relay.a.remote.send(b"behind");
    relay.a.remote.end();
    world.assert_asleep();
    assert_eq!(asked.get(), 1, "nobody resumed it");
    assert_eq!(relay.b.remote.take(), b"!");
    relay.b.transport().resume_producing();
    assert_eq!(world.receive_to_end(&mut relay.b.remote), (b"!behind".to_vec(), EndState::Ended));
}

/// One read, through a layer.
const QUEUED_MAX: usize = 96 * 1024;

/// More than the kernel's buffers of two sockets.
const HELD_MAX: usize = 48 << 20;

fn a_slow_reader_pauses_the_sender(world: &World) {
    let piece = noise(65_521);
    for is_swapped in [false, true] {
        let b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
        let Relay { mut a, mut b, relayed } = Relay::with(world, Width::Narrow, b);
        if is_swapped {
            (a, b) = (b, a);
        }
        // An in-memory connection accepts everything.
        let len_max = if world.link == Link::Memory { 1 << 20 } else { HELD_MAX };
        let mut sent = 0;
        let mut waits = 0;
        while waits < 3 && sent < len_max {
            let taken = a.remote.try_send(&piece[sent % piece.len()..]);
            sent += taken;
            waits = if taken == 0 { waits + 1 } else { 0 };
            if taken == 0 {
                world.settle();
            }
        }
        assert!(sent < HELD_MAX, "nothing held it up");
        let queued = b.transport().queued();
        assert!(queued <= QUEUED_MAX, "{queued} queued");
        assert!(!b.trace.has(&Callback::WritingPaused), "that is the relay's business");
        b.remote.send(b"the other way is free");
        assert_eq!(world.receive(&mut a.remote, 21), b"the other way is free");
        world.assert_asleep();
        let mut got = 0;
        world.until("all of it", || {
            // A TLS session buffers what its socket has not accepted.
            a.remote.pump();
            let taken = b.remote.take();
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

/// The write limit applies to user writes, not to relayed data.
fn a_write_limit_is_not_reached(world: &World) {
    let config = StreamConfig::default().watermarks(1000, 10).write_limit(2000);
    let bytes = noise(TOO_MUCH / 8);
    let b = world.join_with(config, Width::Narrow, Sink);
    let mut relay = Relay::with(world, Width::Wide, b);
    let mut sent = 0;
    let mut got = Vec::new();
    world.until("all of it", || {
        sent += relay.a.remote.try_send(&bytes[sent..]);
        got.extend(relay.b.remote.take_some(10_000));
        got.len() >= bytes.len()
    });
    assert!(got == bytes);
    relay.end(world, bytes.len() as u64, 0);
}

fn pausing_stops_one_direction(world: &World) {
    let mut relay = Relay::new(world);
    world.settle();
    relay.a.transport().pause_reading();
    relay.a.remote.send(b"later");
    relay.b.remote.send(b"now");
    assert_eq!(world.receive(&mut relay.a.remote, 3), b"now");
    world.assert_asleep();
    assert_eq!(relay.b.remote.take(), b"");
    relay.a.transport().resume_reading();
    assert_eq!(world.receive(&mut relay.b.remote, 5), b"later");
    relay.end(world, 5, 3);
}

fn written_data_are_interleaved(world: &World) {
    let mut relay = Relay::new(world);
    relay.a.remote.send(b"one ");
    assert_eq!(world.receive(&mut relay.b.remote, 4), b"one ");
    assert_eq!(relay.b.transport().write(b"by hand "), WriteStatus::Ok);
    assert_eq!(world.receive(&mut relay.b.remote, 8), b"by hand ");
    relay.a.remote.send(b"two");
    assert_eq!(world.receive(&mut relay.b.remote, 3), b"two");
    // Data of a producer delay the end of the output.
    relay.b.transport().stream(pieces(b'.', 1, 3));
    relay.a.remote.send(b" three");
    assert_eq!(world.receive(&mut relay.b.remote, 6), b" three");
    relay.a.remote.end();
    assert_eq!(world.receive_to_end(&mut relay.b.remote), (b"...".to_vec(), EndState::Ended));
}

fn a_connection_is_relayed_once_only(world: &World) {
    let (a, b, c) = (world.join(Sink), world.join(Sink), world.join(Sink));
    let refused = |one: &TestConnection, other: &TestConnection| {
        one.transport().relay(&other.transport()).err()
    };
    assert_eq!(refused(&a, &a), Some(RelayError::SameConnection));
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

/// A plain TCP connection, regardless of the link under test.
fn plain(world: &World) -> TestConnection {
    let listener = listener(Width::Wide);
    let addr = listener.local_addr().expect("a listener has an address");
    world.reactor().connect_tcp(addr, world.watched(|| Sink)).detach();
    let mut accepted = None;
    world.until("a plain connection", || {
        accepted = accepted.take().or_else(|| listener.accept().ok());
        accepted.is_some() && world.traces.last().is_made()
    });
    let remote = RemoteEnd::socket(accepted.expect("it was accepted").0);
    TestConnection { remote, trace: world.traces.last(), port: None }
}

fn connections_of_different_kinds_can_be_relayed(world: &World) {
    let noise = noise(TOO_MUCH / 4);
    for is_swapped in [false, true] {
        let (mut a, mut b) = (world.join(Sink), plain(world));
        if is_swapped {
            (a, b) = (b, a);
        }
        let relayed = tie(&a, &b);
        let mut relay = Relay { a, b, relayed };
        cross(world, &mut relay.a.remote, &mut relay.b.remote, &noise, &noise[3..]);
        world.assert_asleep();
        relay.end(world, noise.len() as u64, noise.len() as u64 - 3);
    }
}

/// From `a` to `b`, through a connection to a local listener and two relays.
fn relays_form_chains(world: &World) {
    let middle = Rc::new(RefCell::new(Vec::new()));
    let ends = middle.clone();
    let port = world.reactor().listen_tcp(
        "127.0.0.1:0",
        world.watched(move || {
            let ends = ends.clone();
            Script(move |transport: &Transport, what: Event<'_>| {
                if let Event::Made = what {
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
    a.transport().relay(&inner).expect("both are open").detach();
    outer.relay(&b.transport()).expect("both are open").detach();
    let noise = noise(TOO_MUCH / 4);
    cross(world, &mut a.remote, &mut b.remote, &noise, &noise[3..]);
    a.remote.end();
    assert_eq!(world.receive_to_end(&mut b.remote), (vec![], EndState::Ended));
    b.remote.end();
    assert_eq!(world.receive_to_end(&mut a.remote), (vec![], EndState::Ended));
    assert_eq!(world.lost(&a.trace), Lost::Done);
    assert_eq!(world.lost(&b.trace), Lost::Done);
    port.stop_listening();
}
