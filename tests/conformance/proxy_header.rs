//! The PROXY protocol header that a client sends first: on every engine, over sockets of the kernel.

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
    Echo, Far, Fate, Script, Sink, What, Width, World, noise,
    sockets::{dial, listener},
    table,
};

table! {
    ports:
        a_header_comes_before_what_is_written,
        a_header_goes_out_though_nothing_is_written,
        much_that_is_written_comes_behind_the_header,
        a_header_is_whole_whatever_the_socket_takes,
        a_port_behind_us_knows_our_client,
        what_is_relayed_comes_behind_the_header,
        an_endpoint_says_which_version,
        a_header_on_a_unix_socket;
}

/// Takes a connection, whose other end has begun.
fn accept(world: &World, listener: &std::net::TcpListener) -> Far {
    let mut accepted = None;
    world.until("the connection", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    Far::socket(accepted.expect("that was waited for").0)
}

/// What version 1 says of a connection's own two ends.
fn own_line(far: &Far) -> Vec<u8> {
    let socket = far.as_socket().unwrap();
    let (from, to) = (socket.peer_addr().unwrap(), socket.local_addr().unwrap());
    let line = format!("PROXY TCP4 {} {} {} {}\r\n", from.ip(), to.ip(), from.port(), to.port());
    line.into_bytes()
}

fn v1() -> ConnectConfig {
    ConnectConfig::default().proxy_header(ProxyHeader::v1())
}

fn a_header_comes_before_what_is_written(world: &World) {
    let listener = listener(Width::Wide);
    let to = listener.local_addr().unwrap();
    let greets = |_: &Peer| {
        Script(|transport: &Transport, what: What<'_>| {
            if matches!(what, What::Made) {
                transport.write(b"hello");
                transport.close_write();
            }
        })
    };
    let connecting = world.reactor().connect_tcp_with(to, v1(), greets);
    let mut far = accept(world, &listener);
    let (received, fate) = world.receive_to_end(&mut far);
    let expected = [&own_line(&far)[..], b"hello"].concat();
    assert_eq!(
        (received.escape_ascii().to_string(), fate),
        (expected.escape_ascii().to_string(), Fate::Ended)
    );
    settled(world, &connecting).unwrap().transport().abort();
}

fn a_header_goes_out_though_nothing_is_written(world: &World) {
    let listener = listener(Width::Wide);
    let to = listener.local_addr().unwrap();
    let connecting = world.reactor().connect_tcp_with(to, v1(), world.watched(|| Sink));
    let mut far = accept(world, &listener);
    let expected = own_line(&far);
    assert_eq!(world.receive(&mut far, expected.len()), expected);
    far.send(b"welcome");
    let trace = world.traces.last();
    world.until("the answer", || trace.data() == b"welcome");
    settled(world, &connecting).unwrap().transport().lose_connection();
    let (rest, fate) = world.receive_to_end(&mut far);
    assert_eq!((&*rest, fate), (&b""[..], Fate::Ended));
    far.end();
    world.lost(&trace);
}

/// A large write that nothing waits for goes straight into the socket.
fn much_that_is_written_comes_behind_the_header(world: &World) {
    let listener = listener(Width::Wide);
    let to = listener.local_addr().unwrap();
    let much = noise(300_000);
    let writes = much.clone();
    let factory = move |_: &Peer| {
        let much = writes.clone();
        Script(move |transport: &Transport, what: What<'_>| {
            if matches!(what, What::Made) {
                transport.write(&much);
            }
        })
    };
    let connecting = world.reactor().connect_tcp_with(to, v1(), factory);
    let mut far = accept(world, &listener);
    let expected = [&own_line(&far)[..], &much].concat();
    assert!(world.receive(&mut far, expected.len()) == expected);
    settled(world, &connecting).unwrap().transport().abort();
}

fn a_header_is_whole_whatever_the_socket_takes(world: &World) {
    let header = ProxyHeader::v2().authority(&"x".repeat(3000)).unwrap().checksum();
    for seed in 0..5 {
        let listener = listener(Width::Wide);
        let to = listener.local_addr().unwrap();
        let faults = Faults::new(seed).short_writes(0.9).would_block(0.3).interrupted(0.3);
        let config = ConnectConfig::default()
            .proxy_header(header.clone())
            .stream(StreamConfig::default().faults(faults));
        let connecting = world.reactor().connect_tcp_with(to, config, |_: &Peer| {
            Script(|transport: &Transport, what: What<'_>| {
                if matches!(what, What::Made) {
                    transport.write(b"hello");
                }
            })
        });
        let mut far = accept(world, &listener);
        let socket = far.as_socket().unwrap();
        let (source, destination) = (socket.peer_addr().unwrap(), socket.local_addr().unwrap());
        let expected = header.to_bytes(&ProxiedEnds::Inet { source, destination });
        let expected = [&expected[..], b"hello"].concat();
        assert_eq!(world.receive(&mut far, expected.len()), expected);
        settled(world, &connecting).unwrap().transport().abort();
    }
}

/// Passes on to `to`, on behalf of each client.
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
            Script(move |transport: &Transport, what: What<'_>| {
                if matches!(what, What::Made) {
                    drop(client.relay(transport).unwrap());
                    client.resume_reading();
                }
            })
        };
        drop(transport.reactor().unwrap().connect_tcp_with(self.to, config, factory));
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

fn on_behalf(client: &Transport) -> ProxyHeader {
    let header = ProxyHeader::v2().on_behalf_of(client);
    header.authority("www.example").unwrap().unique_id(b"17").unwrap().checksum()
}

/// The client, a proxy of ours, another one behind that, and a port which believes both.
fn a_port_behind_us_knows_our_client(world: &World) {
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
    let mut far = Far::socket(dial(first.local(), Width::Wide));
    far.send(b"hello");
    assert_eq!(world.receive(&mut far, 5), b"hello");
    let peer = peers.borrow_mut().pop().unwrap();
    let proxied = peer.proxied().unwrap();
    let socket = far.as_socket().unwrap();
    assert_eq!(proxied.source(), socket.local_addr().ok());
    assert_eq!(proxied.destination(), Some(first.local()));
    assert_eq!(proxied.tlv(tlv::AUTHORITY), Some(&b"www.example"[..]));
    assert_eq!(proxied.tlv(tlv::UNIQUE_ID), Some(&b"17"[..]));
    far.end();
    world.lost(&world.traces.last());
}

/// Past the queue that the header waits in, through pipes where the system has them.
fn what_is_relayed_comes_behind_the_header(world: &World) {
    let listener = listener(Width::Wide);
    let to = listener.local_addr().unwrap();
    let header = |_: &Transport| ProxyHeader::v1().local();
    let any = (Ipv4Addr::LOCALHOST, 0);
    let port = world.reactor().listen_tcp(any, move |_: &Peer| Onward { to, header }).unwrap();
    let mut near = Far::socket(dial(port.local(), Width::Wide));
    let much = noise(500_000);
    let mut sent = near.try_send(&much);
    let mut far = accept(world, &listener);
    let expected = [b"PROXY UNKNOWN\r\n", &much[..]].concat();
    let mut received = Vec::new();
    world.until("all of it", || {
        sent += near.try_send(&much[sent..]);
        received.extend(far.take());
        received.len() >= expected.len()
    });
    assert!(received == expected);
    near.reset();
    world.until("the end", || far.fate() != Fate::Open);
}

fn an_endpoint_says_which_version(world: &World) {
    let listener = listener(Width::Wide);
    let to = listener.local_addr().unwrap();
    let source = "192.0.2.1:7".parse().unwrap();
    let given = ProxyHeader::v1().addresses(source, "192.0.2.2:8".parse().unwrap());
    let cases = [
        // The connection's own, in the endpoint's version.
        ("sendProxy=v2", None),
        // Whom the program says, in the endpoint's version.
        ("sendProxy=v2", Some(given.clone())),
        // What the program says.
        ("nodelay=yes", Some(given.in_version("v2".parse().unwrap()))),
    ];
    for (option, given) in cases {
        let is_given = given.is_some();
        let endpoint: ClientEndpoint =
            format!("tcp:{}:{}:{option}", to.ip(), to.port()).parse().unwrap();
        let config = ConnectConfig::default().proxy_header(given);
        let connecting = endpoint.connect_with(world.reactor(), config, |_: &Peer| Sink);
        let mut far = accept(world, &listener);
        let bytes = world.receive(&mut far, 28);
        let mut reader = HeaderReader::new(100);
        let Ok((28, Some(Header::Proxied { ends, .. }))) = reader.take(&bytes) else {
            panic!("{}", bytes.escape_ascii());
        };
        let own = far.as_socket().unwrap().peer_addr().unwrap();
        let ProxiedEnds::Inet { source: told, .. } = ends else { panic!("{ends:?}") };
        assert_eq!(told, if is_given { source } else { own });
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
    let mut far = Far::unix(accepted.unwrap().0);
    let bytes = world.receive(&mut far, 16 + 216);
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
