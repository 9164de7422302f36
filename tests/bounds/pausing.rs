//! A paused stream leaves its input in the kernel: the test has duplicates of the sockets, and finds there what the
//! engine has not read.

use std::{
    io::{ErrorKind, PipeWriter, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::OwnedFd,
        unix::net::{UnixDatagram, UnixListener, UnixStream},
    },
};

use rustix::io::ioctl_fionread;
use sinew::{
    prelude::*,
    transports::{Address, DatagramConfig, ReactorAdopt},
};

use crate::support::{
    Sink, World, noise,
    sockets::{any_port, free_path},
    table,
};

table! {
    ports:
        a_paused_stream_takes_nothing_from_the_kernel,
        a_pause_in_the_midst_of_a_flood_takes_one_buffer_at_most,
        paused_datagrams_stay_in_the_kernel,
        a_full_port_leaves_the_others_in_the_backlog,
        a_paused_port_leaves_all_in_the_backlog;
}

/// Maximum size of one read.
const READ: usize = 64 * 1024;

/// A stream of each kind: its reading end in the kernel, its writer, and its transport.
fn streams(world: &World) -> Vec<(&'static str, OwnedFd, Box<dyn Write>, Transport)> {
    let listener = TcpListener::bind(any_port()).unwrap();
    let tcp_far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let tcp = listener.accept().unwrap().0;
    let (unix, unix_far) = UnixStream::pair().unwrap();
    let (passing, passing_far) = UnixStream::pair().unwrap();
    let (pipe, pipe_far): (_, PipeWriter) = std::io::pipe().unwrap();
    let adopt = |socket: OwnedFd, config: StreamConfig| {
        let copy = socket.try_clone().unwrap();
        let sink = world.traces.watch(Sink);
        let connection = world.reactor().adopt_stream_with(socket, config, sink).unwrap();
        (copy, connection.transport().clone())
    };
    let (tcp, tcp_transport) = adopt(tcp.into(), StreamConfig::default());
    let (unix, unix_transport) = adopt(unix.into(), StreamConfig::default());
    let takes = StreamConfig::default().receive_descriptors(1);
    let (passing, passing_transport) = adopt(passing.into(), takes);
    let copy = pipe.try_clone().unwrap().into();
    let piped = world.reactor().open_pipe_reader(pipe, world.traces.watch(Sink)).unwrap();
    vec![
        ("TCP", tcp, Box::new(tcp_far), tcp_transport),
        ("Unix", unix, Box::new(unix_far), unix_transport),
        ("Unix with descriptors", passing, Box::new(passing_far), passing_transport),
        ("a pipe", copy, Box::new(pipe_far), piped.transport().clone()),
    ]
}

fn waiting(socket: &OwnedFd) -> usize {
    usize::try_from(ioctl_fionread(socket).unwrap()).unwrap()
}

fn a_paused_stream_takes_nothing_from_the_kernel(world: &World) {
    let bytes = noise(30_000);
    for (at, (kind, near, mut remote, transport)) in streams(world).into_iter().enumerate() {
        let trace = world.traces.all()[at].clone();
        remote.write_all(b"1").unwrap();
        world.until("the first byte", || trace.received() == 1);
        transport.pause_reading();
        remote.write_all(&bytes).unwrap();
        world.settle();
        assert_eq!(waiting(&near), bytes.len(), "{kind}");
        transport.resume_reading();
        world.until("the rest", || trace.received() == 1 + bytes.len());
    }
}

fn a_pause_in_the_midst_of_a_flood_takes_one_buffer_at_most(world: &World) {
    let (near, mut remote) = UnixStream::pair().unwrap();
    remote.set_nonblocking(true).unwrap();
    let copy = OwnedFd::from(near.try_clone().unwrap());
    let connection = world.reactor().adopt_stream(near, world.traces.watch(Sink)).unwrap();
    let trace = world.traces.last();
    let piece = noise(1 << 20);
    let mut sent = 0;
    for round in 0..20 {
        for turn in 0..5 {
            while let Ok(more) = remote.write(&piece) {
                sent += more;
            }
            world.turn();
            if turn == round % 5 {
                connection.transport().pause_reading();
            }
        }
        world.settle();
        let received = trace.forget();
        let held = sent - received - waiting(&copy);
        assert!(held <= READ, "{held} bytes are neither here nor there in round {round}");
        connection.transport().resume_reading();
        world.until("all of it", || trace.received() == sent);
    }
}

fn paused_datagrams_stay_in_the_kernel(world: &World) {
    struct Deaf;
    impl DatagramProtocol for Deaf {
        fn datagram_received(&mut self, _: &DatagramTransport, _: &[u8], _: std::net::SocketAddr) {
            panic!("it is paused");
        }
    }
    impl DatagramProtocol<UnixAddr> for Deaf {
        fn datagram_received(&mut self, _: &DatagramTransport<UnixAddr>, _: &[u8], _: UnixAddr) {
            panic!("it is paused");
        }
    }
    let udp = UdpSocket::bind(any_port()).unwrap();
    let udp_far = UdpSocket::bind(any_port()).unwrap();
    udp_far.connect(udp.local_addr().unwrap()).unwrap();
    let (unix, unix_far) = UnixDatagram::pair().unwrap();
    let (udp_copy, unix_copy) = (udp.try_clone().unwrap(), unix.try_clone().unwrap());
    let udp = world.reactor().adopt_udp(udp, DatagramConfig::default(), Deaf).unwrap();
    let unix = world.reactor().adopt_unix_datagram(unix, DatagramConfig::default(), Deaf).unwrap();
    world.settle();
    udp.pause_receiving();
    unix.pause_receiving();
    world.settle();
    for n in 0..3 {
        udp_far.send(&[n]).unwrap();
        unix_far.send(&[n]).unwrap();
    }
    world.settle();
    for n in 0..3 {
        let mut read = [9];
        udp_copy.recv(&mut read).unwrap();
        assert_eq!(read, [n], "UDP");
        unix_copy.recv(&mut read).unwrap();
        assert_eq!(read, [n], "Unix");
    }
}

/// A listener of either kind on an adopted socket, with its backlog, and how to connect to it.
struct Port {
    port: ListeningPort<Address>,
    backlog: Box<dyn Fn() -> std::io::Result<OwnedFd>>,
    dial: Box<dyn Fn() -> OwnedFd>,
}

fn ports(world: &World, config: ListenConfig) -> [(&'static str, Port); 2] {
    let tcp = TcpListener::bind(any_port()).unwrap();
    let path = free_path();
    let unix = UnixListener::bind(&path).unwrap();
    let addr = tcp.local_addr().unwrap();
    let (tcp_copy, unix_copy) = (tcp.try_clone().unwrap(), unix.try_clone().unwrap());
    let adopt = |socket: OwnedFd| {
        let factory = world.watched(|| Sink);
        world.reactor().adopt_port(socket, config.clone(), factory).unwrap()
    };
    let tcp = Port {
        port: adopt(tcp.into()),
        backlog: Box::new(move || tcp_copy.accept().map(|(socket, _)| socket.into())),
        dial: Box::new(move || TcpStream::connect(addr).unwrap().into()),
    };
    let unix = Port {
        port: adopt(unix.into()),
        backlog: Box::new(move || unix_copy.accept().map(|(socket, _)| socket.into())),
        dial: Box::new(move || UnixStream::connect(&path).unwrap().into()),
    };
    [("TCP", tcp), ("Unix", unix)]
}

impl Port {
    /// Accepts everything in the backlog.
    fn accept_all(&self) -> Vec<OwnedFd> {
        let mut accepted = Vec::new();
        loop {
            match (self.backlog)() {
                Ok(socket) => accepted.push(socket),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return accepted,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn a_full_port_leaves_the_others_in_the_backlog(world: &World) {
    for (kind, port) in ports(world, ListenConfig::default().max_connections(2)) {
        world.settle();
        let clients: Vec<_> = (0..7).map(|_| (port.dial)()).collect();
        world.until("two", || port.port.connections() == 2);
        world.settle();
        assert_eq!(port.accept_all().len(), 5, "{kind}");
        // One connection closes, and one more is accepted.
        drop(clients);
        world.until("both to go", || port.port.connections() == 0);
        let _clients: Vec<_> = (0..4).map(|_| (port.dial)()).collect();
        world.until("two more", || port.port.connections() == 2);
        world.settle();
        assert_eq!(port.accept_all().len(), 2, "{kind}");
    }
}

fn a_paused_port_leaves_all_in_the_backlog(world: &World) {
    for (kind, port) in ports(world, ListenConfig::default()) {
        world.settle();
        port.port.pause();
        let _clients: Vec<_> = (0..5).map(|_| (port.dial)()).collect();
        world.settle();
        assert_eq!(port.accept_all().len(), 5, "{kind}");
        let _clients: Vec<_> = (0..5).map(|_| (port.dial)()).collect();
        port.port.resume();
        world.until("all of them", || port.port.connections() == 5);
    }
}
