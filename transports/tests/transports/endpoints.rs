//! Endpoints in memory and in the simulated network. Those on kernel sockets are in the conformance tests.

use std::{cell::RefCell, rc::Rc, time::Duration};

use sinew_testkit::{
    sim::Network,
    testing::{assert_clean, for_seeds},
};
use sinew_transports::{
    ConnectConfig, ConnectError, Connection, ConnectionLost, ListenConfig, ListenError, Peer,
    Protocol, StreamConfig, Transport,
    endpoint::{ClientEndpoint, ServerEndpoint},
    proxy::{ProxiedEnds, tlv},
    reactor::Reactor,
};

type Log = Rc<RefCell<Vec<String>>>;

const SECOND: Duration = Duration::from_secs(1);

fn server(text: &str) -> ServerEndpoint {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn client(text: &str) -> ClientEndpoint {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// Logs its callbacks; answers in capitals.
struct Upper(Log, &'static str);

impl Upper {
    fn factory(log: &Log, name: &'static str) -> impl FnMut(&Peer) -> Self + use<> {
        let log = log.clone();
        move |peer| {
            log.borrow_mut().push(format!("{name} built for {peer}"));
            Self(log.clone(), name)
        }
    }

    fn log(&self, what: &str) {
        self.0.borrow_mut().push(format!("{} {what}", self.1));
    }
}

impl Protocol for Upper {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(&data.to_ascii_uppercase());
    }
    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.log(&reason.to_string());
    }
}

/// Keeps received data and the reason of the end.
#[derive(Default)]
struct Asks {
    received: Vec<u8>,
    lost: Option<String>,
    log: Option<Log>,
}

impl Protocol for Asks {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.received.extend_from_slice(data);
    }
    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        self.lost = Some(reason.to_string());
        if let Some(log) = &self.log {
            log.borrow_mut().push(format!("client {reason}"));
        }
    }
}

fn asks(log: &Log) -> impl FnMut(&Peer) -> Asks + use<> {
    let log = log.clone();
    move |_| Asks { log: Some(log.clone()), ..Asks::default() }
}

fn connected(reactor: &Reactor, to: &str, log: &Log) -> Connection<Asks> {
    let connecting = client(to).connect(reactor, asks(log));
    reactor.advance(Duration::ZERO).unwrap();
    connecting.take().expect("it is settled at once").unwrap().detach()
}

fn received(connection: &Connection<Asks>) -> Vec<u8> {
    connection.with(|protocol, _| std::mem::take(&mut protocol.received)).unwrap_or_default()
}

#[test]
fn memory_port() {
    let (reactor, log) = (Reactor::simulated(1), Log::default());
    let port = server("memory:hall").listen(&reactor, Upper::factory(&log, "server")).unwrap();
    assert_eq!(port.to_string(), "memory:hall");
    let connection = connected(&reactor, "memory:hall", &log);
    // `Connection` has the protocol's type, although the endpoint erases it.
    connection.with(|protocol, transport| {
        assert!(protocol.received.is_empty());
        transport.write(b"hello");
    });
    reactor.advance(Duration::ZERO).unwrap();
    assert_eq!((received(&connection), port.connections()), (b"HELLO".to_vec(), 1));

    // More than the capacity of the connection.
    let much: Vec<u8> = (0..1_500_000).map(|at| b'a' + (at % 23) as u8).collect();
    connection.transport().set_auto_pause(false);
    connection.transport().write(&much);
    connection.transport().close_write();
    reactor.advance(Duration::ZERO).unwrap();
    reactor.run_until_idle().unwrap();
    // The server closes at the end of its input, by default.
    assert_eq!(
        *log.borrow(),
        ["server built for memory", "server closed by the peer", "client closed by the peer"]
    );
    assert_eq!(port.connections(), 0);

    log.borrow_mut().clear();
    let connection = connected(&reactor, "memory:hall", &log);
    connection.transport().abort();
    reactor.advance(Duration::ZERO).unwrap();
    assert_eq!(
        *log.borrow(),
        ["server built for memory", "client aborted by this side", "server reset by the peer"]
    );

    port.stop_listening();
    reactor.advance(Duration::ZERO).unwrap();
    let connecting = client("memory:hall").connect(&reactor, asks(&log));
    reactor.advance(Duration::ZERO).unwrap();
    let error = connecting.take().unwrap().unwrap_err();
    assert!(error.is_refused());
    assert_eq!(error.to_string(), "could not connect to memory:hall: no port listens on this name");
    assert_clean(&reactor);
}

#[test]
fn memory_connection_delivers_everything() {
    let (reactor, log) = (Reactor::simulated(1), Log::default());
    let _port = server("memory:hall").listen(&reactor, Upper::factory(&log, "server")).unwrap();
    let connection = connected(&reactor, "memory:hall", &log);
    let much: Vec<u8> = (0..1_500_000).map(|at| b'a' + (at % 23) as u8).collect();
    // Without this, both sides would pause reading while their output is blocked.
    connection.transport().set_auto_pause(false);
    connection.transport().write(&much);
    reactor.advance(SECOND).unwrap();
    assert!(received(&connection) == much.to_ascii_uppercase());
    connection.transport().lose_connection();
    reactor.advance(SECOND).unwrap();
    assert_eq!(log.borrow()[1..], ["server closed by the peer", "client closed by this side"]);
}

#[test]
fn memory_names_are_exclusive_until_closed() {
    let (reactor, log) = (Reactor::simulated(1), Log::default());
    let listen = || server("memory:hall").listen(&reactor, Upper::factory(&log, "server"));
    let port = listen().unwrap();
    let error = listen().unwrap_err();
    assert!(matches!(error, ListenError::Other { .. }));
    assert_eq!(
        error.to_string(),
        "could not listen on memory:hall: another port listens on this name"
    );
    port.stop_listening();
    reactor.advance(Duration::ZERO).unwrap();
    assert!(listen().is_ok());
    // Other reactors have their own names.
    let other = Reactor::simulated(2);
    let connecting = client("memory:hall").connect(&other, asks(&log));
    other.advance(Duration::ZERO).unwrap();
    assert!(connecting.take().unwrap().unwrap_err().is_refused());
}

#[test]
fn memory_port_has_the_limits_of_any_port() {
    let (reactor, log) = (Reactor::simulated(1), Log::default());
    let config = ListenConfig::default().max_connections(1).backlog(2);
    let factory = Upper::factory(&log, "server");
    let port = server("memory:hall").listen_with(&reactor, config, factory).unwrap();
    let first = connected(&reactor, "memory:hall", &log);
    let waiting: Vec<_> = (0..2).map(|_| connected(&reactor, "memory:hall", &log)).collect();
    let connecting = client("memory:hall").connect(&reactor, asks(&log));
    reactor.advance(Duration::ZERO).unwrap();
    let error = connecting.take().unwrap().unwrap_err();
    assert!(error.to_string().ends_with("the backlog is full"), "{error}");
    waiting[0].transport().write(b"early");
    reactor.advance(SECOND).unwrap();
    assert_eq!((received(&waiting[0]), port.connections()), (Vec::new(), 1));
    first.transport().lose_connection();
    reactor.advance(SECOND).unwrap();
    assert_eq!(received(&waiting[0]), b"EARLY");

    // Connections in the backlog are refused when the port closes.
    log.borrow_mut().clear();
    port.stop_listening();
    reactor.advance(SECOND).unwrap();
    assert_eq!(*log.borrow(), ["client reset by the peer"]);
}

#[test]
fn cancelled_memory_connection_reaches_no_server() {
    let (reactor, log) = (Reactor::simulated(1), Log::default());
    let _port = server("memory:hall").listen(&reactor, Upper::factory(&log, "server")).unwrap();
    let connecting = client("memory:hall").connect(&reactor, asks(&log));
    connecting.cancel();
    reactor.advance(SECOND).unwrap();
    assert!(matches!(connecting.take(), Some(Err(ConnectError::GivenUp(_)))));
    assert!(log.borrow().is_empty() && reactor.stats().connections == 0);
}

const V1: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n";

/// The header is split at every position, with data after it in the second piece or in a third.
#[test]
fn peer_behind_a_proxy_is_the_client() {
    let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x16".to_vec();
    v2.extend([192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb]);
    v2.extend(b"\x02\0\x07example");
    for header in [V1, &v2] {
        for cut in 0..=header.len() {
            for follows_at_once in [false, true] {
                let (reactor, log) = (Reactor::simulated(1), Log::default());
                let port = server("proxy:memory:hall")
                    .listen(&reactor, Upper::factory(&log, "server"))
                    .unwrap();
                let connection = connected(&reactor, "memory:hall", &log);
                let send = |data: &[u8]| {
                    connection.transport().write(data);
                    reactor.advance(Duration::ZERO).unwrap();
                };
                send(&header[..cut]);
                assert_eq!(
                    (log.borrow().len(), port.connections()),
                    if cut == header.len() { (1, 1) } else { (0, 0) }
                );
                if follows_at_once {
                    send(&[&header[cut..], b"hello"].concat());
                } else {
                    send(&header[cut..]);
                    assert_eq!(*log.borrow(), ["server built for 192.0.2.1:56324"]);
                    send(b"hello");
                }
                assert_eq!(received(&connection), b"HELLO", "cut at {cut}");
                connection.transport().lose_connection();
                reactor.advance(SECOND).unwrap();
                assert_eq!(log.borrow().len(), 3);
                port.stop_listening();
                reactor.advance(Duration::ZERO).unwrap();
                assert_clean(&reactor);
            }
        }
    }
}

/// Stores its peer.
struct Keeps(Rc<RefCell<Option<Peer>>>);

impl Protocol for Keeps {
    fn connection_made(&mut self, transport: &Transport) {
        *self.0.borrow_mut() = Some(transport.peer());
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

fn peer_of(header: &[u8]) -> Option<Peer> {
    let reactor = Reactor::simulated(1);
    let kept = Rc::<RefCell<Option<Peer>>>::default();
    let keep = kept.clone();
    let factory = move |_: &Peer| Keeps(keep.clone());
    let _port = server("proxy:memory:hall").listen(&reactor, factory).unwrap();
    let connection = connected(&reactor, "memory:hall", &Log::default());
    connection.transport().write(header);
    reactor.advance(Duration::ZERO).unwrap();
    kept.take()
}

#[test]
fn proxy_header_is_available_from_the_peer() {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x1a".to_vec();
    header.extend([192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb]);
    header.extend(b"\x02\0\x07example\x04\0\x01\0");
    let peer = peer_of(&header).unwrap();
    assert_eq!(peer.ip(), Some([192, 0, 2, 1].into()));
    let proxied = peer.proxied().unwrap();
    assert_eq!(proxied.via(), &Peer::Memory);
    assert_eq!(proxied.destination(), Some(([198, 51, 100, 2], 443).into()));
    assert_eq!(
        (proxied.tlv(tlv::AUTHORITY), proxied.tlv(tlv::ALPN)),
        (Some(&b"example"[..]), None)
    );
    assert_eq!(proxied.tlvs().count(), 2);

    // A proxy that connects for itself has its own address.
    assert_eq!(peer_of(b"PROXY UNKNOWN\r\n"), Some(Peer::Memory));
    assert_eq!(peer_of(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"), Some(Peer::Memory));
    let unspecified = peer_of(b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\x04\x05\0\x01x").unwrap();
    assert_eq!(
        unspecified.proxied().map(|proxied| proxied.ends()),
        Some(&ProxiedEnds::Unspecified)
    );
    assert_eq!(
        (unspecified.ip(), unspecified.to_string()),
        (None, "an unspecified client via memory".into())
    );
    assert_eq!(peer_of(b"GET / HTTP/1.0\r\n\r\n"), None);
}

#[test]
fn failure_before_the_header_builds_no_protocol() {
    // Data sent, whether the end follows, seconds until the server closes, and the client's reason.
    let cases: &[(&[u8], bool, u64, &str)] = &[
        (b"GET / HTTP/1.0\r\n\r\n", false, 0, "reset by the peer"),
        (b"PROXY TCP4 1 2 3 4\r\n", false, 0, "closed by the peer"),
        (b"PROXY TCP4 192.0", true, 0, "closed by the peer"),
        (b"", true, 0, "closed by the peer"),
        (b"PROXY TCP4 192.0", false, 5, "closed by the peer"),
        (b"", false, 5, "closed by the peer"),
    ];
    for (sent, ends, after, reason) in cases {
        let (reactor, log) = (Reactor::simulated(1), Log::default());
        let factory = Upper::factory(&log, "server");
        let config = ListenConfig::default().max_connections(1);
        let port = server("proxy:memory:hall").listen_with(&reactor, config, factory).unwrap();
        let connection = connected(&reactor, "memory:hall", &log);
        connection.transport().write(sent);
        if *ends {
            connection.transport().close_write();
        }
        if *after > 0 {
            reactor.advance(SECOND * (*after as u32) - Duration::from_millis(1)).unwrap();
            assert!(log.borrow().is_empty());
            reactor.advance(Duration::from_millis(1)).unwrap();
        }
        reactor.advance(Duration::ZERO).unwrap();
        assert_eq!(*log.borrow(), [format!("client {reason}")], "{}", sent.escape_ascii());
        // The connection limit is free again.
        let connection = connected(&reactor, "memory:hall", &log);
        connection.transport().write(V1);
        reactor.advance(Duration::ZERO).unwrap();
        assert_eq!(port.connections(), 1);
    }
}

/// Connections without a header count towards the limit, and are closed with the port.
#[test]
fn connections_without_a_header_count_and_close_with_the_port() {
    let (reactor, log) = (Reactor::simulated(1), Log::default());
    let config = ListenConfig::default().max_connections(2);
    let factory = Upper::factory(&log, "server");
    let port = server("proxy:memory:hall").listen_with(&reactor, config, factory).unwrap();
    let silent: Vec<_> = (0..2).map(|_| connected(&reactor, "memory:hall", &log)).collect();
    let third = connected(&reactor, "memory:hall", &log);
    third.transport().write(V1);
    reactor.advance(SECOND).unwrap();
    assert_eq!((port.connections(), log.borrow().len()), (0, 0), "the limit is reached");
    silent[0].transport().abort();
    reactor.advance(Duration::ZERO).unwrap();
    assert_eq!(port.connections(), 1);

    log.borrow_mut().clear();
    port.stop_listening();
    reactor.advance(Duration::ZERO).unwrap();
    assert_eq!(*log.borrow(), ["client closed by the peer"]);
    third.transport().abort();
    reactor.advance(Duration::ZERO).unwrap();
    assert_clean(&reactor);
}

#[test]
fn only_trusted_proxies_are_accepted() {
    for_seeds(0..3, |seed| {
        let network = Network::new(seed);
        let (host, near, far) = (network.host("server"), network.host("near"), network.host("far"));
        let log = Log::default();
        let endpoint = server(&format!("proxy:tcp:7:trust={},192.0.2.0/24", near.addr()));
        let config = ListenConfig::default().max_per_ip(1);
        let factory = Upper::factory(&log, "server");
        let port = endpoint.listen_with(&host.reactor(), config, factory).unwrap();
        let ask = |from: &sinew_testkit::sim::Host, client_ip: &str| {
            let config = ConnectConfig::default().stream(StreamConfig::default());
            let connecting =
                client("tcp:server:7")
                    .connect_with(&from.reactor(), config, |_: &Peer| Asks::default());
            network.run_until(SECOND, || connecting.is_settled()).unwrap();
            let connection = connecting.take().unwrap().unwrap();
            connection
                .transport()
                .write(format!("PROXY TCP4 {client_ip} 10.9.9.9 1 2\r\nhi").as_bytes());
            network.run_for(SECOND).unwrap();
            let text = received(&connection);
            (connection, String::from_utf8(text).unwrap())
        };
        let (first, answer) = ask(&near, "203.0.113.1");
        assert_eq!(answer, "HI");
        let (_other, answer) = ask(&near, "203.0.113.2");
        assert_eq!(answer, "HI", "from the same proxy, but another client");
        let (again, answer) = ask(&near, "203.0.113.1");
        assert!(
            again.transport().is_closing() && answer.is_empty(),
            "beyond the limit of this client"
        );
        let (stranger, answer) = ask(&far, "203.0.113.3");
        assert!(answer.is_empty() && stranger.transport().is_closing());
        assert_eq!(port.connections(), 2);
        first.transport().abort();
        network.run_for(SECOND).unwrap();
        let (_first, answer) = ask(&near, "203.0.113.1");
        assert_eq!(answer, "HI");
        assert_eq!(log.borrow().iter().filter(|line| line.contains("built")).count(), 3);
    });
}
