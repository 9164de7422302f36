//! Name lookups on real threads, on every engine: jobs that block do not delay lookups, and a connect timeout reports what it was
//! waiting for.

use crate::{never::never, watchdog::watch_this_test};
use std::{sync::mpsc, time::Duration};

use sinew_reactor::{Builder, Deferred, Engine, Reactor};
use sinew_transports::{
    ConnectConfig, ConnectError, ConnectPhase, Peer, Protocol, ReactorTcp, Transport,
    names::ReactorNames,
};

struct Quiet;

impl Protocol for Quiet {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// A job that blocks until the sender is dropped.
fn blocked() -> (mpsc::Sender<()>, impl FnOnce() + Send) {
    let (go, gate) = mpsc::channel::<()>();
    (go, move || _ = gate.recv())
}

fn on_every_engine(test: impl Fn(Builder)) {
    watch_this_test();
    for engine in Engine::available() {
        println!("{engine}"); // Shown if the test fails.
        test(Reactor::builder().engine(engine).stop_signals(false).pool_grace(Duration::ZERO));
    }
}

/// Whatever those of this machine are called.
#[test]
fn a_simulated_host_has_no_interfaces() {
    let network = sinew_testkit::sim::Network::new(1);
    let host = network.host("a").reactor();
    let lookup = host.resolve("fe80::1%lo");
    network.run_for(Duration::from_secs(1)).unwrap();
    let error = lookup.take().unwrap().unwrap_err().to_string();
    assert_eq!(error, "the hosts of a simulation have no interfaces");
}

fn connect(reactor: &Reactor, host: &str, timeout: Duration) -> Result<(), ConnectError> {
    let port = reactor.listen_tcp("127.0.0.1:0", |_: &Peer| Quiet).expect("a port").local().port();
    let config = ConnectConfig::default().timeout(timeout);
    let connecting = reactor.connect_tcp_with((host, port), config, |_: &Peer| Quiet);
    reactor.run_until(connecting).expect("it is settled").map(drop)
}

#[test]
fn blocking_jobs_do_not_delay_lookups() {
    on_every_engine(|builder| {
        let reactor = builder.pool_threads_max(2).build().expect("it is available");
        let gates: Vec<_> = (0..20)
            .map(|_| {
                let (go, job) = blocked();
                reactor.defer_to_thread(job).detach();
                go
            })
            .collect();
        connect(&reactor, "localhost", Duration::from_secs(60)).expect("it listens");
        drop(gates);
    });
}

const SHORT: Duration = Duration::from_millis(50);

/// The phase of a connect that times out, and the error's text.
fn time_out(reactor: &Reactor, host: &str) -> (ConnectPhase, String) {
    let error = connect(reactor, host, SHORT).expect_err("the connect times out");
    let ConnectError::TimedOut { phase, .. } = &error else { panic!("{error}") };
    (*phase, error.to_string())
}

#[test]
fn timeout_while_the_lookup_waits_for_a_thread() {
    on_every_engine(|builder| {
        let reactor = builder.lookup_threads_max(1).build().expect("it is available");
        for host in ["localhost", "LOCALHOST"] {
            let (go, job) = blocked();
            let busy: Deferred<()> = reactor.defer_to_lookup_thread(job);
            let (phase, text) = time_out(&reactor, host);
            assert_eq!(phase, ConnectPhase::Queued, "{text}");
            assert!(text.contains("waited for a thread (lookup_threads_max)"), "{text}");
            drop((go, busy));
        }
        // A lookup that waited before does not affect the next.
        reactor.set_resolver(never);
        assert_eq!(time_out(&reactor, "localhost").0, ConnectPhase::Resolving);
    });
}

#[test]
fn timeout_during_the_lookup() {
    on_every_engine(|builder| {
        let reactor = builder.build().expect("it is available");
        reactor.set_resolver(never);
        let (phase, text) = time_out(&reactor, "localhost");
        assert_eq!(phase, ConnectPhase::Resolving);
        assert!(text.ends_with("within 50ms: its name was not resolved by then"), "{text}");
    });
}
