//! Listeners behind a proxy (PROXY protocol), and listeners on adopted sockets: on every engine, over kernel sockets.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use sinew::{
    prelude::*,
    transports::{ListenError, endpoint::ServerEndpoint, proxy::ProxyConfig},
};

use crate::support::{Echo, EndState, Lost, RemoteEnd, Width, World, sockets::dial, table};

table! {
    ports:
        the_header_determines_the_peer,
        a_fragmented_header,
        a_header_followed_by_much_data,
        a_header_followed_by_eof,
        a_partial_header_lets_the_loop_sleep,
        pending_headers_are_dropped_with_the_listener,
        pending_headers_are_dropped_with_the_reactor,
        a_network_of_ipv6_is_one_client,
        a_listener_is_adopted,
        only_listeners_are_adopted;
}

const HEADER: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n";

fn listen(world: &World) -> ListeningPort {
    let traces = world.traces.clone();
    let config = ListenConfig::default().proxy(ProxyConfig::default());
    let at = (Ipv4Addr::LOCALHOST, 0);
    world.reactor().listen_tcp_with(at, config, move |_: &Peer| traces.watch(Echo)).unwrap()
}

fn join(port: &ListeningPort) -> RemoteEnd {
    RemoteEnd::socket(dial(port.local(), Width::Wide))
}

fn the_header_determines_the_peer(world: &World) {
    let port = listen(world);
    let mut remote = join(&port);
    remote.send(HEADER);
    world.until("the protocol", || world.traces.len() == 1);
    let peer = world.traces.last().transport().peer();
    assert_eq!(peer.to_string(), "192.0.2.1:56324");
    let via = peer.proxied().unwrap().via().socket_addr();
    assert_eq!(via, remote.as_socket().unwrap().local_addr().ok());
    remote.send(b"hello");
    assert_eq!(world.receive(&mut remote, 5), b"hello");
    remote.end();
    assert_eq!(world.lost(&world.traces.last()), Lost::Done);
    assert_eq!(port.connections(), 0, "connections");
}

fn a_fragmented_header(world: &World) {
    let port = listen(world);
    for cut in [1, 14, 15, 16, HEADER.len() - 2, HEADER.len() - 1] {
        let before = world.traces.len();
        let mut remote = join(&port);
        remote.send(&HEADER[..cut]);
        world.turn();
        world.turn();
        assert_eq!((world.traces.len(), port.connections()), (before, 0), "cut at {cut}");
        remote.send(&[&HEADER[cut..], b"hello"].concat());
        assert_eq!(world.receive(&mut remote, 5), b"hello", "cut at {cut}");
        remote.reset();
        assert_eq!(world.lost(&world.traces.last()), Lost::Reset);
    }
}

/// Edge-triggered engines do not report data again that arrived with the header.
fn a_header_followed_by_much_data(world: &World) {
    let port = listen(world);
    let mut remote = join(&port);
    let much = crate::support::noise(300_000);
    world.send_all(&mut remote, &[HEADER, &much[..1000]].concat());
    let mut received = world.receive(&mut remote, 1000);
    let mut sent = 1000;
    world.until("all of it to come back", || {
        sent += remote.try_send(&much[sent..]);
        received.extend(remote.take());
        received.len() == much.len()
    });
    assert!(received == much);
    drop(port);
}

fn a_header_followed_by_eof(world: &World) {
    let port = listen(world);
    let mut remote = join(&port);
    remote.send(&[HEADER, b"last words"].concat());
    remote.end();
    let (received, end_state) = world.receive_to_end(&mut remote);
    assert_eq!((&*received, end_state), (&b"last words"[..], EndState::Ended));
    assert_eq!(world.lost(&world.traces.last()), Lost::Done);
    assert_eq!(port.connections(), 0, "connections");
}

/// A partial header has been read, so level-triggered engines do not keep reporting it.
fn a_partial_header_lets_the_loop_sleep(world: &World) {
    let port = listen(world);
    let mut remote = join(&port);
    remote.send(&HEADER[..20]);
    world.settle();
    let handlers = world.reactor().stats().handlers;
    world.assert_asleep();
    assert_eq!(world.reactor().stats().handlers, handlers);
    assert_eq!(remote.end_state(), EndState::Open);
    drop(port);
}

fn pending_headers_are_dropped_with_the_listener(world: &World) {
    let port = listen(world);
    let mut guests = [join(&port), join(&port)];
    guests[0].send(&HEADER[..20]);
    world.until("both to be accepted", || world.reactor().stats().handlers == 3);
    port.stop_listening();
    for remote in &mut guests {
        assert_ne!(world.receive_to_end(remote).1, EndState::Open);
    }
    assert_eq!(
        (world.traces.len(), world.reactor().stats().handlers),
        (0, 0),
        "protocols that were built, handlers"
    );
    assert_eq!(world.reactor().stats().timers, 0, "timers that are left");
}

fn pending_headers_are_dropped_with_the_reactor(world: &World) {
    let port = listen(world);
    let mut remote = join(&port);
    remote.send(&HEADER[..20]);
    world.until("it to be accepted", || world.reactor().stats().handlers == 2);
    world.reactor().call_soon(|reactor| reactor.stop().unwrap());
    world.reactor().run().unwrap();
    assert_ne!(remote.end_state(), EndState::Open);
    assert!(world.reactor().leak_report().is_empty(), "{}", world.reactor().leak_report());
}

fn a_listener_is_adopted(world: &World) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    // A connection that arrived earlier.
    let mut early = RemoteEnd::socket(dial(addr, Width::Wide));
    let traces = world.traces.clone();
    let factory = move |_: &Peer| traces.watch(Echo);
    let port = world.reactor().adopt_listener(listener, ListenConfig::default(), factory).unwrap();
    assert_eq!((port.local(), port.to_string()), (addr, addr.to_string()));
    let mut late = join(&port);
    for remote in [&mut early, &mut late] {
        remote.send(b"hello");
        assert_eq!(world.receive(remote, 5), b"hello");
    }
    port.stop_listening();
    world.until("the port to be closed", || std::net::TcpStream::connect(addr).is_err());
}

fn only_listeners_are_adopted(world: &World) {
    if !cfg!(unix) {
        return; // Other systems cannot report this.
    }
    #[cfg(unix)]
    {
        use std::os::fd::OwnedFd;
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let connected = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let connected = std::net::TcpStream::connect(connected.local_addr().unwrap()).unwrap();
        for fd in [OwnedFd::from(udp), OwnedFd::from(connected)] {
            let factory = |_: &Peer| Echo;
            let adopted =
                world.reactor().adopt_listener(fd.into(), ListenConfig::default(), factory);
            assert!(matches!(adopted, Err(ListenError::Other { .. })));
        }
    }
    assert!("fd:70000".parse::<ServerEndpoint>().is_err());
}

/// A client has all addresses of its IPv6 network, so networks are counted by default.
fn a_network_of_ipv6_is_one_client(world: &World) {
    let addrs = ["2001:db8:1:2::1", "2001:db8:1:2:a:b:c:d", "2001:db8:1:3::1", "::ffff:192.0.2.1"];
    // By prefix length: who is accepted besides the earlier clients.
    let rows = [
        (None, [true, false, true, true]),
        (Some(48), [true, false, false, true]),
        (Some(128), [true, true, true, true]),
    ];
    for (bits, expected) in rows {
        let traces = world.traces.clone();
        let config = ListenConfig::default().proxy(ProxyConfig::default()).max_per_ip(1);
        let config = match bits {
            Some(bits) => config.ipv6_prefix(bits),
            None => config,
        };
        let at = (Ipv4Addr::LOCALHOST, 0);
        let factory = move |_: &Peer| traces.watch(Echo);
        let port = world.reactor().listen_tcp_with(at, config, factory).unwrap();
        let mut clients = Vec::new();
        for (addr, gets_in) in addrs.into_iter().zip(expected) {
            let mut remote = join(&port);
            remote.send(format!("PROXY TCP6 {addr} 2001:db8::9 1 2\r\nhello").as_bytes());
            match gets_in {
                true => assert_eq!(world.receive(&mut remote, 5), b"hello", "{addr} /{bits:?}"),
                false => assert_eq!(world.receive_to_end(&mut remote).0, b"", "{addr} /{bits:?}"),
            }
            clients.push(remote);
        }
        let open = expected.iter().filter(|gets_in| **gets_in).count();
        assert_eq!(port.connections(), open, "/{bits:?}");
        // Closed connections free their slots.
        clients.remove(0).close();
        world.until("room", || port.connections() == open - 1);
        let mut again = join(&port);
        again.send(b"PROXY TCP6 2001:db8:1:2::7 2001:db8::9 1 2\r\nhello");
        assert_eq!(world.receive(&mut again, 5), b"hello", "/{bits:?}");
    }
}
