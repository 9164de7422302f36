//! Fifty thousand connections, one batch after the other: nothing of them is left.

use std::net::Ipv4Addr;

use sinew::prelude::*;

use super::process::{alone, descriptors, resident};
use crate::support::{Far, Link, Script, Watchdog, What, Width, World, sockets::dial};

/// Connections that are open at a time.
const BATCH: usize = 100;

/// Memory that may be in use at the end and was not after the first tenth: the allocator's play, far less than a hundred
/// bytes for each connection would come to.
const GROWTH_MAX: usize = 2 << 20;

#[test]
fn fifty_thousand_on_mio() {
    churn(Engine::Mio, 50_000);
}

#[test]
fn five_thousand_on_poll() {
    churn(Engine::Poll, 5_000);
}

#[test]
fn five_thousand_on_select() {
    churn(Engine::Select, 5_000);
}

fn churn(engine: Engine, count: usize) {
    let _alone = alone();
    let _watchdog = Watchdog::new(format!("a churn of {count} on {engine}"));
    let world = World::new(engine, Link::Accepted);
    // Several addresses, so that ports in TIME_WAIT are never short.
    let factory = SharedFactory::new(|_: &Peer| server());
    let ports: Vec<_> = (1..=5)
        .map(|last| {
            let addr = (Ipv4Addr::new(127, 0, 0, last), 0);
            world.reactor().listen_tcp(addr, factory.clone()).expect("all of 127/8 is this machine")
        })
        .collect();
    world.turn();
    let before = descriptors();
    let mut memory = 0;
    for batch in 0..count / BATCH {
        if batch == count / BATCH / 10 {
            memory = resident();
        }
        let port = &ports[batch % ports.len()];
        one_batch(&world, port);
        assert_eq!(descriptors(), before, "a descriptor leaks in batch {batch}");
    }
    let grown = resident().saturating_sub(memory);
    assert!(grown < GROWTH_MAX, "{grown} bytes more after {count} connections");
    let stats = world.reactor().stats();
    assert_eq!((stats.connections_made, stats.connections), (count as u64, 0));
    assert_eq!((stats.handlers, stats.timers), (ports.len(), 0));
    world.end();
}

/// Echoes, and ends as it is told.
fn server() -> impl Protocol {
    Script(|transport: &Transport, what: What<'_>| match what {
        What::Made => transport.set_idle_timeout(std::time::Duration::from_secs(1000)),
        What::Data(b"close") => transport.lose_connection(),
        What::Data(b"abort") => transport.abort(),
        What::Data(data) => {
            transport.call_later(std::time::Duration::from_secs(1000));
            transport.write(data);
        }
        What::ReadClosed => transport.lose_connection(),
        _ => {}
    })
}

fn one_batch(world: &World, port: &ListeningPort) {
    let mut clients: Vec<_> =
        (0..BATCH).map(|_| Far::socket(dial(port.local(), Width::Wide))).collect();
    clients.iter_mut().for_each(|client| client.send(b"ping"));
    for client in &mut clients {
        assert_eq!(world.receive(client, 4), b"ping");
    }
    // Every way to end, in turn.
    let mut rest = Vec::new();
    for (at, mut client) in clients.into_iter().enumerate() {
        match at % 4 {
            0 => client.close(),
            1 => client.reset(),
            word => {
                client.send(if word == 2 { b"close" } else { b"abort" });
                rest.push(client);
            }
        }
    }
    for client in &mut rest {
        world.receive_to_end(client);
    }
    drop(rest);
    world.until("all to be gone", || port.connections() == 0);
}
