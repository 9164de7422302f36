//! Framing and the small services driven by the event loop, over in-memory connections.

use crate::watchdog::watch_this_test;
use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, SystemTime},
};

use sinew_protocols::{
    basic::{FrameError, Framed, Line, LineHandler, LineReceiver, LineTransport},
    wire::{Chargen, Daytime, Echo, Qotd, Time},
};
use sinew_transports::{
    ConnectionLost, Protocol, StreamConfig, TimerId,
    memory::{self, Wire},
    reactor::Reactor,
};

type Log = Rc<RefCell<Vec<String>>>;

/// Runs the loop until nothing more happens.
fn settle(reactor: &Reactor) {
    for _ in 0..50 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
}

fn connect<P: Protocol>(protocol: P) -> (Reactor, Wire) {
    watch_this_test();
    let reactor = Reactor::new().unwrap();
    let (_, wire) = memory::connect(&reactor, StreamConfig::default(), protocol).unwrap();
    settle(&reactor);
    (reactor, wire)
}

/// Logs lines and the reason for the end of the connection.
#[derive(Default)]
struct Logger {
    log: Log,
    /// Whether `framing_failed` closes the connection, instead of leaving that to the engine.
    closes: bool,
}

impl LineHandler for Logger {
    fn line_received(&mut self, _: &mut LineTransport<'_>, line: &[u8]) {
        self.log.borrow_mut().push(String::from_utf8_lossy(line).into_owned());
    }

    fn framing_failed(&mut self, transport: &mut LineTransport<'_>, _: &FrameError) {
        transport.send_line("sorry").unwrap();
        if self.closes {
            transport.lose_connection();
        }
    }

    fn connection_lost(&mut self, _: &mut LineTransport<'_>, reason: &ConnectionLost) {
        self.log.borrow_mut().push(reason.to_string());
    }
}

#[test]
fn a_framing_error_is_answered_and_is_the_reason_of_the_loss() {
    for (closes, reason) in [(false, "line longer than 5 bytes"), (true, "closed by this side")] {
        let log = Log::default();
        let logger = Logger { log: log.clone(), closes };
        let decoder = Line::default().len_max(5);
        let (reactor, wire) = connect(Framed::with_decoder(decoder, logger));
        wire.receive(b"one\r\ntoo long\r\n");
        settle(&reactor);
        assert_eq!(wire.sent(), b"sorry\r\n");
        wire.close();
        settle(&reactor);
        assert_eq!(*log.borrow(), ["one", reason]);
    }
}

#[test]
fn an_unfinished_line_is_the_reason_of_the_loss() {
    let log = Log::default();
    let logger = Logger { log: log.clone(), closes: false };
    let (reactor, wire) = connect(LineReceiver::new(logger));
    wire.receive(b"one\r\ntwo");
    wire.close();
    settle(&reactor);
    assert_eq!(*log.borrow(), ["one", "input ended 3 bytes into an unfinished frame"]);
}

/// Answers each line with a kilobyte of data.
struct LargeAnswers {
    queued_max: Rc<RefCell<usize>>,
}

impl LineHandler for LargeAnswers {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        transport.write(line);
        transport.write(&[b' '; 1024]);
        transport.write(b"\n");
        let mut queued_max = self.queued_max.borrow_mut();
        *queued_max = transport.queued().max(*queued_max);
    }
}

#[test]
fn a_peer_that_does_not_read_its_answers_gets_backpressure() {
    const COUNT: usize = 5000;
    let queued_max = Rc::new(RefCell::new(0));
    let (reactor, wire) =
        connect(LineReceiver::new(LargeAnswers { queued_max: queued_max.clone() }));
    wire.set_capacity(10_000);
    let requests: String = (0..COUNT).map(|n| format!("{n}\r\n")).collect();
    wire.receive(requests.as_bytes());
    let mut answers = Vec::new();
    let mut missing = COUNT;
    while missing > 0 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
        let sent = wire.sent();
        missing -= sent.iter().filter(|&&byte| byte == b'\n').count();
        answers.extend(sent);
    }
    let answers = String::from_utf8(answers).unwrap();
    for (n, answer) in answers.lines().enumerate() {
        assert_eq!(answer.trim_end(), n.to_string());
    }
    let queued_max = *queued_max.borrow();
    assert!(queued_max < 64 * 1024 + 2048, "{queued_max} bytes queued");
    assert!(!wire.is_closing());
}

/// Pauses reading for a millisecond after each line.
struct PausesAfterEachLine {
    log: Log,
}

impl LineHandler for PausesAfterEachLine {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        self.log.borrow_mut().push(String::from_utf8_lossy(line).into_owned());
        transport.pause_reading();
        transport.call_later(Duration::from_millis(1));
    }

    fn timer_fired(&mut self, transport: &mut LineTransport<'_>, _: TimerId) {
        self.log.borrow_mut().push("timer".to_owned());
        transport.resume_reading();
    }

    fn read_closed(&mut self, transport: &mut LineTransport<'_>) {
        self.log.borrow_mut().push("read closed".to_owned());
        transport.lose_connection();
    }
}

#[test]
fn a_pause_delays_lines_and_read_closed() {
    let log = Log::default();
    let (reactor, wire) = connect(LineReceiver::new(PausesAfterEachLine { log: log.clone() }));
    wire.receive(b"one\r\ntwo\r\nthr");
    wire.receive(b"ee\r\n");
    wire.close();
    while !wire.is_closed() {
        reactor.turn(None).unwrap();
    }
    let expected = ["one", "timer", "two", "timer", "three", "timer", "read closed"];
    assert_eq!(*log.borrow(), expected);
}

#[test]
fn echo_sends_everything_before_closing() {
    let (reactor, wire) = connect(Echo);
    let data = vec![b'x'; 200_000];
    wire.receive(&data);
    wire.close();
    let mut answer = Vec::new();
    while !wire.is_closed() || wire.sent_len() > 0 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
        answer.extend(wire.sent());
    }
    assert_eq!(answer, data);
}

#[test]
fn chargen_respects_backpressure_and_stops_when_the_peer_closes() {
    let (reactor, wire) = connect(Chargen::default());
    wire.set_capacity(20_000);
    let mut text = Vec::new();
    while text.len() < 1_000_000 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(wire.transport().queued() <= 64 * 1024);
        text.extend(wire.sent());
    }
    for (n, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate().take(10_000) {
        assert_eq!((line.len(), usize::from(line[0])), (74, 32 + n % 95));
    }
    wire.close();
    for _ in 0..100 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
        let _ = wire.sent();
    }
    assert!(wire.is_closed());
}

#[test]
fn qotd_sends_its_quote_and_closes() {
    let (reactor, wire) = connect(Qotd::default());
    wire.close();
    settle(&reactor);
    assert_eq!(wire.sent(), b"An apple a day keeps the doctor away.\r\n");
    assert!(wire.is_closed());
}

#[test]
fn time_services_use_the_clock_of_the_reactor() {
    let (reactor, wire) = connect(Time::default());
    let now = Time::seconds_since_1900(reactor.wall_clock());
    let sent = u32::from_be_bytes(wire.sent().try_into().unwrap());
    assert!(now.wrapping_sub(sent) <= 5, "{sent} is not just before {now}");
    let (reactor, wire) = connect(Daytime::default());
    let sent = String::from_utf8(wire.sent()).unwrap();
    let recently = (0..=5).map(|seconds| reactor.wall_clock() - Duration::from_secs(seconds));
    let lines: Vec<_> = recently.map(|time: SystemTime| Daytime::line(time)).collect();
    assert!(lines.contains(&sent), "{sent:?} is none of {lines:?}");
}
