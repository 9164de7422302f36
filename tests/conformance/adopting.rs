//! Adopted descriptors: what they become, what is handed back on failure, and endpoints for them. That adopted
//! connections behave like accepted ones is covered by the whole matrix.

use std::{
    cell::{Cell, RefCell},
    fs::File,
    io::{Read, Write},
    net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::net::{UnixDatagram, UnixListener, UnixStream},
    },
    rc::Rc,
};

use rustix::fs::{OFlags, fcntl_getfl};
use sinew::{
    prelude::*,
    sim::Network,
    transports::{
        Address, AdoptError, DatagramAddr, DatagramConfig, DescriptorKind,
        endpoint::{ClientEndpoint, ServerEndpoint},
    },
};
use socket2::{Domain, Socket, Type};

use crate::support::{
    Callback, Echo, EndState, Event, RemoteEnd, Script, Sink, Width, World,
    sockets::{any_port, dial, free_path},
    table,
};

table! {
    ports:
        connections_of_any_family,
        input_buffered_before_adoption_is_delivered,
        ports_of_any_family,
        sockets_for_datagrams,
        adopted_sockets_are_nonblocking_and_close_on_exec,
        descriptors_of_other_kinds_are_returned,
        a_connection_over_a_connection,
        a_simulated_host_adopts_nothing,
        endpoints_on_descriptors;
}

pub(super) fn connected(at: SocketAddr) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(at).unwrap();
    let remote = dial(listener.local_addr().unwrap(), Width::Wide);
    (listener.accept().unwrap().0, remote)
}

fn answers(world: &World, remote: &mut RemoteEnd) {
    remote.send(b"hello");
    assert_eq!(world.receive(remote, 5), b"hello");
}

fn connections_of_any_family(world: &World) {
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let has_v6 = TcpListener::bind(v6).is_ok();
    for at in [any_port()].into_iter().chain(has_v6.then_some(v6)) {
        let (near, remote) = connected(at);
        let ends = (near.peer_addr().unwrap(), near.local_addr().unwrap());
        let echo = world.traces.watch(Echo);
        let connection = world.reactor().adopt_stream(near, echo).unwrap();
        let transport = connection.transport();
        assert_eq!((transport.peer(), transport.local()), (Peer::Inet(ends.0), Some(ends.1)));
        answers(world, &mut RemoteEnd::socket(remote));
    }
    let (near, remote) = UnixStream::pair().unwrap();
    let connection = world.reactor().adopt_stream(near, world.traces.watch(Echo)).unwrap();
    let Peer::Unix(peer) = connection.transport().peer() else { panic!("it is a Unix socket") };
    assert_eq!(peer.addr, UnixAddr::Unnamed);
    if cfg!(target_os = "linux") {
        assert_eq!(peer.credentials.unwrap().pid, Some(std::process::id()));
    }
    let mut remote = RemoteEnd::unix(remote);
    answers(world, &mut remote);
    connection.transport().lose_connection();
    world.until("the end", || remote.end_state() != EndState::Open);
}

/// Buffered data and EOF are delivered after connection_made, which is not called from within the adopting call.
fn input_buffered_before_adoption_is_delivered(world: &World) {
    let (near, mut remote) = connected(any_port());
    remote.write_all(b"early").unwrap();
    remote.shutdown(Shutdown::Write).unwrap();
    let sink = world.traces.watch(Sink);
    let trace = sink.trace().clone();
    world.reactor().adopt_stream(near, sink).unwrap();
    assert!(!trace.is_made());
    world.until("the end", || trace.is_lost());
    assert_eq!(trace.callbacks()[..3], [Callback::Made, Callback::Data(5), Callback::ReadClosed]);
}

fn ports_of_any_family(world: &World) {
    let listener = TcpListener::bind(any_port()).unwrap();
    let addr = listener.local_addr().unwrap();
    let adopt = |descriptor: OwnedFd| {
        let config = ListenConfig::default();
        world.reactor().adopt_port(descriptor, config, world.watched(|| Echo)).unwrap()
    };
    let mut early = RemoteEnd::socket(dial(addr, Width::Wide));
    let port = adopt(listener.into());
    assert_eq!((port.local(), port.to_string()), (Address::Inet(addr), addr.to_string()));
    answers(world, &mut early);
    answers(world, &mut RemoteEnd::socket(dial(addr, Width::Wide)));
    port.stop_listening();

    let path = free_path();
    let listener = UnixListener::bind(&path).unwrap();
    let mut early = RemoteEnd::unix(UnixStream::connect(&path).unwrap());
    let port = adopt(listener.into());
    assert_eq!(port.local(), Address::Unix(UnixAddr::from(&path)));
    answers(world, &mut early);
    let mut late = RemoteEnd::unix(UnixStream::connect(&path).unwrap());
    answers(world, &mut late);
    port.stop_listening();
    world.turn();
    assert!(UnixStream::connect(&path).is_err());
    std::fs::remove_file(&path).expect("the file is its maker's");
    answers(world, &mut late);
}

/// Answers each datagram, and counts.
struct Answer(Rc<Cell<usize>>);

impl<A: DatagramAddr> DatagramProtocol<A> for Answer {
    fn datagram_received(&mut self, transport: &DatagramTransport<A>, data: &[u8], from: A) {
        self.0.set(self.0.get() + 1);
        match transport.peer() {
            Some(_) => transport.send(data),
            None => transport.send_to(data, from),
        };
    }
}

fn sockets_for_datagrams(world: &World) {
    let count = Rc::<Cell<usize>>::default();
    let config = DatagramConfig::default;
    let bind = || UdpSocket::bind(any_port()).unwrap();
    let (remote, alone, joined) = (bind(), bind(), bind());
    joined.connect(remote.local_addr().unwrap()).unwrap();
    let mut expected = 0;
    for near in [alone, joined] {
        let (at, peer) = (near.local_addr().unwrap(), near.peer_addr().ok());
        let transport = world.reactor().adopt_udp(near, config(), Answer(count.clone())).unwrap();
        assert_eq!((transport.local(), transport.peer()), (at, peer));
        remote.send_to(b"hello", at).unwrap();
        expected += 1;
        world.until("a datagram", || count.get() == expected);
        assert_eq!(remote.recv_from(&mut [0; 8]).unwrap(), (5, at));
    }
    let (near, remote) = UnixDatagram::pair().unwrap();
    let answer = Answer(count.clone());
    let transport = world.reactor().adopt_unix_datagram(near, config(), answer).unwrap();
    assert_eq!((transport.local(), transport.peer()), (UnixAddr::Unnamed, Some(UnixAddr::Unnamed)));
    remote.send(b"hello").unwrap();
    world.until("a datagram", || count.get() == expected + 1);
    assert_eq!(remote.recv(&mut [0; 8]).unwrap(), 5, "bytes of a read");
}

fn adopted_sockets_are_nonblocking_and_close_on_exec(world: &World) {
    let (near, _far) = connected(any_port());
    rustix::io::fcntl_setfd(&near, rustix::io::FdFlags::empty()).unwrap();
    let (another, number) = (near.try_clone().unwrap(), near.as_raw_fd());
    assert!(!fcntl_getfl(&another).unwrap().contains(OFlags::NONBLOCK));
    world.reactor().adopt_stream(near, world.traces.watch(Sink)).unwrap();
    assert!(fcntl_getfl(&another).unwrap().contains(OFlags::NONBLOCK));
    if cfg!(target_os = "linux") {
        let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        let flags = u32::from_str_radix(flags.trim(), 8).unwrap();
        assert_ne!(flags & OFlags::CLOEXEC.bits(), 0, "{info}");
    }
}

/// Descriptors of all kinds, with their kinds.
fn all_kinds() -> Vec<(DescriptorKind, OwnedFd)> {
    use DescriptorKind as Is;
    let socket = |domain, of_type| OwnedFd::from(Socket::new(domain, of_type, None).unwrap());
    let listener = UnixListener::bind(free_path()).unwrap();
    let path = listener.local_addr().unwrap().as_pathname().unwrap().to_owned();
    std::fs::remove_file(path).unwrap();
    let mut all = vec![
        (Is::TcpListener, TcpListener::bind(any_port()).unwrap().into()),
        (Is::TcpConnection, connected(any_port()).0.into()),
        (Is::Udp, UdpSocket::bind(any_port()).unwrap().into()),
        (Is::UnixListener, listener.into()),
        (Is::UnixConnection, UnixStream::pair().unwrap().0.into()),
        (Is::UnixDatagram, UnixDatagram::unbound().unwrap().into()),
        (Is::NotASocket, File::open("/dev/null").unwrap().into()),
        (Is::NotASocket, std::io::pipe().unwrap().0.into()),
    ];
    if cfg!(target_os = "linux") {
        all.push((Is::OtherSocket, socket(Domain::UNIX, Type::SEQPACKET)));
        // Other systems cannot report whether a socket is listening.
        all.push((Is::UnconnectedTcp, socket(Domain::IPV4, Type::STREAM)));
        all.push((Is::UnconnectedUnix, socket(Domain::UNIX, Type::STREAM)));
    }
    all
}

fn descriptors_of_other_kinds_are_returned(world: &World) {
    let reactor = world.reactor();
    type Adopt<'a> = &'a dyn Fn(OwnedFd) -> Option<AdoptError>;
    let count = || Answer(Rc::default());
    let stream = |fd| reactor.adopt_stream(fd, Sink).err();
    let port = |fd| reactor.adopt_port(fd, ListenConfig::default(), |_: &Peer| Sink).err();
    let udp = |fd| reactor.adopt_udp(fd, DatagramConfig::default(), count()).err();
    let unix = |fd| reactor.adopt_unix_datagram(fd, DatagramConfig::default(), count()).err();
    type Adopter<'a> = (&'a str, Adopt<'a>, fn(DescriptorKind) -> bool);
    let adopters: [Adopter<'_>; 4] = [
        ("a connected stream socket", &stream, DescriptorKind::is_connection),
        ("a listening stream socket", &port, DescriptorKind::is_listener),
        ("a UDP socket", &udp, |kind| kind == DescriptorKind::Udp),
        ("a Unix datagram socket", &unix, |kind| kind == DescriptorKind::UnixDatagram),
    ];
    for (wanted, adopt, takes) in adopters {
        for (kind, descriptor) in all_kinds() {
            let number = descriptor.as_raw_fd();
            match adopt(descriptor) {
                None => assert!(takes(kind), "{wanted}: {kind}"),
                Some(error) => {
                    assert!(!takes(kind), "{wanted}: {error}");
                    assert_eq!(
                        error.to_string(),
                        format!("expected {wanted}, but the descriptor is {kind}")
                    );
                    let back = error.into_descriptor().unwrap();
                    assert_eq!(back.as_raw_fd(), number);
                    assert_eq!(DescriptorKind::of(back.as_fd()).unwrap(), kind);
                    assert!(!fcntl_getfl(&back).unwrap().contains(OFlags::NONBLOCK), "{kind}");
                }
            }
        }
    }
}

/// A descriptor received over a Unix socket, adopted inside the callback that delivered it.
fn a_connection_over_a_connection(world: &World) {
    let (near, remote) = UnixStream::pair().unwrap();
    let (inner, mut inner_far) = connected(any_port());
    inner_far.write_all(b"before").unwrap();
    let traces = world.traces.clone();
    let adopted = Rc::<RefCell<Option<Connection<_>>>>::default();
    let (keep, mut given) = (adopted.clone(), Some(inner));
    let outer = Script(move |transport: &Transport, what: Event<'_>| {
        if let Event::Data(_) = what {
            let inner = given.take().expect("it is told once");
            let connection =
                transport.reactor().unwrap().adopt_stream(inner, traces.watch(Echo)).unwrap();
            // It has not started yet, but accepts writes.
            connection.transport().write(b"first ");
            *keep.borrow_mut() = Some(connection);
        }
    });
    world.reactor().adopt_stream(near, world.traces.watch(outer)).unwrap();
    let mut remote = RemoteEnd::unix(remote);
    remote.send(b"go");
    let mut inner_far = RemoteEnd::socket(inner_far);
    assert_eq!(world.receive(&mut inner_far, 12), b"first before");
    let connection = adopted.take().unwrap();
    assert!(connection.with(|_, _| ()).is_some());
    // If it is dropped before it starts, both callbacks are still called.
    let (inner, _far) = connected(any_port());
    let sink = world.traces.watch(Sink);
    let trace = sink.trace().clone();
    world.reactor().adopt_stream(inner, sink).unwrap().transport().abort();
    world.until("the end", || trace.is_lost());
}

fn a_simulated_host_adopts_nothing(_: &World) {
    let network = Network::new(7);
    let reactor = network.host("host").reactor();
    let (near, mut remote) = UnixStream::pair().unwrap();
    let error = reactor.adopt_stream(near, Sink).unwrap_err();
    assert!(matches!(&error, AdoptError::System(_)), "{error}");
    assert_eq!(remote.read(&mut [0]).unwrap(), 0, "it is closed");
    let listener = TcpListener::bind(any_port()).unwrap();
    assert!(reactor.adopt_port(listener, ListenConfig::default(), |_: &Peer| Sink).is_err());
}

fn endpoints_on_descriptors(world: &World) {
    let path = free_path();
    let listener = UnixListener::bind(&path).unwrap();
    let text = format!("fd:{}", listener.as_raw_fd());
    let server: ServerEndpoint = text.parse().unwrap();
    let port = server.listen(world.reactor(), world.watched(|| Echo)).unwrap();
    assert_eq!(port.local(), Address::Unix(UnixAddr::from(&path)));
    answers(world, &mut RemoteEnd::unix(UnixStream::connect(&path).unwrap()));
    std::fs::remove_file(&path).unwrap();
    // A listener is not valid for clients, and vice versa.
    let client: ClientEndpoint = text.parse().unwrap();
    let connecting = client.connect(world.reactor(), |_: &Peer| Sink);
    world.until("the failure", || connecting.is_settled());
    let error = connecting.take().unwrap().unwrap_err().to_string();
    let why = "expected a connected stream socket, but the descriptor is a listening Unix socket";
    assert_eq!(error, format!("could not connect to {text}: {why}"));

    let (near, remote) = connected(any_port());
    let text = format!("fd:{}", near.as_raw_fd());
    let client: ClientEndpoint = text.parse().unwrap();
    let connecting = client.connect(world.reactor(), world.watched(|| Echo));
    world.until("the connection", || connecting.is_settled());
    let connection = connecting.take().unwrap().unwrap();
    assert_eq!(connection.transport().peer(), Peer::Inet(near.peer_addr().unwrap()));
    answers(world, &mut RemoteEnd::socket(remote));
    let server: ServerEndpoint = text.parse().unwrap();
    let error = server.listen(world.reactor(), |_: &Peer| Sink).unwrap_err().to_string();
    assert!(error.ends_with("but the descriptor is a connected TCP socket"), "{error}");
    // Not an open descriptor.
    let connecting =
        "fd:65000".parse::<ClientEndpoint>().unwrap().connect(world.reactor(), |_: &Peer| Sink);
    world.until("the failure", || connecting.is_settled());
    assert!(connecting.take().unwrap().is_err());
}
