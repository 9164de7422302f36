//! Fairness: no connection delays others, whether there are many slow clients, a flood of data, or many new
//! connections.

use std::time::Duration;

use sinew::{prelude::*, transports::memory};

use super::process::alone;
use crate::support::{
    Echo, Link, RemoteEnd, Sink, Watchdog, Width, World, noise,
    sockets::{any_port, dial},
};

/// Maximum input per turn and connection: 16 reads of 64 KiB, once for an event and once because it was rescheduled.
const TURN_MAX: u64 = 2 * 16 * 65_536;

/// Turns that a round trip may take, regardless of the number of connections: three, and some for late kernel events.
const TURNS_MAX: u64 = 10;

/// For a round trip with many other connections. io_uring delivers completions in batches of about twenty, in order.
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
        // Each is sent a line byte by byte.
        let factory = |_: &Peer| Sink;
        let config = StreamConfig::default().idle_timeout(Duration::from_secs(1000));
        let config = ListenConfig::default().backlog(1024).stream(config);
        let port = world.reactor().listen_tcp_with(any_port(), config, factory).unwrap();
        let mut slow: Vec<_> =
            (0..count).map(|_| RemoteEnd::socket(dial(port.local(), Width::Wide))).collect();
        world.until("the crowd", || port.connections() == count);
        let mut fast = world.join(Echo);
        for round in 0..50 {
            slow.iter_mut().for_each(|client| client.send(b"x"));
            fast.remote.send(&[round]);
            let before = world.reactor().stats().turns;
            world.until("the answer", || fast.remote.take() == [round]);
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
fn a_flood_is_bounded_per_turn() {
    let _alone = alone();
    let _watchdog = Watchdog::new("a flood");
    let world = World::new(Engine::Mio, Link::Accepted);
    let mut fast = world.join(Echo);
    // The input received at once, on a connection that always has more.
    let flood = noise(32 << 20);
    let (_, wire) =
        memory::connect(world.reactor(), StreamConfig::default(), Sink).expect("there is room");
    wire.receive(&flood);
    let mut round = 0;
    let received = || world.reactor().stats().bytes_received;
    while received() < flood.len() as u64 {
        fast.remote.send(&[round]);
        let (turns, bytes) = (world.reactor().stats().turns, received());
        world.until("the answer", || fast.remote.take() == [round]);
        let turns = world.reactor().stats().turns - turns;
        assert!(turns <= TURNS_MAX, "{turns} turns for an answer beside a flood");
        assert!(received() - bytes <= turns * TURN_MAX + 1);
        round = round.wrapping_add(1);
    }
    assert!(round > 4, "the flood came in {round} turns");
    world.end();
}

#[test]
fn accepting_is_bounded_per_turn() {
    let _alone = alone();
    // select supports fewer descriptors.
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
