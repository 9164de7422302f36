//! Duplicated descriptors: closing one removes it from the kernel's queue, so that its duplicate does not wake the
//! loop.

use std::{
    fs::File,
    io::{IoSlice, IoSliceMut, Read, Write},
    mem::MaybeUninit,
    net::{TcpListener, TcpStream, UdpSocket},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::net::{UnixDatagram, UnixListener, UnixStream},
    },
    path::Path,
    time::Duration,
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use sinew::{
    prelude::*,
    transports::{DatagramAddr, DatagramConfig, endpoint::ClientEndpoint},
};

use super::adopting::connected;
use crate::support::{
    Sink, World,
    sockets::{any_port, free_path},
    table,
};

table! {
    ports:
        closing_a_descriptor_with_a_duplicate;
}

/// An adopted object, and a duplicate of its descriptor.
struct Twin {
    what: &'static str,
    /// Ends it on the reactor.
    end: Box<dyn FnOnce()>,
    /// Makes it readable.
    arrive: Box<dyn FnMut()>,
    /// Consumes that through the duplicate.
    take: Box<dyn FnMut()>,
}

/// epoll keeps watching a closed descriptor while a duplicate is open, unless it is removed explicitly: the loop
/// would be woken for a handler that no longer exists.
fn closing_a_descriptor_with_a_duplicate(world: &World) {
    let paths: Vec<_> = (0..3).map(|_| free_path()).collect();
    let twins = [
        stream_twin(world, "a TCP connection", connected(any_port())),
        stream_twin(world, "a Unix connection", UnixStream::pair().unwrap()),
        received_twin(world),
        port_twin(world),
        listener_twin(world),
        unix_port_twin(world, &paths[0]),
        udp_twin(world),
        unix_datagram_twin(world, &paths[1], &paths[2]),
        pipe_twin(world),
        endpoint_twin(world),
    ];
    for _ in 0..3 {
        world.turn();
    }
    let mut ended = Vec::new();
    for Twin { what, end, arrive, take } in twins {
        end();
        ended.push((what, arrive, take));
    }
    world.until("all ends", || world.reactor().stats().handlers == 0);
    world.turn();
    for (what, mut arrive, mut take) in ended {
        for _ in 0..20 {
            let events = world.reactor().stats().events;
            arrive();
            world.reactor().turn(Some(Duration::ZERO)).unwrap();
            assert_eq!(world.reactor().stats().events, events, "{what} wakes the loop");
            take();
        }
    }
    for path in paths {
        std::fs::remove_file(path).unwrap();
    }
}

impl Twin {
    fn new(
        what: &'static str,
        end: impl FnOnce() + 'static,
        arrive: impl FnMut() + 'static,
        take: impl FnMut() + 'static,
    ) -> Self {
        Self { what, end: Box::new(end), arrive: Box::new(arrive), take: Box::new(take) }
    }

    /// One that receives data.
    fn of_bytes(
        what: &'static str,
        mut remote: impl Write + 'static,
        mut other: impl Read + 'static,
        transport: Transport,
    ) -> Self {
        let arrive = move || remote.write_all(b"x").unwrap();
        let take = move || other.read_exact(&mut [0]).unwrap();
        Self::new(what, move || transport.abort(), arrive, take)
    }

    /// One that receives connections.
    fn of_port<C: 'static, A: 'static>(
        what: &'static str,
        connect: impl Fn() -> C + 'static,
        accept: impl Fn() -> A + 'static,
        end: impl FnOnce() + 'static,
    ) -> Self {
        Self::new(what, end, move || drop(connect()), move || drop(accept()))
    }
}

/// Both ends of a connection, as descriptors.
fn stream_twin<S: AsFd + Into<OwnedFd>>(
    world: &World,
    what: &'static str,
    (near, remote): (S, S),
) -> Twin {
    let other = File::from(near.as_fd().try_clone_to_owned().unwrap());
    let connection = world.reactor().adopt_stream(near, world.traces.watch(Sink)).unwrap();
    Twin::of_bytes(what, File::from(remote.into()), other, connection.transport().clone())
}

/// A descriptor received over a Unix socket; the sender has kept a duplicate.
fn received_twin(world: &World) -> Twin {
    let (near, remote) = UnixStream::pair().unwrap();
    let (sender, receiver) = UnixStream::pair().unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [near.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    sendmsg(&sender, &[IoSlice::new(b"x")], &mut control, SendFlags::empty()).unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut slices = [IoSliceMut::new(&mut byte)];
    recvmsg(&receiver, &mut slices, &mut control, RecvFlags::empty()).unwrap();
    let received = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    let sink = world.traces.watch(Sink);
    let connection = world.reactor().adopt_stream(received.unwrap(), sink).unwrap();
    Twin::of_bytes("a connection that was received", remote, near, connection.transport().clone())
}

fn port_twin(world: &World) -> Twin {
    let listener = TcpListener::bind(any_port()).unwrap();
    let other = listener.try_clone().unwrap();
    let addr = other.local_addr().unwrap();
    let factory = |_: &Peer| Sink;
    let port = world.reactor().adopt_port(listener, ListenConfig::default(), factory).unwrap();
    let connect = move || TcpStream::connect(addr).unwrap();
    let accept = move || other.accept().unwrap();
    Twin::of_port("a TCP port", connect, accept, move || port.stop_listening())
}

fn listener_twin(world: &World) -> Twin {
    let listener = TcpListener::bind(any_port()).unwrap();
    let other = listener.try_clone().unwrap();
    let addr = other.local_addr().unwrap();
    let factory = |_: &Peer| Sink;
    let port = world.reactor().adopt_listener(listener, ListenConfig::default(), factory).unwrap();
    let connect = move || TcpStream::connect(addr).unwrap();
    let accept = move || other.accept().unwrap();
    Twin::of_port("a listener", connect, accept, move || port.stop_listening())
}

fn unix_port_twin(world: &World, path: &Path) -> Twin {
    let listener = UnixListener::bind(path).unwrap();
    let (other, path) = (listener.try_clone().unwrap(), path.to_owned());
    let factory = |_: &Peer| Sink;
    let port = world.reactor().adopt_port(listener, ListenConfig::default(), factory).unwrap();
    let connect = move || UnixStream::connect(&path).unwrap();
    let accept = move || other.accept().unwrap();
    Twin::of_port("a Unix port", connect, accept, move || port.stop_listening())
}

/// Ignores datagrams.
struct Deaf;

impl<A: DatagramAddr> DatagramProtocol<A> for Deaf {
    fn datagram_received(&mut self, _: &DatagramTransport<A>, _: &[u8], _: A) {}
}

fn udp_twin(world: &World) -> Twin {
    let socket = UdpSocket::bind(any_port()).unwrap();
    let (other, remote) = (socket.try_clone().unwrap(), UdpSocket::bind(any_port()).unwrap());
    let to = other.local_addr().unwrap();
    let config = DatagramConfig::default();
    let transport = world.reactor().adopt_udp(socket, config, Deaf).unwrap();
    let arrive = move || assert_eq!(remote.send_to(b"x", to).unwrap(), 1);
    let take = move || assert_eq!(other.recv_from(&mut [0]).unwrap().0, 1);
    Twin::new("a UDP socket", move || transport.stop(), arrive, take)
}

fn unix_datagram_twin(world: &World, near: &Path, remote: &Path) -> Twin {
    let (socket, remote) = (UnixDatagram::bind(near).unwrap(), UnixDatagram::bind(remote).unwrap());
    remote.connect(near).unwrap();
    let other = socket.try_clone().unwrap();
    let config = DatagramConfig::default();
    let transport = world.reactor().adopt_unix_datagram(socket, config, Deaf).unwrap();
    let arrive = move || assert_eq!(remote.send(b"x").unwrap(), 1);
    let take = move || assert_eq!(other.recv(&mut [0]).unwrap(), 1);
    Twin::new("a Unix socket for datagrams", move || transport.stop(), arrive, take)
}

fn pipe_twin(world: &World) -> Twin {
    let (reader, writer) = std::io::pipe().unwrap();
    let other = reader.try_clone().unwrap();
    let connection = world.reactor().open_pipe_reader(reader, world.traces.watch(Sink)).unwrap();
    Twin::of_bytes("a pipe", writer, other, connection.transport().clone())
}

/// An endpoint duplicates its descriptor.
fn endpoint_twin(world: &World) -> Twin {
    let (other, remote) = connected(any_port());
    let client: ClientEndpoint = format!("fd:{}", other.as_raw_fd()).parse().unwrap();
    let connecting = client.connect(world.reactor(), world.watched(|| Sink));
    world.until("the connection", || connecting.is_settled());
    let transport = connecting.take().unwrap().unwrap().detach().transport().clone();
    Twin::of_bytes("an endpoint on a descriptor", remote, other, transport)
}
