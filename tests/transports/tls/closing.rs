//! How TLS connections end: with close_notify, truncated, or with an unexpected message.

use sinew::{prelude::*, transports::TlsError};

use crate::support::{Callback, Echo, EndState, Event, Link, Lost, Script, Sink, World, noise};

fn on_every_engine(name: &str, scenario: impl Fn(&World)) {
    for engine in Engine::ALL {
        for link in [Link::TlsAccepted, Link::TlsConnected] {
            World::run(name, *engine, link, &scenario);
        }
    }
}

#[test]
fn truncation_is_reported() {
    on_every_engine("truncation", |world| {
        let mut line = world.join(Echo);
        line.remote.send(b"half of");
        assert_eq!(world.receive(&mut line.remote, 7), b"half of");
        line.remote.as_socket().unwrap().shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(world.lost(&line.trace), Lost::Truncated);
        assert_eq!(line.trace.data(), b"half of");
        assert_eq!(line.trace.count(&Callback::ReadClosed), 0);
    });
}

/// Like Python's `unwrap`: sends close_notify, then waits for the peer's, with the socket open.
#[test]
fn close_notify_is_answered_while_the_socket_stays_open() {
    on_every_engine("close_notify", |world| {
        let mut line = world.join(Sink);
        let secured = line.remote.as_secured().unwrap();
        secured.session.send_close_notify();
        secured.pump().unwrap();
        let (rest, end_state) = world.receive_to_end(&mut line.remote);
        assert_eq!((rest.len(), end_state), (0, EndState::Ended));
        assert_eq!(world.lost(&line.trace), Lost::Done);
    });
}

/// A peer that closes without close_notify while this side closes loses nothing.
#[test]
fn truncation_is_ignored_while_closing() {
    on_every_engine("a cut during a close", |world| {
        let mut line = world.join(Sink);
        line.transport().lose_connection();
        assert_eq!(world.receive_to_end(&mut line.remote).1, EndState::Ended);
        line.remote.as_socket().unwrap().shutdown(std::net::Shutdown::Both).unwrap();
        assert_eq!(world.lost(&line.trace), Lost::Closed);
    });
}

#[test]
fn tampering_ends_that_connection_only() {
    on_every_engine("garbage", |world| {
        let mut other = world.join(Echo);
        let mut line = world.join(Sink);
        line.remote.send(b"in order");
        world.until("input", || line.trace.received() == 8);
        use std::io::Write;
        let record = [&[23, 3, 3, 0, 32][..], &[7; 32]].concat();
        line.remote.as_socket().unwrap().write_all(&record).unwrap();
        line.remote.as_socket().unwrap().shutdown(std::net::Shutdown::Write).unwrap();
        assert!(matches!(world.lost(&line.trace), Lost::Tls(TlsError::ProtocolViolation(_))));
        other.remote.send(b"go on");
        assert_eq!(world.receive(&mut other.remote, 5), b"go on");
    });
}

#[test]
fn the_peer_may_change_its_keys() {
    on_every_engine("key update", |world| {
        let mut line = world.join(Echo);
        let bytes = noise(100_000);
        for _ in 0..3 {
            let secured = line.remote.as_secured().unwrap();
            secured.session.refresh_traffic_keys().unwrap();
            world.send_all(&mut line.remote, &bytes);
            assert!(world.receive(&mut line.remote, bytes.len()) == bytes);
        }
    });
}

/// With everything sent, a stop is a normal end.
#[test]
fn a_stop_sends_close_notify() {
    on_every_engine("a stop", |world| {
        let mut line = world.join(Echo);
        line.remote.send(b"hello");
        assert_eq!(world.receive(&mut line.remote, 5), b"hello");
        world.reactor().call_soon(|reactor| reactor.stop().unwrap());
        world.reactor().run().unwrap();
        assert_eq!(line.trace.lost(), Some(Lost::Shutdown));
        assert_eq!(world.receive_to_end(&mut line.remote), (vec![], EndState::Ended));
    });
}

/// After a pause with much data in flight, at most the data of one read are delivered.
#[test]
fn a_pause_leaves_records_undecrypted() {
    on_every_engine("a pause", |world| {
        let mut line = world.join(Script(|transport: &Transport, what: Event<'_>| {
            if let Event::Data(_) = what {
                transport.pause_reading();
            }
        }));
        let bytes = noise(300_000);
        let mut sent = 0;
        while !line.trace.has(&Callback::ReadClosed) && line.trace.received() < bytes.len() {
            sent += line.remote.try_send(&bytes[sent..]);
            let before = line.trace.received();
            world.turn();
            let came = line.trace.received() - before;
            // One read, and the record completed by it.
            assert!(came <= 80 * 1024, "{came} bytes in spite of a pause");
            line.transport().resume_reading();
        }
        assert!(line.trace.data() == bytes);
    });
}
