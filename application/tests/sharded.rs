//! Services on several reactors: what runs where, the order of the steps, and failures.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{Arc, Mutex},
};

use sinew_application::{ServerService, Service, ShardedApplication, StartError, StopError};
use sinew_reactor::{Deferred, Reactor};
use sinew_transports::{
    Peer, Protocol, Transport,
    reactors::{Distribution, Reactors, Shard},
};

#[path = "../../tests/support/watchdog.rs"]
mod watchdog;

type Log = Arc<Mutex<Vec<String>>>;

struct Noted {
    name: &'static str,
    shard: usize,
    log: Log,
    fails_at: &'static str,
}

impl Noted {
    fn note(&self, step: &str) -> Result<(), String> {
        let what = format!("{step} {}{}", self.name, self.shard);
        self.log.lock().unwrap().push(what.clone());
        if self.fails_at == what { Err("broken".to_owned()) } else { Ok(()) }
    }
}

impl Service for Noted {
    fn privileged_start(&self, _: &Reactor) -> Result<(), StartError> {
        self.note("prepare").map_err(StartError::other)
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.note("start").map_err(StartError::other)?;
        if self.name == "stopper" {
            reactor.stop().map_err(StartError::other)?;
        }
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        match self.note("stop") {
            Ok(()) => Deferred::ready_on(reactor, ()),
            Err(error) => Deferred::failed_on(reactor, StopError::other(error)),
        }
    }
}

/// Runs two reactors with a service on each and one that stops all at once, and returns the steps.
fn run(fails_at: &'static str) -> (Result<(), String>, Vec<String>) {
    watchdog::watch_this_test();
    let log = Log::default();
    let make = |name: &'static str| {
        let log = log.clone();
        move |shard: &Shard| {
            let (shard, log) = (shard.index(), log.clone());
            Ok::<_, StartError>(Noted { name, shard, log, fails_at })
        }
    };
    let hooked = log.clone();
    let application = ShardedApplication::new()
        .each("worker", make("w"))
        .once("stopper", make("stopper"))
        .after_privileged_start(move || {
            hooked.lock().unwrap().push("hook".to_owned());
            if fails_at == "hook" { Err("no such user") } else { Ok(()) }
        });
    let result = application.run(Reactors::new(2).stop_signals(false));
    let log = log.lock().unwrap().clone();
    (result.map(drop).map_err(|error| error.to_string()), log)
}

#[test]
fn steps_come_in_their_order_on_all_reactors() {
    let (result, log) = run("");
    result.unwrap();
    assert_eq!(
        log[..7],
        [
            "prepare w0",
            "prepare stopper0",
            "prepare w1",
            "hook",
            "start w1",
            "start w0",
            "start stopper0"
        ]
    );
    let mut rest = log[7..].to_vec();
    rest.sort_unstable();
    assert_eq!(rest, ["stop stopper0", "stop w0", "stop w1"]);
}

#[test]
fn failures_are_reported_with_their_reactor() {
    let cases = [
        ("prepare w1", "reactor 1 failed: could not set it up: service \"worker\": broken"),
        ("hook", "could not start: after the privileged start: no such user"),
        ("start w1", "could not start: on reactor 1: service \"worker\": broken"),
        ("start w0", "could not start: on reactor 0: service \"worker\": broken"),
        ("stop w1", "did not stop as it should: on reactor 1: service \"worker\": broken"),
    ];
    for (fails_at, text) in cases {
        let (result, log) = run(fails_at);
        assert_eq!(result.unwrap_err(), text, "{fails_at}");
        let count = |step: &str| log.iter().filter(|line| line.starts_with(step)).count();
        if fails_at != "prepare w1" {
            assert_eq!(count("stop "), 3, "all that had begun have stopped: {log:?}");
        }
    }
}

/// Answers with the index of its reactor, and stops it after enough connections.
struct Index;

impl Protocol for Index {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let Some(reactor) = transport.reactor() else { return };
        let index = Shard::of(&reactor).map_or(99, |shard| shard.index());
        transport.write(index.to_string());
        transport.lose_connection();
        if data == b"stop" {
            let _ = reactor.stop();
        }
    }
}

#[test]
fn reactors_share_the_ports_of_a_server() {
    watchdog::watch_this_test();
    let (sender, addrs) = std::sync::mpsc::channel();
    let sender = Mutex::new(sender);
    let application = ShardedApplication::new().server("web", move |shard: &Shard| {
        let endpoint = "tcp:0:interface=127.0.0.1".parse().map_err(StartError::other)?;
        let server = ServerService::new(endpoint, |_: &Peer| Index);
        let (known, sender) = (server.clone(), sender.lock().unwrap().clone());
        shard.reactor().call_soon(move |_| {
            let local = known.ports()[0].local().socket_addr().unwrap();
            let _ = sender.send(local);
        });
        Ok::<_, StartError>(server)
    });
    let reactors = Reactors::new(3).stop_signals(false).distribution(Distribution::RoundRobin);
    let program = std::thread::spawn(move || application.run(reactors).map(drop));
    let addrs: Vec<_> = (0..3).map(|_| addrs.recv().unwrap()).collect();
    assert!(addrs.iter().all(|addr| *addr == addrs[0]), "{addrs:?}");
    let ask = |text: &[u8]| {
        let mut connection = TcpStream::connect(addrs[0]).unwrap();
        connection.write_all(text).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    };
    let mut answers: Vec<_> = (0..6).map(|_| ask(b"who")).collect();
    answers.sort_unstable();
    assert_eq!(answers, ["0", "0", "1", "1", "2", "2"]);
    ask(b"stop");
    program.join().unwrap().unwrap();
}
