//! Listeners: limits, pausing, stopping, draining, and factories.

use std::{
    cell::{Cell, RefCell},
    io,
    net::{SocketAddr, TcpListener},
    rc::Rc,
    time::Duration,
};

use sinew::{prelude::*, transports::ListenError};

use crate::support::{
    Echo, EndState, Event, RemoteEnd, Script, Sink, Traces, Watched, Width, World,
    sockets::{any_port, dial},
    table,
};

table! {
    ports:
        past_max_connections_clients_wait_in_the_backlog,
        past_max_per_ip_clients_are_closed,
        a_paused_port_accepts_nothing_and_sleeps,
        a_port_may_be_paused_from_its_own_connection,
        stop_listening_refuses_from_then_on,
        stop_listening_leaves_connections_alone,
        a_port_may_be_stopped_before_the_loop_turns,
        a_factory_may_refuse,
        a_factory_is_started_and_stopped_once,
        a_factory_may_do_anything,
        a_client_that_has_already_disconnected_is_handled,
        an_address_in_use_is_an_error,
        an_invalid_address_is_an_error,
        ports_on_ipv6,
        a_dual_stack_port_counts_by_the_address_without_the_family;
}

pub(super) fn echo(world: &World) -> impl FnMut(&Peer) -> Watched<Echo> + use<> {
    let traces = world.traces.clone();
    move |_| traces.watch(Echo)
}

pub(super) fn client(port: &ListeningPort) -> RemoteEnd {
    RemoteEnd::socket(dial(port.local(), Width::Wide))
}

fn past_max_connections_clients_wait_in_the_backlog(world: &World) {
    let config = ListenConfig::default().max_connections(2);
    let port = world.reactor().listen_tcp_with(any_port(), config, echo(world)).unwrap();
    let mut clients: Vec<_> = (0..5).map(|_| client(&port)).collect();
    clients.iter_mut().for_each(|client| client.send(b"hello"));
    for left in (0..5).rev() {
        world.until("as many as may be", || port.connections() == 2.min(left + 1));
        world.receive(&mut clients[0], 5);
        world.assert_asleep();
        let waiting = clients.iter_mut().skip(2).all(|client| client.take().is_empty());
        assert!(waiting, "past the limit nobody is served, nor closed");
        clients.remove(0).close();
    }
    world.until("all gone", || port.connections() == 0);
    assert_eq!(world.traces.len(), 5 + 1, "with the canary of assert_asleep");
}

fn past_max_per_ip_clients_are_closed(world: &World) {
    let config = ListenConfig::default().max_per_ip(2);
    let port = world.reactor().listen_tcp_with(any_port(), config, echo(world)).unwrap();
    let (mut one, mut two) = (client(&port), client(&port));
    one.send(b"1");
    two.send(b"2");
    assert_eq!(
        (world.receive(&mut one, 1), world.receive(&mut two, 1)),
        (b"1".into(), b"2".into())
    );
    let mut three = client(&port);
    assert_eq!(world.receive_to_end(&mut three).0, b"");
    assert_eq!(port.connections(), 2, "connections");
    // Another address has its own limits.
    if cfg!(target_os = "linux") {
        let mut other = from("127.0.0.2:0".parse().unwrap(), port.local());
        other.send(b"3");
        world.receive(&mut other, 1);
        other.close();
    }
    // Closed connections free their slots.
    one.close();
    world.until("room", || port.connections() == 1);
    let mut four = client(&port);
    four.send(b"4");
    world.receive(&mut four, 1);
}

/// A client that connects from a chosen address.
fn from(from: SocketAddr, to: SocketAddr) -> RemoteEnd {
    let socket =
        socket2::Socket::new(socket2::Domain::for_address(to), socket2::Type::STREAM, None)
            .unwrap();
    socket.bind(&from.into()).unwrap();
    socket.connect(&to.into()).unwrap();
    RemoteEnd::socket(socket.into())
}

fn a_paused_port_accepts_nothing_and_sleeps(world: &World) {
    let port = world.reactor().listen_tcp(any_port(), echo(world)).unwrap();
    for round in 0..3 {
        port.pause();
        let mut waiting = client(&port);
        waiting.send(b"x");
        world.assert_asleep();
        assert_eq!(port.connections(), round);
        port.resume();
        world.receive(&mut waiting, 1);
        std::mem::forget(waiting);
    }
}

fn a_port_may_be_paused_from_its_own_connection(world: &World) {
    let slot: Rc<RefCell<Option<ListeningPort>>> = Rc::default();
    let (port, traces) = (slot.clone(), world.traces.clone());
    let factory = move |_: &Peer| {
        let port = port.clone();
        traces.watch(Script(move |_: &Transport, what: Event<'_>| {
            if let Event::Made = what {
                port.borrow().as_ref().unwrap().pause();
            }
        }))
    };
    let port = world.reactor().listen_tcp(any_port(), factory).unwrap();
    slot.replace(Some(port.clone()));
    let _clients: Vec<_> = (0..3).map(|_| client(&port)).collect();
    for connections in 1..=3 {
        world.until("one more", || port.connections() == connections);
        world.assert_asleep();
        assert_eq!(port.connections(), connections, "one at a time");
        port.resume();
    }
    slot.take();
}

fn stop_listening_refuses_from_then_on(world: &World) {
    let port = world.reactor().listen_tcp(any_port(), echo(world)).unwrap();
    world.turn();
    let mut waiting = client(&port);
    port.stop_listening();
    port.stop_listening();
    port.resume();
    world.turn();
    assert_eq!(world.receive_to_end(&mut waiting).1, EndState::Reset, "the system refuses it");
    let refused = std::net::TcpStream::connect(port.local()).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(world.traces.len(), 0, "protocols that were built");
    // The port can be reused.
    drop(TcpListener::bind(port.local()).unwrap());
}

fn stop_listening_leaves_connections_alone(world: &World) {
    let port = world.reactor().listen_tcp(any_port(), echo(world)).unwrap();
    let mut open = client(&port);
    open.send(b"1");
    world.receive(&mut open, 1);
    port.stop_listening();
    world.turn();
    open.send(b"2");
    world.receive(&mut open, 1);
    assert_eq!(port.connections(), 1, "connections");
}

fn a_port_may_be_stopped_before_the_loop_turns(world: &World) {
    let callbacks = Rc::new(RefCell::new(Vec::new()));
    let factory = Registrar { callbacks: callbacks.clone(), traces: world.traces.clone() };
    let port = world.reactor().listen_tcp(any_port(), factory).unwrap();
    port.stop_listening();
    world.settle();
    assert!(matches!(callbacks.borrow()[..], [] | ["started", "stopped"]), "{callbacks:?}");
}

/// A factory that records its calls, and rejects every other client.
struct Registrar {
    callbacks: Rc<RefCell<Vec<&'static str>>>,
    traces: Traces,
}

impl Factory for Registrar {
    type Protocol = Watched<Echo>;

    fn build_protocol(&mut self, _: &Peer) -> Option<Self::Protocol> {
        let mut callbacks = self.callbacks.borrow_mut();
        callbacks.push("asked");
        let is_even = callbacks.iter().filter(|callbacks| **callbacks == "asked").count() % 2 == 0;
        is_even.then(|| self.traces.watch(Echo))
    }

    fn started(&mut self) {
        self.callbacks.borrow_mut().push("started");
    }

    fn stopped(&mut self) {
        self.callbacks.borrow_mut().push("stopped");
    }
}

fn a_factory_may_refuse(world: &World) {
    let callbacks = Rc::new(RefCell::new(Vec::new()));
    let factory = Registrar { callbacks, traces: world.traces.clone() };
    let port = world.reactor().listen_tcp(any_port(), factory).unwrap();
    let (mut refused, mut taken) = (client(&port), client(&port));
    assert_eq!(world.receive_to_end(&mut refused).0, b"");
    taken.send(b"welcome");
    world.receive(&mut taken, 7);
    assert_eq!(
        (port.connections(), world.reactor().stats().connections),
        (1, 1),
        "connections, connections"
    );
}

fn a_factory_is_started_and_stopped_once(world: &World) {
    let callbacks = Rc::new(RefCell::new(Vec::new()));
    let factory = SharedFactory::new(Registrar {
        callbacks: callbacks.clone(),
        traces: world.traces.clone(),
    });
    assert!(format!("{factory:?}").contains("SharedFactory"));
    let ports: Vec<_> =
        (0..3).map(|_| world.reactor().listen_tcp(any_port(), factory.clone()).unwrap()).collect();
    world.settle();
    assert_eq!(*callbacks.borrow(), ["started"]);
    for port in &ports {
        let _ = client(port);
        port.stop_listening();
        assert_eq!(callbacks.borrow().last(), Some(&"started"));
        let mut after = 0;
        world.until("the port to close", || {
            after += 1;
            after > 3
        });
        let is_last = port.local() == ports[2].local();
        assert_eq!(callbacks.borrow().contains(&"stopped"), is_last);
    }
    // Reopened listeners start their factory again; the shutdown of a reactor stops them.
    callbacks.borrow_mut().clear();
    drop(world.reactor().listen_tcp(any_port(), factory).unwrap());
    world.settle();
    assert_eq!(*callbacks.borrow(), ["started"]);
    world.reactor().call_soon(|reactor| reactor.stop().unwrap());
    world.reactor().run().unwrap();
    assert_eq!(*callbacks.borrow(), ["started", "stopped"]);
}

fn a_factory_may_do_anything(world: &World) {
    let slot: Rc<RefCell<Option<ListeningPort>>> = Rc::default();
    let weak = world.reactor().downgrade();
    let (port, traces) = (slot.clone(), world.traces.clone());
    let built = Rc::new(Cell::new(0));
    let count = built.clone();
    let factory = move |peer: &Peer| {
        count.set(count.get() + 1);
        assert!(peer.ip().is_some_and(|ip| ip.is_loopback()));
        let reactor = weak.upgrade().unwrap();
        let port = port.borrow();
        let port = port.as_ref().unwrap();
        port.pause();
        port.resume();
        assert_eq!(port.connections(), 0, "connections");
        drop(reactor.listen_tcp("127.0.0.1:0", |_: &Peer| Sink).unwrap());
        port.drain(Duration::from_secs(1000)).detach();
        port.stop_listening();
        traces.watch(Echo)
    };
    let port = world.reactor().listen_tcp(any_port(), factory).unwrap();
    slot.replace(Some(port.clone()));
    let (mut first, mut second) = (client(&port), client(&port));
    first.send(b"x");
    world.receive_to_end(&mut first);
    assert_ne!(world.receive_to_end(&mut second).1, EndState::Open, "the port was stopped");
    assert_eq!(built.get(), 1, "protocols that were built");
    slot.take();
}

fn a_client_that_has_already_disconnected_is_handled(world: &World) {
    let port = world.reactor().listen_tcp(any_port(), echo(world)).unwrap();
    for _ in 0..10 {
        client(&port).reset();
        client(&port).close();
    }
    let mut patient = client(&port);
    patient.send(b"x");
    world.receive(&mut patient, 1);
    world.until("the others to go", || port.connections() == 1);
}

fn an_address_in_use_is_an_error(world: &World) {
    let taken = TcpListener::bind(any_port()).unwrap();
    let addr = taken.local_addr().unwrap();
    let error = world.reactor().listen_tcp(addr, |_: &Peer| Sink).unwrap_err();
    assert!(error.to_string().starts_with(&format!("could not listen on {addr}")), "{error}");
    assert!(
        matches!(&error, ListenError::Listen { addr: at, source } if *at == addr && source.kind() == io::ErrorKind::AddrInUse)
    );
    // The first address that can be bound is used.
    let port = world.reactor().listen_tcp(&[addr, any_port()][..], |_: &Peer| Sink).unwrap();
    assert_ne!(port.local(), addr);
    assert_eq!(world.reactor().stats().handlers, 1, "handlers");
}

fn an_invalid_address_is_an_error(world: &World) {
    for addr in ["", "127.0.0.1", "127.0.0.1:99999", ":::"] {
        let error = world.reactor().listen_tcp(addr, |_: &Peer| Sink).unwrap_err();
        assert!(matches!(error, ListenError::Resolve { .. }), "{addr}: {error}");
    }
    let none: &[SocketAddr] = &[];
    let error = world.reactor().listen_tcp(none, |_: &Peer| Sink).unwrap_err();
    assert!(matches!(error, ListenError::Resolve { .. }), "{error}");
}

fn ports_on_ipv6(world: &World) {
    let Ok(port) = world.reactor().listen_tcp("[::1]:0", echo(world)) else {
        return; // This machine has no IPv6.
    };
    let mut remote = client(&port);
    remote.send(b"six");
    world.receive(&mut remote, 3);
    let transport = world.traces.last().transport();
    assert_eq!(
        transport.peer().socket_addr(),
        Some(remote.as_socket().unwrap().local_addr().unwrap())
    );
    let connection = world.reactor().connect_tcp(port.local(), echo(world));
    world.until("a connection over IPv6", || connection.is_settled());
    assert!(connection.take().unwrap().is_ok());
}

fn a_dual_stack_port_counts_by_the_address_without_the_family(world: &World) {
    let config = ListenConfig::default().max_per_ip(1);
    let Ok(port) = world.reactor().listen_tcp_with("[::]:0", config, echo(world)) else {
        return; // This machine has no IPv6.
    };
    let v4: SocketAddr = ([127, 0, 0, 1], port.local().port()).into();
    let mut one = RemoteEnd::socket(dial(v4, Width::Wide));
    one.send(b"x");
    world.receive(&mut one, 1);
    let peer = world.traces.last().transport().peer();
    assert_eq!(peer.ip(), Some(v4.ip()));
    let mut two = RemoteEnd::socket(dial(v4, Width::Wide));
    assert_eq!(world.receive_to_end(&mut two).0, b"", "the same address");
    let only6 = ListenConfig::default().v6_only(true);
    let port = world.reactor().listen_tcp_with("[::]:0", only6, echo(world)).unwrap();
    let v4: SocketAddr = ([127, 0, 0, 1], port.local().port()).into();
    // Another test may listen there.
    let _refused = std::net::TcpStream::connect(v4);
    world.settle();
    assert_eq!(port.connections(), 0);
}
