//! Random lives: a connection in memory, on which both ends do whatever a script of random steps says, from outside and
//! from inside of callbacks. Whatever that is, no byte is lost, doubled or moved, nothing is delivered during a pause, and
//! the protocol has one whole life.

#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use sinew_transports::{
    ConnectionLost, Producer, Production, Protocol, StreamConfig, TimerId, Transport, WriteStatus,
    memory::{self, Wire},
    reactor::Reactor,
};

/// Something that one of the ends does.
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

/// What both ends know, and what is wrong.
#[derive(Default)]
struct Book {
    /// What the near end was allowed to write, in order; and what the far end got of it.
    written: Vec<u8>,
    got: Vec<u8>,
    /// What the far end sent, and how much of it was delivered.
    sent: Vec<u8>,
    delivered: usize,
    far_ended: bool,
    far_reset: bool,
    paused: bool,
    /// Occasions on which input may have been held back.
    holds: usize,
    resumes: usize,
    told: Vec<&'static str>,
    lost: Option<String>,
    dropped: bool,
    next: u8,
    faults: Vec<String>,
}

impl Book {
    fn must(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(fault());
        }
    }

    /// Bytes that differ from those before.
    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len)
            .map(|_| {
                self.next = self.next.wrapping_mul(5).wrapping_add(17);
                self.next
            })
            .collect()
    }
}

type Shared = Rc<RefCell<Book>>;

/// Writes by `write`, and enters what was taken.
fn write(book: &Shared, len: usize, write: impl FnOnce(&[u8]) -> WriteStatus) {
    let bytes = book.borrow_mut().bytes(len);
    let status = write(&bytes);
    let mut book = book.borrow_mut();
    match status {
        WriteStatus::Closed => {}
        WriteStatus::AboveHighWatermark => {
            book.holds += 1;
            book.written.extend(bytes);
        }
        WriteStatus::Ok => book.written.extend(bytes),
        other => panic!("{other:?} is new"),
    }
}

struct Pieces {
    book: Shared,
    left: usize,
    len: usize,
}

impl Producer for Pieces {
    fn produce(&mut self, transport: &Transport) -> Production {
        write(&self.book, self.len, |bytes| transport.write(bytes));
        self.left -= 1;
        if self.left == 0 { Production::Done } else { Production::More }
    }
}

/// Does what the near end does.
fn act(step: &Step, transport: &Transport, book: &Shared) {
    match *step {
        Step::Write(len) => write(book, len, |bytes| transport.write(bytes)),
        Step::WriteBytes(len) => {
            write(book, len, |bytes| transport.write_bytes(bytes.to_vec().into()));
        }
        Step::WriteVectored(a, b) => {
            write(book, a + b, |bytes| transport.write_vectored(&[&bytes[..a], &bytes[a..]]))
        }
        Step::Stream { pieces, len } => {
            transport.stream(Pieces { book: book.clone(), left: pieces, len });
        }
        Step::Pause => {
            transport.pause_reading();
            book.borrow_mut().paused = true;
            book.borrow_mut().holds += 1;
        }
        Step::Resume => {
            transport.resume_reading();
            book.borrow_mut().paused = false;
        }
        Step::AutoPause(on) => {
            transport.set_auto_pause(on);
            book.borrow_mut().holds += 1;
        }
        Step::Timer => drop(transport.call_later(Duration::ZERO)),
        Step::CloseWrite => transport.close_write(),
        Step::LoseConnection => transport.lose_connection(),
        Step::Fail => transport.fail("as the script says"),
        Step::Abort => transport.abort(),
        _ => {}
    }
}

/// Writes down what it is told, checks it, and does one step of its own script in each callback.
struct Actor {
    book: Shared,
    script: VecDeque<Step>,
}

impl Actor {
    fn told(&mut self, what: &'static str, transport: &Transport) {
        let mut book = self.book.borrow_mut();
        let is_first = book.told.is_empty();
        book.must(is_first == (what == "made"), || format!("{what} came at the wrong time"));
        let is_over = book.lost.is_some();
        book.must(!is_over, || format!("{what} came after the end"));
        if book.told.last() != Some(&what) {
            book.told.push(what);
        }
        drop(book);
        if let Some(step) = self.script.pop_front() {
            act(&step, transport, &self.book);
        }
    }
}

impl Protocol for Actor {
    fn connection_made(&mut self, transport: &Transport) {
        self.told("made", transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let mut book = self.book.borrow_mut();
        let (paused, closing) = (book.paused, transport.is_closing());
        book.must(!paused && !closing, || "input in a pause, or while closing".to_owned());
        let at = book.delivered;
        let is_next = book.sent.get(at..at + data.len()) == Some(data);
        book.must(is_next, || format!("wrong input after {at} bytes"));
        book.delivered += data.len();
        drop(book);
        self.told("data", transport);
    }

    fn read_closed(&mut self, transport: &Transport) {
        let mut book = self.book.borrow_mut();
        let (complete, ended) = (book.delivered == book.sent.len(), book.far_ended);
        book.must(complete && ended, || "the end of the input came before its time".to_owned());
        drop(book);
        self.told("read_closed", transport);
    }

    fn writing_paused(&mut self, transport: &Transport) {
        self.told("writing_paused", transport);
    }

    fn writing_resumed(&mut self, transport: &Transport) {
        self.told("writing_resumed", transport);
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        let mut book = self.book.borrow_mut();
        book.resumes += 1;
        let is_owed = !book.paused && book.resumes <= book.holds;
        book.must(is_owed, || "reading_resumed was not owed".to_owned());
        drop(book);
        self.told("reading_resumed", transport);
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        self.told("timer_fired", transport);
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        self.told("lost", transport);
        self.book.borrow_mut().lost = Some(reason.to_string());
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let mut book = self.book.borrow_mut();
        book.dropped = true;
        let lost = book.lost.is_some();
        book.must(lost, || "dropped before connection_lost".to_owned());
    }
}

struct Play {
    reactor: Reactor,
    wire: Wire,
    transport: Transport,
    book: Shared,
}

impl Play {
    fn turn(&self) {
        self.reactor.turn(Some(Duration::ZERO)).expect("the loop turns");
    }

    fn take(&self) {
        let sent = self.wire.sent();
        let mut book = self.book.borrow_mut();
        let at = book.got.len();
        let is_next = book.written.get(at..at + sent.len()) == Some(&*sent);
        book.must(is_next, || format!("wrong output after {at} bytes"));
        book.got.extend(sent);
    }

    fn perform(&self, step: &Step) {
        match *step {
            Step::FarSends(len)
                if !self.book.borrow().far_ended && !self.book.borrow().far_reset =>
            {
                let bytes = self.book.borrow_mut().bytes(len);
                self.book.borrow_mut().sent.extend(&bytes);
                self.wire.receive(&bytes);
            }
            Step::FarSends(_) => {}
            Step::FarTakes => self.take(),
            Step::FarEnds => {
                self.book.borrow_mut().far_ended = true;
                self.wire.close();
            }
            Step::FarResets => {
                self.book.borrow_mut().far_reset = true;
                self.wire.reset();
            }
            Step::Capacity(bytes) => self.wire.set_capacity(bytes),
            Step::Turn => self.turn(),
            _ => act(step, &self.transport, &self.book),
        }
    }

    /// Everybody reads to the end and goes.
    fn end(self) {
        self.wire.set_capacity(usize::MAX);
        self.transport.resume_reading();
        self.book.borrow_mut().paused = false;
        let was_open = !self.transport.is_closing();
        let start = Instant::now();
        while self.book.borrow().lost.is_none() {
            assert!(start.elapsed() < Duration::from_secs(10), "it does not end");
            self.turn();
            self.take();
            let delivered = self.book.borrow().delivered == self.book.borrow().sent.len();
            if delivered || self.transport.is_closing() {
                self.book.borrow_mut().far_ended = true;
                self.wire.close();
            }
            if self.book.borrow().told.contains(&"read_closed") || !was_open {
                self.transport.lose_connection();
            }
            // A script may still pause, in the last callbacks.
            self.transport.resume_reading();
            self.book.borrow_mut().paused = false;
        }
        self.take();
        let book = self.book.borrow();
        assert!(book.faults.is_empty(), "{:#?}, told {:?}", book.faults, book.told);
        assert!(book.dropped && self.wire.is_closed());
        if !self.wire.was_reset() && !book.far_reset {
            assert_eq!(book.got.len(), book.written.len(), "output is lost ({:?})", book.lost);
        }
        assert_eq!(self.reactor.stats().timers, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_both_ends_do_it_is_a_whole_life(
        outside in prop::collection::vec(step(), 0..60),
        inside in prop::collection::vec(step(), 0..20),
        watermarks in (0..100_000_usize, 0..50_000_usize),
        auto_pause in any::<bool>(),
    ) {
        let book = Shared::default();
        watchdog::watch_this_test();
        let reactor = Reactor::new().expect("a reactor");
        let config = StreamConfig::default().watermarks(watermarks.0, watermarks.1);
        let actor = Actor { book: book.clone(), script: inside.into() };
        let joined = memory::connect(&reactor, config.auto_pause(auto_pause), actor);
        let (connection, wire) = joined.expect("there is room");
        let transport = connection.transport().clone();
        let play = Play { reactor, wire, transport, book };
        for step in &outside {
            play.perform(step);
        }
        play.end();
    }
}
