//! Descriptor exhaustion (EMFILE): the listener closes a waiting client with its spare descriptor, recovers as soon
//! as descriptors are free, logs it once, and never spins. One test, since the limit is per process.

#![cfg(unix)]

mod support;

use std::{cell::Cell, fs::File, rc::Rc, time::Duration};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sinew::prelude::*;
use support::{
    Echo, EndState, Link, RemoteEnd, Width, World,
    log::Log,
    sockets::{any_port, dial},
};
use tracing::{Level, dispatcher::set_global_default};

/// More than the test needs, and few enough to be used up quickly.
const DESCRIPTORS: u64 = 64;

/// Takes every remaining descriptor.
struct Greed(Vec<File>);

impl Greed {
    fn take_all() -> Self {
        let mut files = Vec::new();
        loop {
            match File::open("/dev/null") {
                Ok(file) => files.push(file),
                Err(error) => {
                    assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
                    return Self(files);
                }
            }
        }
    }

    /// Releases this many descriptors.
    fn give(&mut self, count: usize) {
        self.0.truncate(self.0.len() - count);
    }
}

#[test]
fn out_of_descriptors() {
    let log = Log::default();
    set_global_default(log.subscriber(Level::ERROR)).expect("it is the first");
    let all = getrlimit(Resource::Nofile);
    let few = Rlimit { current: Some(DESCRIPTORS), ..all };
    setrlimit(Resource::Nofile, few).expect("a lower limit is always allowed");
    for engine in Engine::available() {
        let name = "out of descriptors";
        World::run(name, engine, Link::Accepted, |world| scenario(world, &log));
        World::run(name, engine, Link::Accepted, connecting_fails);
        World::run(name, engine, Link::Accepted, |world| without_a_spare(world, &log));
    }
}

fn open(world: &World) -> ListeningPort {
    let traces = world.traces.clone();
    world.reactor().listen_tcp(any_port(), move |_: &Peer| traces.watch(Echo)).expect("a port")
}

fn answer(world: &World, client: &mut RemoteEnd) {
    client.send(b"ping");
    assert_eq!(world.receive(client, 4), b"ping");
}

fn scenario(world: &World, log: &Log) {
    let port = open(world);
    let mut first = RemoteEnd::socket(dial(port.local(), Width::Wide));
    answer(world, &mut first);
    // The canary of `assert_asleep`, created while descriptors are available.
    world.settle();
    // Clients need descriptors, too: created before, connected later.
    let mut greed = Greed::take_all();
    for _ in 0..3 {
        greed.give(2);
        let mut waiting: Vec<_> =
            (0..2).map(|_| RemoteEnd::socket(dial(port.local(), Width::Wide))).collect();
        for client in &mut waiting {
            let (bytes, end_state) = world.receive_to_end(client);
            assert!(bytes.is_empty() && end_state != EndState::Open, "it is told by a close");
        }
        assert_eq!(port.connections(), 1);
        answer(world, &mut first);
        world.assert_asleep();
        drop(waiting);
        // Their descriptors are released, and taken again.
        greed.0.append(&mut Greed::take_all().0);
    }
    let lines = log.take();
    assert_eq!(lines.len(), 1, "an episode is logged once: {lines:#?}");
    assert!(lines[0].contains("could not accept connections"), "{lines:#?}");
    // Descriptors are free again; the listener recovers without a notification.
    greed.give(8);
    let mut welcome = RemoteEnd::socket(dial(port.local(), Width::Wide));
    answer(world, &mut welcome);
    drop(welcome);
    world.until("the welcome guest to go", || port.connections() == 1);
    // A new episode is logged again.
    greed.0.append(&mut Greed::take_all().0);
    greed.give(1);
    let mut waiting = RemoteEnd::socket(dial(port.local(), Width::Wide));
    world.receive_to_end(&mut waiting);
    assert_eq!(log.take().len(), 1);
}

/// Without a spare descriptor, accepting pauses and is retried.
fn without_a_spare(world: &World, log: &Log) {
    let mut greed = Greed::take_all();
    greed.give(1);
    let port = open(world);
    greed.give(1);
    let mut first = RemoteEnd::socket(dial(port.local(), Width::Wide));
    // The client waits in the backlog, and accept is retried a few times per second.
    let later = Rc::new(Cell::new(false));
    let flag = later.clone();
    world.reactor().call_later(Duration::from_millis(350), move |reactor| {
        flag.set(true);
        // Otherwise this turn would wait for an event.
        reactor.call_soon(|_| ());
    });
    let before = world.reactor().stats().turns;
    while !later.get() {
        world.reactor().turn(None).expect("the loop turns");
    }
    let turns = world.reactor().stats().turns - before;
    assert!(turns <= 30, "{turns} turns with no descriptor to be had");
    assert_eq!((port.connections(), log.take().len()), (0, 1));
    greed.give(10);
    answer(world, &mut first);
    assert_eq!(log.take().len(), 0);
}

fn connecting_fails(world: &World) {
    let listener = support::sockets::listener(Width::Wide);
    let addr = listener.local_addr().expect("it listens");
    let greed = Greed::take_all();
    let connecting = world.reactor().connect_tcp(addr, |_: &Peer| Echo);
    world.until("the failure", || connecting.is_settled());
    let error = connecting.take().expect("nobody took it").expect_err("there is no descriptor");
    let ConnectError::Connect { source, .. } = &error else { panic!("{error}") };
    assert_eq!(source.raw_os_error(), Some(libc::EMFILE));
    assert!(world.reactor().listen_tcp(any_port(), |_: &Peer| Echo).is_err());
    drop(greed);
    let connecting = world.reactor().connect_tcp(addr, |_: &Peer| Echo);
    world.until("the connection", || connecting.is_settled());
    assert!(connecting.take().expect("nobody took it").is_ok());
}
