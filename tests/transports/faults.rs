//! Fault injection between real sockets and streams, on every engine: whatever system calls return, every byte
//! arrives once and in order, broken connections are reported once, others continue, and nothing is left.
//!
//! `SINEW_SEED=7 cargo test --test transports faults` runs the faults of one seed; a failure prints its seed.

use std::{cell::Cell, ops::Range, rc::Rc, time::Duration};

use crate::support::{
    Echo, Event, Link, Lost, Pull, Script, Watchdog, Width, World, noise, sockets::any_port,
};
use sinew::{
    prelude::*,
    testing::{assert_clean, for_seeds},
    transports::Faults,
};

/// Fewer seeds in debug builds than in release builds.
const SEEDS: Range<u64> = if cfg!(debug_assertions) { 0..3 } else { 0..30 };

/// Number of clients, and messages of each.
const CLIENTS: usize = 24;
const ECHOES: usize = 40;

/// The longest message: more than one read.
const LEN_MAX: usize = 100_000;

/// Far higher fault rates than in practice.
fn heavy(seed: u64) -> Faults {
    Faults::new(seed)
        .short_reads(0.5)
        .short_writes(0.5)
        .would_block(0.4)
        .interrupted(0.3)
        .delayed_writes(0.01, Duration::from_millis(1))
}

/// Sends a message, waits for its echo, and sends the next one.
struct Client {
    text: Rc<[u8]>,
    /// The offset of the message in the text, and the length still expected.
    at: usize,
    left: usize,
    messages: Vec<usize>,
    finished: Rc<Cell<usize>>,
}

impl Client {
    fn say_next(&mut self, transport: &Transport) {
        match self.messages.pop() {
            Some(len) => {
                self.at = len % 1000;
                self.left = len;
                transport.write(&self.text[self.at..][..len]);
            }
            None => {
                self.finished.set(self.finished.get() + 1);
                transport.lose_connection();
            }
        }
    }
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        self.say_next(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        assert!(data.len() <= self.left, "more than was sent");
        assert!(self.text[self.at..].starts_with(data), "{} bytes before the end", self.left);
        self.at += data.len();
        self.left -= data.len();
        if self.left == 0 {
            self.say_next(transport);
        }
    }
}

/// The lengths of a client's messages: mostly lines, sometimes pages.
fn messages(random: &mut Draws) -> Vec<usize> {
    let mut draw = || match random.below(20) {
        0 => 1 + random.below(LEN_MAX),
        _ => 1 + random.below(64),
    };
    (0..ECHOES).map(|_| draw()).collect()
}

/// A seeded random number generator.
#[derive(Clone)]
struct Draws(u64);

impl Draws {
    fn new(seed: u64, number: usize) -> Self {
        Self(seed.wrapping_mul(1_000_003).wrapping_add(number as u64))
    }

    /// A number from 0 to `end`, exclusive.
    fn below(&mut self, end: usize) -> usize {
        // Knuth's MMIX generator; the upper bits are the good ones.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// Connects all clients to a listener, with these faults at both ends, runs until all connections have ended, and
/// returns the reasons. [`World::end`] checks that each was reported once.
fn live<S: Protocol, C: Protocol>(
    (engine, seed): (Engine, u64),
    stream: &StreamConfig,
    mut server: impl FnMut(usize) -> S + 'static,
    client: impl Fn(usize) -> C,
) -> Vec<Lost> {
    let _watchdog = Watchdog::new(format!("connections under the faults of {seed} on {engine}"));
    let world = World::new(engine, Link::Connected);
    let reactor = world.reactor().clone();
    let (traces, config) = (world.traces.clone(), ListenConfig::default().stream(stream.clone()));
    let mut accepted = 0..;
    let factory = move |_: &Peer| {
        let number = accepted.next().expect("there are enough numbers");
        traces.watch(server(number))
    };
    let port = reactor.listen_tcp_with(any_port(), config, factory).expect("a free port");
    for number in 0..CLIENTS {
        let (traces, mut client) = (world.traces.clone(), Some(client(number)));
        let config = ConnectConfig::default().stream(stream.clone());
        let factory = move |_: &Peer| traces.watch(client.take().expect("built once"));
        reactor.connect_tcp_with(port.local(), config, factory).detach();
    }
    world.until("all connections to end", || {
        let traces = world.traces.all();
        traces.len() == 2 * CLIENTS && traces.iter().all(|trace| trace.is_lost())
    });
    port.stop_listening();
    world.until("nothing to be left", || reactor.leak_report().is_empty());
    assert_clean(&reactor);
    drop((port, reactor));
    let reasons = world.traces.all().iter().filter_map(|trace| trace.lost()).collect();
    world.end();
    reasons
}

/// Runs all clients against an echo server; returns how many completed, and why connections were lost.
fn converse(engine: Engine, seed: u64, faults: Faults) -> (usize, Vec<Lost>) {
    let text: Rc<[u8]> = noise(LEN_MAX + 1000).into();
    let finished = Rc::new(Cell::new(0));
    let client = |number| {
        let messages = messages(&mut Draws::new(seed, number));
        Client { text: text.clone(), at: 0, left: 0, messages, finished: finished.clone() }
    };
    let stream = StreamConfig::default().faults(faults);
    let reasons = live((engine, seed), &stream, |_| Echo, client);
    (finished.get(), reasons)
}

#[test]
fn every_byte_arrives_once_and_in_order() {
    for_seeds(SEEDS, |seed| {
        for engine in &Engine::available().collect::<Vec<_>>() {
            for faults in [Faults::survivable(seed), heavy(seed)] {
                let (finished, reasons) = converse(*engine, seed, faults);
                assert_eq!(finished, CLIENTS, "{engine}: {reasons:?}");
                let clean = |lost: &Lost| matches!(lost, Lost::Done | Lost::Closed);
                assert!(reasons.iter().all(clean), "{engine}: {reasons:?}");
            }
        }
    });
}

#[test]
fn a_broken_connection_is_reported_and_others_continue() {
    for_seeds(SEEDS, |seed| {
        for engine in &Engine::available().collect::<Vec<_>>() {
            let (finished, reasons) = converse(*engine, seed, heavy(seed).resets(0.000_5));
            let broken = reasons.iter().filter(|lost| **lost == Lost::Reset).count();
            assert!(finished > 0 && broken > 0, "{engine}: {finished} finished, {broken} broke");
            let known = |lost: &Lost| matches!(lost, Lost::Done | Lost::Closed | Lost::Reset);
            assert!(reasons.iter().all(known), "{engine}: {reasons:?}");
        }
    });
}

/// A protocol that makes random requests in every callback, and ends its connection by a timer at the latest.
fn restless(mut random: Draws) -> impl Protocol {
    let mut deadline = None;
    Script(move |transport: &Transport, what: Event<'_>| {
        match what {
            Event::Made => {
                let latest = Duration::from_millis(20 + random.below(60) as u64);
                deadline = transport.call_later(latest);
            }
            Event::Timer(timer) if Some(timer) == deadline => transport.abort(),
            _ => {}
        }
        for _ in 0..random.below(3) {
            act(transport, &mut random);
        }
    })
}

fn act(transport: &Transport, random: &mut Draws) {
    match random.below(40) {
        0 => transport.lose_connection(),
        1 => transport.close_write(),
        2 => transport.fail("it felt like it"),
        3 => transport.abort(),
        4 => transport.set_auto_pause(random.below(2) == 0),
        5 => transport.set_idle_timeout(Duration::from_millis(1 + random.below(5) as u64)),
        6..10 => transport.pause_reading(),
        10..18 => transport.resume_reading(),
        18..22 => drop(transport.call_later(Duration::from_millis(random.below(5) as u64))),
        22..24 => drop(transport.write(&vec![0; random.below(300_000)])),
        24..26 => drop(transport.write_bytes(vec![0; random.below(300_000)].into())),
        26..28 => {
            let mut left = random.below(50);
            transport.stream(Pull(move |transport: &Transport| {
                transport.write(&[0; 3000]);
                left = left.saturating_sub(1);
                match left {
                    0 => Production::Done,
                    _ if left.is_multiple_of(7) => Production::Waiting,
                    _ => Production::More,
                }
            }));
        }
        28..32 => transport.resume_producing(),
        _ => drop(transport.write(&[0; 100][..1 + random.below(99)])),
    }
}

#[test]
fn random_requests_keep_the_callback_contract() {
    let mut broken = 0;
    for_seeds(SEEDS, |seed| {
        for engine in &Engine::available().collect::<Vec<_>>() {
            let stream = StreamConfig::default()
                .linger_timeout(Duration::from_millis(20))
                .watermarks(8192, 0)
                .faults(heavy(seed).resets(0.01));
            let server = move |number| restless(Draws::new(seed, number));
            let client = |number| restless(Draws::new(seed, CLIENTS + number));
            let reasons = live((*engine, seed), &stream, server, client);
            broken += reasons.iter().filter(|lost| **lost == Lost::Reset).count();
        }
    });
    assert!(broken > 0, "no connection broke");
}

/// An edge-triggered engine reports EOF once, together with the last bytes; a stream that could not read then has to
/// remember both.
#[test]
fn eof_is_remembered_while_reads_fail() {
    for engine in &Engine::available().collect::<Vec<_>>() {
        let _watchdog = Watchdog::new(format!("an end on {engine}"));
        let world = World::new(*engine, Link::Accepted);
        let config = StreamConfig::default().faults(Faults::new(0).would_block(1.0));
        let mut line = world.join_with(config, Width::Wide, Echo);
        line.remote.send(b"the last");
        line.remote.end();
        assert_eq!(world.lost(&line.trace), Lost::Done, "{engine}");
        assert_eq!(world.receive_to_end(&mut line.remote).0, b"the last", "{engine}");
        drop(line);
        world.end();
    }
}

/// A level-triggered engine reports writability in each turn unless write interest is removed.
#[test]
fn a_delayed_write_lets_the_loop_sleep() {
    for_seeds(0..2, |seed| {
        for engine in &Engine::available().collect::<Vec<_>>() {
            let _watchdog = Watchdog::new(format!("delayed writes of {seed} on {engine}"));
            let world = World::new(*engine, Link::Accepted);
            let faults = Faults::new(seed).delayed_writes(1.0, Duration::from_millis(100));
            let config = StreamConfig::default().faults(faults);
            let mut line = world.join_with(config, Width::Wide, Echo);
            let before = (world.reactor().stats().turns, world.reactor().now());
            for _ in 0..4 {
                line.remote.send(b"?");
                let mut answer = Vec::new();
                while answer.is_empty() {
                    world.reactor().turn(None).expect("the loop turns");
                    answer = line.remote.take();
                }
                assert_eq!(answer, b"?", "{engine}");
            }
            let turns = world.reactor().stats().turns - before.0;
            let time = world.reactor().now() - before.1;
            assert!(time > Duration::from_millis(20), "{engine}: delayed by {time:?}");
            assert!(turns < 40, "{engine}: {turns} turns in {time:?}");
            drop(line);
            world.end();
        }
    });
}
