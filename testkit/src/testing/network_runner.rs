//! [`SystemUnderTest::scenario`] and what it plays: a server of the protocol, clients that send it drawn inputs while things go wrong,
//! and what must hold all the while.

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

/// Connections that a client makes after each start of its host.
const CALLS: u32 = 12;

/// Between two of them.
const BETWEEN_CALLS: Duration = Duration::from_millis(500);

/// How long things go wrong.
const TROUBLE: Duration = Duration::from_secs(10);

/// A client does not wait for longer than this.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longer than TCP takes to give up.
const AFTERMATH: Duration = Duration::from_secs(3_000);

/// Longer than a system keeps what is closed.
const END: Duration = Duration::from_secs(200);

impl<P: Protocol> SystemUnderTest<P> {
    /// Runs the protocol on a host of a simulated network, for each seed, or only for that of `SINEW_SEED`. Three clients send it
    /// drawn inputs, under cuts, partitions, resets, kills and pauses. After every event the lives of all protocols must be as
    /// they should be. If there is a [model](Self::expect), what has come back must be the beginning of what is expected, and all
    /// of it where a connection ended well. In the end nothing may be left. It is a [`simulate`].
    ///
    /// # Panics
    ///
    /// If anything is not so.
    pub fn scenario(&self) {
        simulate(self.seeds.clone().unwrap_or(0..10), |network| self.play(network));
    }

    /// What `scenario` plays once.
    pub(crate) fn play(&self, network: &Network) {
        let server =
            Server { host: network.host("server"), start: Rc::default(), lives: Rc::default() };
        server.run(self.make.clone());
        let clients: Vec<_> = (0..CLIENTS).map(|n| network.host(&format!("client{n}"))).collect();
        for client in &clients {
            let caller = Caller {
                inputs: self.inputs.clone(),
                model: self.model.clone(),
                server: server.clone(),
            };
            client.boot(move |reactor| caller.clone().call(reactor, CALLS));
        }
        let watched = server.clone();
        network.after_every_event(move || watched.check());

        let run = |time| network.run_for(time).unwrap_or_else(|error| panic!("{error}"));
        let chance =
            RandomFaults::every(Duration::from_millis(700)).lasting(Duration::from_secs(3));
        let cuts = chance.cuts().one_way_cuts().partitions();
        network.set_random_faults(cuts.resets().kills().pauses());
        run(TROUBLE);
        network.set_random_faults(None);
        network.heal();
        run(AFTERMATH);

        server.assert_rests();
        server.host.reactor().call_soon(|reactor| {
            // It runs, or this would not be called.
            let _ = reactor.stop();
        });
        run(END);
        let left = server.lives.borrow().len();
        assert!(left == 0, "{left} protocols are still there");
        clients.iter().for_each(|client| assert_clean(&client.reactor()));
        assert_eq!(network.stats().connections, 0, "connections that are known to any system");
    }
}

/// The host of the protocol.
#[derive(Clone)]
struct Server {
    host: Host,
    /// How often it has been started.
    start: Rc<Cell<u32>>,
    lives: Rc<RefCell<Vec<Life>>>,
}

/// A protocol on it.
struct Life {
    /// The start that it was made after.
    start: u32,
    seen: Rc<Seen>,
}

impl Server {
    fn run<P: Protocol>(&self, make: Rc<dyn Fn() -> P>) {
        let (start, lives) = (self.start.clone(), self.lives.clone());
        self.host.boot(move |reactor| {
            start.set(start.get() + 1);
            let (start, lives, make) = (start.get(), lives.clone(), make.clone());
            let factory = move |_: &Peer| {
                let (protocol, seen) = Observer::new(make());
                lives.borrow_mut().push(Life { start, seen });
                protocol
            };
            reactor.listen_tcp("server:7", factory).expect("nobody else listens");
        });
    }

    /// Whether it has not been killed since that start.
    fn is_same(&self, start: u32) -> bool {
        self.start.get() == start && self.host.is_up()
    }

    /// All lives are as they should be. Those that are over are forgotten.
    fn check(&self) {
        self.lives.borrow_mut().retain(|Life { start, seen }| {
            seen.assert_no_faults("on the server");
            // Only who is killed is not told of the end.
            let is_over = Rc::strong_count(seen) == 1;
            let is_told = seen.lost().is_some() || !self.is_same(*start);
            assert!(!is_over || is_told, "a protocol was dropped without connection_lost");
            !is_over
        });
    }

    /// Where no connection is left, nothing else is but the port.
    fn assert_rests(&self) {
        let reactor = self.host.reactor();
        let mut leak_report = reactor.leak_report();
        if reactor.stats().connections == 0 {
            leak_report.handlers.clear();
            assert!(leak_report.is_empty(), "left on the server: {leak_report}");
        }
    }
}

/// Calls the server now and then.
#[derive(Clone)]
struct Caller {
    inputs: Inputs,
    model: Option<Model>,
    server: Server,
}

impl Caller {
    fn call(self, reactor: &Reactor, calls: u32) {
        let input = (self.inputs)(&mut Draw::new(reactor.random()));
        let expected = self.model.as_ref().map(|model| model(&input));
        let server = self.server.clone();
        drop(reactor.connect_tcp("server:7", move |_: &Peer| Client {
            input: input.clone(),
            sent: 0,
            expected: expected.clone(),
            got: Vec::new(),
            start: server.start.get(),
            server: server.clone(),
        }));
        if calls > 1 {
            reactor.call_later(BETWEEN_CALLS, move |reactor| self.call(reactor, calls - 1));
        }
    }
}

/// Sends an input in pieces, and its end; looks at what comes back.
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
        transport.set_idle_timeout(PATIENCE);
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
        let is_all = self.sent == self.input.len() && self.server.is_same(self.start);
        if let Some(expected) = self.expected.as_ref().filter(|_| is_all) {
            assert!(*expected == self.got, "{}", self.fault("received in all", expected));
        }
        transport.lose_connection();
    }

    fn idle_timeout(&mut self, transport: &Transport) {
        transport.abort();
    }
}
