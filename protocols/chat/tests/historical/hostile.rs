//! Clients that flood, do not read, or send anything.

use std::time::Duration;

use proptest::prelude::*;
use sinew_chat::historical::{Event, SessionError, oscar::OscarServer, toc::TocServer};
use sinew_testkit::sim::Network;
use sinew_transports::{AsyncStream, Factory, Peer, Protocol, Transport};

use super::kit::{By, Client, realm, run, serve};
use crate::watchdog;

#[test]
fn a_flood_of_messages_is_bounded() {
    watchdog::watch_this_test();
    for by in [By::Oscar, By::Toc] {
        let network = Network::new(1);
        serve(&network);
        run(&network, "client", async move |reactor| {
            let mut ann = Client::sign_on(&reactor, by, "ann").await;
            let mut bob = Client::sign_on(&reactor, by, "bob").await;
            ann.add_buddy("bob").await;
            assert!(matches!(ann.next().await.unwrap(), Event::Arrived(_)));
            for _ in 0..100 {
                ann.send("bob", "hello").await.unwrap();
            }
            reactor.sleep(Duration::from_secs(10)).await;
            ann.send("bob", "the end").await.unwrap();
            let mut arrived = 0;
            while let Event::Message(message) = bob.next().await.unwrap() {
                if message.text == "the end" {
                    break;
                }
                arrived += 1;
            }
            assert!((20..30).contains(&arrived), "{arrived} of 100 at once");
            for _ in arrived..100 {
                assert_eq!(ann.next().await.unwrap(), Event::TooFast);
            }
        });
    }
}

#[test]
fn who_does_not_read_is_disconnected() {
    watchdog::watch_this_test();
    let network = Network::new(1);
    let realm = serve(&network);
    run(&network, "client", async move |reactor| {
        let mut ann = Client::sign_on(&reactor, By::Oscar, "ann").await;
        let mut bob = Client::sign_on(&reactor, By::Toc, "bob").await;
        ann.add_buddy("bob").await;
        assert!(matches!(ann.next().await.unwrap(), Event::Arrived(_)));
        // It is not polled, so its buffers fill.
        let mut sent = 0;
        loop {
            ann.send("bob", &"x".repeat(2_000)).await.unwrap();
            sent += 1;
            reactor.sleep(Duration::from_millis(600)).await;
            if realm.online().len() == 1 || sent > 2_000 {
                break;
            }
        }
        assert!(sent < 2_000, "it is still there");
        assert_eq!(ann.next().await.unwrap(), Event::Departed("bob".parse().unwrap()));
        while let Ok(event) = bob.next().await {
            assert!(matches!(event, Event::Message(_)));
        }
    });
}

#[test]
fn who_says_nothing_is_disconnected() {
    watchdog::watch_this_test();
    let network = Network::new(1);
    serve(&network);
    run(&network, "client", async |reactor| {
        for port in [5190, 9898] {
            let mut stream =
                AsyncStream::connect(&reactor, format!("server:{port}").as_str()).await.unwrap();
            let began = reactor.now();
            while stream.fill_buf().await.is_ok_and(|input| !input.is_empty()) {
                let len = stream.fill_buf().await.unwrap().len();
                stream.consume(len);
            }
            let waited = reactor.now() - began;
            assert_eq!(waited.as_secs(), 60, "port {port}");
        }
        // Signed on, a client says that it is there, and stays.
        let mut ann = Client::sign_on(&reactor, By::Oscar, "ann").await;
        assert!(reactor.timeout(Duration::from_secs(3_600), ann.next()).await.is_err());
        let too_long = "x".repeat(3_000);
        assert!(matches!(ann.send("bob", &too_long).await, Err(SessionError::TooLong { .. })));
    });
}

fn fed(server: &mut impl Factory, pieces: &[Vec<u8>]) {
    let (transport, _wire) = Transport::memory();
    let mut protocol = server.build_protocol(&Peer::Memory).unwrap();
    protocol.connection_made(&transport);
    for piece in pieces {
        if transport.is_closing() {
            break;
        }
        protocol.data_received(&transport, piece);
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(
        beginning in prop::sample::select(vec![&b""[..], b"*\x01\0\0\0\x04\0\0\0\x01", b"FLAPON\r\n\r\n"]),
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
    ) {
        let pieces = [vec![beginning.to_vec()], pieces].concat();
        fed(&mut OscarServer::new(&realm()), &pieces);
        fed(&mut TocServer::new(&realm()), &pieces);
    }
}
