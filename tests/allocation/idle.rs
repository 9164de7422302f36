//! Idle connections: they own no buffer, and cost little memory.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use sinew::prelude::*;

use super::sys::held;
use crate::support::{
    Echo, Link, RemoteEnd, Watchdog, Width, World, sockets::any_port, sockets::dial,
};

const CONNECTIONS: usize = 500;

/// Held by tests with many descriptors, and by those with an engine that has none for numbers above 1,023 (select).
pub(super) static MANY_DESCRIPTORS: Mutex<()> = Mutex::new(());

/// Law 4, and issue 2: the user-space cost of an idle connection whose protocol has no fields.
const BYTES_MAX: i64 = 256;

#[test]
fn an_idle_connection_is_small() {
    let _alone = MANY_DESCRIPTORS.lock().unwrap_or_else(PoisonError::into_inner);
    let _watchdog = Watchdog::new("idle connections");
    let world = World::new(Engine::Mio, Link::Accepted);
    let port = world.reactor().listen_tcp(any_port(), |_: &Peer| Echo).unwrap();
    let mut clients = Vec::with_capacity(2 * CONNECTIONS);
    // The first half grows everything that does not shrink; the reactor's slab doubles as it grows.
    let mut before = 0;
    for half in 1..=2 {
        for _ in 0..CONNECTIONS {
            clients.push(RemoteEnd::socket(dial(port.local(), Width::Wide)));
            if clients.len() % 50 == 0 {
                world.until("them", || port.connections() == clients.len());
            }
        }
        // Each has sent and received more than one read, and is idle again.
        for client in &mut clients {
            client.send(&[half; 100]);
        }
        for client in &mut clients {
            let mut buffer = [0; 100];
            let mut got = 0;
            while got < 100 {
                let n = client.take_into(&mut buffer[got..]);
                got += n;
                if n == 0 {
                    world.turn();
                }
            }
        }
        if half == 1 {
            before = held();
        }
    }
    let each = (held() - before) / CONNECTIONS as i64;
    println!("{each} bytes for each idle connection");
    assert!(each <= BYTES_MAX, "{each} bytes for each idle connection");
}

/// Issue 13: the same with the task that serves it.
const WITH_TASK_MAX: i64 = 400;

/// Sends back what it receives, without a buffer of its own.
async fn echo(stream: AsyncStream) -> io::Result<()> {
    let (mut read, mut write) = stream.split();
    loop {
        let data = read.fill_buf().await?;
        if data.is_empty() {
            return Ok(());
        }
        write.write_all(data).await?;
        let len = data.len();
        read.consume(len);
    }
}

#[test]
fn an_idle_connection_with_its_task_is_small() {
    let _alone = MANY_DESCRIPTORS.lock().unwrap_or_else(PoisonError::into_inner);
    let _watchdog = Watchdog::new("idle tasks");
    let world = World::new(Engine::Mio, Link::Accepted);
    let reactor = world.reactor();
    let mut listener = AsyncListener::bind(reactor, any_port()).unwrap();
    let addr = listener.local().socket_addr().unwrap();
    let port = listener.port().clone();
    let spawner = reactor.clone();
    let accepting = async move {
        while let Some(stream) = listener.accept().await {
            spawner.spawn(echo(stream)).detach();
        }
    };
    reactor.spawn(accepting).detach();
    let mut clients = Vec::with_capacity(2 * CONNECTIONS);
    let mut before = 0;
    for half in 1..=2 {
        for _ in 0..CONNECTIONS {
            clients.push(RemoteEnd::socket(dial(addr, Width::Wide)));
            if clients.len() % 50 == 0 {
                world.until("them", || port.connections() == clients.len());
            }
        }
        for client in &mut clients {
            client.send(&[half; 100]);
            let mut left = 100;
            while left > 0 {
                world.turn();
                left -= client.take_into(&mut [0; 100][..left]);
            }
        }
        if half == 1 {
            before = held();
        }
    }
    let each = (held() - before) / CONNECTIONS as i64;
    println!("{each} bytes for each idle connection with its task");
    assert!(each <= WITH_TASK_MAX, "{each} bytes for each idle connection with its task");
}

#[test]
fn an_empty_queue_is_freed() {
    let _watchdog = Watchdog::new("queues");
    let world = World::new(Engine::Mio, Link::Memory);
    let lines: Vec<_> = (0..200).map(|_| world.join(Echo)).collect();
    let idle = held();
    // All of them have queued output at the same time, and then none has.
    for line in &lines {
        line.transport().write(&[1; 60_000]);
    }
    let full_backlog = held();
    world.until("all to be sent", || {
        lines.iter().all(|line| line.remote.as_wire().unwrap().sent_len() == 60_000)
    });
    for mut line in lines {
        drop(line.remote.take());
        let transport = line.transport();
        assert_eq!(transport.queued(), 0);
    }
    world.turn();
    let kept = held() - idle;
    assert!(full_backlog - idle > 200 * 60_000);
    // The pool keeps some queues for later writers, each with a buffer of up to 128 KiB.
    assert!(kept < 65 * (128 << 10), "{kept} bytes kept");
}

#[test]
fn the_pool_keeps_no_large_buffers() {
    let _watchdog = Watchdog::new("large queues");
    let world = World::new(Engine::Mio, Link::Memory);
    let mut line = world.join(Echo);
    let idle = held();
    line.remote.as_wire().unwrap().set_capacity(usize::MAX);
    let transport = line.transport();
    // One large write, and many that cannot be gathered.
    transport.write(&vec![1; 10 << 20]);
    let bytes = bytes::Bytes::from(vec![2; 4096]);
    for _ in 0..100_000 {
        transport.write_bytes(bytes.clone());
    }
    world.until("all to be sent", || transport.queued() == 0);
    drop(line.remote.take());
    drop(bytes);
    let kept = held() - idle;
    assert!(kept < 1 << 20, "{kept} bytes kept after a burst");
}
