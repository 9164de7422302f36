//! [`Fixture`]: the common setup of scenarios: a server, clients that connect repeatedly, and checks at the end.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::Duration,
};

use sinew::{
    prelude::*,
    sim::{Host, Network},
};

use super::{
    parties::{ECHO_QUEUED_MAX, Echo, TALKER_TOTAL_MAX, Talker},
    watch::{HostWatch, Watch},
};
use crate::{millis, secs};

/// How long clients keep connecting.
pub(crate) const DIALLING: Duration = secs(8);

/// Longer than TCP takes to give up.
const AFTERWARDS: Duration = secs(3_000);

/// A server that listens on port 7, with clients.
pub(crate) struct Fixture<'a> {
    pub(crate) network: &'a Network,
    pub(crate) watch: Watch,
    pub(crate) server: Host,
    pub(crate) serving: HostWatch,
    pub(crate) clients: Vec<Host>,
    /// The watches of the clients, unless a scenario creates its own.
    pub(crate) diallers: Vec<HostWatch>,
    /// Number of talks that completed with all data echoed.
    pub(crate) done: Rc<Cell<u64>>,
}

/// Configuration of a server that times out dead clients.
pub(crate) fn patient_server() -> ListenConfig {
    ListenConfig::default().stream(StreamConfig::default().idle_timeout(secs(20)))
}

impl<'a> Fixture<'a> {
    /// An echo server with talking clients.
    pub(crate) fn talking(network: &'a Network, clients: usize, config: ListenConfig) -> Self {
        let mut fixture = Self::empty(network, clients, ECHO_QUEUED_MAX);
        let serving = fixture.serving.clone();
        fixture.server.boot(move |reactor| {
            let serving = serving.clone();
            let factory = move |_: &Peer| serving.watch(Echo);
            reactor.listen_tcp_with("0.0.0.0:7", config.clone(), factory).expect("a free port");
        });
        fixture.talk();
        fixture
    }

    /// Hosts without programs. Each connection of the server may queue `queued_max` bytes.
    pub(crate) fn empty(network: &'a Network, clients: usize, queued_max: usize) -> Self {
        let watch = Watch::over(network);
        let server = network.host("server");
        let serving = watch.on(&server, queued_max);
        let clients = (0..clients).map(|n| network.host(&format!("client{n}"))).collect();
        let (diallers, done) = (Vec::new(), Rc::default());
        Self { network, watch, server, serving, clients, diallers, done }
    }

    /// Starts the clients.
    pub(crate) fn talk(&mut self) {
        for client in &self.clients {
            let (watch, done) = (self.watch.on(client, TALKER_TOTAL_MAX), self.done.clone());
            self.diallers.push(watch.clone());
            dial_again_and_again(client, move |reactor| watch.watch(Talker::new(reactor, &done)));
        }
    }

    /// Runs for `time`, then without faults until everything has ended. Nothing may be left.
    pub(crate) fn play(&self, time: Duration) {
        self.network.run_for(time).unwrap();
        self.network.set_random_faults(None);
        self.network.heal();
        self.network.run_for(AFTERWARDS).unwrap();
        for client in &self.clients {
            let leak_report = client.reactor().leak_report();
            assert!(leak_report.is_empty(), "{}: {leak_report}", client.name());
            assert_eq!(client.descriptors(), 0, "{}", client.name());
        }
        let server = self.server.reactor();
        assert_eq!(server.stats().connections, 0, "{}", server.leak_report());
        assert_eq!(
            self.network.stats().connections,
            0,
            "connections left in the simulated systems"
        );
        self.watch.assert_over();
    }
}

/// A host that connects to the server at intervals, for a while after each boot.
pub(crate) fn dial_again_and_again<P: Protocol>(
    host: &Host,
    protocol: impl Fn(&Reactor) -> P + Clone + 'static,
) {
    again_and_again(host, move |reactor| {
        let (protocol, dialler) = (protocol.clone(), reactor.downgrade());
        reactor
            .connect_tcp("server:7", move |_: &Peer| {
                protocol(&dialler.upgrade().expect("the loop calls factories"))
            })
            .detach();
    });
}

/// A host that connects with this function at intervals, for a while after each boot.
pub(crate) fn again_and_again(host: &Host, dial: impl Fn(&Reactor) + Clone + 'static) {
    host.boot(move |reactor| {
        let (dial, end) = (dial.clone(), reactor.now() + DIALLING);
        let series = Rc::new(RefCell::new(None::<LoopingCall>));
        let kept = series.clone();
        let tick = move |reactor: &Reactor| match reactor.now() > end {
            true => drop(series.take().map(|series| series.stop())),
            false => dial(reactor),
        };
        kept.replace(Some(reactor.call_every(millis(400), tick)));
    });
}
