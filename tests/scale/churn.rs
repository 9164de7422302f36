//! Fifty thousand connections, in batches: nothing of them is left.

use std::net::Ipv4Addr;

use sinew::prelude::*;

use super::process::{alone, descriptors, resident};
use crate::support::{Event, Link, RemoteEnd, Script, Watchdog, Width, World, sockets::dial};

/// Connections open at a time.
const BATCH: usize = 100;

/// Memory growth allowed after the first tenth: variation of the allocator, far less than a hundred bytes per
/// connection.
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
    // Several addresses, so that ports in TIME_WAIT do not run out.
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

/// Echoes, and ends in the requested way.
fn server() -> impl Protocol {
    Script(|transport: &Transport, what: Event<'_>| match what {
        Event::Made => transport.set_idle_timeout(std::time::Duration::from_secs(1000)),
        Event::Data(b"close") => transport.lose_connection(),
        Event::Data(b"abort") => transport.abort(),
        Event::Data(data) => {
            transport.call_later(std::time::Duration::from_secs(1000));
            transport.write(data);
        }
        Event::ReadClosed => transport.lose_connection(),
        _ => {}
    })
}

fn one_batch(world: &World, port: &ListeningPort) {
    let mut clients: Vec<_> =
        (0..BATCH).map(|_| RemoteEnd::socket(dial(port.local(), Width::Wide))).collect();
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
