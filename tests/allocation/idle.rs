//! Idle connections: they own no buffer, and cost little memory.

use std::{
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
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

/// What a connection may keep of what it has done: the box of its idle timeout, which is empty here.
const LEFT_MAX: i64 = 48;

/// Does what it is told by a byte, and then answers with one.
struct Acts;

/// Answers for a protocol.
struct Answer;

impl Producer for Answer {
    fn produce(&mut self, transport: &Transport) -> Production {
        transport.write(b"a");
        Production::Done
    }
}

impl Protocol for Acts {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let soon = Duration::from_millis(1);
        match data {
            b"timer" => drop(transport.call_later(soon)),
            b"cancel" => {
                let timer = transport.call_later(Duration::from_secs(60)).unwrap();
                assert!(transport.cancel_timer(timer));
                transport.write(b"a");
            }
            b"hold" => transport.hold_reading(soon),
            b"producer" => assert!(transport.stream(Answer)),
            b"handover" => drop(transport.set_protocol(Successor).unwrap()),
            data => panic!("{data:?}"),
        }
    }

    fn timer_fired(&mut self, transport: &Transport, _: TimerId) {
        transport.write(b"a");
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        transport.write(b"a");
    }
}

/// The protocol after a handover.
struct Successor;

impl Protocol for Successor {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(b"a");
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// A connection gives its rarely needed state up, so what it costs does not depend on its past.
#[test]
fn what_a_connection_has_done_leaves_little() {
    const CONNECTIONS: usize = 100;
    let _alone = MANY_DESCRIPTORS.lock().unwrap_or_else(PoisonError::into_inner);
    for act in ["timer", "cancel", "hold", "producer", "handover"] {
        let _watchdog = Watchdog::new(format!("connections with a past: {act}"));
        let world = World::new(Engine::Mio, Link::Accepted);
        let port = world.reactor().listen_tcp(any_port(), |_: &Peer| Acts).unwrap();
        let mut clients: Vec<_> =
            (0..=CONNECTIONS).map(|_| RemoteEnd::socket(dial(port.local(), Width::Wide))).collect();
        world.until("them", || port.connections() == clients.len());
        let mut ask = |client: &mut RemoteEnd| {
            client.send(act.as_bytes());
            while client.take_into(&mut [0]) == 0 {
                world.turn();
            }
            world.turn();
        };
        let (first, others) = clients.split_first_mut().unwrap();
        // What the connections of a reactor share is made for the first.
        ask(first);
        let before = held();
        others.iter_mut().for_each(&mut ask);
        let left = (held() - before) / CONNECTIONS as i64;
        println!("{act}: {left} bytes are left");
        assert!(left <= LEFT_MAX, "{act}: {left} bytes are left");
    }
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
