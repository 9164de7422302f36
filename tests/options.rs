//! Socket options as reported by getsockopt(2), for accepted and connected sockets, on every engine and in both
//! families. A binary of its own, since it searches all descriptors of the process.

#![cfg(target_os = "linux")]

mod support;

mod options {
    pub(crate) mod sys;
}

use std::{
    io,
    net::{Ipv6Addr, SocketAddr, TcpListener},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use options::sys::{option_of, tcp_option};
use sinew::{
    prelude::*,
    reactor::inherited,
    sim::Network,
    transports::{Dscp, Keepalive, ListenError, ReactorUnix, SocketOptionError, UnixListenConfig},
};
use socket2::{Domain, Socket};
use support::{
    Link, RemoteEnd, Sink, Width, World,
    sockets::{any_port, dial, free_path},
};

const KEEPALIVE: Keepalive =
    Keepalive::after(Duration::from_secs(60)).interval(Duration::from_millis(9_500)).retries(4);
const BUFFER: usize = 20_000;
const USER_TIMEOUT: Duration = Duration::from_millis(12_345);

fn everything() -> StreamConfig {
    StreamConfig::default()
        .no_delay(false)
        .keepalive(KEEPALIVE)
        .send_buffer(BUFFER)
        .receive_buffer(BUFFER)
        .user_timeout(USER_TIMEOUT)
        .dscp(Dscp::EF)
}

/// A configuration without any options, for comparison with `everything`.
fn assert_default(socket: &Socket) {
    assert!(socket.tcp_nodelay().unwrap());
    assert!(!socket.keepalive().unwrap());
    assert_eq!(socket.tcp_user_timeout().unwrap(), None);
    assert_eq!(socket.tos_v4().unwrap(), 0);
}

fn assert_everything(socket: &Socket) {
    assert!(!socket.tcp_nodelay().unwrap());
    assert_keepalive(socket);
    // The kernel doubles it (socket(7)).
    assert_eq!(socket.send_buffer_size().unwrap(), 2 * BUFFER);
    assert_eq!(socket.recv_buffer_size().unwrap(), 2 * BUFFER);
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(USER_TIMEOUT));
    assert_eq!(socket.tos_v4().unwrap(), 46 << 2);
    if socket.domain().unwrap() == Domain::IPV6 {
        assert_eq!(socket.tclass_v6().unwrap(), 46 << 2);
    }
}

fn assert_keepalive(socket: &Socket) {
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(60));
    assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(10), "rounded up");
    assert_eq!(socket.tcp_keepalive_retries().unwrap(), 4);
}

/// The sockets of this process, as duplicates of theirs.
fn sockets() -> impl Iterator<Item = Socket> {
    (3..1024).filter_map(|fd| inherited(fd).ok()).map(Socket::from)
}

/// One test searches at a time: it would find the duplicates of another.
fn searching() -> MutexGuard<'static, ()> {
    static SEARCHING: Mutex<()> = Mutex::new(());
    SEARCHING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Finds a socket of this process by its addresses: connections do not expose their descriptors.
fn own(what: &str, mut is_it: impl FnMut(&Socket) -> bool) -> Socket {
    let _only = searching();
    sockets().find(|socket| is_it(socket)).unwrap_or_else(|| panic!("no socket is {what}"))
}

/// The local end of a connection with this remote end.
fn near(remote: &RemoteEnd) -> Socket {
    let remote = remote.as_socket().expect("it is TCP");
    let (near, remote) = (remote.peer_addr().unwrap(), remote.local_addr().unwrap());
    own("the near end", |socket| {
        let addr = |found: io::Result<socket2::SockAddr>| found.ok()?.as_socket();
        addr(socket.local_addr()) == Some(near) && addr(socket.peer_addr()) == Some(remote)
    })
}

fn listening_on(port: &ListeningPort) -> Socket {
    own("the listener", |socket| {
        socket.is_listener().unwrap_or(false)
            && socket.local_addr().is_ok_and(|addr| addr.as_socket() == Some(port.local()))
    })
}

/// An address of each available family.
fn families() -> Vec<SocketAddr> {
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let has_v6 = TcpListener::bind(v6).is_ok();
    [any_port()].into_iter().chain(has_v6.then_some(v6)).collect()
}

fn everywhere(name: &str, scenario: impl Fn(&World)) {
    for engine in Engine::available() {
        World::run(name, engine, Link::Accepted, &scenario);
    }
}

fn accept(world: &World, at: SocketAddr, config: ListenConfig) -> (ListeningPort, RemoteEnd) {
    let port = world.reactor().listen_tcp_with(at, config, world.watched(|| Sink)).unwrap();
    let remote = RemoteEnd::socket(dial(port.local(), Width::Wide));
    world.until("it to be accepted", || port.connections() == 1);
    (port, remote)
}

fn connect(world: &World, at: SocketAddr, config: ConnectConfig) -> RemoteEnd {
    let listener = TcpListener::bind(at).unwrap();
    let to = listener.local_addr().unwrap();
    let connecting = world.reactor().connect_tcp_with(to, config, world.watched(|| Sink));
    world.until("the connection", || connecting.is_settled());
    connecting.take().unwrap().unwrap().detach();
    RemoteEnd::socket(listener.accept().unwrap().0)
}

#[test]
fn accepted_connections_have_the_options() {
    everywhere("accepted", |world| {
        for at in families() {
            let (_port, remote) = accept(world, at, ListenConfig::default());
            assert_default(&near(&remote));
            let (_port, remote) = accept(world, at, ListenConfig::default().stream(everything()));
            assert_everything(&near(&remote));
        }
    });
}

#[test]
fn connecting_sockets_have_the_options() {
    everywhere("connected", |world| {
        for at in families() {
            assert_default(&near(&connect(world, at, ConnectConfig::default())));
            let config = ConnectConfig::default().stream(everything());
            assert_everything(&near(&connect(world, at, config)));
        }
    });
}

/// On a dual-stack socket, IPv4 connections use the options of IPv4.
#[test]
fn dual_stack_connections_have_the_options() {
    everywhere("over both", |world| {
        if families().len() < 2 {
            return;
        }
        let config = ListenConfig::default().stream(everything());
        let at = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let port = world.reactor().listen_tcp_with(at, config, world.watched(|| Sink)).unwrap();
        let to = SocketAddr::new(any_port().ip(), port.local().port());
        let remote = dial(to, Width::Wide);
        world.until("it to be accepted", || port.connections() == 1);
        let local = remote.local_addr().unwrap();
        let near = own("the near end", |socket| {
            let peer = socket.peer_addr().ok().and_then(|peer| peer.as_socket());
            peer.is_some_and(|peer| {
                (peer.ip().to_canonical(), peer.port()) == (local.ip(), local.port())
            })
        });
        assert_everything(&near);
    });
}

#[test]
fn unix_sockets_have_their_buffers() {
    everywhere("Unix", |world| {
        let path = free_path();
        let config = UnixListenConfig::default().stream(everything());
        let reactor = world.reactor();
        let port = reactor.listen_unix_with(&path, config, world.watched(|| Sink)).unwrap();
        let config = ConnectConfig::default().stream(everything());
        let connecting = reactor.connect_unix_with(&path, config, world.watched(|| Sink));
        world.until("both ends", || connecting.is_settled() && port.connections() == 1);
        let mut connected = 0;
        let _only = searching();
        for socket in sockets() {
            let is_ours = |addr: socket2::SockAddr| addr.as_pathname() == Some(&*path);
            let ends = [socket.local_addr(), socket.peer_addr()];
            if ends.iter().all(Result::is_ok) && ends.into_iter().flatten().any(is_ours) {
                assert_eq!(socket.send_buffer_size().unwrap(), 2 * BUFFER);
                assert_eq!(socket.recv_buffer_size().unwrap(), 2 * BUFFER);
                connected += 1;
            }
        }
        assert_eq!(connected, 2);
    });
}

#[test]
fn endpoints_accept_the_options() {
    use sinew::transports::endpoint::{ClientEndpoint, ServerEndpoint};
    everywhere("endpoints", |world| {
        let server = "tcp:0:interface=127.0.0.1:nodelay=no:keepalive=60".parse::<ServerEndpoint>();
        let port = server.unwrap().listen(world.reactor(), world.watched(|| Sink)).unwrap();
        let remote = RemoteEnd::socket(dial(port.local().socket_addr().unwrap(), Width::Wide));
        world.until("it to be accepted", || port.connections() == 1);
        let listener = TcpListener::bind(any_port()).unwrap();
        let to = listener.local_addr().unwrap();
        let client = format!("tcp:127.0.0.1:{}:keepalive=60:nodelay=no", to.port());
        let client: ClientEndpoint = client.parse().unwrap();
        let connecting = client.connect(world.reactor(), world.watched(|| Sink));
        world.until("the connection", || connecting.is_settled());
        for remote in [remote, RemoteEnd::socket(listener.accept().unwrap().0)] {
            let near = near(&remote);
            assert!(!near.tcp_nodelay().unwrap() && near.keepalive().unwrap());
            assert_eq!(near.tcp_keepalive_time().unwrap(), Duration::from_secs(60));
        }
    });
}

/// Options of streams are also set on adopted sockets, and inherited from adopted listeners.
#[test]
fn adopted_sockets_have_the_options() {
    everywhere("adopted", |world| {
        let listener = TcpListener::bind(any_port()).unwrap();
        let addr = listener.local_addr().unwrap();
        let config = ListenConfig::default().stream(everything());
        let port = world.reactor().adopt_port(listener, config, world.watched(|| Sink)).unwrap();
        let remote = RemoteEnd::socket(dial(addr, Width::Wide));
        world.until("it to be accepted", || port.connections() == 1);
        assert_everything(&near(&remote));

        let listener = TcpListener::bind(any_port()).unwrap();
        let remote = RemoteEnd::socket(dial(listener.local_addr().unwrap(), Width::Wide));
        let (socket, _) = listener.accept().unwrap();
        let sink = world.traces.watch(Sink);
        world.reactor().adopt_stream_with(socket, everything(), sink).unwrap();
        assert_everything(&near(&remote));
    });
}

#[test]
fn missing_features_and_arguments() {
    everywhere("ports", |world| {
        for at in families() {
            let config = ListenConfig::default().reuse_port(true).v6_only(true).fast_open(17);
            let open = |at| {
                world.reactor().listen_tcp_with(at, config.clone(), world.watched(|| Sink)).unwrap()
            };
            let port = open(at);
            let socket = listening_on(&port);
            assert!(socket.reuse_port().unwrap());
            assert!(at.is_ipv4() || socket.only_v6().unwrap());
            assert_eq!(tcp_option(&socket, libc::TCP_FASTOPEN), 17);
            assert_eq!(open(port.local()).local(), port.local(), "two share it");
        }
    });
}

/// Whether the server accepts TCP Fast Open depends on the system; the connection is established either way.
#[test]
fn fast_open_is_requested() {
    struct First;
    impl Protocol for First {
        fn connection_made(&mut self, transport: &Transport) {
            transport.write(b"first");
        }
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }
    everywhere("fast open", |world| {
        let config = ListenConfig::default().fast_open(16);
        let port =
            world.reactor().listen_tcp_with(any_port(), config, world.watched(|| Sink)).unwrap();
        for round in 1..=3 {
            let config = ConnectConfig::default().fast_open(true);
            let factory = world.watched(|| First);
            world.reactor().connect_tcp_with(port.local(), config, factory).detach();
            world.until("what was sent first", || {
                let came =
                    world.traces.all().iter().filter(|trace| trace.data() == b"first").count();
                came == round
            });
            let client = own("the client", |socket| {
                let peer = socket.peer_addr().ok().and_then(|peer| peer.as_socket());
                peer == Some(port.local()) && tcp_option(socket, libc::TCP_FASTOPEN_CONNECT) == 1
            });
            assert!(client.tcp_nodelay().unwrap());
        }
    });
}

#[test]
fn on_an_established_connection() {
    everywhere("live", |world| {
        let line = world.join(Sink);
        let (transport, socket) = (line.transport(), near(&line.remote));
        transport.set_keepalive(KEEPALIVE).unwrap();
        assert_keepalive(&socket);
        transport.set_keepalive(None).unwrap();
        assert!(!socket.keepalive().unwrap());
        transport.set_keepalive(Duration::from_millis(1)).unwrap();
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(1));
        transport.set_no_delay(false).unwrap();
        assert!(!socket.tcp_nodelay().unwrap());
        let too_many = Keepalive::after(Duration::from_secs(1)).retries(1000);
        let error = transport.set_keepalive(too_many).unwrap_err();
        assert!(error.to_string().starts_with("SO_KEEPALIVE cannot be set: "), "{error}");
    });
}

/// The error names the option, the address and the cause.
#[test]
fn rejections_name_the_reason() {
    everywhere("refused", |world| {
        let far_too_long = Keepalive::after(Duration::from_secs(1 << 20));
        let config = StreamConfig::default().keepalive(far_too_long);
        let refused = |source: &io::Error| {
            let cause =
                source.get_ref().and_then(|cause| cause.downcast_ref::<SocketOptionError>());
            cause.map(|cause| (cause.option, cause.source.raw_os_error()))
        };
        let expected = Some(("SO_KEEPALIVE", Some(libc::EINVAL)));
        let listening = ListenConfig::default().stream(config.clone());
        let factory = world.watched(|| Sink);
        let error = world.reactor().listen_tcp_with(any_port(), listening, factory).unwrap_err();
        let ListenError::Listen { source, .. } = &error else { panic!("{error}") };
        assert_eq!(refused(source), expected);
        assert_eq!(
            error.to_string(),
            "could not listen on 127.0.0.1:0: SO_KEEPALIVE cannot be set: Invalid argument (os error 22)"
        );
        let connecting = world.reactor().connect_tcp_with(
            any_port(),
            ConnectConfig::default().stream(config),
            world.watched(|| Sink),
        );
        world.until("the failure", || connecting.is_settled());
        let error = connecting.take().unwrap().unwrap_err();
        let ConnectError::Connect { source, .. } = &error else { panic!("{error}") };
        assert_eq!(refused(source), expected);
    });
}

#[test]
fn a_simulated_network_ignores_socket_options() {
    let network = Network::new(7);
    let (server, client) = (network.host("server"), network.host("client"));
    let config = ListenConfig::default().stream(everything()).fast_open(9);
    server.reactor().listen_tcp_with("server:80", config, |_: &Peer| Sink).unwrap();
    let config = ConnectConfig::default().stream(everything()).fast_open(true);
    let connecting = client.reactor().connect_tcp_with("server:80", config, |_: &Peer| Sink);
    network.run_for(Duration::from_secs(1)).unwrap();
    let connection = connecting.take().unwrap().unwrap();
    connection.transport().set_keepalive(KEEPALIVE).unwrap();
}

#[test]
fn datagrams_are_marked_too() {
    use sinew::transports::{DatagramConfig, ReactorUdp};
    struct Deaf;
    impl DatagramProtocol for Deaf {
        fn datagram_received(&mut self, _: &DatagramTransport, _: &[u8], _: SocketAddr) {}
    }
    everywhere("datagrams", |world| {
        for at in families() {
            let config = DatagramConfig::default()
                .dscp(Dscp::LOWER_EFFORT)
                .reuse_port(true)
                .packet_info(true)
                .send_buffer(BUFFER)
                .receive_buffer(BUFFER);
            let udp = world.reactor().listen_udp_with(at, config, Deaf).unwrap();
            let socket = own("for datagrams", |socket| {
                socket.r#type().is_ok_and(|kind| kind == socket2::Type::DGRAM)
                    && socket.local_addr().is_ok_and(|addr| addr.as_socket() == Some(udp.local()))
            });
            assert_eq!(socket.tos_v4().unwrap(), 1 << 2);
            assert!(at.is_ipv4() || socket.tclass_v6().unwrap() == 1 << 2);
            assert!(socket.reuse_port().unwrap());
            let (level, option) = match at.is_ipv6() {
                true => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
                false => (libc::IPPROTO_IP, libc::IP_PKTINFO),
            };
            assert_eq!(option_of(&socket, level, option), 1);
            assert_eq!(socket.send_buffer_size().unwrap(), 2 * BUFFER);
            assert_eq!(socket.recv_buffer_size().unwrap(), 2 * BUFFER);
        }
    });
}
