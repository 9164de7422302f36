//! Urgent data of TCP: a byte like any other, in its place in the stream. A read ends early at it, and what is behind it is read all
//! the same, though no engine tells of it again.

use std::{io::Write, net::TcpStream};

use sinew::prelude::*;
use socket2::SockRef;

use super::relaying::tie;
use crate::support::{Fate, Line, Link, Lost, Sink, Told, World, noise};

/// On every engine, over each of these.
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

/// Sends it with each byte that is an exclamation mark as urgent, at once: it is all there before the loop looks.
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

fn send_to(line: &Line, data: &[u8]) {
    send(line.far.as_socket().unwrap(), data);
}

#[test]
fn it_is_a_byte_in_its_place() {
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
fn it_may_come_while_reading_is_paused() {
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
fn the_end_may_follow() {
    over("urgent data before the end", PLAIN, |world| {
        let mut line = world.join(Sink);
        send_to(&line, b"last! words");
        line.far.end();
        assert_eq!(world.lost(&line.trace), Lost::Done);
        assert_eq!(line.trace.data(), b"last! words");
    });
}

/// Also where the kernel moves it, which says "nothing for now" at urgent data, and "nothing more" if the end is behind it.
#[test]
fn it_goes_through_relays() {
    over("urgent data in a relay", PLAIN, |world| {
        let much = noise(300_000);
        let (mut a, mut b) = (world.join(Sink), world.join(Sink));
        let _relayed = tie(&a, &b);
        for text in ["abc!defgh", "!", "!!behind"] {
            // So much that it is moved.
            let (mut sent, mut received) = (0, Vec::new());
            world.until("much", || {
                sent += a.far.try_send(&much[sent..]);
                received.extend(b.far.take());
                received.len() == much.len()
            });
            assert!(received == much);
            send_to(&a, text.as_bytes());
            assert_eq!(world.receive(&mut b.far, text.len()), text.as_bytes());
        }
        send_to(&a, b"really! the end");
        a.far.end();
        let received = world.receive_to_end(&mut b.far);
        assert_eq!(received, (b"really! the end".to_vec(), Fate::Ended));
    });
}

/// The bytes between which TLS is cut may be urgent: there, too, one that were taken out would be missing.
#[test]
fn records_of_tls_may_be_cut_by_it() {
    over("urgent data in a record", &[Link::TlsAccepted, Link::TlsConnected], |world| {
        let mut line = world.join(Sink);
        for round in 1..=3 {
            let secured = line.far.as_secured().unwrap();
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
        assert_eq!(line.trace.count(&Told::ReadClosed), 0, "times read_closed was told");
    });
}
