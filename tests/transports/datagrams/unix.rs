//! Unix datagram sockets: addresses, socket files, and slow readers.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    path::Path,
};

use sinew::transports::{
    ConnectError, ReactorUnix, SendStatus, UnixAddr, UnixDatagramConfig, UnixListenError,
};
#[cfg(target_os = "linux")]
use sinew::transports::{DatagramConfig, DatagramTransport, Overflow};

use super::fixture::{Callback, Fixture, echo, nothing};
use crate::support::sockets::free_path;

fn remote(path: &Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn take(socket: &UnixDatagram) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 100_000];
    let len = socket.recv(&mut buffer).ok()?;
    buffer.truncate(len);
    Some(buffer)
}

#[test]
fn a_conversation() {
    Fixture::on_every_engine("a conversation", |fixture| {
        let (path, own) = (free_path(), free_path());
        let (protocol, log) = fixture.watch(echo);
        let config = UnixDatagramConfig::default().mode(0o600);
        let transport =
            fixture.reactor().listen_unix_datagram_with(&path, config, protocol).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(transport.local(), UnixAddr::from(&path));
        let (protocol, _) = fixture.watch(nothing);
        let taken = fixture.reactor().listen_unix_datagram(&path, protocol).unwrap_err();
        assert!(matches!(taken, UnixListenError::InUse { holder: Some(_), .. }));

        let client = remote(&own);
        for data in [&b"hello"[..], b"", &[7; 50_000]] {
            client.send_to(data, &path).unwrap();
            let mut answer = None;
            fixture.until("the answer", || {
                answer = take(&client);
                answer.is_some()
            });
            assert!(answer.as_deref() == Some(data));
            assert_eq!(
                log.callbacks().last(),
                Some(&Callback::Datagram(data.to_vec(), (&own).into()))
            );
        }
        // An unnamed sender, which cannot be answered.
        let nameless = UnixDatagram::unbound().unwrap();
        nameless.send_to(b"psst", &path).unwrap();
        fixture.until("it", || log.has(&Callback::Datagram(b"psst".to_vec(), UnixAddr::Unnamed)));
        fixture.until("the failure", || log.failures().len() == 1);
        assert_eq!(log.failures()[0].0, Some(UnixAddr::Unnamed));
        // Longer than the receive buffer.
        client.send_to(&vec![1; 65_535], &path).unwrap();
        client.send_to(&vec![1; 65_536], &path).unwrap();
        client.send_to(&vec![1; 90_000], &path).unwrap();
        fixture.until("both", || transport.stats().truncated == 2);
        assert_eq!(log.came().last().map(Vec::len), Some(65_535));

        transport.stop();
        fixture.turn();
        assert!(!path.exists());
        drop(client);
        fs::remove_file(own).unwrap();
    });
}

#[test]
fn a_connected_client_gets_answers_from_the_queried_address() {
    Fixture::on_every_engine("connected", |fixture| {
        let (path, own) = (free_path(), free_path());
        let (protocol, _) = fixture.watch(echo);
        let server = fixture.reactor().listen_unix_datagram(&path, protocol).unwrap();
        let (protocol, log) = fixture.watch(nothing);
        let config = UnixDatagramConfig::default().bind(&own);
        let client = fixture.reactor().connect_unix_datagram_with(&path, config, protocol).unwrap();
        assert_eq!((client.local(), client.peer()), (own.as_path().into(), Some((&path).into())));
        assert_eq!(client.send(b"hello"), SendStatus::Sent);
        fixture.until("the answer", || log.came() == [b"hello".to_vec()]);
        server.stop();
        fixture.turn();
        client.send(b"anybody?");
        fixture.until("the refusal", || log.has(&Callback::Refused));
        fixture.until("the failure", || log.failures().len() == 1);
        fixture.assert_asleep();
        client.stop();
        fixture.turn();
        assert!(!own.exists());

        let (protocol, _) = fixture.watch(nothing);
        let error = fixture.reactor().connect_unix_datagram(&path, protocol).unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        let (protocol, _) = fixture.watch(nothing);
        let long = format!("/tmp/{}", "x".repeat(200));
        let error = fixture.reactor().connect_unix_datagram(long, protocol).unwrap_err();
        assert!(matches!(error, ConnectError::TooLong { .. }));
    });
}

/// A peer that does not read: the kernel buffers some, the queue buffers up to its limit, and then sends are refused.
#[test]
#[cfg(target_os = "linux")]
fn a_full_peer_fills_the_queue() {
    for connected in [true, false] {
        Fixture::on_every_engine("a full peer", |fixture| {
            for overflow in [Overflow::Refuse, Overflow::DropNewest, Overflow::DropOldest] {
                fill(fixture, connected, overflow);
            }
        });
    }
}

#[cfg(target_os = "linux")]
fn fill(fixture: &Fixture, connected: bool, overflow: Overflow) {
    let path = free_path();
    let peer = remote(&path);
    let (protocol, log) = fixture.watch(nothing);
    let datagrams = DatagramConfig::default().send_queue(3, 1000).overflow(overflow);
    let config = UnixDatagramConfig::default().datagrams(datagrams);
    let transport = if connected {
        fixture.reactor().connect_unix_datagram_with(&path, config, protocol).unwrap()
    } else {
        let own = free_path();
        fixture.reactor().listen_unix_datagram_with(own, config, protocol).unwrap()
    };
    let (to, mut next) = (UnixAddr::from(&path), 0_u8);
    let mut send = |transport: &DatagramTransport<UnixAddr>| {
        next += 1;
        (
            next,
            if connected {
                transport.send(&[next])
            } else {
                transport.send_to(&[next], to.clone())
            },
        )
    };
    let mut sent = Vec::new();
    let first = loop {
        match send(&transport) {
            (n, SendStatus::Sent) => sent.push(vec![n]),
            (n, SendStatus::Queued) => break n,
            other => panic!("{other:?}"),
        }
        assert!(sent.len() < 200, "nothing is too much for it");
    };
    for _ in 0..2 {
        assert_eq!(send(&transport).1, SendStatus::Queued);
    }
    let (_, past) = send(&transport);
    let (expected, left) = match overflow {
        Overflow::Refuse => (SendStatus::Refused, first..first + 3),
        Overflow::DropNewest => (SendStatus::Dropped, first..first + 3),
        _ => (SendStatus::Displaced(1), first + 1..first + 4),
    };
    assert_eq!((past, transport.queued(), transport.stats().overflowed), (expected, 3, 1));
    if connected {
        // The kernel does not report writability for an unconnected socket; sending is retried periodically.
        fixture.assert_asleep();
    }
    assert_eq!(transport.queued(), 3);
    sent.extend(left.map(|n| vec![n]));
    let mut came = Vec::new();
    fixture.until("all of them", || {
        came.extend(std::iter::from_fn(|| take(&peer)));
        came.len() == sent.len()
    });
    assert_eq!(came, sent, "in order");
    let resumed =
        log.callbacks().iter().filter(|callbacks| **callbacks == Callback::Resumed).count();
    assert_eq!(resumed, usize::from(overflow == Overflow::Refuse));
    assert_eq!(transport.stats().sent, sent.len() as u64);
    fixture.assert_asleep();
    transport.stop();
    drop(peer);
    fs::remove_file(path).unwrap();
    fixture.turn();
    assert_eq!(fixture.reactor().stats().timers, 0);
}

#[test]
#[cfg(target_os = "linux")]
fn what_waits_at_the_end_is_sent_if_there_is_room() {
    Fixture::on_every_engine("the end", |fixture| {
        let path = free_path();
        let peer = remote(&path);
        let (protocol, log) = fixture.watch(nothing);
        let transport = fixture.reactor().connect_unix_datagram(&path, protocol).unwrap();
        let mut sent = 0;
        while transport.send(b"x") == SendStatus::Sent {
            sent += 1;
        }
        while take(&peer).is_some() {}
        // There is room, but the loop has not run yet.
        transport.stop();
        fixture.turn();
        assert!(log.is_stopped() && sent > 0);
        assert_eq!(take(&peer).as_deref(), Some(&b"x"[..]), "the one that waited");
        drop(peer);
        fs::remove_file(path).unwrap();
    });
}
