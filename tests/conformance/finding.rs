//! Typed access to a connection's protocol (`Transport::connection`), directly and from the loop, for all kinds of
//! connections and wrappers.

use std::{
    cell::Cell,
    io::Write,
    os::{fd::AsRawFd, unix::net::UnixStream},
    process::Command,
    rc::Rc,
};

use sinew::{
    prelude::*,
    testing::{Recording, Tapped, tap},
    transports::{
        ClientService, DynFactory, RetryConfig,
        endpoint::{ClientEndpoint, ServerEndpoint, TcpClient, TcpServer, TlsClient, TlsServer},
        memory,
    },
};

use crate::support::{
    World, certs,
    sockets::{any_port, free_path},
    table,
};

table! {
    ports:
        through_any_endpoint,
        with_any_factory,
        made_without_an_endpoint,
        after_starttls,
        while_it_is_relayed;
}

/// Counts received bytes.
#[derive(Default)]
struct Counts(usize);

impl Protocol for Counts {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0 += data.len();
    }
}

/// Sends data in connection_made.
struct Hello;

impl Protocol for Hello {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(b"hello");
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

fn counts(_: &Peer) -> Counts {
    Counts::default()
}

fn count(protocol: &mut Counts) -> usize {
    protocol.0
}

fn connected<P: Protocol>(world: &World, connecting: Connecting<P>) -> Connection<P> {
    let mut made = None;
    world.until("a connection", || {
        made = made.take().or_else(|| connecting.take());
        made.is_some()
    });
    made.unwrap().unwrap().detach()
}

/// Finds the protocol in both ways after the first input, and not after the connection has ended.
fn check<P: Protocol>(world: &World, connection: &Connection<P>, count: fn(&mut P) -> usize) {
    assert!(connection.with(|_, _| ()).is_some());
    world.until("what is said", || connection.with(|protocol, _| count(protocol)) == Some(5));
    let called = Rc::new(Cell::new(0));
    let noted = called.clone();
    connection.call(move |protocol, _| noted.set(count(protocol)));
    assert_eq!(called.get(), 0, "it is the loop that calls");
    world.turn();
    assert_eq!(called.get(), 5, "calls");
    connection.transport().abort();
    world.until("the end", || connection.with(|_, _| ()).is_none());
}

fn tls_pair(world: &World) -> (ClientEndpoint, ListeningPort<sinew::transports::Address>) {
    let server = ServerEndpoint::new(TlsServer::new(TcpServer::new(any_port()), certs::server()));
    let port = server.listen(world.reactor(), |_: &Peer| Hello).unwrap();
    let to = TcpClient::new(port.local().socket_addr().unwrap());
    (ClientEndpoint::new(TlsClient::new(to, certs::client())), port)
}

fn through_any_endpoint(world: &World) {
    let reactor = world.reactor();
    let (tls, tls_port) = tls_pair(world);
    check(world, &connected(world, tls.connect(reactor, counts)), count);
    tls_port.stop_listening();
    let path = free_path();
    let servers: [ServerEndpoint; 3] = [
        any_port().into(),
        format!("unix:{}", path.display()).parse().unwrap(),
        "memory:finding".parse().unwrap(),
    ];
    for server in servers {
        let port = server.listen(reactor, |_: &Peer| Hello).unwrap();
        let client: ClientEndpoint = match port.local().socket_addr() {
            Some(addr) => addr.into(),
            None => port.local().to_string().parse().unwrap(),
        };
        check(world, &connected(world, client.connect(reactor, counts)), count);
        port.stop_listening();
    }
    let server: ServerEndpoint = "proxy:tcp:0:interface=127.0.0.1".parse().unwrap();
    let port = server.listen(reactor, |_: &Peer| Hello).unwrap();
    let addr = port.local().socket_addr().unwrap();
    let client: ClientEndpoint = format!("tcp:{addr}:sendProxy=v2").parse().unwrap();
    check(world, &connected(world, client.connect(reactor, counts)), count);
    port.stop_listening();
    let client: ClientEndpoint = "process:sh:-c:printf hello; exec cat".parse().unwrap();
    check(world, &connected(world, client.connect(reactor, counts)), count);
    let (near, mut remote) = UnixStream::pair().unwrap();
    remote.write_all(b"hello").unwrap();
    let client: ClientEndpoint = format!("fd:{}", near.as_raw_fd()).parse().unwrap();
    check(world, &connected(world, client.connect(reactor, counts)), count);
}

/// Through a TLS endpoint, where the protocol could not be found in the past.
fn with_any_factory(world: &World) {
    let reactor = world.reactor();
    let (client, port) = tls_pair(world);
    let shared = SharedFactory::new(counts);
    check(world, &connected(world, client.connect(reactor, shared)), count);
    let recording = Recording::new();
    let tapped = connected(world, client.connect(reactor, tap(counts, &recording)));
    check(world, &tapped, |tapped: &mut Tapped<Counts>| tapped.get_mut().0);
    // A boxed protocol is found by the type of the box, since the inner type is erased.
    let boxed = |_: &Peer| -> Box<dyn Protocol> { Box::new(Counts::default()) };
    let boxed = connected(world, client.connect(reactor, boxed));
    assert!(boxed.with(|_: &mut Box<dyn Protocol>, _| ()).is_some());
    let erased = connected(world, client.connect(reactor, DynFactory::new(counts)));
    let name = erased.with(|protocol, _| format!("{protocol:?}"));
    assert!(name.is_some_and(|name| name.contains("Counts")));
    for transport in [boxed.transport(), erased.transport()] {
        transport.abort();
    }
    let service = ClientService::with(reactor, client, RetryConfig::default(), counts);
    service.start();
    let connecting = service.when_connected();
    world.until("the service", || connecting.is_settled());
    let connection = connecting.take().unwrap().unwrap();
    service.stop().detach();
    assert!(connection.with(|_, _| ()).is_some());
    port.stop_listening();
}

fn made_without_an_endpoint(world: &World) {
    let reactor = world.reactor();
    let port = reactor.listen_tcp(any_port(), |_: &Peer| Hello).unwrap();
    check(world, &connected(world, reactor.connect_tcp(port.local(), counts)), count);
    let erased = reactor.connect_tcp(port.local(), DynFactory::new(counts));
    assert!(connected(world, erased).with(|_, _| ()).is_some());
    port.stop_listening();
    let port = reactor.listen_tls(any_port(), &certs::server(), |_: &Peer| Hello).unwrap();
    let connecting = reactor.connect_tls(port.local(), &certs::client(), counts);
    check(world, &connected(world, connecting), count);
    port.stop_listening();
    let (connection, wire) = memory::connect(reactor, StreamConfig::default(), Counts(0)).unwrap();
    wire.receive(b"hello");
    check(world, &connection, count);
    let (near, mut remote) = UnixStream::pair().unwrap();
    remote.write_all(b"hello").unwrap();
    check(world, &reactor.adopt_stream(near, Counts(0)).unwrap(), count);
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"hello").unwrap();
    check(world, &reactor.open_pipe_reader(reader, Counts(0)).unwrap(), count);
    let mut command = Command::new("sh");
    command.args(["-c", "printf hello; exec cat"]);
    let (connection, _process) = reactor.connect_process(Counts(0), command).unwrap();
    check(world, &connection, count);
}

/// Starts TLS as the server, then sends data.
struct Late;

impl Protocol for Late {
    fn connection_made(&mut self, transport: &Transport) {
        transport.start_tls(&certs::server()).unwrap();
    }

    fn data_received(&mut self, _: &Transport, _: &[u8]) {}

    fn tls_started(&mut self, transport: &Transport) {
        transport.write(b"hello");
    }
}

fn after_starttls(world: &World) {
    let port = world.reactor().listen_tcp(any_port(), |_: &Peer| Late).unwrap();
    let client = connected(world, world.reactor().connect_tcp(port.local(), counts));
    client.transport().start_tls(certs::client().to("localhost").unwrap()).unwrap();
    check(world, &client, count);
    port.stop_listening();
}

fn while_it_is_relayed(world: &World) {
    let port = world.reactor().listen_tcp(any_port(), |_: &Peer| Hello).unwrap();
    let connect = || connected(world, world.reactor().connect_tcp(port.local(), counts));
    let (one, other) = (connect(), connect());
    for end in [&one, &other] {
        world.until("what is said", || end.with(|protocol, _| protocol.0) == Some(5));
    }
    one.transport().relay(other.transport()).unwrap().detach();
    world.turn();
    check(world, &one, count);
    port.stop_listening();
}
