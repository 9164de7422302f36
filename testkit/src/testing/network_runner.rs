//! [`SystemUnderTest::scenario`]: a server with the protocol under test, clients that send random inputs while faults
//! are injected, and invariant checks after every event.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use sinew_reactor::Reactor;

use super::{
    Draw, SystemUnderTest, assert_clean,
    observer::{Observer, Seen},
    simulate,
    system_under_test::{Inputs, Model},
};
use crate::sim::{Host, Network, RandomFaults};
use sinew_transports::{Peer, Protocol, ReactorTcp, TimerId, Transport};

const CLIENTS: usize = 3;

/// Connections that a client opens after each start of its host.
const CONNECTIONS_PER_START: u32 = 12;

/// Interval between two of them.
const CONNECT_INTERVAL: Duration = Duration::from_millis(500);

/// Duration of fault injection.
const FAULT_PHASE: Duration = Duration::from_secs(10);

/// Idle timeout of a client.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Duration of recovery: longer than TCP takes to give up.
const RECOVERY_PHASE: Duration = Duration::from_secs(3_000);

/// Duration of the shutdown: longer than the FIN timeout.
const SHUTDOWN_PHASE: Duration = Duration::from_secs(200);

impl<P: Protocol> SystemUnderTest<P> {
    /// Runs the protocol on a host of a simulated network, for each seed, or only for that of `SINEW_SEED`. Three
    /// clients send it random inputs, under cuts, partitions, resets, kills and pauses. After every event the
    /// callback contract of all protocols is checked. With a [model](Self::expect), the output received must be a
    /// prefix of the expected output, and all of it where a connection ended normally. In the end nothing may be left
    /// over. Failures are shrunk and reported as by [`simulate`].
    ///
    /// # Panics
    ///
    /// If a check fails.
    pub fn scenario(&self) {
        simulate(self.seeds.clone().unwrap_or(0..10), |network| self.play(network));
    }

    /// One run of `scenario`.
    pub(crate) fn play(&self, network: &Network) {
        let server =
            Server { host: network.host("server"), start: Rc::default(), instances: Rc::default() };
        server.run(self.make.clone());
        let clients: Vec<_> = (0..CLIENTS).map(|n| network.host(&format!("client{n}"))).collect();
        for client in &clients {
            let program = ClientProgram {
                inputs: self.inputs.clone(),
                model: self.model.clone(),
                server: server.clone(),
            };
            client.boot(move |reactor| program.clone().call(reactor, CONNECTIONS_PER_START));
        }
        let watched = server.clone();
        network.after_every_event(move || watched.check());

        let run = |time| network.run_for(time).unwrap_or_else(|error| panic!("{error}"));
        let faults =
            RandomFaults::every(Duration::from_millis(700)).lasting(Duration::from_secs(3));
        let cuts = faults.cuts().one_way_cuts().partitions();
        network.set_random_faults(cuts.resets().kills().pauses());
        run(FAULT_PHASE);
        network.set_random_faults(None);
        network.heal();
        run(RECOVERY_PHASE);

        server.assert_nothing_left();
        server.host.reactor().call_soon(|reactor| {
            // It runs, or this would not be called.
            let _ = reactor.stop();
        });
        run(SHUTDOWN_PHASE);
        let left = server.instances.borrow().len();
        assert!(left == 0, "{left} protocol instances were not dropped");
        clients.iter().for_each(|client| assert_clean(&client.reactor()));
        assert_eq!(network.stats().connections, 0, "connections known to any host");
    }
}

/// The host with the protocol under test.
#[derive(Clone)]
struct Server {
    host: Host,
    /// How many times its program has been started.
    start: Rc<Cell<u32>>,
    instances: Rc<RefCell<Vec<Instance>>>,
}

/// An instance of the protocol on the server.
struct Instance {
    /// The number of the start after which it was created.
    start: u32,
    seen: Rc<Seen>,
}

impl Server {
    fn run<P: Protocol>(&self, make: Rc<dyn Fn() -> P>) {
        let (start, instances) = (self.start.clone(), self.instances.clone());
        self.host.boot(move |reactor| {
            start.set(start.get() + 1);
            let (start, instances, make) = (start.get(), instances.clone(), make.clone());
            let factory = move |_: &Peer| {
                let (protocol, seen) = Observer::new(make());
                instances.borrow_mut().push(Instance { start, seen });
                protocol
            };
            reactor.listen_tcp("server:7", factory).expect("the port is free");
        });
    }

    /// Whether the process of that start is still running.
    fn is_still_running(&self, start: u32) -> bool {
        self.start.get() == start && self.host.is_up()
    }

    /// Checks the callback contract of all instances, and removes those that have ended.
    fn check(&self) {
        self.instances.borrow_mut().retain(|Instance { start, seen }| {
            seen.assert_no_faults("on the server");
            // Only instances of a killed process are dropped without connection_lost.
            let is_over = Rc::strong_count(seen) == 1;
            let is_told = seen.lost().is_some() || !self.is_still_running(*start);
            assert!(!is_over || is_told, "a protocol was dropped without connection_lost");
            !is_over
        });
    }

    /// With no connections left, only the listener may be left.
    fn assert_nothing_left(&self) {
        let reactor = self.host.reactor();
        let mut leak_report = reactor.leak_report();
        if reactor.stats().connections == 0 {
            leak_report.handlers.clear();
            assert!(leak_report.is_empty(), "left on the server: {leak_report}");
        }
    }
}

/// A program that connects to the server repeatedly.
#[derive(Clone)]
struct ClientProgram {
    inputs: Inputs,
    model: Option<Model>,
    server: Server,
}

impl ClientProgram {
    fn call(self, reactor: &Reactor, calls: u32) {
        let input = (self.inputs)(&mut Draw::new(reactor.random()));
        let expected = self.model.as_ref().map(|model| model(&input));
        let server = self.server.clone();
        reactor
            .connect_tcp("server:7", move |_: &Peer| Client {
                input: input.clone(),
                sent: 0,
                expected: expected.clone(),
                got: Vec::new(),
                start: server.start.get(),
                server: server.clone(),
            })
            .detach();
        if calls > 1 {
            reactor.call_later(CONNECT_INTERVAL, move |reactor| self.call(reactor, calls - 1));
        }
    }
}

/// Sends an input in pieces, half-closes, and checks the output.
struct Client {
    input: Vec<u8>,
    sent: usize,
    expected: Option<Vec<u8>>,
    got: Vec<u8>,
    server: Server,
    start: u32,
}

impl Client {
    fn send(&mut self, transport: &Transport) {
        let mut draw = Draw::new(transport.reactor().map_or(0, |reactor| reactor.random()));
        let len = draw.number(..=self.input.len() - self.sent);
        transport.write(&self.input[self.sent..self.sent + len]);
        self.sent += len;
        if self.sent == self.input.len() {
            transport.close_write();
        } else {
            let pause = draw.number(..50);
            transport.call_later(Duration::from_millis(pause as u64));
        }
    }

    fn fault(&self, what: &str, expected: &[u8]) -> String {
        let [input, got, expected] = [&self.input, &self.got, expected].map(<[u8]>::escape_ascii);
        format!("{what} for {input}: {got}\nexpected {expected}")
    }
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_idle_timeout(CLIENT_TIMEOUT);
        self.send(transport);
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        self.send(transport);
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.got.extend_from_slice(data);
        if let Some(expected) = &self.expected {
            assert!(expected.starts_with(&self.got), "{}", self.fault("received", expected));
        }
    }

    fn read_closed(&mut self, transport: &Transport) {
        let is_all = self.sent == self.input.len() && self.server.is_still_running(self.start);
        if let Some(expected) = self.expected.as_ref().filter(|_| is_all) {
            assert!(*expected == self.got, "{}", self.fault("received in all", expected));
        }
        transport.lose_connection();
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        transport.abort();
    }
}
