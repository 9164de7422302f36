//! Nobody holds up the others: not a crowd of slow clients, not a flood, not a rush of new connections.

use std::time::Duration;

use sinew::{prelude::*, transports::memory};

use super::process::alone;
use crate::support::{
    Echo, Far, Link, Sink, Watchdog, Width, World, noise,
    sockets::{any_port, dial},
};

/// How much a connection may be given at a time: 16 reads of 64 KiB, once for an event and once because it asked to be
/// run again.
const TURN_MAX: u64 = 2 * 16 * 65_536;

/// Turns that a round trip may take, however large the crowd: three, and some for a kernel that delivers late.
const TURNS_MAX: u64 = 10;

/// For a round trip behind a crowd. io_uring hands over what has come in portions of about twenty, in the order in which it came.
fn turns_max(engine: Engine, crowd: usize) -> u64 {
    match engine {
        #[cfg(target_os = "linux")]
        Engine::Uring => TURNS_MAX + crowd as u64 / 16,
        _ => TURNS_MAX,
    }
}

#[test]
fn a_slow_loris_crowd_beside_a_fast_client() {
    let _alone = alone();
    for engine in Engine::available() {
        let _watchdog = Watchdog::new(format!("a slow crowd on {engine}"));
        let count = if engine == Engine::Select { 400 } else { 1_000 };
        let world = World::new(engine, Link::Accepted);
        // Each wants a line, and is sent a byte of it now and then.
        let factory = |_: &Peer| Sink;
        let config = StreamConfig::default().idle_timeout(Duration::from_secs(1000));
        let config = ListenConfig::default().backlog(1024).stream(config);
        let port = world.reactor().listen_tcp_with(any_port(), config, factory).unwrap();
        let mut slow: Vec<_> =
            (0..count).map(|_| Far::socket(dial(port.local(), Width::Wide))).collect();
        world.until("the crowd", || port.connections() == count);
        let mut fast = world.join(Echo);
        for round in 0..50 {
            slow.iter_mut().for_each(|client| client.send(b"x"));
            fast.far.send(&[round]);
            let before = world.reactor().stats().turns;
            world.until("the answer", || fast.far.take() == [round]);
            let turns = world.reactor().stats().turns - before;
            assert!(
                turns <= turns_max(engine, count),
                "{turns} turns for an answer in round {round}"
            );
        }
        drop(slow);
        world.until("the crowd to go", || port.connections() == 0);
        world.end();
    }
}

#[test]
fn a_flood_is_read_in_turns() {
    let _alone = alone();
    let _watchdog = Watchdog::new("a flood");
    let world = World::new(Engine::Mio, Link::Accepted);
    let mut fast = world.join(Echo);
    // What has come all at once, on a connection that never runs dry.
    let flood = noise(32 << 20);
    let (_, wire) =
        memory::connect(world.reactor(), StreamConfig::default(), Sink).expect("there is room");
    wire.receive(&flood);
    let mut round = 0;
    let received = || world.reactor().stats().bytes_received;
    while received() < flood.len() as u64 {
        fast.far.send(&[round]);
        let (turns, bytes) = (world.reactor().stats().turns, received());
        world.until("the answer", || fast.far.take() == [round]);
        let turns = world.reactor().stats().turns - turns;
        assert!(turns <= TURNS_MAX, "{turns} turns for an answer beside a flood");
        assert!(received() - bytes <= turns * TURN_MAX + 1);
        round = round.wrapping_add(1);
    }
    assert!(round > 4, "the flood came in {round} turns");
    world.end();
}

#[test]
fn a_rush_of_clients_is_accepted_in_turns() {
    let _alone = alone();
    // On select there are not as many descriptors.
    for engine in Engine::available().filter(|engine| *engine != Engine::Select) {
        let _watchdog = Watchdog::new(format!("a rush on {engine}"));
        let world = World::new(engine, Link::Accepted);
        let config = ListenConfig::default().backlog(2048);
        let port = world.reactor().listen_tcp_with(any_port(), config, |_: &Peer| Sink).unwrap();
        let clients: Vec<_> = (0..1500).map(|_| dial(port.local(), Width::Wide)).collect();
        let (mut most, mut before) = (0, 0);
        world.until("all of them", || {
            let now = port.connections();
            most = most.max(now - before);
            before = now;
            now == clients.len()
        });
        assert!(most <= 256, "{most} in one turn");
        world.end();
    }
}
