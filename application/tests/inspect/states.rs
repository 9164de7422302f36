//! Streams of every kind, and in every state that can be held still, as a report shows them. On one thread: the test turns
//! the loop.

use std::{
    cell::RefCell,
    io::{Read, Write},
    net::TcpStream,
    rc::Rc,
    time::Duration,
};

use sinew_reactor::Reactor;
use sinew_transports::{
    Connection, ListenConfig, Peer, Protocol, ReactorPipes, ReactorTcp, ReactorUnix, StreamConfig,
    Transport,
    inspect::{ConnectionReport, ConnectionState, PausedBy, PortPause, ReactorInspect, StreamKind},
    memory::{self, Wire},
};

use super::client::folder;

/// Keeps its transport where the test finds it.
#[derive(Clone, Default)]
struct Kept(Rc<RefCell<Option<Transport>>>);

impl Protocol for Kept {
    fn connection_made(&mut self, transport: &Transport) {
        self.0.replace(Some(transport.clone()));
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}

    /// Stays open.
    fn read_closed(&mut self, _: &Transport) {}
}

fn reactor() -> Reactor {
    Reactor::builder().inspection(true).build().expect("a reactor")
}

fn turn(reactor: &Reactor) {
    reactor.turn(Some(Duration::ZERO)).expect("a turn");
}

fn report(reactor: &Reactor, transport: &Transport) -> ConnectionReport {
    reactor.connection_report(transport.id()).expect("it is there")
}

fn in_memory(reactor: &Reactor, config: StreamConfig) -> (Connection<Kept>, Wire) {
    let made = memory::connect(reactor, config, Kept::default()).expect("there is room");
    turn(reactor);
    made
}

#[test]
fn states_of_a_stream() {
    let reactor = reactor();
    let (connection, wire) =
        memory::connect(&reactor, StreamConfig::default(), Kept::default()).expect("there is room");
    let transport = connection.transport();
    let state = || report(&reactor, transport).state;
    assert_eq!(state(), ConnectionState::Starting);
    turn(&reactor);
    assert_eq!(state(), ConnectionState::Open);
    transport.close_write();
    turn(&reactor);
    assert_eq!(state(), ConnectionState::OutputEnded);
    wire.close();
    turn(&reactor);
    turn(&reactor);
    assert!(reactor.connection_report(transport.id()).is_none());

    let (connection, wire) = in_memory(&reactor, StreamConfig::default());
    let transport = connection.transport();
    let state = || report(&reactor, transport).state;
    wire.close();
    turn(&reactor);
    assert_eq!(state(), ConnectionState::InputEnded);
    wire.set_capacity(10);
    transport.write([b'x'; 100]);
    turn(&reactor);
    transport.lose_connection();
    assert_eq!((state(), report(&reactor, transport).queued), (ConnectionState::Closing, 90));
    transport.abort();
    assert_eq!(state(), ConnectionState::Over);

    let (connection, _wire) = in_memory(&reactor, StreamConfig::default());
    connection.transport().lose_connection();
    turn(&reactor);
    let found = report(&reactor, connection.transport());
    assert_eq!((found.state, found.timers), (ConnectionState::Lingering, 1));
}

#[test]
fn reasons_for_a_pause() {
    let reactor = reactor();
    let config = StreamConfig::default().watermarks(50, 10);
    let (connection, wire) = in_memory(&reactor, config);
    let transport = connection.transport();
    let paused = || report(&reactor, transport).paused;
    assert_eq!(paused(), []);
    transport.pause_reading();
    assert_eq!(paused(), [PausedBy::User]);
    transport.hold_reading(Duration::from_secs(60));
    assert_eq!(paused(), [PausedBy::User, PausedBy::Limit]);
    transport.resume_reading();
    wire.set_capacity(0);
    transport.write([b'x'; 100]);
    turn(&reactor);
    assert_eq!(paused(), [PausedBy::Watermark, PausedBy::Limit]);
    transport.hold_reading(Duration::ZERO);
    transport.set_auto_pause(false);
    assert_eq!(paused(), []);
}

#[test]
fn timers_and_counts() {
    let reactor = reactor();
    let config = StreamConfig::default().idle_timeout(Duration::from_secs(60));
    let (connection, wire) = in_memory(&reactor, config);
    let transport = connection.transport();
    transport.call_later(Duration::from_secs(60));
    wire.receive(b"hello");
    turn(&reactor);
    transport.write(b"you");
    turn(&reactor);
    let found = report(&reactor, transport);
    let counts = found.counts.expect("inspection is on");
    assert_eq!((found.timers, counts.received, counts.sent), (2, 5, 3));
    assert_eq!(found.protocol, Some(std::any::type_name::<Kept>()));
    assert_eq!((found.kind, &found.peer, found.port), (StreamKind::Memory, &Peer::Memory, None));
}

/// A large write goes to the socket at once, from wherever it is called; it is the connection's own all the same.
#[test]
fn what_another_handler_sends_at_once_is_not_its_own() {
    struct Tells(Kept);
    impl Protocol for Tells {
        fn data_received(&mut self, _: &Transport, _: &[u8]) {
            let other = self.0.0.borrow();
            other.as_ref().expect("it is connected").write(vec![b'x'; 20_000]);
        }
    }
    let reactor = reactor();
    let kept = Kept::default();
    let listening = kept.clone();
    let quiet =
        reactor.listen_tcp("127.0.0.1:0", move |_: &Peer| listening.clone()).expect("a port");
    let telling = kept.clone();
    let loud =
        reactor.listen_tcp("127.0.0.1:0", move |_: &Peer| Tells(telling.clone())).expect("a port");
    let mut receiver = TcpStream::connect(quiet.local()).expect("it listens");
    let mut sender = TcpStream::connect(loud.local()).expect("it listens");
    while quiet.connections() + loud.connections() < 2 {
        turn(&reactor);
    }
    sender.write_all(b"go").expect("it is open");
    let all = || reactor.connections_page(0, 10).connections;
    let counts = |port: String| {
        let found = all().into_iter().find(|one| one.port.as_deref() == Some(&port));
        found.and_then(|one| one.counts).expect("it is there")
    };
    while counts(loud.to_string()).received < 2 {
        turn(&reactor);
    }
    receiver.read_exact(&mut [0; 20_000]).expect("it is sent");
    assert_eq!((counts(loud.to_string()).sent, counts(quiet.to_string()).sent), (0, 20_000));
    assert_eq!(counts(quiet.to_string()).received, 0);
}

#[test]
fn kinds_of_streams_and_ports() {
    let reactor = reactor();
    let folder = folder();
    let limited = ListenConfig::default().max_connections(1);
    let echo = |_: &Peer| Kept::default();
    let tcp = reactor.listen_tcp_with("127.0.0.1:0", limited, echo).expect("a port");
    let path = folder.join("kinds.sock");
    let unix = reactor.listen_unix(path.as_path(), echo).expect("a port");
    let memory =
        "memory:here".parse::<sinew_transports::endpoint::ServerEndpoint>().expect("an endpoint");
    let memory = memory.listen(&reactor, echo).expect("a port");
    let _in_memory = in_memory(&reactor, StreamConfig::default());
    let (pipe, _other) = std::io::pipe().expect("a pipe");
    reactor.open_pipe_reader(pipe, Kept::default()).expect("a pipe");
    let _tcp_client = TcpStream::connect(tcp.local()).expect("it listens");
    let _unix_client = std::os::unix::net::UnixStream::connect(&path).expect("it listens");
    while tcp.connections() + unix.connections() < 2 {
        turn(&reactor);
    }
    let mut kinds: Vec<_> =
        reactor.connections_page(0, 100).connections.iter().map(|one| one.kind).collect();
    kinds.sort_unstable();
    let expected = [StreamKind::Tcp, StreamKind::Unix, StreamKind::Memory, StreamKind::Pipe];
    assert_eq!(kinds, expected);
    let ports = reactor.ports();
    let of = |kind: &str| ports.iter().find(|port| port.kind == kind).expect("it is listed");
    assert_eq!((of("tcp").connections, of("tcp").accepted, of("tcp").limit), (1, 1, Some(1)));
    assert_eq!((of("tcp").paused, of("unix").paused), (Some(PortPause::Limit), None));
    assert_eq!((of("memory").address.as_str(), of("unix").connections), ("memory:here", 1));
    unix.pause();
    memory.stop_listening();
    turn(&reactor);
    let ports = reactor.ports();
    assert_eq!(
        ports.iter().find(|port| port.kind == "unix").expect("it is listed").paused,
        Some(PortPause::User)
    );
    assert!(ports.iter().all(|port| port.kind != "memory"));
    drop(reactor);
    let _ = std::fs::remove_dir_all(folder);
}
