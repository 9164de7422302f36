//! Handover of connections to a relay or another protocol: unread input goes first, nothing is lost or duplicated,
//! and the callback contract holds for every protocol.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use sinew::{
    prelude::*,
    protocols::basic::{LineHandler, LineReceiver, LineTransport},
    transports::{NotHandedOver, RelayError},
};

use super::relaying::{counts, tie};
use crate::support::{
    Callback, EndState, Event, Lost, Script, Sink, TOO_MUCH, TestConnection, Trace, Width, World,
    every_callback::{NAMES, number, trigger_callbacks},
    noise, table,
};

table! {
    everywhere:
        input_after_a_frame_is_relayed,
        a_frame_pauses_and_is_relayed_later,
        a_partial_frame_is_relayed,
        both_ends_of_a_relay_have_unread_input,
        unread_input_follows_queued_output,
        unread_input_waits_for_a_pause,
        eof_follows_unread_input,
        a_frame_handler_can_replace_the_protocol,
        a_protocol_may_be_replaced_inside_any_callback,
        a_pause_outlives_the_protocol,
        a_replaced_protocol_gets_no_more_callbacks,
        the_successor_gets_eof,
        the_successor_gets_writing_paused,
        a_successor_may_be_replaced_at_once,
        a_successor_may_relay_at_once,
        a_connection_lost_during_handover_has_two_lifecycles,
        a_protocol_that_panics_at_the_handover,
        timers_end_with_the_protocol,
        handovers_that_are_refused;
}

/// Starts a relay after the line `CONNECT`, in one of several ways.
struct Proxy {
    to: Transport,
    how: How,
}

#[derive(Clone, Copy, Debug)]
enum How {
    AtOnce,
    /// As if the other end had been connected first.
    Later,
    /// By the test.
    Elsewhere,
}

impl LineHandler for Proxy {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        assert_eq!(line, b"CONNECT");
        let (this, to): (Transport, _) = (transport.clone(), self.to.clone());
        match self.how {
            How::AtOnce => this.relay(&to).expect("both are open").detach(),
            How::Later => {
                this.pause_reading();
                transport.reactor().unwrap().call_later(Duration::from_millis(1), move |_| {
                    this.relay(&to).expect("both are open").detach();
                    this.resume_reading();
                });
            }
            How::Elsewhere => {}
        }
    }
}

fn proxy(world: &World, how: How) -> (TestConnection, TestConnection) {
    let b = world.join(Sink);
    let a = world.join(LineReceiver::new(Proxy { to: b.transport(), how }));
    (a, b)
}

fn input_after_a_frame_is_relayed(world: &World) {
    for pieces in
        [&["CONNECT\r\nearly"][..], &["CONN", "ECT\r\near", "ly"], &["CONNECT\r\n", "early"]]
    {
        let (mut a, mut b) = proxy(world, How::AtOnce);
        for piece in pieces {
            a.remote.send(piece.as_bytes());
            world.settle();
        }
        a.remote.send(b", and late");
        assert_eq!(world.receive(&mut b.remote, 15), b"early, and late", "{pieces:?}");
        b.remote.send(b"and back");
        assert_eq!(world.receive(&mut a.remote, 8), b"and back");
        assert_eq!(
            counts(a.transport().relayed()),
            (15, 8),
            "bytes that were carried there and back"
        );
        world.assert_asleep();
    }
}

fn a_frame_pauses_and_is_relayed_later(world: &World) {
    let early = noise(100_000);
    let (mut a, mut b) = proxy(world, How::Later);
    a.remote.send(b"CONNECT\r\n");
    a.remote.send(&early);
    assert!(world.receive(&mut b.remote, early.len()) == early);
    assert_eq!(counts(a.transport().relayed()), (early.len() as u64, 0));
    world.assert_asleep();
}

/// The request comes from outside of a frame callback: the received part of the next frame is handed over, too.
fn a_partial_frame_is_relayed(world: &World) {
    let (mut a, mut b) = proxy(world, How::Elsewhere);
    a.remote.send(b"CONNECT\r\nhalf a ");
    world.settle();
    let relayed = tie(&a, &b);
    a.remote.send(b"frame");
    assert_eq!(world.receive(&mut b.remote, 12), b"half a frame");
    a.remote.end();
    assert_eq!(world.receive_to_end(&mut b.remote), (vec![], EndState::Ended));
    b.remote.end();
    world.until("the outcome", || relayed.get().is_some());
    assert_eq!(counts(relayed.get()), (12, 0), "bytes that were carried there and back");
}

fn both_ends_of_a_relay_have_unread_input(world: &World) {
    let mut a = world.join(Keeps::new(|_, _| {}));
    let mut b = world.join(Keeps::new(|_, _| {}));
    a.remote.send(b"there");
    b.remote.send(b"back");
    world.until("both to have it", || a.trace.received() == 5 && b.trace.received() == 4);
    tie(&a, &b);
    assert_eq!(world.receive(&mut b.remote, 5), b"there");
    assert_eq!(world.receive(&mut a.remote, 4), b"back");
    assert_eq!(counts(a.transport().relayed()), (5, 4), "bytes that were carried there and back");
}

fn unread_input_follows_queued_output(world: &World) {
    let queued = noise(TOO_MUCH);
    let mut b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    b.transport().write(&queued);
    let mut a = world.join(LineReceiver::new(Proxy { to: b.transport(), how: How::AtOnce }));
    a.remote.send(b"CONNECT\r\nearly");
    world.settle();
    a.remote.send(b" late");
    let received = world.receive(&mut b.remote, queued.len() + 10);
    assert!(received[..queued.len()] == queued);
    assert_eq!(&received[queued.len()..], b"early late");
    world.assert_asleep();
}

fn unread_input_waits_for_a_pause(world: &World) {
    let (mut a, mut b) = proxy(world, How::AtOnce);
    a.transport().pause_reading();
    a.remote.send(b"CONNECT\r\nearly");
    world.settle();
    // Read it with the relay running, and pause before the loop forwards it.
    a.transport().resume_reading();
    let (transport, reactor) = (a.transport(), world.reactor().clone());
    world.until("the relay", || {
        let begun = transport.relayed().is_some();
        if begun {
            transport.pause_reading();
        }
        begun
    });
    drop(reactor);
    a.remote.send(b" late");
    world.settle();
    let so_far = b.remote.take();
    assert!(b"early".starts_with(&so_far), "{so_far:?}");
    a.transport().resume_reading();
    let rest = world.receive(&mut b.remote, 10 - so_far.len());
    assert_eq!([so_far, rest].concat(), b"early late");
}

fn eof_follows_unread_input(world: &World) {
    for how in [How::AtOnce, How::Later] {
        let (mut a, mut b) = proxy(world, how);
        a.remote.send(b"CONNECT\r\nthe last word");
        a.remote.end();
        assert_eq!(
            world.receive_to_end(&mut b.remote),
            (b"the last word".to_vec(), EndState::Ended)
        );
        b.remote.send(b"answer");
        b.remote.end();
        assert_eq!(world.receive_to_end(&mut a.remote), (b"answer".to_vec(), EndState::Ended));
    }
}

/// Keeps all input, and returns it from take_unread.
struct Keeps<F> {
    kept: Vec<u8>,
    act: F,
}

impl<F: FnMut(&Transport, Event<'_>) + 'static> Keeps<F> {
    fn new(act: F) -> Self {
        Self { kept: Vec::new(), act }
    }
}

macro_rules! acts {
    ($($name:ident($($arg:ident: $type:ty)?) => $what:expr;)+) => {
        $(fn $name(&mut self, transport: &Transport, $($arg: $type)?) {
            (self.act)(transport, $what);
        })+
    };
}

impl<F: FnMut(&Transport, Event<'_>) + 'static> Protocol for Keeps<F> {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.kept.extend_from_slice(data);
        (self.act)(transport, Event::Data(data));
    }

    fn take_unread(&mut self, _: &Transport) -> Bytes {
        std::mem::take(&mut self.kept).into()
    }

    acts! {
        connection_made() => Event::Made;
        read_closed() => Event::ReadClosed;
        writing_paused() => Event::WritingPaused;
        writing_resumed() => Event::WritingResumed;
        reading_resumed() => Event::ReadingResumed;
        timer_fired(timer: TimerId) => Event::Timer(timer);
        idle_timeout() => Event::Idle;
        drain_requested() => Event::Drain;
        connection_lost(reason: &ConnectionLost) => Event::Lost(reason);
    }
}

/// Where the trace of the later protocol will be stored.
type Later = Rc<RefCell<Option<Rc<Trace>>>>;

fn trace(later: &Later) -> Rc<Trace> {
    later.borrow().clone().expect("the protocol was made")
}

/// Hands a connection over to a traced protocol.
fn give<P: Protocol>(world: &World, later: &Later) -> impl Fn(&Transport, P) + 'static {
    let (traces, later) = (world.traces.clone(), later.clone());
    move |transport, protocol| {
        let watched = traces.watch(protocol);
        later.replace(Some(watched.trace().clone()));
        transport.set_protocol(watched).expect("it is open");
    }
}

/// Switches to raw mode after the first line.
struct Upgrade<F>(F);

impl<F: FnMut(&Transport) + 'static> LineHandler for Upgrade<F> {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        assert_eq!(line, b"UPGRADE");
        transport.write(b"101\r\n");
        (self.0)(transport);
    }
}

fn a_frame_handler_can_replace_the_protocol(world: &World) {
    for pieces in [
        &["UPGRADE\r\nhello\r\n"][..],
        &["UPGR", "ADE\r\nhel", "lo\r\n"],
        &["UPGRADE\r\n", "hello\r\n"],
    ] {
        let later = Later::default();
        let give = give(world, &later);
        let mut line = world
            .join(LineReceiver::new(Upgrade(move |t: &Transport| give(t, crate::support::Echo))));
        for piece in pieces {
            line.remote.send(piece.as_bytes());
            world.settle();
        }
        line.remote.send(b"world");
        assert_eq!(world.receive(&mut line.remote, 17), b"101\r\nhello\r\nworld", "{pieces:?}");
        assert_eq!(world.lost(&line.trace), Lost::HandedOver);
        assert!(line.trace.is_dropped());
        assert_eq!(trace(&later).callbacks(), [Callback::Made, Callback::Data(12)]);
        line.remote.close();
        assert_eq!(world.lost(&trace(&later)), Lost::Done);
    }
}

fn a_protocol_may_be_replaced_inside_any_callback(world: &World) {
    for (at, name) in NAMES.iter().enumerate() {
        if *name == "drain_requested" && !world.link.is_accepted() {
            continue;
        }
        let later = Later::default();
        let (give, done) = (give(world, &later), Cell::new(false));
        let protocol = Keeps::new(move |transport: &Transport, what: Event<'_>| {
            if number(&what) == Some(at) && !done.replace(true) {
                give(transport, crate::support::Echo);
            }
        });
        let before = world.traces.len();
        let mut line = world.join_with(StreamConfig::default(), Width::Narrow, protocol);
        line.trace = world.traces.all()[before].clone();
        trigger_callbacks(world, &mut line, name);
        world.until(&format!("{name}: the successor"), || later.borrow().is_some());
        if *name == "drain_requested" {
            line.remote.end();
        }
        world.until(&format!("{name}: the end of both"), || {
            line.remote.take();
            line.trace.is_lost() && trace(&later).is_lost()
        });
        assert_eq!(world.lost(&line.trace), Lost::HandedOver, "{name}");
        // The byte is delivered to both, or only to the second if the handover was earlier.
        assert_eq!(trace(&later).data(), b"x", "{name}");
    }
}

fn a_pause_outlives_the_protocol(world: &World) {
    let later = Later::default();
    let give = give(world, &later);
    let mut line = world.join(Keeps::new(move |transport: &Transport, what: Event<'_>| {
        if matches!(what, Event::Data(_)) {
            transport.pause_reading();
            give(transport, crate::support::Echo);
        }
    }));
    line.remote.send(b"one");
    world.until("the successor", || later.borrow().is_some());
    line.remote.send(b" two");
    world.settle();
    assert_eq!(trace(&later).callbacks(), [Callback::Made]);
    line.transport().resume_reading();
    assert_eq!(world.receive(&mut line.remote, 7), b"one two");
    assert_eq!(
        trace(&later).callbacks(),
        [Callback::Made, Callback::ReadingResumed, Callback::Data(7)]
    );
}

fn a_replaced_protocol_gets_no_more_callbacks(world: &World) {
    let later = Later::default();
    let give = give(world, &later);
    let mut line = world.join(Script(move |transport: &Transport, what: Event<'_>| match what {
        Event::Data(_) => {
            give(transport, Sink);
            assert!(!transport.is_reading());
        }
        Event::Lost(ConnectionLost::HandedOver) => drop(transport.write(b"last one")),
        _ => {}
    }));
    line.remote.send(&noise(150_000));
    assert_eq!(world.receive(&mut line.remote, 8), b"last one");
    world.until("all of it", || line.trace.received() + trace(&later).received() == 150_000);
    assert!(matches!(
        line.trace.callbacks()[..],
        [Callback::Made, Callback::Data(_), Callback::Lost(_)]
    ));
}

fn the_successor_gets_eof(world: &World) {
    for paused in [false, true] {
        let later = Later::default();
        let give = give(world, &later);
        let mut line = world.join(Keeps::new(move |transport: &Transport, what: Event<'_>| {
            if matches!(what, Event::ReadClosed) {
                if paused {
                    transport.pause_reading();
                }
                give(transport, crate::support::Echo);
            }
        }));
        line.remote.send(b"all");
        line.remote.end();
        if paused {
            world.until("the successor", || later.borrow().is_some());
            world.settle();
            assert_eq!(trace(&later).callbacks(), [Callback::Made]);
            line.transport().resume_reading();
        }
        assert_eq!(world.receive_to_end(&mut line.remote), (b"all".to_vec(), EndState::Ended));
        assert_eq!(world.lost(&trace(&later)), Lost::Done);
        assert_eq!(trace(&later).count(&Callback::ReadClosed), 1, "times read_closed was told");
    }
}

/// Pauses and resumptions must be balanced for both; the traces check that.
fn the_successor_gets_writing_paused(world: &World) {
    let later = Later::default();
    let give = give(world, &later);
    let mut line = world.join_with(
        StreamConfig::default(),
        Width::Narrow,
        Keeps::new(move |transport: &Transport, what: Event<'_>| {
            if matches!(what, Event::WritingPaused) {
                give(transport, Sink);
            }
        }),
    );
    line.transport().write(&noise(TOO_MUCH));
    world.until("both to be told", || {
        later.borrow().is_some() && trace(&later).has(&Callback::WritingPaused)
    });
    world.receive(&mut line.remote, TOO_MUCH);
    world.until("the end of the pause", || trace(&later).has(&Callback::WritingResumed));
    assert!(!line.trace.has(&Callback::WritingResumed));
}

fn a_successor_may_be_replaced_at_once(world: &World) {
    let (second, third) = (Later::default(), Later::default());
    let (to_second, to_third) = (give(world, &second), give(world, &third));
    let to_third = Rc::new(to_third);
    let mut line = world.join(Keeps::new(move |transport: &Transport, what: Event<'_>| {
        if matches!(what, Event::Data(_)) {
            let to_third = to_third.clone();
            to_second(
                transport,
                Keeps::new(move |transport: &Transport, what: Event<'_>| {
                    if matches!(what, Event::Made) {
                        to_third(transport, crate::support::Echo);
                    }
                }),
            );
        }
    }));
    line.remote.send(b"hello");
    assert_eq!(world.receive(&mut line.remote, 5), b"hello");
    assert_eq!(world.lost(&trace(&second)), Lost::HandedOver);
    assert_eq!(trace(&second).received(), 0, "bytes that were received");
    assert_eq!(trace(&third).callbacks(), [Callback::Made, Callback::Data(5)]);
}

fn a_successor_may_relay_at_once(world: &World) {
    let mut b = world.join(Sink);
    let (to, later) = (b.transport(), Later::default());
    let give = give(world, &later);
    let mut a = world.join(Keeps::new(move |transport: &Transport, what: Event<'_>| {
        if matches!(what, Event::Data(_)) {
            let to = to.clone();
            give(
                transport,
                Script(move |transport: &Transport, what: Event<'_>| {
                    if matches!(what, Event::Made) {
                        transport.relay(&to).expect("both are open").detach();
                    }
                }),
            );
        }
    }));
    a.remote.send(b"hello");
    assert_eq!(world.receive(&mut b.remote, 5), b"hello");
    assert_eq!(trace(&later).received(), 0, "bytes that were received");
}

fn a_connection_lost_during_handover_has_two_lifecycles(world: &World) {
    let later = Later::default();
    let give = give(world, &later);
    let mut line = world.join(Script(move |transport: &Transport, what: Event<'_>| {
        if matches!(what, Event::Data(_)) {
            give(transport, Sink);
            transport.abort();
        }
    }));
    line.remote.send(b"x");
    world.until("the successor", || later.borrow().is_some());
    assert_eq!(world.lost(&line.trace), Lost::HandedOver);
    assert_eq!(world.lost(&trace(&later)), Lost::Aborted);
    assert_eq!(trace(&later).callbacks().len(), 2, "callbacks");
}

type Give = dyn Fn(&Transport, Sink);

/// The old protocol, which panics in its last callback.
struct Panics {
    in_take_unread: bool,
    give: Box<Give>,
}

impl Protocol for Panics {
    fn data_received(&mut self, transport: &Transport, _: &[u8]) {
        (self.give)(transport, Sink);
    }

    fn take_unread(&mut self, _: &Transport) -> Bytes {
        assert!(!self.in_take_unread, "while it hands back");
        Bytes::new()
    }

    fn connection_lost(&mut self, _: &Transport, _: &ConnectionLost) {
        assert!(self.in_take_unread, "at its end");
    }
}

fn a_protocol_that_panics_at_the_handover(world: &World) {
    for in_take_unread in [true, false] {
        let later = Later::default();
        let give = Box::new(give(world, &later));
        let mut line = world.join(Panics { in_take_unread, give });
        line.remote.send(b"x");
        world.until("the successor", || later.borrow().is_some());
        let why = if in_take_unread { "while it hands back" } else { "at its end" };
        let panicked = Lost::Panicked(why.to_owned());
        let old = if in_take_unread { panicked.clone() } else { Lost::HandedOver };
        assert_eq!(world.lost(&line.trace), old);
        assert_eq!(world.lost(&trace(&later)), panicked);
    }
}

fn timers_end_with_the_protocol(world: &World) {
    let later = Later::default();
    let give = give(world, &later);
    let mut line = world.join(Script(move |transport: &Transport, what: Event<'_>| {
        if matches!(what, Event::Data(_) | Event::Lost(_)) {
            transport.call_later(Duration::from_millis(1));
        }
        if matches!(what, Event::Data(_)) {
            give(
                transport,
                Script(|transport: &Transport, what: Event<'_>| match what {
                    Event::Made => drop(transport.call_later(Duration::from_millis(20))),
                    Event::Timer(_) => drop(transport.write(b"mine")),
                    _ => {}
                }),
            );
        }
    }));
    line.remote.send(b"x");
    assert_eq!(world.receive(&mut line.remote, 4), b"mine");
    let timers = |trace: &Trace| {
        trace.callbacks().iter().filter(|callbacks| matches!(callbacks, Callback::Timer(_))).count()
    };
    assert_eq!(
        (timers(&line.trace), timers(&trace(&later))),
        (0, 1),
        "timers that are left, timers that are left"
    );
}

fn handovers_that_are_refused(world: &World) {
    let reason = |line: &TestConnection| {
        line.transport().set_protocol(Sink).expect_err("it is not to be replaced").reason
    };
    let (a, b) = (world.join(Sink), world.join(Sink));
    tie(&a, &b);
    assert_eq!(reason(&a), NotHandedOver::Relayed);
    let c = world.join(Sink);
    let later = Later::default();
    give(world, &later)(&c.transport(), Sink);
    assert_eq!(reason(&c), NotHandedOver::Pending);
    world.settle();
    assert_eq!(world.lost(&c.trace), Lost::HandedOver);
    c.transport().lose_connection();
    assert_eq!(reason(&c), NotHandedOver::Closed);
    assert_eq!(c.transport().relay(&a.transport()).err(), Some(RelayError::AlreadyRelayed));
}
