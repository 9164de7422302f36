//! Ten thousand connections at once.

use std::net::SocketAddr;

use sinew::prelude::*;

use super::process::{alone, descriptors, descriptors_max};
use crate::support::{
    Echo, Link, RemoteEnd, Watchdog, Width, World,
    sockets::{any_port, dial},
};

/// Other open descriptors.
const OTHERS: usize = 100;

#[test]
fn ten_thousand_at_once_on_mio() {
    crowd(Engine::Mio, 10_000);
}

#[test]
fn three_thousand_at_once_on_poll() {
    crowd(Engine::Poll, 3_000);
}

/// Both ends are in this process, so each connection takes two descriptors.
#[test]
fn four_hundred_at_once_on_select() {
    crowd(Engine::Select, 400);
}

fn crowd(engine: Engine, wanted: usize) {
    let _alone = alone();
    let _watchdog = Watchdog::new(format!("a crowd of {wanted} on {engine}"));
    let count = wanted.min(descriptors_max().saturating_sub(OTHERS) / 2);
    if count < wanted {
        eprintln!("{count} instead of {wanted} connections: the limit of descriptors is lower");
    }
    let before = descriptors();
    let world = World::new(engine, Link::Accepted);
    // No traces: ten thousand of them are not needed here.
    let port = world.reactor().listen_tcp(any_port(), |_: &Peer| Echo).unwrap();
    let mut clients = dial_all(&world, &port, count);
    assert_eq!(port.connections(), count);
    assert_eq!(world.reactor().stats().connections, count as u64);
    for round in 0..2_u8 {
        for (at, client) in clients.iter_mut().enumerate() {
            client.send(&[round, at as u8, (at >> 8) as u8]);
        }
        for (at, client) in clients.iter_mut().enumerate() {
            assert_eq!(world.receive(client, 3), [round, at as u8, (at >> 8) as u8]);
        }
    }
    world.assert_asleep();
    // Half of them close by themselves, the other half is drained.
    for client in clients.drain(..count / 2) {
        client.close();
    }
    world.until("half of them to go", || port.connections() <= count - count / 2 + 1);
    let drained = port.drain(std::time::Duration::from_secs(1000));
    world.turn();
    for mut client in clients {
        client.end();
    }
    world.until("the drain", || drained.is_settled());
    assert_eq!(world.reactor().stats().connections, 1, "the canary's");
    world.end();
    assert_eq!(descriptors(), before, "descriptors leak");
}

fn dial_all(world: &World, port: &ListeningPort, count: usize) -> Vec<RemoteEnd> {
    let addr: SocketAddr = port.local();
    let mut clients = Vec::with_capacity(count);
    while clients.len() < count {
        // As many as the backlog certainly holds.
        let some = (count - clients.len()).min(100);
        clients.extend((0..some).map(|_| RemoteEnd::socket(dial(addr, Width::Wide))));
        world.until("them to be accepted", || port.connections() >= clients.len());
    }
    clients
}
