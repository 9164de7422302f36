//! Connections that are given on, to a relay or to another protocol: what the protocol was given and has not used goes first, nothing
//! is lost and nothing comes twice; and every protocol has a whole life.

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
    Fate, Line, Lost, Script, Sink, TOO_MUCH, Told, Trace, What, Width, World,
    life::{NAMES, lead_through_life, number},
    noise, table,
};

table! {
    everywhere:
        what_came_behind_a_frame_is_relayed,
        a_frame_pauses_and_is_relayed_later,
        half_a_frame_is_relayed,
        both_ends_of_a_relay_hand_back,
        what_was_handed_back_goes_behind_what_was_queued,
        what_was_handed_back_waits_for_a_pause,
        the_end_comes_behind_what_was_handed_back,
        a_frame_gives_the_connection_to_another_protocol,
        a_protocol_may_be_replaced_inside_any_callback,
        a_pause_outlives_the_protocol,
        a_protocol_that_is_replaced_is_told_nothing_more,
        the_successor_is_told_of_the_end,
        the_successor_is_told_that_writing_is_paused,
        a_successor_may_be_replaced_at_once,
        a_successor_may_relay_at_once,
        a_connection_lost_on_its_way_has_two_whole_lives,
        a_protocol_that_panics_at_the_handover,
        timers_end_with_the_protocol,
        who_may_not_be_replaced;
}

/// Relays at the line `CONNECT`, in one way or another.
struct Proxy {
    to: Transport,
    how: How,
}

#[derive(Clone, Copy, Debug)]
enum How {
    AtOnce,
    /// As when the other end is connected first.
    Later,
    /// By the test.
    Elsewhere,
}

impl LineHandler for Proxy {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        assert_eq!(line, b"CONNECT");
        let (this, to): (Transport, _) = (transport.clone(), self.to.clone());
        match self.how {
            How::AtOnce => drop(this.relay(&to).expect("both are open")),
            How::Later => {
                this.pause_reading();
                transport.reactor().unwrap().call_later(Duration::from_millis(1), move |_| {
                    drop(this.relay(&to).expect("both are open"));
                    this.resume_reading();
                });
            }
            How::Elsewhere => {}
        }
    }
}

fn proxy(world: &World, how: How) -> (Line, Line) {
    let b = world.join(Sink);
    let a = world.join(LineReceiver::new(Proxy { to: b.transport(), how }));
    (a, b)
}

fn what_came_behind_a_frame_is_relayed(world: &World) {
    for pieces in
        [&["CONNECT\r\nearly"][..], &["CONN", "ECT\r\near", "ly"], &["CONNECT\r\n", "early"]]
    {
        let (mut a, mut b) = proxy(world, How::AtOnce);
        for piece in pieces {
            a.far.send(piece.as_bytes());
            world.settle();
        }
        a.far.send(b", and late");
        assert_eq!(world.receive(&mut b.far, 15), b"early, and late", "{pieces:?}");
        b.far.send(b"and back");
        assert_eq!(world.receive(&mut a.far, 8), b"and back");
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
    a.far.send(b"CONNECT\r\n");
    a.far.send(&early);
    assert!(world.receive(&mut b.far, early.len()) == early);
    assert_eq!(counts(a.transport().relayed()), (early.len() as u64, 0));
    world.assert_asleep();
}

/// Nobody has asked for it inside of a frame: what has come of the next one goes along.
fn half_a_frame_is_relayed(world: &World) {
    let (mut a, mut b) = proxy(world, How::Elsewhere);
    a.far.send(b"CONNECT\r\nhalf a ");
    world.settle();
    let relayed = tie(&a, &b);
    a.far.send(b"frame");
    assert_eq!(world.receive(&mut b.far, 12), b"half a frame");
    a.far.end();
    assert_eq!(world.receive_to_end(&mut b.far), (vec![], Fate::Ended));
    b.far.end();
    world.until("the outcome", || relayed.get().is_some());
    assert_eq!(counts(relayed.get()), (12, 0), "bytes that were carried there and back");
}

fn both_ends_of_a_relay_hand_back(world: &World) {
    let mut a = world.join(Keeps::new(|_, _| {}));
    let mut b = world.join(Keeps::new(|_, _| {}));
    a.far.send(b"there");
    b.far.send(b"back");
    world.until("both to have it", || a.trace.received() == 5 && b.trace.received() == 4);
    tie(&a, &b);
    assert_eq!(world.receive(&mut b.far, 5), b"there");
    assert_eq!(world.receive(&mut a.far, 4), b"back");
    assert_eq!(counts(a.transport().relayed()), (5, 4), "bytes that were carried there and back");
}

fn what_was_handed_back_goes_behind_what_was_queued(world: &World) {
    let queued = noise(TOO_MUCH);
    let mut b = world.join_with(StreamConfig::default(), Width::Narrow, Sink);
    b.transport().write(&queued);
    let mut a = world.join(LineReceiver::new(Proxy { to: b.transport(), how: How::AtOnce }));
    a.far.send(b"CONNECT\r\nearly");
    world.settle();
    a.far.send(b" late");
    let received = world.receive(&mut b.far, queued.len() + 10);
    assert!(received[..queued.len()] == queued);
    assert_eq!(&received[queued.len()..], b"early late");
    world.assert_asleep();
}

fn what_was_handed_back_waits_for_a_pause(world: &World) {
    let (mut a, mut b) = proxy(world, How::AtOnce);
    a.transport().pause_reading();
    a.far.send(b"CONNECT\r\nearly");
    world.settle();
    // Read it with the relay under way, and pause before the loop carries it.
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
    a.far.send(b" late");
    world.settle();
    let so_far = b.far.take();
    assert!(b"early".starts_with(&so_far), "{so_far:?}");
    a.transport().resume_reading();
    let rest = world.receive(&mut b.far, 10 - so_far.len());
    assert_eq!([so_far, rest].concat(), b"early late");
}

fn the_end_comes_behind_what_was_handed_back(world: &World) {
    for how in [How::AtOnce, How::Later] {
        let (mut a, mut b) = proxy(world, how);
        a.far.send(b"CONNECT\r\nthe last word");
        a.far.end();
        assert_eq!(world.receive_to_end(&mut b.far), (b"the last word".to_vec(), Fate::Ended));
        b.far.send(b"answer");
        b.far.end();
        assert_eq!(world.receive_to_end(&mut a.far), (b"answer".to_vec(), Fate::Ended));
    }
}

/// Keeps all that it is given, and hands it back when the connection is given on.
struct Keeps<F> {
    kept: Vec<u8>,
    act: F,
}

impl<F: FnMut(&Transport, What<'_>) + 'static> Keeps<F> {
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

impl<F: FnMut(&Transport, What<'_>) + 'static> Protocol for Keeps<F> {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.kept.extend_from_slice(data);
        (self.act)(transport, What::Data(data));
    }

    fn take_unread(&mut self, _: &Transport) -> Bytes {
        std::mem::take(&mut self.kept).into()
    }

    acts! {
        connection_made() => What::Made;
        read_closed() => What::ReadClosed;
        writing_paused() => What::WritingPaused;
        writing_resumed() => What::WritingResumed;
        reading_resumed() => What::ReadingResumed;
        timer_fired(timer: TimerId) => What::Timer(timer);
        idle_timeout() => What::Idle;
        drain_requested() => What::Drain;
        connection_lost(reason: &ConnectionLost) => What::Lost(reason);
    }
}

/// Where the trace of a protocol that is made later will be.
type Later = Rc<RefCell<Option<Rc<Trace>>>>;

fn trace(later: &Later) -> Rc<Trace> {
    later.borrow().clone().expect("the protocol was made")
}

/// Gives a connection to a protocol that is watched like all others.
fn give<P: Protocol>(world: &World, later: &Later) -> impl Fn(&Transport, P) + 'static {
    let (traces, later) = (world.traces.clone(), later.clone());
    move |transport, protocol| {
        let watched = traces.watch(protocol);
        later.replace(Some(watched.trace().clone()));
        transport.set_protocol(watched).expect("it is open");
    }
}

/// Goes over to raw bytes at the first line.
struct Upgrade<F>(F);

impl<F: FnMut(&Transport) + 'static> LineHandler for Upgrade<F> {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        assert_eq!(line, b"UPGRADE");
        transport.write(b"101\r\n");
        (self.0)(transport);
    }
}

fn a_frame_gives_the_connection_to_another_protocol(world: &World) {
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
            line.far.send(piece.as_bytes());
            world.settle();
        }
        line.far.send(b"world");
        assert_eq!(world.receive(&mut line.far, 17), b"101\r\nhello\r\nworld", "{pieces:?}");
        assert_eq!(world.lost(&line.trace), Lost::HandedOver);
        assert!(line.trace.is_dropped());
        assert_eq!(trace(&later).told(), [Told::Made, Told::Data(12)]);
        line.far.close();
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
        let protocol = Keeps::new(move |transport: &Transport, what: What<'_>| {
            if number(&what) == Some(at) && !done.replace(true) {
                give(transport, crate::support::Echo);
            }
        });
        let before = world.traces.len();
        let mut line = world.join_with(StreamConfig::default(), Width::Narrow, protocol);
        line.trace = world.traces.all()[before].clone();
        lead_through_life(world, &mut line, name);
        world.until(&format!("{name}: the successor"), || later.borrow().is_some());
        if *name == "drain_requested" {
            line.far.end();
        }
        world.until(&format!("{name}: the end of both"), || {
            line.far.take();
            line.trace.is_lost() && trace(&later).is_lost()
        });
        assert_eq!(world.lost(&line.trace), Lost::HandedOver, "{name}");
        // The byte that was sent comes to both, or only to the second if it took over first.
        assert_eq!(trace(&later).data(), b"x", "{name}");
    }
}

fn a_pause_outlives_the_protocol(world: &World) {
    let later = Later::default();
    let give = give(world, &later);
    let mut line = world.join(Keeps::new(move |transport: &Transport, what: What<'_>| {
        if matches!(what, What::Data(_)) {
            transport.pause_reading();
            give(transport, crate::support::Echo);
        }
    }));
    line.far.send(b"one");
    world.until("the successor", || later.borrow().is_some());
    line.far.send(b" two");
    world.settle();
    assert_eq!(trace(&later).told(), [Told::Made]);
    line.transport().resume_reading();
    assert_eq!(world.receive(&mut line.far, 7), b"one two");
    assert_eq!(trace(&later).told(), [Told::Made, Told::ReadingResumed, Told::Data(7)]);
}

fn a_protocol_that_is_replaced_is_told_nothing_more(world: &World) {
    let later = Later::default();
    let give = give(world, &later);
    let mut line = world.join(Script(move |transport: &Transport, what: What<'_>| match what {
        What::Data(_) => {
            give(transport, Sink);
            assert!(!transport.is_reading());
        }
        What::Lost(ConnectionLost::HandedOver) => drop(transport.write(b"farewell")),
        _ => {}
    }));
    line.far.send(&noise(150_000));
    assert_eq!(world.receive(&mut line.far, 8), b"farewell");
    world.until("all of it", || line.trace.received() + trace(&later).received() == 150_000);
    assert!(matches!(line.trace.told()[..], [Told::Made, Told::Data(_), Told::Lost(_)]));
}

fn the_successor_is_told_of_the_end(world: &World) {
    for paused in [false, true] {
        let later = Later::default();
        let give = give(world, &later);
        let mut line = world.join(Keeps::new(move |transport: &Transport, what: What<'_>| {
            if matches!(what, What::ReadClosed) {
                if paused {
                    transport.pause_reading();
                }
                give(transport, crate::support::Echo);
            }
        }));
        line.far.send(b"all");
        line.far.end();
        if paused {
            world.until("the successor", || later.borrow().is_some());
            world.settle();
            assert_eq!(trace(&later).told(), [Told::Made]);
            line.transport().resume_reading();
        }
        assert_eq!(world.receive_to_end(&mut line.far), (b"all".to_vec(), Fate::Ended));
        assert_eq!(world.lost(&trace(&later)), Lost::Done);
        assert_eq!(trace(&later).count(&Told::ReadClosed), 1, "times read_closed was told");
    }
}

/// Both know of as many pauses as of their ends: the traces are judged for it.
fn the_successor_is_told_that_writing_is_paused(world: &World) {
    let later = Later::default();
    let give = give(world, &later);
    let mut line = world.join_with(
        StreamConfig::default(),
        Width::Narrow,
        Keeps::new(move |transport: &Transport, what: What<'_>| {
            if matches!(what, What::WritingPaused) {
                give(transport, Sink);
            }
        }),
    );
    line.transport().write(&noise(TOO_MUCH));
    world.until("both to be told", || {
        later.borrow().is_some() && trace(&later).has(&Told::WritingPaused)
    });
    world.receive(&mut line.far, TOO_MUCH);
    world.until("the end of the pause", || trace(&later).has(&Told::WritingResumed));
    assert!(!line.trace.has(&Told::WritingResumed));
}

fn a_successor_may_be_replaced_at_once(world: &World) {
    let (second, third) = (Later::default(), Later::default());
    let (to_second, to_third) = (give(world, &second), give(world, &third));
    let to_third = Rc::new(to_third);
    let mut line = world.join(Keeps::new(move |transport: &Transport, what: What<'_>| {
        if matches!(what, What::Data(_)) {
            let to_third = to_third.clone();
            to_second(
                transport,
                Keeps::new(move |transport: &Transport, what: What<'_>| {
                    if matches!(what, What::Made) {
                        to_third(transport, crate::support::Echo);
                    }
                }),
            );
        }
    }));
    line.far.send(b"hello");
    assert_eq!(world.receive(&mut line.far, 5), b"hello");
    assert_eq!(world.lost(&trace(&second)), Lost::HandedOver);
    assert_eq!(trace(&second).received(), 0, "bytes that were received");
    assert_eq!(trace(&third).told(), [Told::Made, Told::Data(5)]);
}

fn a_successor_may_relay_at_once(world: &World) {
    let mut b = world.join(Sink);
    let (to, later) = (b.transport(), Later::default());
    let give = give(world, &later);
    let mut a = world.join(Keeps::new(move |transport: &Transport, what: What<'_>| {
        if matches!(what, What::Data(_)) {
            let to = to.clone();
            give(
                transport,
                Script(move |transport: &Transport, what: What<'_>| {
                    if matches!(what, What::Made) {
                        drop(transport.relay(&to).expect("both are open"));
                    }
                }),
            );
        }
    }));
    a.far.send(b"hello");
    assert_eq!(world.receive(&mut b.far, 5), b"hello");
    assert_eq!(trace(&later).received(), 0, "bytes that were received");
}

fn a_connection_lost_on_its_way_has_two_whole_lives(world: &World) {
    let later = Later::default();
    let give = give(world, &later);
    let mut line = world.join(Script(move |transport: &Transport, what: What<'_>| {
        if matches!(what, What::Data(_)) {
            give(transport, Sink);
            transport.abort();
        }
    }));
    line.far.send(b"x");
    world.until("the successor", || later.borrow().is_some());
    assert_eq!(world.lost(&line.trace), Lost::HandedOver);
    assert_eq!(world.lost(&trace(&later)), Lost::Aborted);
    assert_eq!(trace(&later).told().len(), 2, "callbacks");
}

type Give = dyn Fn(&Transport, Sink);

/// The old protocol, which panics at its end.
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
        line.far.send(b"x");
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
    let mut line = world.join(Script(move |transport: &Transport, what: What<'_>| {
        if matches!(what, What::Data(_) | What::Lost(_)) {
            transport.call_later(Duration::from_millis(1));
        }
        if matches!(what, What::Data(_)) {
            give(
                transport,
                Script(|transport: &Transport, what: What<'_>| match what {
                    What::Made => drop(transport.call_later(Duration::from_millis(20))),
                    What::Timer(_) => drop(transport.write(b"mine")),
                    _ => {}
                }),
            );
        }
    }));
    line.far.send(b"x");
    assert_eq!(world.receive(&mut line.far, 4), b"mine");
    let timers =
        |trace: &Trace| trace.told().iter().filter(|told| matches!(told, Told::Timer(_))).count();
    assert_eq!(
        (timers(&line.trace), timers(&trace(&later))),
        (0, 1),
        "timers that are left, timers that are left"
    );
}

fn who_may_not_be_replaced(world: &World) {
    let reason = |line: &Line| {
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
