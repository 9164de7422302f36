//! STARTTLS in tasks, and attacks on it.

use std::{io, time::Duration};

use sinew::{
    prelude::*,
    transports::{
        AsyncStream,
        starttls::{ClientTls, ServerTls},
    },
};

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

/// The piece that protocols share, in tasks and by transports.
#[test]
fn tls_on_request_starts_at_both_ends() {
    for by_transport in [false, true] {
        everywhere_plain("on request", move |mut place| async move {
            let (mut server, mut client) = place.pair().await;
            let task = place.reactor.spawn(async move {
                let tls = ServerTls::new(certs::server());
                assert!(tls.is_offered());
                expect(&mut server, b"STARTTLS\r\n").await;
                server.write_all(b"220 go ahead\r\n").await.unwrap();
                match by_transport {
                    true => tls.start(server.transport()),
                    false => tls.start_in(&mut server).await.unwrap(),
                }
                expect(&mut server, b"secret").await;
                server.write_all(b"also secret").await.unwrap();
                server.flush().await.unwrap();
            });
            let tls = ClientTls::new(certs::client());
            client.write_all(b"STARTTLS\r\n").await.unwrap();
            expect(&mut client, b"220 go ahead\r\n").await;
            match by_transport {
                true => tls.start(client.transport(), "localhost").unwrap(),
                false => tls.start_in(&mut client, "localhost").await.unwrap(),
            }
            client.write_all(b"secret").await.unwrap();
            expect(&mut client, b"also secret").await;
            assert!(client.transport().tls_info().is_some());
            task.await.unwrap();
        });
    }
}

#[test]
fn tls_on_request_takes_nothing_that_was_received_before() {
    everywhere_plain("injection on request", async |mut place| {
        for behind in ["RCPT TO:<mallory>\r\n", "RCPT", "a\r\nb\r\nc\r\n", "\0"] {
            let (mut server, mut client) = place.pair().await;
            let task = place.reactor.spawn(async move {
                expect(&mut server, b"STARTTLS\r\n").await;
                server.write_all(b"220 go ahead\r\n").await.unwrap();
                ServerTls::new(certs::server()).start_in(&mut server).await
            });
            client.write_all(format!("STARTTLS\r\n{behind}").as_bytes()).await.unwrap();
            expect(&mut client, b"220 go ahead\r\n").await;
            let started = ClientTls::new(certs::client()).start_in(&mut client, "localhost").await;
            started.unwrap_err();
            task.await.unwrap().unwrap_err();
        }
    });
}

#[test]
fn tls_that_cannot_be_started_leaves_the_connection_as_it_is() {
    everywhere_plain("not on request", async |mut place| {
        let (mut server, mut client) = place.pair().await;
        let none = ServerTls::default();
        assert!(!none.is_offered());
        let error = none.start_in(&mut server).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        let tls = ClientTls::new(certs::client());
        tls.start_in(&mut client, "not a name").await.unwrap_err();
        tls.start(client.transport(), "not a name").unwrap_err();
        client.write_all(b"in the clear").await.unwrap();
        client.flush().await.unwrap();
        expect(&mut server, b"in the clear").await;
        // A protocol that starts what it does not offer has a mistake: the connection is over.
        none.start(server.transport());
        assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
    });
}
