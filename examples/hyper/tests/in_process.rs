//! hyper serves and asks on one reactor: on every engine, with and without TLS, and in the simulated network.

use std::{cell::Cell, rc::Rc, time::Duration};

use hyper::{StatusCode, Uri, Version};
use hyper_on_sinew::{accept, ask};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use sinew::{
    prelude::*,
    sim::{Latency, Link, RandomFaults},
    testing::simulate,
    transports::endpoint::{
        ClientEndpoint, ServerEndpoint, TcpClient, TcpServer, TlsClient, TlsServer,
    },
};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A server's and a client's configuration, for `localhost`.
fn tls(http2: bool) -> (TlsServerConfig, TlsClientConfig) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let identity = Identity::from_pem(cert.pem(), signing_key.serialize_pem()).unwrap();
    let server = TlsServerConfig::new(identity).alpn(["h2", "http/1.1"]).unwrap();
    let client = TlsClientConfig::new(TrustedRoots::from_pem(cert.pem()).unwrap());
    let alpn = if http2 { "h2" } else { "http/1.1" };
    (server, client.server_name("localhost").unwrap().alpn([alpn]).unwrap())
}

/// Asks for several pages, each over a connection of its own.
async fn ask_all(reactor: Reactor, to: ClientEndpoint, http2: bool) {
    let version = if http2 { Version::HTTP_2 } else { Version::HTTP_11 };
    let long = "x".repeat(2_000_000);
    let pages = [
        ("/", StatusCode::OK, format!("hello over {version:?}\n")),
        ("/slow", StatusCode::OK, "at last\n".to_owned()),
        ("/bytes/2000000", StatusCode::OK, long),
        ("/nowhere", StatusCode::NOT_FOUND, "not found\n".to_owned()),
    ];
    for (page, status, text) in pages {
        let uri: Uri = format!("http://localhost{page}").parse().unwrap();
        let stream = AsyncStream::connect(&reactor, to.clone()).await.unwrap();
        let asking = ask(&reactor, stream, &uri, http2);
        let response = reactor.timeout(TIMEOUT, asking).await.unwrap().unwrap();
        assert_eq!((response.version(), response.status()), (version, status), "{page}");
        assert!(response.body() == text.as_bytes(), "{page}");
    }
}

#[test]
fn hyper_serves_and_asks_on_every_engine() {
    for engine in Engine::available() {
        for (secure, http2) in [(false, false), (false, true), (true, false), (true, true)] {
            let reactor = Reactor::builder().engine(engine).build().unwrap();
            let (server, client) = tls(http2);
            let at = TcpServer::new("127.0.0.1:0");
            let at = match secure {
                false => ServerEndpoint::new(at),
                true => ServerEndpoint::new(TlsServer::new(at, server)),
            };
            let listener = AsyncListener::bind(&reactor, at).unwrap();
            let to = TcpClient::new(listener.local().socket_addr().unwrap());
            let to = match secure {
                false => ClientEndpoint::new(to),
                true => ClientEndpoint::new(TlsClient::new(to, client)),
            };
            let port = listener.port().clone();
            let handle = reactor.clone();
            reactor.spawn(accept(reactor.clone(), listener)).detach();
            let ran = reactor.run_until(async move {
                ask_all(handle, to, http2).await;
                // Idle keep-alive connections end with the drain.
                port.drain(TIMEOUT).await.unwrap();
            });
            ran.unwrap_or_else(|error| panic!("{engine}, TLS {secure}, HTTP/2 {http2}: {error}"));
        }
    }
}

/// The same code without a kernel, on a virtual clock, with lost packets and cut links.
#[test]
fn hyper_runs_in_the_simulated_network() {
    for http2 in [false, true] {
        simulate(0..5, move |network| {
            let (server, client) = (network.host("server"), network.host("client"));
            let latency = Latency::Uniform(Duration::from_millis(1), Duration::from_millis(20));
            network.set_link(Link::default().latency(latency).loss(0.01));
            network.set_random_faults(
                RandomFaults::every(Duration::from_secs(5)).lasting(Duration::from_secs(1)).cuts(),
            );
            server.boot(|reactor| {
                let at = ServerEndpoint::new(TcpServer::new("0.0.0.0:80"));
                let listener = AsyncListener::bind(reactor, at).unwrap();
                reactor.spawn(accept(reactor.clone(), listener)).detach();
            });
            let is_done = Rc::new(Cell::new(false));
            let done = is_done.clone();
            client.boot(move |reactor| {
                let asking = ask_all(reactor.clone(), "server:80".into(), http2);
                let done = done.clone();
                reactor
                    .spawn(async move {
                        asking.await;
                        done.set(true);
                    })
                    .detach();
            });
            network.run_until(Duration::from_secs(600), || is_done.get()).unwrap();
        });
    }
}
