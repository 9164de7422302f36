//! Scenarios swept over seeds, with the invariants that hold whatever goes wrong: every protocol has one whole life, bytes
//! come out as they went in or not at all, bounds hold, and in the end nothing is left.
//!
//! `SINEW_SEEDS=10000 cargo test --release --test scenarios` is the nightly sweep; `SINEW_SEED=n` has one run again.

use std::{
    cell::{Cell, RefCell},
    env,
    rc::Rc,
    time::Duration,
};

use sinew_transports::{
    ConnectionLost, ListenConfig, Peer, Protocol, ReactorTcp, StreamConfig, TimerId, Transport,
    reactor::{Phase, Reactor},
    sim::{AcceptFault, Chance, Host, Latency, Link, Network},
    testing::for_seeds,
};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// How many seeds each scenario is run with.
fn seeds() -> u64 {
    let few = if cfg!(debug_assertions) { 3 } else { 100 };
    env::var("SINEW_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(few)
}

// ---- what is watched ----

/// All lives that were begun, on all hosts.
#[derive(Clone, Default)]
struct Lives(Rc<RefCell<Vec<Rc<Life>>>>);

#[derive(Default)]
struct Life {
    made: Cell<u32>,
    lost: Cell<u32>,
    /// Its process was killed, so it could not be told of the end.
    dropped: Cell<bool>,
    faults: RefCell<Vec<String>>,
    received: Cell<usize>,
}

impl Lives {
    fn begin<P: Protocol>(&self, protocol: P) -> Watched<P> {
        let life = Rc::new(Life::default());
        self.0.borrow_mut().push(life.clone());
        Watched { protocol, life }
    }

    fn check(&self, over: bool) {
        for life in &*self.0.borrow() {
            assert!(life.faults.borrow().is_empty(), "{:?}", life.faults.borrow());
            assert!(life.made.get() <= 1 && life.lost.get() <= life.made.get());
            if over {
                assert!(life.dropped.get(), "a protocol is still there");
            }
        }
    }
}

/// Watches a protocol.
struct Watched<P> {
    protocol: P,
    life: Rc<Life>,
}

impl<P> Watched<P> {
    fn told(&self, what: &str) {
        if self.life.made.get() != 1 || self.life.lost.get() != 0 {
            self.life.faults.borrow_mut().push(format!("{what} out of its time"));
        }
    }
}

impl<P> Drop for Watched<P> {
    fn drop(&mut self) {
        self.life.dropped.set(true);
    }
}

impl<P: Protocol> Protocol for Watched<P> {
    fn connection_made(&mut self, transport: &Transport) {
        self.life.made.set(self.life.made.get() + 1);
        self.told("connection_made");
        self.protocol.connection_made(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.told("data_received");
        assert!(!data.is_empty());
        self.life.received.set(self.life.received.get() + data.len());
        self.protocol.data_received(transport, data);
    }

    fn read_closed(&mut self, transport: &Transport) {
        self.told("read_closed");
        self.protocol.read_closed(transport);
    }

    fn writing_paused(&mut self, transport: &Transport) {
        self.told("writing_paused");
        self.protocol.writing_paused(transport);
    }

    fn writing_resumed(&mut self, transport: &Transport) {
        self.told("writing_resumed");
        self.protocol.writing_resumed(transport);
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        self.told("reading_resumed");
        self.protocol.reading_resumed(transport);
    }

    fn timer_fired(&mut self, transport: &Transport, timer: TimerId) {
        self.told("timer_fired");
        self.protocol.timer_fired(transport, timer);
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        self.told("idle_timeout");
        self.protocol.idle_timeout(transport);
    }

    fn drain_requested(&mut self, transport: &Transport) {
        self.told("drain_requested");
        self.protocol.drain_requested(transport);
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        self.told("connection_lost");
        self.life.lost.set(self.life.lost.get() + 1);
        self.protocol.connection_lost(transport, reason);
    }
}

// ---- what talks ----

/// Echoes, holding no more than its watermarks allow: what one read may bring on top of the high one.
struct Echo;

const HELD_MAX: usize = 64 * 1024 + 64 * 1024;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
        assert!(transport.queued() <= HELD_MAX, "{} bytes are held", transport.queued());
    }
}

fn pattern(at: usize) -> u8 {
    (at.wrapping_mul(31) ^ (at >> 8)) as u8
}

/// Sends a random amount, piece by piece, with random pauses of either kind, and checks what comes back. Ends in one of
/// several ways.
struct Talker {
    total: usize,
    sent: usize,
    got: usize,
    done: Rc<Cell<u64>>,
}

impl Talker {
    fn new(reactor: &Reactor, done: &Rc<Cell<u64>>) -> Self {
        let total = (reactor.random() % 200_000) as usize;
        Self { total, sent: 0, got: 0, done: done.clone() }
    }

    fn send(&mut self, transport: &Transport) {
        let random = transport.reactor().random();
        let len = (random as usize % 30_000).min(self.total - self.sent);
        let piece: Vec<u8> = (self.sent..self.sent + len).map(pattern).collect();
        transport.write(&piece);
        self.sent += len;
        if self.sent < self.total {
            transport.call_later(Duration::from_millis(random % 97));
        } else if random.is_multiple_of(3) {
            transport.close_write();
        }
        match random % 64 {
            0 => transport.pause_reading(),
            1 => transport.abort(),
            2 => transport.lose_connection(),
            _ => transport.resume_reading(),
        }
    }
}

impl Protocol for Talker {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_idle_timeout(secs(20));
        self.send(transport);
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        self.send(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        for byte in data {
            assert_eq!(*byte, pattern(self.got), "at {} of {}", self.got, self.total);
            self.got += 1;
        }
        assert!(self.got <= self.sent);
        if self.got == self.total && self.sent == self.total {
            self.done.set(self.done.get() + 1);
            transport.lose_connection();
        }
    }
}

/// A host that dials the server every so often.
fn dial_again_and_again(host: &Host, lives: &Lives, done: &Rc<Cell<u64>>, until: Duration) {
    let (lives, done) = (lives.clone(), done.clone());
    host.boot(move |reactor| {
        let (lives, done, start) = (lives.clone(), done.clone(), reactor.now());
        let weak = Rc::new(RefCell::new(None));
        let stop = weak.clone();
        let series = reactor.call_every(Duration::from_millis(400), move |reactor| {
            if reactor.now() - start > until {
                let series: Option<sinew_transports::reactor::LoopingCall> = stop.take();
                series.map(|series| series.stop());
                return;
            }
            let (lives, done, dialler) = (lives.clone(), done.clone(), reactor.downgrade());
            drop(reactor.connect_tcp("server:7", move |_: &Peer| {
                let reactor = dialler.upgrade().expect("the loop calls factories");
                lives.begin(Talker::new(&reactor, &done))
            }));
        });
        weak.replace(Some(series));
    });
}

fn serve(host: &Host, lives: &Lives, config: ListenConfig) {
    let lives = lives.clone();
    host.boot(move |reactor| {
        let lives = lives.clone();
        let factory = move |_: &Peer| lives.begin(Echo);
        reactor.listen_tcp_with("0.0.0.0:7", config.clone(), factory).expect("a free port");
    });
}

struct Scene {
    network: Network,
    server: Host,
    clients: Vec<Host>,
    lives: Lives,
    done: Rc<Cell<u64>>,
}

impl Scene {
    fn new(seed: u64, clients: usize, config: ListenConfig) -> Self {
        let network = Network::new(seed);
        let server = network.host("server");
        let clients: Vec<_> = (0..clients).map(|n| network.host(&format!("client{n}"))).collect();
        let (lives, done) = (Lives::default(), Rc::default());
        serve(&server, &lives, config);
        for client in &clients {
            dial_again_and_again(client, &lives, &done, secs(8));
        }
        Self { network, server, clients, lives, done }
    }

    /// Goes on with all invariants checked time and again, then to the end of everything, with nothing left.
    fn play(self, time: Duration) -> u64 {
        for _ in 0..20 {
            self.network.run_for(time / 20).unwrap();
            self.lives.check(false);
        }
        self.network.set_chance(None);
        self.network.heal();
        // Longer than TCP takes to give up.
        self.network.run_for(secs(3_000)).unwrap();
        for host in self.clients.iter().chain([&self.server]) {
            let reactor = host.reactor();
            assert_eq!(reactor.stats().connections, 0, "{}: {}", host.name(), reactor.leftovers());
        }
        for client in &self.clients {
            let leftovers = client.reactor().leftovers();
            assert!(leftovers.is_empty(), "{}: {leftovers}", client.name());
            assert_eq!(client.descriptors(), 0);
        }
        assert_eq!(self.network.stats().connections, 0, "systems forget what is over");
        self.lives.check(true);
        self.done.get()
    }
}

fn idle_server() -> ListenConfig {
    ListenConfig::default().stream(StreamConfig::default().idle_timeout(secs(20)))
}

#[test]
fn talk_over_bad_links() {
    for_seeds(0..seeds(), |seed| {
        let scene = Scene::new(seed, 3, idle_server());
        let latency = Latency::Tailed(Duration::from_millis(5), Duration::from_millis(5));
        scene.network.set_link(Link::default().latency(latency).loss(0.03).bandwidth(3_000_000));
        assert!(scene.play(secs(20)) > 10);
    });
}

#[test]
fn talk_under_partitions_and_pauses() {
    for_seeds(0..seeds(), |seed| {
        let scene = Scene::new(seed, 3, idle_server());
        let chance = Chance::every(Duration::from_millis(700)).lasting(secs(3));
        scene.network.set_chance(chance.cuts().partitions().pauses());
        scene.play(secs(20));
    });
}

#[test]
fn talk_under_resets_kills_and_power_cuts() {
    for_seeds(0..seeds(), |seed| {
        let scene = Scene::new(seed, 3, idle_server());
        let chance = Chance::every(Duration::from_millis(900)).lasting(secs(2));
        scene.network.set_chance(chance.resets().kills().power_cuts());
        scene.play(secs(20));
    });
}

/// A reset that was lost left the other side waiting for ever.
#[test]
fn what_is_answered_by_a_lost_reset_comes_again() {
    let scene = Scene::new(523, 3, idle_server());
    let chance = Chance::every(Duration::from_millis(900)).lasting(secs(2));
    scene.network.set_chance(chance.resets().kills().power_cuts());
    scene.play(secs(20));
}

#[test]
fn few_descriptors_and_few_connections() {
    for_seeds(0..seeds(), |seed| {
        let scene = Scene::new(seed, 4, idle_server().max_connections(6).max_per_ip(3).backlog(4));
        scene.server.set_descriptors_max(6);
        scene.network.run_for(secs(2)).unwrap();
        scene.server.fail_next_accepts(AcceptFault::SystemLimit, 5);
        let turns = scene.server.reactor().stats().turns;
        scene.network.run_for(secs(4)).unwrap();
        assert!(scene.server.reactor().stats().turns - turns < 40_000, "the server spins");
        scene.server.set_descriptors_max(usize::MAX);
        assert!(scene.play(secs(20)) > 10);
    });
}

#[test]
fn a_server_drains_under_load() {
    for_seeds(0..seeds(), |seed| {
        let scene = Scene::new(seed, 3, idle_server());
        let lives = scene.lives.clone();
        scene.server.boot(move |reactor| {
            let lives = lives.clone();
            let port = reactor.listen_tcp("0.0.0.0:8", move |_: &Peer| lives.begin(Echo)).unwrap();
            reactor.on(Phase::BeforeShutdown, move |_| port.drain(secs(3)));
            reactor.call_later(secs(4), |reactor| reactor.stop().unwrap());
        });
        scene.network.run_for(secs(10)).unwrap();
        assert!(!scene.server.is_up());
        scene.play(secs(20));
    });
}
