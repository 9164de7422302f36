//! Ports behind a proxy, and ports on sockets that somebody else made: on every engine, over sockets of the kernel.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use sinew::{
    prelude::*,
    transports::{ListenError, endpoint::ServerEndpoint, proxy::ProxyConfig},
};

use crate::support::{Echo, Far, Fate, Lost, Width, World, sockets::dial, table};

table! {
    ports:
        the_peer_is_whom_the_header_names,
        a_header_in_pieces,
        much_that_follows_at_once,
        an_end_that_follows_at_once,
        half_a_header_keeps_nobody_awake,
        who_is_still_to_say_something_goes_with_the_port,
        who_is_still_to_say_something_goes_with_the_reactor,
        a_network_of_ipv6_is_one_client,
        a_listener_is_adopted,
        what_is_no_listener_is_not_adopted;
}

const HEADER: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n";

fn listen(world: &World) -> ListeningPort {
    let traces = world.traces.clone();
    let config = ListenConfig::default().proxy(ProxyConfig::default());
    let at = (Ipv4Addr::LOCALHOST, 0);
    world.reactor().listen_tcp_with(at, config, move |_: &Peer| traces.watch(Echo)).unwrap()
}

fn join(port: &ListeningPort) -> Far {
    Far::socket(dial(port.local(), Width::Wide))
}

fn the_peer_is_whom_the_header_names(world: &World) {
    let port = listen(world);
    let mut far = join(&port);
    far.send(HEADER);
    world.until("the protocol", || world.traces.len() == 1);
    let peer = world.traces.last().transport().peer();
    assert_eq!(peer.to_string(), "192.0.2.1:56324");
    let via = peer.proxied().unwrap().via().socket_addr();
    assert_eq!(via, far.as_socket().unwrap().local_addr().ok());
    far.send(b"hello");
    assert_eq!(world.receive(&mut far, 5), b"hello");
    far.end();
    assert_eq!(world.lost(&world.traces.last()), Lost::Done);
    assert_eq!(port.connections(), 0);
}

fn a_header_in_pieces(world: &World) {
    let port = listen(world);
    for cut in [1, 14, 15, 16, HEADER.len() - 2, HEADER.len() - 1] {
        let before = world.traces.len();
        let mut far = join(&port);
        far.send(&HEADER[..cut]);
        world.turn();
        world.turn();
        assert_eq!((world.traces.len(), port.connections()), (before, 0), "cut at {cut}");
        far.send(&[&HEADER[cut..], b"hello"].concat());
        assert_eq!(world.receive(&mut far, 5), b"hello", "cut at {cut}");
        far.reset();
        assert_eq!(world.lost(&world.traces.last()), Lost::Reset);
    }
}

/// On an edge-triggered engine nobody tells again of what came with the header.
fn much_that_follows_at_once(world: &World) {
    let port = listen(world);
    let mut far = join(&port);
    let much = crate::support::noise(300_000);
    world.send_all(&mut far, &[HEADER, &much[..1000]].concat());
    let mut received = world.receive(&mut far, 1000);
    let mut sent = 1000;
    world.until("all of it to come back", || {
        sent += far.try_send(&much[sent..]);
        received.extend(far.take());
        received.len() == much.len()
    });
    assert!(received == much);
    drop(port);
}

fn an_end_that_follows_at_once(world: &World) {
    let port = listen(world);
    let mut far = join(&port);
    far.send(&[HEADER, b"last words"].concat());
    far.end();
    let (received, fate) = world.receive_to_end(&mut far);
    assert_eq!((&*received, fate), (&b"last words"[..], Fate::Ended));
    assert_eq!(world.lost(&world.traces.last()), Lost::Done);
    assert_eq!(port.connections(), 0);
}

/// What is there of a header has been read, so no engine goes on about it.
fn half_a_header_keeps_nobody_awake(world: &World) {
    let port = listen(world);
    let mut far = join(&port);
    far.send(&HEADER[..20]);
    world.settle();
    let handlers = world.reactor().stats().handlers;
    world.assert_asleep();
    assert_eq!(world.reactor().stats().handlers, handlers);
    assert_eq!(far.fate(), Fate::Open);
    drop(port);
}

fn who_is_still_to_say_something_goes_with_the_port(world: &World) {
    let port = listen(world);
    let mut guests = [join(&port), join(&port)];
    guests[0].send(&HEADER[..20]);
    world.until("both to be accepted", || world.reactor().stats().handlers == 3);
    port.stop_listening();
    for far in &mut guests {
        assert_ne!(world.receive_to_end(far).1, Fate::Open);
    }
    assert_eq!((world.traces.len(), world.reactor().stats().handlers), (0, 0));
    assert_eq!(world.reactor().stats().timers, 0);
}

fn who_is_still_to_say_something_goes_with_the_reactor(world: &World) {
    let port = listen(world);
    let mut far = join(&port);
    far.send(&HEADER[..20]);
    world.until("it to be accepted", || world.reactor().stats().handlers == 2);
    world.reactor().call_soon(|reactor| reactor.stop().unwrap());
    world.reactor().run().unwrap();
    assert_ne!(far.fate(), Fate::Open);
    assert!(world.reactor().leak_report().is_empty(), "{}", world.reactor().leak_report());
}

fn a_listener_is_adopted(world: &World) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    // One that came before.
    let mut early = Far::socket(dial(addr, Width::Wide));
    let traces = world.traces.clone();
    let factory = move |_: &Peer| traces.watch(Echo);
    let port = world.reactor().adopt_listener(listener, ListenConfig::default(), factory).unwrap();
    assert_eq!((port.local(), port.to_string()), (addr, addr.to_string()));
    let mut late = join(&port);
    for far in [&mut early, &mut late] {
        far.send(b"hello");
        assert_eq!(world.receive(far, 5), b"hello");
    }
    port.stop_listening();
    world.until("the port to be closed", || std::net::TcpStream::connect(addr).is_err());
}

fn what_is_no_listener_is_not_adopted(world: &World) {
    if !cfg!(unix) {
        return; // Elsewhere nobody can be asked.
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

/// A site has all addresses of its network to choose from, so it is the network that is counted, unless that is set otherwise.
fn a_network_of_ipv6_is_one_client(world: &World) {
    let addrs = ["2001:db8:1:2::1", "2001:db8:1:2:a:b:c:d", "2001:db8:1:3::1", "::ffff:192.0.2.1"];
    // By the length of the prefix: who gets in beside those before.
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
            let mut far = join(&port);
            far.send(format!("PROXY TCP6 {addr} 2001:db8::9 1 2\r\nhello").as_bytes());
            match gets_in {
                true => assert_eq!(world.receive(&mut far, 5), b"hello", "{addr} /{bits:?}"),
                false => assert_eq!(world.receive_to_end(&mut far).0, b"", "{addr} /{bits:?}"),
            }
            clients.push(far);
        }
        let open = expected.iter().filter(|gets_in| **gets_in).count();
        assert_eq!(port.connections(), open, "/{bits:?}");
        // And room is room again.
        clients.remove(0).close();
        world.until("room", || port.connections() == open - 1);
        let mut again = join(&port);
        again.send(b"PROXY TCP6 2001:db8:1:2::7 2001:db8::9 1 2\r\nhello");
        assert_eq!(world.receive(&mut again, 5), b"hello", "/{bits:?}");
    }
}
