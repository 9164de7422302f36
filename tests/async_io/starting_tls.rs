//! STARTTLS in tasks, and attacks on it.

use std::{io, time::Duration};

use sinew::{prelude::*, transports::AsyncStream};

use super::kinds::{Kind, run};
use crate::certs;

async fn expect(stream: &mut AsyncStream, text: &[u8]) {
    let mut data = vec![0; text.len()];
    stream.read_exact(&mut data).await.unwrap();
    assert_eq!(data.escape_ascii().to_string(), text.escape_ascii().to_string());
}

fn everywhere_plain<F: Future<Output = ()> + 'static>(
    name: &str,
    scenario: impl Fn(super::kinds::Place) -> F + Copy + 'static,
) {
    for engine in Engine::available() {
        for &kind in Kind::ALL.iter().filter(|kind| **kind != Kind::Tls) {
            run(name, engine, kind, scenario);
        }
    }
}

#[test]
fn both_ends_start_tls_in_the_middle() {
    everywhere_plain("starttls", async |mut place| {
        let (mut server, mut client) = place.pair().await;
        let sleeper = place.reactor.clone();
        let task = place.reactor.spawn(async move {
            expect(&mut server, b"STARTTLS\r\n").await;
            server.write_all(b"220 go ahead\r\n").await.unwrap();
            server.flush().await.unwrap();
            // The client's first message arrives meanwhile.
            sleeper.sleep(Duration::from_millis(5)).await;
            server.start_tls(&certs::server()).await.unwrap();
            assert!(server.transport().tls_info().is_some());
            expect(&mut server, b"secret").await;
            server.write_all(b"also secret").await.unwrap();
            let again = server.start_tls(&certs::server()).await.unwrap_err();
            assert!(again.to_string().contains("already"), "{again}");
            server
        });
        client.write_all(b"STARTTLS\r\n").await.unwrap();
        expect(&mut client, b"220 go ahead\r\n").await;
        client.start_tls(certs::client().to("localhost").unwrap()).await.unwrap();
        client.write_all(b"secret").await.unwrap();
        client.flush().await.unwrap();
        expect(&mut client, b"also secret").await;
        client.shutdown().await.unwrap();
        let mut server = task.await.unwrap();
        assert_eq!(server.read(&mut [0; 1]).await.unwrap(), 0);
    });
}

/// Somebody on the path adds a command behind STARTTLS: it must not count as received over TLS.
#[test]
fn injected_plaintext_fails_the_handshake() {
    everywhere_plain("injection", async |mut place| {
        let (mut server, mut client) = place.pair().await;
        let task = place.reactor.spawn(async move {
            expect(&mut server, b"STARTTLS\r\n").await;
            server.write_all(b"220 go ahead\r\n").await.unwrap();
            server.start_tls(&certs::server()).await
        });
        client.write_all(b"STARTTLS\r\nRCPT TO:<mallory>\r\n").await.unwrap();
        expect(&mut client, b"220 go ahead\r\n").await;
        let client = client.start_tls(certs::client().to("localhost").unwrap()).await;
        let server = task.await.unwrap();
        assert_eq!(server.unwrap_err().kind(), io::ErrorKind::InvalidData);
        client.unwrap_err();
    });
}

/// The future is dropped at once; the handshake goes on, and reads and writes wait for its end.
#[test]
fn a_dropped_start_goes_on() {
    everywhere_plain("dropped starttls", async |mut place| {
        let (mut server, mut client) = place.pair().await;
        let role = certs::client().to("localhost").unwrap();
        assert!(super::steps::once(client.start_tls(role)).is_none());
        let task = place.reactor.spawn(async move {
            server.start_tls(&certs::server()).await.unwrap();
            expect(&mut server, b"over tls").await;
            server.write_all(b"answer").await.unwrap();
        });
        client.write_all(b"over tls").await.unwrap();
        expect(&mut client, b"answer").await;
        assert!(client.transport().tls_info().is_some());
        task.await.unwrap();
    });
}

#[test]
fn a_refused_certificate_is_an_error_with_its_reason() {
    everywhere_plain("refused", async |mut place| {
        let (mut server, mut client) = place.pair().await;
        let task = place.reactor.spawn(async move { server.start_tls(&certs::server()).await });
        let error =
            client.start_tls(certs::client().to("another.example").unwrap()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains("certificate"), "{error}");
        task.await.unwrap().unwrap_err();
    });
}
