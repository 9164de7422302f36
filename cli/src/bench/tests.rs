//! Loads against servers in memory, on the virtual clock.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use sinew::{
    prelude::*,
    transports::endpoint::{ClientEndpoint, Memory, ServerEndpoint},
};

use super::{
    echo::EchoExchange,
    line::LineExchange,
    load::{Live, Load, Volume},
    stream,
    tally::{Tally, Trouble},
};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn volume() -> Volume {
    Volume {
        connections: 2,
        pipeline: 1,
        rate: None,
        phase: 0.0,
        warm_up: ms(100),
        duration: ms(1_000),
        timeout: ms(500),
    }
}

/// Answers each message after a pause, and does something else between two moments.
struct Server {
    pause: Duration,
    wrong: Wrong,
    waiting: Vec<(TimerId, Vec<u8>)>,
    received: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    Nothing,
    /// All answers of this time are given at its end.
    Stall(Duration, Duration),
    /// No answer at all.
    Silent,
    /// Closes after so many bytes.
    Close(usize),
    /// Answers with other bytes.
    Garbage,
    /// Speaks first.
    Greets,
}

impl Protocol for Server {
    fn connection_made(&mut self, transport: &Transport) {
        if self.wrong == Wrong::Greets {
            transport.write(b"220 hello\r\n");
        }
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.received += data.len();
        let now = transport.reactor().unwrap().age();
        let pause = match self.wrong {
            Wrong::Stall(from, to) if (from..to).contains(&now) => to - now,
            Wrong::Silent => return,
            Wrong::Close(after) if self.received >= after => return transport.lose_connection(),
            _ => self.pause,
        };
        let data =
            if self.wrong == Wrong::Garbage { vec![b'?'; data.len()] } else { data.to_vec() };
        let timer = transport.call_later(pause).unwrap();
        self.waiting.push((timer, data));
    }

    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        self.waiting.retain(|(own, data)| {
            let is_due = *own == timer;
            if is_due {
                transport.write(data);
            }
            !is_due
        });
    }
}

/// Runs a load against a server, or against nobody.
fn run(volume: Volume, server: Option<(Duration, Wrong)>) -> Tally {
    let reactor = Reactor::simulated(7);
    let _port = server.map(|(pause, wrong)| {
        let build = move |_: &Peer| Server { pause, wrong, waiting: Vec::new(), received: 0 };
        ServerEndpoint::new(Memory::new("server")).listen(&reactor, build).unwrap()
    });
    run_on(&reactor, volume)
}

fn run_on(reactor: &Reactor, volume: Volume) -> Tally {
    let endpoint = ClientEndpoint::new(Memory::new("server"));
    let dial = stream::dial(endpoint, || Box::new(EchoExchange::new(10)));
    let done = Rc::new(RefCell::new(0));
    let counted = done.clone();
    let load = Load::start(reactor, volume, Arc::new(Live::default()), dial, move |_| {
        *counted.borrow_mut() += 1;
    });
    reactor.advance(Duration::from_secs(30)).unwrap();
    assert_eq!(*done.borrow(), 1, "it ends, once");
    load.tally()
}

fn millis(nanos: u64) -> u64 {
    // Buckets of the histogram are a thousandth wide.
    (nanos + 500_000) / 1_000_000
}

#[test]
fn a_closed_loop_waits_for_each_answer() {
    let tally = run(volume(), Some((ms(10), Wrong::Nothing)));
    assert_eq!((tally.failures(), tally.is_complete), (0, true));
    // Two connections, 100 answers a second each.
    assert!((198..=202).contains(&tally.answers), "{}", tally.answers);
    assert_eq!(tally.measured, ms(1_000));
    assert_eq!((millis(tally.latency.min()), millis(tally.latency.max())), (10, 10));
    assert!(tally.sent >= 10 * 198 && tally.received >= 10 * 198);
}

#[test]
fn a_pipeline_has_several_requests_on_their_way() {
    let tally = run(Volume { pipeline: 5, ..volume() }, Some((ms(10), Wrong::Nothing)));
    assert!((990..=1_010).contains(&tally.answers), "{}", tally.answers);
    assert_eq!(tally.failures(), 0);
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let volume = Volume { rate: Some(100.0), ..volume() };
    let tally = run(volume, Some((ms(3), Wrong::Nothing)));
    assert!((99..=101).contains(&tally.answers), "{}", tally.answers);
    assert_eq!(tally.failures(), 0);
    assert_eq!((millis(tally.latency.min()), millis(tally.latency.max())), (3, 3));
}

/// A server that stops for half a second, at 100 requests a second: every request of that time has to wait, on average for half of it,
/// also those that could not be sent meanwhile, since both connections were busy.
#[test]
fn a_stall_is_counted_for_every_request_that_was_planned_in_it() {
    let stall = Wrong::Stall(ms(400), ms(900));
    let volume = Volume { rate: Some(100.0), timeout: ms(2_000), ..volume() };
    let open = run(volume.clone(), Some((ms(1), stall)));
    assert_eq!(open.failures(), 0);
    assert!((99..=101).contains(&open.answers), "{}", open.answers);
    let slow = open.latency.len() - open.latency.count_between(0, 50_000_000);
    assert!((40..=60).contains(&slow), "{slow} waited for more than 50 ms");
    // From sending, only one request on each connection seems to have been slow.
    let slow = open.service.len() - open.service.count_between(0, 50_000_000);
    assert_eq!(slow, 2);
    // A closed loop has the same blind spot: it sends nothing during the stall.
    let closed = run(Volume { rate: None, ..volume }, Some((ms(10), stall)));
    let slow = closed.latency.len() - closed.latency.count_between(0, 50_000_000);
    assert_eq!(slow, 2);
}

#[test]
fn no_answer_is_an_error_after_its_time() {
    let tally = run(Volume { rate: Some(10.0), ..volume() }, Some((ms(1), Wrong::Silent)));
    assert_eq!(tally.answers, 0);
    let count = |trouble| tally.troubles.get(&trouble).copied().unwrap_or(0);
    let (silent, unsent) = (count(Trouble::NoAnswer), count(Trouble::NotSent));
    assert!(silent >= 2, "{silent}");
    // Whether it was sent or not, every planned request counts.
    assert!((9..=11).contains(&(silent + unsent)), "{silent} + {unsent}");
    assert_eq!(tally.latency.len(), silent + unsent);
}

#[test]
fn a_server_that_vanishes_is_called_again() {
    let tally = run(volume(), Some((ms(10), Wrong::Close(50))));
    assert!(tally.connected > 4, "{}", tally.connected);
    assert!(tally.answers > 10, "{}", tally.answers);
    let lost: u64 =
        tally.troubles.iter().filter(|(kind, _)| kind.kind() == "lost").map(|(_, n)| n).sum();
    assert!(lost >= 4, "{:?}", tally.troubles);
    assert_eq!(lost, tally.failures());
}

#[test]
fn wrong_answers_and_greetings_are_found() {
    for (wrong, kind) in [(Wrong::Garbage, "wrong"), (Wrong::Greets, "wrong")] {
        let tally = run(volume(), Some((ms(10), wrong)));
        assert_eq!(tally.answers, 0, "{wrong:?}");
        assert!(tally.failures() > 0, "{wrong:?}");
        assert!(
            tally.troubles.keys().all(|trouble| matches!(trouble.kind(), "unasked" | "wrong")),
            "{kind}: {:?}",
            tally.troubles
        );
    }
}

#[test]
fn nobody_there_ends_at_once() {
    let tally = run(volume(), None);
    assert_eq!((tally.connected, tally.answers, tally.is_complete), (0, 0, false));
    assert_eq!(tally.failures(), 2);
    assert!(tally.troubles.keys().all(|trouble| trouble.kind() == "connect"));
}

#[test]
fn http_answers_that_close_are_no_errors() {
    struct Closing;
    impl Protocol for Closing {
        fn data_received(&mut self, transport: &Transport, _: &[u8]) {
            transport.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
            transport.lose_connection();
        }
    }
    let reactor = Reactor::simulated(1);
    let endpoint = ServerEndpoint::new(Memory::new("web"));
    let _port = endpoint.listen(&reactor, |_: &Peer| Closing).unwrap();
    let (method, request) = super::http::request("h", "/", None).unwrap();
    let dial = stream::dial(ClientEndpoint::new(Memory::new("web")), move || {
        Box::new(super::http::HttpExchange::new(method.clone(), request.clone()))
    });
    let volume = Volume { rate: Some(100.0), ..volume() };
    let load = Load::start(&reactor, volume, Arc::new(Live::default()), dial, |_| {});
    reactor.advance(Duration::from_secs(10)).unwrap();
    let tally = load.tally();
    assert_eq!(tally.failures(), 0, "{:?}", tally.troubles);
    assert!((99..=101).contains(&tally.answers), "{}", tally.answers);
}

/// The server may be a line server, and the client may be stopped at any moment.
#[test]
fn what_was_measured_so_far_can_be_read_at_any_time() {
    let reactor = Reactor::simulated(3);
    let build = |_: &Peer| Server {
        pause: ms(10),
        wrong: Wrong::Nothing,
        waiting: Vec::new(),
        received: 0,
    };
    let _port = ServerEndpoint::new(Memory::new("server")).listen(&reactor, build).unwrap();
    let dial = stream::dial(ClientEndpoint::new(Memory::new("server")), || {
        Box::new(LineExchange::new("hello", "hello"))
    });
    let load = Load::start(&reactor, volume(), Arc::new(Live::default()), dial, |_| {});
    reactor.advance(ms(600)).unwrap();
    let tally = load.tally();
    assert!(!tally.is_complete && tally.failures() == 0);
    assert!((95..=105).contains(&tally.answers), "{}", tally.answers);
    assert!((ms(490)..=ms(510)).contains(&tally.measured), "{:?}", tally.measured);
}
