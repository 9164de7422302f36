//! Model test of a connection: both ends perform random steps, from outside and from within callbacks. No byte is lost, duplicated or
//! reordered, nothing is delivered while reading is paused, and the lifecycle of the protocol is complete.

use crate::watchdog::watch_this_test;
use std::{cell::RefCell, collections::VecDeque, rc::Rc, time::Duration};

use proptest::prelude::*;
use sinew_transports::{
    ConnectionLost, Producer, Production, Protocol, StreamConfig, TimerId, Transport, WriteStatus,
    memory::{self, Wire},
    reactor::Reactor,
};

/// Turns that are more than any run needs to end.
const TURNS_MAX: usize = 100_000;

/// A step of one end.
#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    WriteBytes(usize),
    WriteVectored(usize, usize),
    Stream { pieces: usize, len: usize },
    Pause,
    Resume,
    AutoPause(bool),
    Timer,
    CloseWrite,
    LoseConnection,
    Fail,
    Abort,
    FarSends(usize),
    FarTakes,
    FarEnds,
    FarResets,
    Capacity(usize),
    Turn,
}

fn step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![4 => 0..10_usize, 4 => 1_000..5_000_usize, 1 => 60_000..140_000_usize];
    prop_oneof![
        8 => len.clone().prop_map(Step::Write),
        4 => len.clone().prop_map(Step::WriteBytes),
        2 => (len.clone(), len.clone()).prop_map(|(a, b)| Step::WriteVectored(a, b)),
        2 => (1..5_usize, len.clone()).prop_map(|(pieces, len)| Step::Stream { pieces, len }),
        3 => Just(Step::Pause),
        4 => Just(Step::Resume),
        1 => any::<bool>().prop_map(Step::AutoPause),
        1 => Just(Step::Timer),
        1 => Just(Step::CloseWrite),
        1 => Just(Step::LoseConnection),
        1 => Just(Step::Fail),
        1 => Just(Step::Abort),
        8 => len.prop_map(Step::FarSends),
        6 => Just(Step::FarTakes),
        1 => Just(Step::FarEnds),
        1 => Just(Step::FarResets),
        2 => (0..200_000_usize).prop_map(Step::Capacity),
        12 => Just(Step::Turn),
    ]
}

/// The model's state, and violations found.
#[derive(Default)]
struct Model {
    /// What the near end wrote, in order; and what the far end received of it.
    written: Vec<u8>,
    got: Vec<u8>,
    /// What the far end sent, and how much of it was delivered.
    sent: Vec<u8>,
    delivered: usize,
    far_ended: bool,
    far_reset: bool,
    paused: bool,
    /// Number of events that may have paused input, each of which allows one `reading_resumed`.
    holds: usize,
    resumes: usize,
    callbacks: Vec<&'static str>,
    lost: Option<String>,
    dropped: bool,
    next: u8,
    faults: Vec<String>,
}

impl Model {
    fn check(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(fault());
        }
    }

    /// A pseudo-random sequence, so that misplaced bytes are detected.
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len)
            .map(|_| {
                self.next = self.next.wrapping_mul(5).wrapping_add(17);
                self.next
            })
            .collect()
    }
}

type Shared = Rc<RefCell<Model>>;

/// Writes with `write`, and records the bytes accepted.
fn write(model: &Shared, len: usize, write: impl FnOnce(&[u8]) -> WriteStatus) {
    let bytes = model.borrow_mut().bytes(len);
    let status = write(&bytes);
    let mut model = model.borrow_mut();
    match status {
        WriteStatus::Closed => {}
        WriteStatus::AboveHighWatermark => {
            model.holds += 1;
            model.written.extend(bytes);
        }
        WriteStatus::Ok => model.written.extend(bytes),
        other => panic!("{other:?} is new"),
    }
}

struct Pieces {
    model: Shared,
    left: usize,
    len: usize,
}

impl Producer for Pieces {
    fn produce(&mut self, transport: &Transport) -> Production {
        write(&self.model, self.len, |bytes| transport.write(bytes));
        self.left -= 1;
        if self.left == 0 { Production::Done } else { Production::More }
    }
}

/// Performs a step of the near end.
fn act(step: &Step, transport: &Transport, model: &Shared) {
    match *step {
        Step::Write(len) => write(model, len, |bytes| transport.write(bytes)),
        Step::WriteBytes(len) => {
            write(model, len, |bytes| transport.write_bytes(bytes.to_vec().into()));
        }
        Step::WriteVectored(a, b) => {
            write(model, a + b, |bytes| transport.write_vectored(&[&bytes[..a], &bytes[a..]]))
        }
        Step::Stream { pieces, len } => {
            transport.stream(Pieces { model: model.clone(), left: pieces, len });
        }
        Step::Pause => {
            transport.pause_reading();
            model.borrow_mut().paused = true;
            model.borrow_mut().holds += 1;
        }
        Step::Resume => {
            transport.resume_reading();
            model.borrow_mut().paused = false;
        }
        Step::AutoPause(on) => {
            transport.set_auto_pause(on);
            model.borrow_mut().holds += 1;
        }
        Step::Timer => drop(transport.call_later(Duration::ZERO)),
        Step::CloseWrite => transport.close_write(),
        Step::LoseConnection => transport.lose_connection(),
        Step::Fail => transport.fail("as the script says"),
        Step::Abort => transport.abort(),
        _ => {}
    }
}

/// Records and checks callbacks, and performs one step of its own script in each.
struct Actor {
    model: Shared,
    script: VecDeque<Step>,
}

impl Actor {
    fn record(&mut self, what: &'static str, transport: &Transport) {
        let mut model = self.model.borrow_mut();
        let is_first = model.callbacks.is_empty();
        model.check(is_first == (what == "made"), || format!("{what} was called out of order"));
        let is_over = model.lost.is_some();
        model.check(!is_over, || format!("{what} was called after the end"));
        if model.callbacks.last() != Some(&what) {
            model.callbacks.push(what);
        }
        drop(model);
        if let Some(step) = self.script.pop_front() {
            act(&step, transport, &self.model);
        }
    }
}

impl Protocol for Actor {
    fn connection_made(&mut self, transport: &Transport) {
        self.record("made", transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let mut model = self.model.borrow_mut();
        let (paused, closing) = (model.paused, transport.is_closing());
        model.check(!paused && !closing, || "input while paused or closing".to_owned());
        let at = model.delivered;
        let is_next = model.sent.get(at..at + data.len()) == Some(data);
        model.check(is_next, || format!("wrong input after {at} bytes"));
        model.delivered += data.len();
        drop(model);
        self.record("data", transport);
    }

    fn read_closed(&mut self, transport: &Transport) {
        let mut model = self.model.borrow_mut();
        let (complete, ended) = (model.delivered == model.sent.len(), model.far_ended);
        model.check(complete && ended, || "read_closed was called early".to_owned());
        drop(model);
        self.record("read_closed", transport);
    }

    fn writing_paused(&mut self, transport: &Transport) {
        self.record("writing_paused", transport);
    }

    fn writing_resumed(&mut self, transport: &Transport) {
        self.record("writing_resumed", transport);
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        let mut model = self.model.borrow_mut();
        model.resumes += 1;
        let is_owed = !model.paused && model.resumes <= model.holds;
        model.check(is_owed, || "reading_resumed was called without a pause".to_owned());
        drop(model);
        self.record("reading_resumed", transport);
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        self.record("timer_fired", transport);
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        self.record("lost", transport);
        self.model.borrow_mut().lost = Some(reason.to_string());
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let mut model = self.model.borrow_mut();
        model.dropped = true;
        let lost = model.lost.is_some();
        model.check(lost, || "dropped before connection_lost".to_owned());
    }
}

struct Run {
    reactor: Reactor,
    wire: Wire,
    transport: Transport,
    model: Shared,
}

impl Run {
    fn turn(&self) {
        self.reactor.turn(Some(Duration::ZERO)).expect("the loop turns");
    }

    fn take(&self) {
        let sent = self.wire.sent();
        let mut model = self.model.borrow_mut();
        let at = model.got.len();
        let is_next = model.written.get(at..at + sent.len()) == Some(&*sent);
        model.check(is_next, || format!("wrong output after {at} bytes"));
        model.got.extend(sent);
    }

    fn perform(&self, step: &Step) {
        match *step {
            Step::FarSends(len)
                if !self.model.borrow().far_ended && !self.model.borrow().far_reset =>
            {
                let bytes = self.model.borrow_mut().bytes(len);
                self.model.borrow_mut().sent.extend(&bytes);
                self.wire.receive(&bytes);
            }
            Step::FarSends(_) => {}
            Step::FarTakes => self.take(),
            Step::FarEnds => {
                self.model.borrow_mut().far_ended = true;
                self.wire.close();
            }
            Step::FarResets => {
                self.model.borrow_mut().far_reset = true;
                self.wire.reset();
            }
            Step::Capacity(bytes) => self.wire.set_capacity(bytes),
            Step::Turn => self.turn(),
            _ => act(step, &self.transport, &self.model),
        }
    }

    /// Lets both ends read to the end and close.
    fn end(self) {
        self.wire.set_capacity(usize::MAX);
        self.transport.resume_reading();
        self.model.borrow_mut().paused = false;
        let was_open = !self.transport.is_closing();
        let mut turns = 0;
        while self.model.borrow().lost.is_none() {
            turns += 1;
            assert!(turns < TURNS_MAX, "the connection does not end");
            self.turn();
            self.take();
            let delivered = self.model.borrow().delivered == self.model.borrow().sent.len();
            if delivered || self.transport.is_closing() {
                self.model.borrow_mut().far_ended = true;
                self.wire.close();
            }
            if self.model.borrow().callbacks.contains(&"read_closed") || !was_open {
                self.transport.lose_connection();
            }
            // The script may pause again in the last callbacks.
            self.transport.resume_reading();
            self.model.borrow_mut().paused = false;
        }
        self.take();
        let model = self.model.borrow();
        assert!(model.faults.is_empty(), "{:#?}, callbacks {:?}", model.faults, model.callbacks);
        assert!(model.dropped && self.wire.is_closed());
        if !self.wire.was_reset() && !model.far_reset {
            assert_eq!(model.got.len(), model.written.len(), "output is lost ({:?})", model.lost);
        }
        assert_eq!(self.reactor.stats().timers, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_steps_of_both_ends_keep_the_lifecycle(
        outside in prop::collection::vec(step(), 0..60),
        inside in prop::collection::vec(step(), 0..20),
        watermarks in (0..100_000_usize, 0..50_000_usize),
        auto_pause in any::<bool>(),
    ) {
        let model = Shared::default();
        watch_this_test();
        let reactor = Reactor::new().expect("a reactor");
        let config = StreamConfig::default().watermarks(watermarks.0, watermarks.1);
        let actor = Actor { model: model.clone(), script: inside.into() };
        let joined = memory::connect(&reactor, config.auto_pause(auto_pause), actor);
        let (connection, wire) = joined.expect("there is room");
        let transport = connection.transport().clone();
        let run = Run { reactor, wire, transport, model };
        for step in &outside {
            run.perform(step);
        }
        run.end();
    }
}
