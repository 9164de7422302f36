//! Requests and responses over UDP, on a network that loses, duplicates and reorders datagrams, with a server that
//! pauses at times. Datagrams arrive whole and with the right sender, none is delivered during a pause, and none is
//! stranded.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
};

use sinew::{
    prelude::*,
    sim::{Link, Network},
    testing::simulate,
    transports::{DatagramConfig, SendFailed, SendStatus, Stopped},
};

use super::{parties::pattern, watch::Watch};
use crate::{millis, secs, seeds};

/// The MTU of the links, without headers.
const LEN_MAX: usize = 1_472;

/// Length of the number at the start of each datagram.
const HEAD: usize = size_of::<u64>();

/// Violations are recorded and reported after the event: a panic here would be caught as one in a callback.
#[derive(Clone, Default)]
struct Faults(Rc<RefCell<Option<String>>>);

impl Faults {
    fn unless(&self, is_well: bool, what: impl FnOnce() -> String) {
        if !is_well {
            self.0.borrow_mut().get_or_insert_with(what);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fixture {
    New,
    Started,
    Stopped,
}

/// A checked datagram protocol: the callback contract holds, and nothing is delivered while receiving is paused.
struct Watched<P> {
    protocol: P,
    fixture: Fixture,
    faults: Faults,
    lives: Rc<Cell<u64>>,
}

impl<P> Watched<P> {
    fn callbacks(&self, what: &str, fixture: Fixture) {
        let now = self.fixture;
        self.faults
            .unless(now == fixture, || format!("a socket is told {what} when it is {now:?}"));
    }
}

impl<P: DatagramProtocol> DatagramProtocol for Watched<P> {
    fn started(&mut self, transport: &DatagramTransport) {
        self.callbacks("started", Fixture::New);
        self.fixture = Fixture::Started;
        self.lives.set(self.lives.get() + 1);
        self.protocol.started(transport);
    }

    fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], from: SocketAddr) {
        self.callbacks("datagram_received", Fixture::Started);
        let receives = transport.is_receiving();
        self.faults.unless(receives, || "a socket that rests is given a datagram".to_owned());
        self.protocol.datagram_received(transport, data, from);
    }

    fn send_failed(&mut self, transport: &DatagramTransport, failed: &SendFailed) {
        self.callbacks("send_failed", Fixture::Started);
        self.protocol.send_failed(transport, failed);
    }

    fn sending_resumed(&mut self, transport: &DatagramTransport) {
        self.callbacks("sending_resumed", Fixture::Started);
        self.protocol.sending_resumed(transport);
    }

    fn timer_fired(&mut self, transport: &DatagramTransport, timer: TimerId) {
        self.callbacks("timer_fired", Fixture::Started);
        self.protocol.timer_fired(transport, timer);
    }

    fn stopped(&mut self, transport: &DatagramTransport, reason: &Stopped) {
        self.callbacks("stopped", Fixture::Started);
        self.fixture = Fixture::Stopped;
        self.lives.set(self.lives.get() - 1);
        self.protocol.stopped(transport, reason);
    }
}

fn question(number: u64, len: usize) -> Vec<u8> {
    let head = number.to_be_bytes().into_iter();
    head.chain((HEAD..len).map(|at| pattern(number, at))).collect()
}

/// The number of a datagram, if the datagram is whole.
fn number(data: &[u8]) -> Option<u64> {
    let number = u64::from_be_bytes(data.get(..HEAD)?.try_into().ok()?);
    (question(number, data.len()) == data).then_some(number)
}

/// Sends back each datagram, and pauses every so often.
struct Server {
    faults: Faults,
    rests: Rc<Cell<bool>>,
}

impl DatagramProtocol for Server {
    fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], from: SocketAddr) {
        self.faults.unless(number(data).is_some(), || format!("{} bytes, not whole", data.len()));
        let status = transport.send_to(data, from);
        self.faults.unless(status == SendStatus::Sent, || format!("an answer is {status:?}"));
        let random = transport.reactor().unwrap().random();
        if random.is_multiple_of(32) && self.rests.get() {
            transport.pause_receiving();
            transport.call_later(millis(random >> 32 & 31));
        }
    }

    fn timer_fired(&mut self, transport: &DatagramTransport, _: TimerId) {
        transport.resume_receiving();
    }
}

/// Sends requests in bursts for a while, and receives the responses.
struct Client {
    server: SocketAddr,
    faults: Faults,
    asked: Rc<RefCell<Vec<(u64, usize, u32)>>>,
    numbers: Rc<Cell<u64>>,
    /// Requests that were too long and are not reported yet.
    failing: u64,
    bursts: u32,
}

impl Client {
    fn ask(&mut self, transport: &DatagramTransport) {
        let random = transport.reactor().unwrap().random();
        let number = self.numbers.get();
        self.numbers.set(number + 1);
        let is_too_long = random.is_multiple_of(64);
        let len = if is_too_long { LEN_MAX + 1 } else { HEAD + random as usize % (LEN_MAX - HEAD) };
        let status = transport.send_to(question(number, len), self.server);
        if is_too_long {
            self.failing += 1;
            let has_failed = status == SendStatus::Failed;
            self.faults.unless(has_failed, || format!("too long a question is {status:?}"));
        } else {
            self.faults.unless(status == SendStatus::Sent, || format!("a question is {status:?}"));
            self.asked.borrow_mut().push((number, len, 0));
        }
    }
}

impl DatagramProtocol for Client {
    fn started(&mut self, transport: &DatagramTransport) {
        transport.call_later(millis(1));
    }

    fn timer_fired(&mut self, transport: &DatagramTransport, _: TimerId) {
        let random = transport.reactor().unwrap().random();
        let burst = 1 + random % 100;
        (0..burst).for_each(|_| self.ask(transport));
        self.bursts -= 1;
        if self.bursts > 0 {
            transport.call_later(millis(random >> 32 & 255));
        }
    }

    fn datagram_received(&mut self, _: &DatagramTransport, data: &[u8], from: SocketAddr) {
        self.faults.unless(from == self.server, || format!("an answer comes from {from}"));
        let mut asked = self.asked.borrow_mut();
        let found = number(data).and_then(|number| {
            asked.iter_mut().find(|(asked, len, _)| (*asked, *len) == (number, data.len()))
        });
        self.faults.unless(found.is_some(), || format!("{} bytes, not asked for", data.len()));
        found.into_iter().for_each(|(.., answers)| *answers += 1);
    }

    fn send_failed(&mut self, _: &DatagramTransport, failed: &SendFailed) {
        self.faults.unless(self.failing > 0, || format!("nothing was too long, but {failed}"));
        self.failing = self.failing.saturating_sub(1);
    }

    fn stopped(&mut self, _: &DatagramTransport, _: &Stopped) {
        let failing = self.failing;
        self.faults.unless(failing == 0, || format!("{failing} failures were not told"));
    }
}

/// Sends requests over this link; returns how many responses each got. At the end both sides are stopped, with timers
/// pending.
fn ask(network: &Network, link: Link, rests: bool) -> Vec<u32> {
    network.set_link(link);
    let watch = Watch::over(network);
    let (server, client) = (network.host("server"), network.host("client"));
    watch.on(&server, 0);
    watch.on(&client, 0);
    let (faults, lives) = (Faults::default(), Rc::new(Cell::new(0)));
    let found = faults.clone();
    network.after_every_event(move || {
        if let Some(fault) = &*found.0.borrow() {
            panic!("{fault}");
        }
    });
    let asked = Rc::new(RefCell::new(Vec::new()));
    let rests = Rc::new(Cell::new(rests));
    let serves = Server { faults: faults.clone(), rests: rests.clone() };
    let asks = Client {
        server: (server.addr(), 53).into(),
        faults: faults.clone(),
        asked: asked.clone(),
        numbers: Rc::default(),
        failing: 0,
        bursts: 40,
    };
    let config = DatagramConfig::default().max_per_turn(8);
    let serving =
        server.reactor().listen_udp_with("0.0.0.0:53", config, watched(serves, &faults, &lives));
    let serving = serving.expect("a free port");
    let asking = client.reactor().listen_udp("0.0.0.0:0", watched(asks, &faults, &lives));
    let asking = asking.expect("a free port");
    network.run_for(secs(20)).unwrap();
    rests.set(false);
    network.run_for(secs(5)).unwrap();
    for socket in [&serving, &asking] {
        // It has not fired by the time that leaks are checked.
        socket.call_later(secs(60));
        let stopping = socket.clone();
        socket.reactor().unwrap().call_soon(move |_| stopping.stop());
    }
    network.run_for(secs(5)).unwrap();
    assert_eq!(lives.get(), 0, "sockets without a call of `stopped`");
    for host in [server, client] {
        let leak_report = host.reactor().leak_report();
        assert!(leak_report.is_empty(), "{}: {leak_report}", host.name());
        assert_eq!(host.descriptors(), 0, "{} has not closed its socket", host.name());
    }
    asked.take().into_iter().map(|(.., answers)| answers).collect()
}

fn watched<P: DatagramProtocol>(protocol: P, faults: &Faults, lives: &Rc<Cell<u64>>) -> Watched<P> {
    let (faults, lives) = (faults.clone(), lives.clone());
    Watched { protocol, fixture: Fixture::New, faults, lives }
}

#[test]
fn requests_over_a_good_link() {
    simulate(seeds(), |network| {
        let answers = ask(network, Link::default(), true);
        let unanswered = answers.iter().filter(|answers| **answers != 1).count();
        assert_eq!(unanswered, 0, "of {} questions have not one answer", answers.len());
    });
}

#[test]
fn requests_over_a_link_with_loss_duplication_and_reordering() {
    simulate(seeds(), |network| {
        let link = Link::default().loss(0.1).duplicate(0.1).reorder(0.1);
        let answers = ask(network, link, true);
        let most = answers.iter().max().copied().unwrap_or_default();
        assert!(most <= 4, "{most} answers to one question");
        let answered = answers.iter().filter(|answers| **answers > 0).count();
        assert!(answered * 2 > answers.len(), "{answered} of {} are answered", answers.len());
    });
}
