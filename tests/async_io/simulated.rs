//! The same code in the simulated network: seeded faults, small packets, TLS, and no connection left at the end.

use std::{cell::Cell, io, rc::Rc, sync::LazyLock, time::Duration};

use sinew::{
    prelude::*,
    protocols::basic::{AsyncFrames, FramesError, Netstring},
    sim::{Host, Latency, Link, RandomFaults},
    testing::simulate,
    transports::{
        AsyncListener, AsyncStream,
        endpoint::{ClientEndpoint, ServerEndpoint, TcpClient, TcpServer, TlsClient, TlsServer},
    },
};

use super::kinds::{echo, noise};
use crate::certs::{self, CertificateAndKey, authority};

const PORT: u16 = 7;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A server certificate whose key makes signatures of constant length.
static IDENTITY: LazyLock<CertificateAndKey> =
    LazyLock::new(|| authority().issue_ed25519(&["server"]));

fn server_endpoint(tls: bool) -> ServerEndpoint {
    let at = TcpServer::new(("0.0.0.0", PORT));
    match tls {
        false => ServerEndpoint::new(at),
        true => ServerEndpoint::new(TlsServer::new(at, TlsServerConfig::new(IDENTITY.identity()))),
    }
}

fn client_endpoint(tls: bool) -> ClientEndpoint {
    let to = TcpClient::new(("server", PORT));
    match tls {
        false => ClientEndpoint::new(to),
        true => ClientEndpoint::new(TlsClient::new(to, certs::client())),
    }
}

/// Serves each connection by a task of its own, with a timeout.
fn serve<F: Future<Output: 'static> + 'static>(
    host: &Host,
    tls: bool,
    session: impl Fn(AsyncStream) -> F + Copy + 'static,
) {
    host.boot(move |reactor| {
        let mut listener = AsyncListener::bind(reactor, server_endpoint(tls)).unwrap();
        let handle = reactor.clone();
        let accepting = async move {
            while let Some(stream) = listener.accept().await {
                handle.spawn(handle.timeout(secs(120), session(stream))).detach();
            }
        };
        reactor.spawn(accepting).detach();
    });
}

/// Sends a text and compares its echo, with one half in another task.
async fn ask(reactor: Reactor, tls: bool, len: usize) -> io::Result<()> {
    let stream = AsyncStream::connect(&reactor, client_endpoint(tls)).await;
    let (mut read, mut write) = stream.map_err(io::Error::other)?.split();
    let text = noise(len);
    let writing = reactor.spawn(async move {
        write.write_all(&text).await?;
        write.shutdown().await
    });
    let mut echoed = vec![0; len];
    read.read_exact(&mut echoed).await?;
    assert!(echoed == noise(len), "not what was sent");
    assert_eq!(read.read(&mut [0; 1]).await?, 0);
    writing.await.map_err(io::Error::other)?
}

#[test]
fn echoes_survive_faults_and_leave_nothing() {
    crate::watchdog::watch_this_test();
    for tls in [false, true] {
        simulate(0..12, move |network| {
            let (server, client) = (network.host("server"), network.host("client"));
            let latency = Latency::Uniform(millis(1), millis(40));
            network.set_link(Link::default().latency(latency).mtu(577).loss(0.02));
            network.set_random_faults(
                RandomFaults::every(secs(20)).lasting(secs(5)).cuts().pauses().resets(),
            );
            serve(&server, tls, echo);
            let done = Rc::new(Cell::new(0));
            let counter = done.clone();
            client.boot(move |reactor| {
                for len in [1, 3_000, 200_000] {
                    let (handle, counter) = (reactor.clone(), counter.clone());
                    let task = async move {
                        // Until it has worked.
                        loop {
                            let attempt = ask(handle.clone(), tls, len);
                            match handle.timeout(secs(60), attempt).await {
                                Ok(Ok(())) => break,
                                Ok(Err(_)) | Err(_) => handle.sleep(secs(1)).await,
                            }
                        }
                        counter.set(counter.get() + 1);
                    };
                    reactor.spawn(task).detach();
                }
            });
            network.run_until(secs(3_000), || done.get() == 3).unwrap();
            network.set_random_faults(None);
            network.run_for(secs(1_200)).unwrap();
            for host in [&server, &client] {
                assert_eq!(host.reactor().stats().connections, 0, "left on {}", host.name());
            }
        });
    }
}

/// Bytes and frames in packets of one byte.
#[test]
fn one_byte_at_a_time() {
    crate::watchdog::watch_this_test();
    simulate(0..3, |network| {
        let (server, client) = (network.host("server"), network.host("client"));
        network.set_link(Link::default().latency(Latency::Fixed(millis(1))).mtu(1));
        serve(&server, false, async |stream| {
            let mut frames = AsyncFrames::new(stream, Netstring::default());
            while let Some(frame) = frames.next().await {
                frames.send(frame?).await?;
            }
            Ok::<_, FramesError>(())
        });
        let done = Rc::new(Cell::new(false));
        let is_done = done.clone();
        client.boot(move |reactor| {
            let (handle, is_done) = (reactor.clone(), is_done.clone());
            let task = async move {
                let stream = AsyncStream::connect(&handle, client_endpoint(false)).await.unwrap();
                let mut frames = AsyncFrames::new(stream, Netstring::default());
                for len in [0, 1, 10, 300] {
                    frames.send(noise(len)).await.unwrap();
                }
                for len in [0, 1, 10, 300] {
                    assert_eq!(frames.next().await.unwrap().unwrap(), noise(len));
                }
                is_done.set(true);
            };
            reactor.spawn(task).detach();
        });
        network.run_until(secs(600), || done.get()).unwrap();
        network.run_for(secs(300)).unwrap();
        assert_eq!(server.reactor().stats().connections, 0);
    });
}

/// A client that gives up at any moment, with dropped futures in between, leaves no connection behind and loses no byte.
#[test]
fn impatient_clients_lose_no_byte() {
    crate::watchdog::watch_this_test();
    simulate(0..10, |network| {
        let (server, client) = (network.host("server"), network.host("client"));
        let latency = Latency::Uniform(millis(1), millis(20));
        network.set_link(Link::default().latency(latency).mtu(100).loss(0.05));
        serve(&server, false, echo);
        let done = Rc::new(Cell::new(false));
        let is_done = done.clone();
        client.boot(move |reactor| {
            let (handle, is_done) = (reactor.clone(), is_done.clone());
            let task = async move {
                let text = noise(20_000);
                let stream = AsyncStream::connect(&handle, client_endpoint(false)).await.unwrap();
                let (mut read, mut write) = stream.split();
                write.write_all(&text).await.unwrap();
                let mut echoed = Vec::new();
                let mut buffer = [0; 777];
                while echoed.len() < text.len() {
                    // Most of these are dropped before they are ready.
                    let patience = millis(handle.random() % 15);
                    if let Ok(read) = handle.timeout(patience, read.read(&mut buffer)).await {
                        echoed.extend_from_slice(&buffer[..read.unwrap()]);
                    }
                }
                assert!(echoed == text);
                is_done.set(true);
            };
            reactor.spawn(task).detach();
        });
        network.run_until(secs(3_000), || done.get()).unwrap();
    });
}
