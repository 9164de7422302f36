//! TCP urgent data: delivered inline like any other byte. A read ends early at it, and the data after it must be read
//! although edge-triggered engines do not report them again.

use std::{io::Write, net::TcpStream};

use sinew::prelude::*;
use socket2::SockRef;

use super::relaying::tie;
use crate::support::{Callback, EndState, Link, Lost, Sink, TestConnection, World, noise};

/// On every engine, over each of these links.
fn over(name: &str, links: &[Link], scenario: impl Fn(&World)) {
    for engine in Engine::ALL {
        for link in links {
            World::run(name, *engine, *link, &scenario);
        }
    }
}

#[cfg(unix)]
const PLAIN: &[Link] = &[Link::Accepted, Link::Connected, Link::Adopted];
#[cfg(not(unix))]
const PLAIN: &[Link] = &[Link::Accepted, Link::Connected];

/// Sends each exclamation mark as urgent data; everything has arrived before the loop polls.
fn send(mut socket: &TcpStream, data: &[u8]) {
    for part in data.split_inclusive(|byte| *byte == b'!') {
        let (rest, urgent) = match part.split_last() {
            Some((b'!', rest)) => (rest, true),
            _ => (part, false),
        };
        socket.write_all(rest).unwrap();
        if urgent {
            assert_eq!(SockRef::from(&socket).send_out_of_band(b"!").unwrap(), 1);
        }
    }
}

fn send_to(line: &TestConnection, data: &[u8]) {
    send(line.remote.as_socket().unwrap(), data);
}

#[test]
fn urgent_data_are_inline() {
    over("urgent data", PLAIN, |world| {
        for text in ["abc!defgh", "!behind", "before!", "!", "!!", "one!two!!three!"] {
            let line = world.join(Sink);
            send_to(&line, text.as_bytes());
            world.until("all of it", || line.trace.received() == text.len());
            assert_eq!(String::from_utf8_lossy(&line.trace.data()), text);
        }
    });
}

#[test]
fn urgent_data_arrive_while_reading_is_paused() {
    over("urgent data in a pause", PLAIN, |world| {
        let line = world.join(Sink);
        line.transport().pause_reading();
        send_to(&line, b"abc!");
        world.settle();
        send_to(&line, b"defgh");
        world.settle();
        line.transport().resume_reading();
        world.until("all of it", || line.trace.received() == 9);
        world.assert_asleep();
    });
}

#[test]
fn eof_may_follow_urgent_data() {
    over("urgent data before the end", PLAIN, |world| {
        let mut line = world.join(Sink);
        send_to(&line, b"last! words");
        line.remote.end();
        assert_eq!(world.lost(&line.trace), Lost::Done);
        assert_eq!(line.trace.data(), b"last! words");
    });
}

/// Also with splice(2), which returns EAGAIN at urgent data, and zero if EOF follows it.
#[test]
fn urgent_data_go_through_relays() {
    over("urgent data in a relay", PLAIN, |world| {
        let much = noise(300_000);
        let (mut a, mut b) = (world.join(Sink), world.join(Sink));
        let _relayed = tie(&a, &b);
        for text in ["abc!defgh", "!", "!!behind"] {
            // Enough data for splice(2).
            let (mut sent, mut received) = (0, Vec::new());
            world.until("much", || {
                sent += a.remote.try_send(&much[sent..]);
                received.extend(b.remote.take());
                received.len() == much.len()
            });
            assert!(received == much);
            send_to(&a, text.as_bytes());
            assert_eq!(world.receive(&mut b.remote, text.len()), text.as_bytes());
        }
        send_to(&a, b"really! the end");
        a.remote.end();
        let received = world.receive_to_end(&mut b.remote);
        assert_eq!(received, (b"really! the end".to_vec(), EndState::Ended));
    });
}

/// TLS records may be interrupted by urgent data: a byte taken out of the stream would be missing.
#[test]
fn tls_records_may_contain_urgent_data() {
    over("urgent data in a record", &[Link::TlsAccepted, Link::TlsConnected], |world| {
        let mut line = world.join(Sink);
        for round in 1..=3 {
            let secured = line.remote.as_secured().unwrap();
            secured.session.writer().write_all(b"some words").unwrap();
            let mut record = Vec::new();
            while secured.session.wants_write() {
                secured.session.write_tls(&mut record).unwrap();
            }
            let (before, rest) = record.split_at(record.len() / 2);
            let mut socket = &secured.socket;
            socket.write_all(before).unwrap();
            assert_eq!(
                SockRef::from(&socket).send_out_of_band(&rest[..1]).unwrap(),
                1,
                "bytes that were sent out of band"
            );
            socket.write_all(&rest[1..]).unwrap();
            world.until("the words", || line.trace.received() == 10 * round);
        }
        assert_eq!(line.trace.count(&Callback::ReadClosed), 0, "times read_closed was told");
    });
}
