//! Listeners: the accept queue, closing, draining.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    time::Duration,
};

use futures_core::Stream;
use sinew::{
    prelude::*,
    transports::{
        AsyncListener, AsyncStream,
        async_io::ACCEPT_QUEUE_MAX,
        endpoint::{ClientEndpoint, ServerEndpoint},
    },
};

use super::kinds::everywhere;

fn memory(reactor: &Reactor) -> (AsyncListener, ClientEndpoint) {
    let at: ServerEndpoint = "memory:here".parse().unwrap();
    (AsyncListener::bind(reactor, at).unwrap(), "memory:here".parse().unwrap())
}

#[test]
fn at_most_so_many_connections_wait_to_be_taken() {
    for engine in Engine::available() {
        crate::watchdog::watch_this_test();
        let reactor = Reactor::builder().engine(engine).build().unwrap();
        let at: ServerEndpoint = "tcp:0:interface=127.0.0.1".parse().unwrap();
        let mut listener = AsyncListener::bind(&reactor, at).unwrap();
        let addr = listener.local().socket_addr().unwrap();
        let count = 2 * ACCEPT_QUEUE_MAX + 10;
        let clients: Vec<_> =
            (0..count).map(|_| std::net::TcpStream::connect(addr).unwrap()).collect();
        let handle = reactor.clone();
        let ran = reactor.run_until(async move {
            // Turns in which nobody accepts.
            for _ in 0..20 {
                handle.sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(listener.port().connections(), ACCEPT_QUEUE_MAX, "on {engine}");
            let mut taken = Vec::new();
            for _ in 0..count {
                taken.push(listener.accept().await.unwrap());
                assert!(listener.port().connections() <= taken.len() + ACCEPT_QUEUE_MAX);
            }
            drop(clients);
        });
        ran.unwrap();
    }
}

/// `Stream::poll_next` as a future, without a crate of adapters.
async fn next(listener: &mut AsyncListener) -> Option<AsyncStream> {
    poll_fn(|context| Stream::poll_next(Pin::new(&mut *listener), context)).await
}

#[test]
fn a_listener_is_a_stream_of_connections_that_ends_with_its_port() {
    everywhere("listener", async |mut place| {
        let _client = AsyncStream::connect(&place.reactor, place.to.clone()).await.unwrap();
        // A connection that waits when the port is closed is returned all the same.
        while place.listener.port().connections() == 0 {
            place.reactor.sleep(Duration::from_millis(1)).await;
        }
        place.listener.stop_listening();
        assert!(next(&mut place.listener).await.is_some());
        assert!(next(&mut place.listener).await.is_none());
        assert!(place.listener.accept().await.is_none());
    });
}

#[test]
fn a_dropped_listener_closes_what_waits() {
    let reactor = Reactor::simulated(0);
    let (listener, to) = memory(&reactor);
    let handle = reactor.clone();
    let ran = reactor.run_until(async move {
        let mut client = AsyncStream::connect(&handle, to.clone()).await.unwrap();
        while listener.port().connections() == 0 {
            handle.sleep(Duration::from_millis(1)).await;
        }
        drop(listener);
        assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
        drop(client);
        assert!(AsyncStream::connect(&handle, to).await.is_err());
    });
    ran.unwrap();
}

#[test]
fn a_drain_is_announced_and_waits_for_the_tasks() {
    let reactor = Reactor::simulated(0);
    let (mut listener, to) = memory(&reactor);
    let handle = reactor.clone();
    let ran = reactor.run_until(async move {
        let mut client = AsyncStream::connect(&handle, to.clone()).await.unwrap();
        let mut server = listener.accept().await.unwrap();
        let finished = Rc::new(Cell::new(false));
        let is_finished = finished.clone();
        assert!(!server.is_draining());
        let sleeper = handle.clone();
        handle
            .spawn(async move {
                server.drain_requested().await.unwrap();
                assert!(server.is_draining());
                server.drain_requested().await.unwrap();
                sleeper.sleep(Duration::from_secs(1)).await;
                server.write_all(b"the rest").await.unwrap();
                is_finished.set(true);
            })
            .detach();
        handle.sleep(Duration::from_secs(1)).await;
        listener.drain(Duration::from_secs(5)).await.unwrap();
        assert!(finished.get(), "the drain has waited");
        let mut rest = [0; 8];
        client.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"the rest");
    });
    ran.unwrap();
}

#[test]
fn the_deadline_of_a_drain_ends_the_rest() {
    let reactor = Reactor::simulated(0);
    let (mut listener, to) = memory(&reactor);
    let handle = reactor.clone();
    let ran = reactor.run_until(async move {
        let client = AsyncStream::connect(&handle, to.clone()).await.unwrap();
        let mut server = listener.accept().await.unwrap();
        let errors = Rc::new(RefCell::new(Vec::new()));
        let seen = errors.clone();
        let reader = handle.spawn(async move {
            let error = server.read(&mut [0; 1]).await.unwrap_err();
            seen.borrow_mut().push(error.kind());
        });
        listener.drain(Duration::from_secs(5)).await.unwrap();
        reader.await.unwrap();
        assert_eq!(*errors.borrow(), [std::io::ErrorKind::ConnectionAborted]);
        drop(client);
    });
    ran.unwrap();
}
