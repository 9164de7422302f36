//! Datagrams from other senders that arrived before the socket was connected: the protocol must receive only from its
//! peer.

use std::{
    net::{SocketAddr, UdpSocket},
    os::unix::net::UnixDatagram,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use rustix::net::SocketAddrUnix;
use sinew::{
    prelude::*,
    transports::{DatagramConfig, UnixDatagramConfig},
};

use super::fixture::{Fixture, nothing, remote};
use crate::support::sockets::free_path;

#[test]
fn a_udp_socket_that_was_connected_late() {
    Fixture::on_every_engine("strangers over UDP", |fixture| {
        for (any, batch) in [("127.0.0.1:0", 1), ("127.0.0.1:0", 4), ("[::1]:0", 1)] {
            let (socket, local) = remote(any);
            let ((stranger, _), (peer, peer_addr)) = (remote(any), remote(any));
            for data in [&b"psst"[..], b""] {
                stranger.send_to(data, local).unwrap();
            }
            peer.send_to(b"early", local).unwrap();
            stranger.send_to(b"psst", local).unwrap();
            socket.connect(peer_addr).unwrap();
            stranger.send_to(b"the system keeps this one away", local).unwrap();
            peer.send_to(b"late", local).unwrap();
            let (protocol, log) = fixture.watch(nothing);
            let config = DatagramConfig::default().batch(batch).max_len(100);
            let transport = fixture.reactor().adopt_udp(socket, config, protocol).unwrap();
            fixture.until("the last", || log.came().contains(&b"late".to_vec()));
            assert_eq!(log.came(), [&b"early"[..], b"late"]);
            let stats = transport.stats();
            assert_eq!(
                (transport.peer(), stats.received, stats.wrong_sender),
                (Some(peer_addr), 2, 3)
            );
        }
    });
}

/// bind and connect are two system calls, and datagrams may arrive in between.
#[test]
fn a_udp_socket_connected_while_receiving() {
    let (taken, local) = remote("127.0.0.1:0");
    drop(taken);
    let is_over = Arc::new(AtomicBool::new(false));
    let over = is_over.clone();
    let stranger = thread::spawn(move || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        while !over.load(Ordering::Relaxed) {
            let _ = socket.send_to(b"psst", local);
        }
    });
    let (_peer, to) = remote("127.0.0.1:0");
    Fixture::on_every_engine("under fire", |fixture| {
        for _ in 0..100 {
            let (protocol, log) = fixture.watch(nothing);
            let config = DatagramConfig::default().bind(local);
            let transport = fixture.reactor().connect_udp_with(to, config, protocol).unwrap();
            fixture.reactor().turn(Some(std::time::Duration::ZERO)).unwrap();
            transport.stop();
            fixture.turn();
            assert_eq!(log.came(), Vec::<Vec<u8>>::new());
        }
    });
    is_over.store(true, Ordering::Relaxed);
    stranger.join().unwrap();
}

#[test]
fn a_unix_socket_that_was_connected_late() {
    Fixture::on_every_engine("strangers over Unix sockets", |fixture| {
        let (path, peer_path) = (free_path(), free_path());
        let socket = UnixDatagram::bind(&path).unwrap();
        let (stranger, peer) =
            (UnixDatagram::unbound().unwrap(), UnixDatagram::bind(&peer_path).unwrap());
        stranger.send_to(b"psst", &path).unwrap();
        peer.send_to(b"early", &path).unwrap();
        socket.connect(&peer_path).unwrap();
        stranger.send_to(b"the system keeps this one away", &path).unwrap_err();
        peer.send_to(b"late", &path).unwrap();
        let (protocol, log) = fixture.watch(nothing);
        let config = DatagramConfig::default();
        let transport = fixture.reactor().adopt_unix_datagram(socket, config, protocol).unwrap();
        fixture.until("the last", || log.came().contains(&b"late".to_vec()));
        assert_eq!(log.came(), [&b"early"[..], b"late"]);
        assert_eq!(transport.stats().wrong_sender, 1);
        for path in [path, peer_path] {
            std::fs::remove_file(path).unwrap();
        }
    });
}

/// The peer of a socket pair has no name, and may get one at any time, for example when its first datagram carries
/// credentials. And a peer may be reached through another path than the one that it was bound to.
#[test]
fn a_peer_is_recognised_under_any_path() {
    Fixture::on_every_engine("a peer by any name", |fixture| {
        let (near, peer) = UnixDatagram::pair().unwrap();
        let (protocol, log) = fixture.watch(nothing);
        let config = DatagramConfig::default();
        let transport = fixture.reactor().adopt_unix_datagram(near, config, protocol).unwrap();
        peer.send(b"nameless").unwrap();
        fixture.until("the first", || log.came().len() == 1);
        let path = free_path();
        rustix::net::bind(&peer, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        peer.send(b"named").unwrap();
        fixture.until("the second", || log.came().len() == 2);
        assert_eq!(transport.stats().wrong_sender, 0);
        std::fs::remove_file(path).unwrap();

        let (path, link, own) = (free_path(), free_path(), free_path());
        let peer = UnixDatagram::bind(&path).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let (protocol, log) = fixture.watch(nothing);
        let config = UnixDatagramConfig::default().bind(&own);
        fixture.reactor().connect_unix_datagram_with(&link, config, protocol).unwrap();
        peer.send_to(b"hello", &own).unwrap();
        fixture.until("it", || log.came().len() == 1);
        for path in [path, link] {
            std::fs::remove_file(path).unwrap();
        }
    });
}

/// Connecting to the wildcard address means the local machine.
#[test]
fn the_peer_has_kernel_credentials() {
    Fixture::on_every_engine("connected to any", |fixture| {
        let (peer, addr) = remote("127.0.0.1:0");
        let (protocol, log) = fixture.watch(nothing);
        let to = SocketAddr::from(([0, 0, 0, 0], addr.port()));
        let transport = fixture.reactor().connect_udp(to, protocol).unwrap();
        peer.send_to(b"hello", transport.local()).unwrap();
        fixture.until("it", || log.came().len() == 1);
    });
}
