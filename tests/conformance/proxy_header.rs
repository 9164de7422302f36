//! The PROXY protocol header that a client sends first: on every engine, over kernel sockets.

use std::{
    cell::RefCell,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
};

use sinew::{
    prelude::*,
    transports::{
        Faults,
        endpoint::ClientEndpoint,
        proxy::{Header, HeaderReader, ProxiedEnds, ProxyConfig, ProxyHeader, tlv},
    },
};

use super::connecting::settled;
use crate::support::{
    Echo, EndState, Event, RemoteEnd, Script, Sink, Width, World, noise,
    sockets::{dial, listener},
    table,
};

table! {
    ports:
        the_header_precedes_written_data,
        the_header_is_sent_without_written_data,
        large_writes_follow_the_header,
        the_header_survives_short_writes,
        a_chain_of_proxies_preserves_the_client,
        relayed_data_follow_the_header,
        an_endpoint_chooses_the_version,
        a_header_on_a_unix_socket;
}

/// Accepts a connection whose other end has started.
fn accept(world: &World, listener: &std::net::TcpListener) -> RemoteEnd {
    let mut accepted = None;
    world.until("the connection", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    RemoteEnd::socket(accepted.expect("that was waited for").0)
}

/// The version 1 header of a connection's own ends.
fn own_line(remote: &RemoteEnd) -> Vec<u8> {
    let socket = remote.as_socket().unwrap();
    let (from, to) = (socket.peer_addr().unwrap(), socket.local_addr().unwrap());
    let line = format!("PROXY TCP4 {} {} {} {}\r\n", from.ip(), to.ip(), from.port(), to.port());
    line.into_bytes()
}

fn v1() -> ConnectConfig {
    ConnectConfig::default().proxy_header(ProxyHeader::v1())
}

fn the_header_precedes_written_data(world: &World) {
    let listener = listener(Width::Wide);
    let to = listener.local_addr().unwrap();
    let greets = |_: &Peer| {
        Script(|transport: &Transport, what: Event<'_>| {
            if matches!(what, Event::Made) {
                transport.write(b"hello");
                transport.close_write();
            }
        })
    };
    let connecting = world.reactor().connect_tcp_with(to, v1(), greets);
    let mut remote = accept(world, &listener);
    let (received, end_state) = world.receive_to_end(&mut remote);
    let expected = [&own_line(&remote)[..], b"hello"].concat();
    assert_eq!(
        (received.escape_ascii().to_string(), end_state),
        (expected.escape_ascii().to_string(), EndState::Ended)
    );
    settled(world, &connecting).unwrap().transport().abort();
}

fn the_header_is_sent_without_written_data(world: &World) {
    let listener = listener(Width::Wide);
    let to = listener.local_addr().unwrap();
    let connecting = world.reactor().connect_tcp_with(to, v1(), world.watched(|| Sink));
    let mut remote = accept(world, &listener);
    let expected = own_line(&remote);
    assert_eq!(world.receive(&mut remote, expected.len()), expected);
    remote.send(b"welcome");
    let trace = world.traces.last();
    world.until("the answer", || trace.data() == b"welcome");
    settled(world, &connecting).unwrap().transport().lose_connection();
    let (rest, end_state) = world.receive_to_end(&mut remote);
    assert_eq!((&*rest, end_state), (&b""[..], EndState::Ended));
    remote.end();
    world.lost(&trace);
}

/// A large write with an empty queue goes directly to the socket.
fn large_writes_follow_the_header(world: &World) {
    let listener = listener(Width::Wide);
    let to = listener.local_addr().unwrap();
    let much = noise(300_000);
    let writes = much.clone();
    let factory = move |_: &Peer| {
        let much = writes.clone();
        Script(move |transport: &Transport, what: Event<'_>| {
            if matches!(what, Event::Made) {
                transport.write(&much);
            }
        })
    };
    let connecting = world.reactor().connect_tcp_with(to, v1(), factory);
    let mut remote = accept(world, &listener);
    let expected = [&own_line(&remote)[..], &much].concat();
    assert!(world.receive(&mut remote, expected.len()) == expected);
    settled(world, &connecting).unwrap().transport().abort();
}

fn the_header_survives_short_writes(world: &World) {
    let header = ProxyHeader::v2().authority(&"x".repeat(3000)).unwrap().checksum();
    for seed in 0..5 {
        let listener = listener(Width::Wide);
        let to = listener.local_addr().unwrap();
        let faults = Faults::new(seed).short_writes(0.9).would_block(0.3).interrupted(0.3);
        let config = ConnectConfig::default()
            .proxy_header(header.clone())
            .stream(StreamConfig::default().faults(faults));
        let connecting = world.reactor().connect_tcp_with(to, config, |_: &Peer| {
            Script(|transport: &Transport, what: Event<'_>| {
                if matches!(what, Event::Made) {
                    transport.write(b"hello");
                }
            })
        });
        let mut remote = accept(world, &listener);
        let socket = remote.as_socket().unwrap();
        let (source, destination) = (socket.peer_addr().unwrap(), socket.local_addr().unwrap());
        let expected = header.to_bytes(&ProxiedEnds::Inet { source, destination });
        let expected = [&expected[..], b"hello"].concat();
        assert_eq!(world.receive(&mut remote, expected.len()), expected);
        settled(world, &connecting).unwrap().transport().abort();
    }
}

/// Forwards to `to`, on behalf of each client.
struct Onward {
    to: SocketAddr,
    header: fn(&Transport) -> ProxyHeader,
}

impl Protocol for Onward {
    fn connection_made(&mut self, transport: &Transport) {
        transport.pause_reading();
        let config = ConnectConfig::default().proxy_header((self.header)(transport));
        let client = transport.clone();
        let factory = move |_: &Peer| {
            let client = client.clone();
            Script(move |transport: &Transport, what: Event<'_>| {
                if matches!(what, Event::Made) {
                    client.relay(transport).unwrap().detach();
                    client.resume_reading();
                }
            })
        };
        transport.reactor().unwrap().connect_tcp_with(self.to, config, factory).detach();
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

fn on_behalf(client: &Transport) -> ProxyHeader {
    let header = ProxyHeader::v2().on_behalf_of(client);
    header.authority("www.example").unwrap().unique_id(b"17").unwrap().checksum()
}

/// The client, a proxy, another proxy behind it, and a listener that trusts both.
fn a_chain_of_proxies_preserves_the_client(world: &World) {
    let peers = Rc::<RefCell<Vec<Peer>>>::default();
    let (kept, traces) = (peers.clone(), world.traces.clone());
    let any = (Ipv4Addr::LOCALHOST, 0);
    let behind = || ListenConfig::default().proxy(ProxyConfig::default());
    let reactor = world.reactor();
    let server = reactor
        .listen_tcp_with(any, behind(), move |peer: &Peer| {
            kept.borrow_mut().push(peer.clone());
            traces.watch(Echo)
        })
        .unwrap();
    let to = server.local();
    let second =
        reactor.listen_tcp_with(any, behind(), move |_: &Peer| Onward { to, header: on_behalf });
    let to = second.unwrap().local();
    let first = reactor.listen_tcp(any, move |_: &Peer| Onward { to, header: on_behalf }).unwrap();
    let mut remote = RemoteEnd::socket(dial(first.local(), Width::Wide));
    remote.send(b"hello");
    assert_eq!(world.receive(&mut remote, 5), b"hello");
    let peer = peers.borrow_mut().pop().unwrap();
    let proxied = peer.proxied().unwrap();
    let socket = remote.as_socket().unwrap();
    assert_eq!(proxied.source(), socket.local_addr().ok());
    assert_eq!(proxied.destination(), Some(first.local()));
    assert_eq!(proxied.tlv(tlv::AUTHORITY), Some(&b"www.example"[..]));
    assert_eq!(proxied.tlv(tlv::UNIQUE_ID), Some(&b"17"[..]));
    remote.end();
    world.lost(&world.traces.last());
}

/// The data bypass the queue in which the header waits, through splice(2) where available.
fn relayed_data_follow_the_header(world: &World) {
    let listener = listener(Width::Wide);
    let to = listener.local_addr().unwrap();
    let header = |_: &Transport| ProxyHeader::v1().local();
    let any = (Ipv4Addr::LOCALHOST, 0);
    let port = world.reactor().listen_tcp(any, move |_: &Peer| Onward { to, header }).unwrap();
    let mut near = RemoteEnd::socket(dial(port.local(), Width::Wide));
    let much = noise(500_000);
    let mut sent = near.try_send(&much);
    let mut remote = accept(world, &listener);
    let expected = [b"PROXY UNKNOWN\r\n", &much[..]].concat();
    let mut received = Vec::new();
    world.until("all of it", || {
        sent += near.try_send(&much[sent..]);
        received.extend(remote.take());
        received.len() >= expected.len()
    });
    assert!(received == expected);
    near.reset();
    world.until("the end", || remote.end_state() != EndState::Open);
}

fn an_endpoint_chooses_the_version(world: &World) {
    let listener = listener(Width::Wide);
    let to = listener.local_addr().unwrap();
    let source = "192.0.2.1:7".parse().unwrap();
    let given = ProxyHeader::v1().addresses(source, "192.0.2.2:8".parse().unwrap());
    let cases = [
        // The connection's own ends, in the version of the endpoint.
        ("sendProxy=v2", None),
        // The ends given by the program, in the version of the endpoint.
        ("sendProxy=v2", Some(given.clone())),
        // The header given by the program.
        ("nodelay=yes", Some(given.in_version("v2".parse().unwrap()))),
    ];
    for (option, given) in cases {
        let is_given = given.is_some();
        let endpoint: ClientEndpoint =
            format!("tcp:{}:{}:{option}", to.ip(), to.port()).parse().unwrap();
        let config = ConnectConfig::default().proxy_header(given);
        let connecting = endpoint.connect_with(world.reactor(), config, |_: &Peer| Sink);
        let mut remote = accept(world, &listener);
        let bytes = world.receive(&mut remote, 28);
        let mut reader = HeaderReader::new(100);
        let Ok((28, Some(Header::Proxied { ends, .. }))) = reader.take(&bytes) else {
            panic!("{}", bytes.escape_ascii());
        };
        let own = remote.as_socket().unwrap().peer_addr().unwrap();
        let ProxiedEnds::Inet { source: callbacks, .. } = ends else { panic!("{ends:?}") };
        assert_eq!(callbacks, if is_given { source } else { own });
        settled(world, &connecting).unwrap().transport().abort();
    }
}

#[cfg(unix)]
fn a_header_on_a_unix_socket(world: &World) {
    use std::os::unix::net::UnixListener;
    let path = crate::support::sockets::free_path();
    let listener = UnixListener::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    let endpoint: ClientEndpoint = format!("unix:{}:sendProxy=v2", path.display()).parse().unwrap();
    let connecting = endpoint.connect(world.reactor(), |_: &Peer| Sink);
    let mut accepted = None;
    world.until("the connection", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let mut remote = RemoteEnd::unix(accepted.unwrap().0);
    let bytes = world.receive(&mut remote, 16 + 216);
    let mut reader = HeaderReader::new(1000);
    let Ok((232, Some(Header::Proxied { ends, .. }))) = reader.take(&bytes) else {
        panic!("{}", bytes.escape_ascii());
    };
    let destination = path.to_str().unwrap().as_bytes().into();
    assert_eq!(ends, ProxiedEnds::Unix { source: [].into(), destination });
    settled(world, &connecting).unwrap().transport().abort();
    std::fs::remove_file(path).unwrap();
}

#[cfg(not(unix))]
fn a_header_on_a_unix_socket(_: &World) {}
