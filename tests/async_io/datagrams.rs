//! Datagrams for tasks: on every engine, and in the simulated network.

use std::{io, net::SocketAddr, time::Duration};

use sinew::{
    prelude::*,
    sim::Network,
    transports::{AsyncDatagram, DatagramConfig, async_io::DATAGRAM_QUEUE_MAX},
};

use super::steps::once;
use crate::watchdog::Watchdog;

fn on_every_engine<F: Future<Output = ()> + 'static>(name: &str, scenario: impl Fn(Reactor) -> F) {
    for engine in Engine::available() {
        let _watchdog = Watchdog::new(format!("{name} on {engine}"));
        let reactor = Reactor::builder().engine(engine).build().unwrap();
        let ran = reactor.run_until(scenario(reactor.clone()));
        ran.unwrap_or_else(|error| panic!("{name} on {engine}: {error}"));
    }
}

#[test]
fn datagrams_go_both_ways() {
    on_every_engine("datagrams", async |reactor| {
        let mut server = AsyncDatagram::bind(&reactor, "127.0.0.1:0").unwrap();
        let mut client = AsyncDatagram::connect(&reactor, server.local()).unwrap();
        let tick = Duration::from_millis(1);
        let mut buffer = [0; 1500];
        // A dropped future takes nothing.
        assert!(reactor.timeout(tick, server.recv_from(&mut buffer)).await.is_err());
        for n in 0..100_usize {
            client.send(&vec![n as u8; n]).await.unwrap();
            let (len, from) = server.recv_from(&mut buffer).await.unwrap();
            assert_eq!((&buffer[..len], from), (&vec![n as u8; n][..], client.local()));
            server.send_to(&buffer[..len], from).await.unwrap();
            assert_eq!(client.recv(&mut buffer).await.unwrap(), n);
        }
        // What does not fit is cut off.
        client.send(b"longer").await.unwrap();
        assert_eq!(server.recv(&mut buffer[..4]).await.unwrap(), 4);
        assert_eq!(&buffer[..4], b"long");
    });
}

#[test]
fn a_refused_or_impossible_datagram_is_an_error() {
    on_every_engine("errors", async |reactor| {
        let mut socket = AsyncDatagram::bind(&reactor, "127.0.0.1:0").unwrap();
        let too_long = vec![0; 66_000];
        let error = socket.send_to(&too_long, socket.local()).await.unwrap_err();
        assert!(error.to_string().contains("could not send"), "{error}");
        // The socket goes on.
        socket.send_to(b"short", socket.local()).await.unwrap();
        assert_eq!(socket.recv(&mut [0; 10]).await.unwrap(), 5);

        let gone = AsyncDatagram::bind(&reactor, "127.0.0.1:0").unwrap();
        let addr = gone.local();
        drop(gone);
        reactor.sleep(Duration::from_millis(2)).await;
        let mut client = AsyncDatagram::connect(&reactor, addr).unwrap();
        client.send(b"anybody there?").await.unwrap();
        let error = client.recv(&mut [0; 10]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);

        client.transport().stop();
        let error = client.recv(&mut [0; 10]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotConnected, "{error}");
        assert_eq!(client.send(b"x").await.unwrap_err().kind(), io::ErrorKind::NotConnected);
    });
}

#[test]
#[cfg(unix)]
fn unix_datagrams_wait_for_room() {
    use sinew::transports::UnixDatagramConfig;

    on_every_engine("unix datagrams", async |reactor| {
        let dir = std::env::temp_dir();
        let name = format!("sinew-async-{}-{}.sock", std::process::id(), reactor.engine());
        let config = UnixDatagramConfig::default()
            .datagrams(DatagramConfig::default().send_queue(4, 1 << 20));
        let mut server =
            AsyncDatagram::bind_unix(&reactor, dir.join(&name), config.clone()).unwrap();
        let mut client = AsyncDatagram::connect_unix(&reactor, dir.join(&name), config).unwrap();
        const COUNT: usize = 1_000;
        let sender = reactor.spawn(async move {
            for n in 0..COUNT {
                // A Unix socket does not drop: the sender waits for the receiver.
                client.send(&n.to_be_bytes()).await.unwrap();
                assert!(client.transport().queued() <= 4);
            }
            client.send(b"end").await.unwrap();
            while client.transport().queued() > 0 {
                // Closing would drop what is queued.
                std::future::poll_fn(|context| {
                    context.waker().wake_by_ref();
                    match client.transport().queued() {
                        0 => std::task::Poll::Ready(()),
                        _ => std::task::Poll::Pending,
                    }
                })
                .await;
            }
        });
        let mut buffer = [0; 64];
        for n in 0..COUNT {
            let (len, _) = server.recv_from(&mut buffer).await.unwrap();
            assert_eq!(buffer[..len], n.to_be_bytes());
        }
        assert_eq!(server.recv(&mut buffer).await.unwrap(), 3);
        sender.await.unwrap();
        let _ = std::fs::remove_file(dir.join(&name));
    });
}

#[test]
fn received_datagrams_wait_in_a_bounded_queue() {
    let network = Network::new(1);
    let (host, peer) = (network.host("host"), network.host("peer"));
    let mut socket = AsyncDatagram::bind(&host.reactor(), "0.0.0.0:53").unwrap();
    let sender = peer.datagrams("0.0.0.0:53".parse().unwrap()).unwrap();
    let to = SocketAddr::from((host.addr(), 53));
    for n in 0..3 * DATAGRAM_QUEUE_MAX {
        sender.send_to(&n.to_be_bytes(), to).unwrap();
    }
    network.run_for(Duration::from_secs(1)).unwrap();
    assert!(!socket.transport().is_receiving());
    assert_eq!(socket.transport().stats().received, DATAGRAM_QUEUE_MAX as u64);
    let mut buffer = [0; 8];
    let mut received = Vec::new();
    while let Some(next) = once(socket.recv_from(&mut buffer)) {
        assert_eq!(next.unwrap(), (8, (peer.addr(), 53).into()));
        received.push(usize::from_be_bytes(buffer));
        network.run_for(Duration::from_millis(1)).unwrap();
    }
    received.sort_unstable();
    assert!(
        received.into_iter().eq(0..3 * DATAGRAM_QUEUE_MAX),
        "they waited in the system's buffer"
    );
}
